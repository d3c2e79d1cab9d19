"""A small Chalice app that tells what it was asked, and a gateway around it under real gunicorn."""

from __future__ import annotations

import base64
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chalice.app import BadRequestError, Response

from chalicelib.api.threadlocal import ThreadSafeChalice
from tests.ports import free_port

ROOT = Path(__file__).parents[2]
app = ThreadSafeChalice(app_name="shop")


def _echo(**params: str) -> Response:
    request = app.current_request
    assert request is not None
    event = request.to_original_event()
    told: dict[str, Any] = {
        "params": params,
        "headers": event["headers"],
        "multi": event["multiValueHeaders"],
        "query": event["multiValueQueryStringParameters"],
        "method": request.method,
        "path": request.context["path"],
        "raw_query": request.context["rawQueryString"],
        "source": request.context["identity"]["sourceIp"],
        "body": base64.b64encode(request.raw_body).decode(),
    }
    return Response(told, headers={"Content-Type": "application/json"})


_BODIES = ["application/json", "application/octet-stream", "text/plain"]


@app.route("/echo", methods=["GET"])
def read() -> Response:
    return _echo()


@app.route("/echo", methods=["POST"], content_types=_BODIES)
def write() -> Response:
    return _echo()


@app.route("/items/{item_id}")
def item(item_id: str) -> Response:
    return _echo(item_id=item_id)


@app.route("/items/special")
def special() -> Response:
    return _echo(special="yes")


@app.route("/items/{item_id}/parts/{part}")
def part(item_id: str, part: str) -> Response:
    return _echo(item_id=item_id, part=part)


@app.route("/webhooks/{merchant_id}/{connection_id}", methods=["GET"])
def callback(merchant_id: str, connection_id: str) -> Response:
    return _echo(merchant_id=merchant_id, connection_id=connection_id)


@app.route("/webhooks/{merchant_id}/{connection_id}", methods=["POST"], content_types=_BODIES)
def webhook(merchant_id: str, connection_id: str) -> Response:
    return _echo(merchant_id=merchant_id, connection_id=connection_id)


@app.route("/picture")
def picture() -> Response:
    return Response(bytes(range(256)), headers={"Content-Type": "image/png", "Cache-Control": "max-age=60"})


@app.route("/cookies")
def cookies() -> Response:
    return Response("", status_code=204, headers={"Set-Cookie": ["a=1", "b=2"]})


@app.route("/broken")
def broken() -> Response:
    raise RuntimeError("secret-of-the-database")


@app.route("/split-header")
def split_header() -> Response:
    return Response("", headers={"Location": "/a\rSet-Cookie: stolen=1"})


@app.route("/refused")
def refused() -> Response:
    raise BadRequestError("no")


@app.route("/slow/{name}")
def slow(name: str) -> Response:
    """Says that it has begun by a file, and ends once another appears; no clock decides a test."""
    folder = Path(os.environ["SHOP_SIGNS"])
    (folder / f"{name}.begun").touch()
    ends = time.monotonic() + 20
    while not (folder / f"{name}.end").exists():
        assert time.monotonic() < ends
        time.sleep(0.01)
    return Response({"pid": os.getpid()})


SERVE = """
import sys
from chalicelib import telemetry
from server import gunicorn_worker
from server.serve import GatewayServer, Serving
telemetry.configure_logging("INFO")
port, workers = map(int, sys.argv[1:3])
gunicorn_worker.ARRIVE_WITHIN_S = float(sys.argv[3])
GatewayServer(Serving("https://pay.example", port=port, workers=workers, app="tests.server.shop:app")).run()
"""


class Server:
    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path, signs: Path) -> None:
        self.process, self.port, self._log, self.signs = process, port, log, signs
        self.url = f"http://127.0.0.1:{port}"

    @property
    def log(self) -> str:
        return self._log.read_text()

    def talk(self, *pieces: bytes, end: bool = False) -> bytes:
        """Sends the pieces over a socket of its own and returns all that comes back until the server closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=15) as conn:
            for piece in pieces:
                conn.sendall(piece)
            if end:
                conn.shutdown(socket.SHUT_WR)
            received = b""
            while piece := conn.recv(65536):
                received += piece
            return received


def wait_for(condition: Any, within_s: float = 15) -> None:
    ends = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < ends, "it did not happen in time"
        time.sleep(0.01)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@contextmanager
def serving(folder: Path, workers: int = 1, arrive_within_s: float = 20) -> Iterator[Server]:
    """The shop under gunicorn in a process group of its own, ended by its id."""
    port, log = free_port(), folder / "server.log"
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "SHOP_SIGNS": str(folder),
        "PROMETHEUS_MULTIPROC_DIR": str(folder / "metrics"),
    }
    (folder / "metrics").mkdir()
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(port), str(workers), str(arrive_within_s)],
            env=environment,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        wait_for(lambda: _listens(port) and process.poll() is None)
        yield Server(process, port, log, folder)
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(30)
