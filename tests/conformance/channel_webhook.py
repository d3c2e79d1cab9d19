"""A subscriber's receiver of webhooks, as a server that stops and starts."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from chalicelib.contracts.publisher import Publisher, Target
from chalicelib.publishers.webhook import WebhookPublisher, WebhookTarget
from tests.conformance.channel import LOOPBACK, Received, wired
from tests.conformance.wire import Wire
from tests.ports import free_port

SIGNING = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"
TOKEN = "bearer-of-the-subscriber"
_numbers = itertools.count()


class _Handler(BaseHTTPRequestHandler):
    """Takes what a subscriber with the right token posts to a path that is there."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if len(body) < int(self.headers["Content-Length"]):
            return  # cut off
        kept = self.server.kept.get(self.path)
        status = 404 if kept is None else 401 if self.headers["Authorization"] != TOKEN else 204
        if kept is not None and status == 204:
            kept.append(
                Received(
                    body,
                    self.headers["Content-Type"],
                    self.headers["webhook-id"],
                    None,
                    {name[3:]: value for name, value in self.headers.items() if name.startswith("ce-")},
                )
            )
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int, kept: dict[str, list[Received]]) -> None:
        self.kept = kept
        super().__init__(("127.0.0.1", port), _Handler)


class _Destination:
    secrets = (SIGNING, TOKEN)

    def __init__(self, port: int, path: str, kept: list[Received]) -> None:
        self._path, self._kept = path, kept
        self.target = self._at(f"http://localhost:{port}{path}")
        self.missing = self._at(f"http://localhost:{port}/nobody")
        self.wrong_credentials = self._at(f"http://localhost:{port}{path}", "wrong")

    def received(self) -> list[Received]:
        return list(self._kept)

    def plain_at(self, host: str) -> Target:
        return self._at(f"http://{host}{self._path}")

    @contextmanager
    def tls_at(self, port: int, ca: Path | None) -> Iterator[Target]:
        with pytest.MonkeyPatch.context() as patched:
            if ca is not None:
                patched.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(ca))
            yield self._at(f"https://localhost:{port}{self._path}")

    def _at(self, url: str, token: str = TOKEN) -> Target:
        return Target(WebhookTarget.model_validate({"url": url, "headers": {"Authorization": token}}), (SIGNING,))


class _Broker:
    def __init__(self) -> None:
        self._kept: dict[str, list[Received]] = {}
        self._server = _Server(free_port(), self._kept)
        self.address = ("127.0.0.1", self._server.server_port)
        self.wire: Wire
        self._serve()

    def publisher(self, *, connect_timeout_s: float = 5.0, answer_timeout_s: float = 15.0) -> Publisher:
        return WebhookPublisher(
            allowed_networks=LOOPBACK, connect_timeout_s=connect_timeout_s, answer_timeout_s=answer_timeout_s
        )

    @contextmanager
    def destination(self) -> Iterator[_Destination]:
        path = f"/hook/{next(_numbers)}"
        self._kept[path] = []
        yield _Destination(self.wire.port, path, self._kept[path])

    def _serve(self) -> None:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self.wire.drop()

    def start(self) -> None:
        self._server = _Server(self.address[1], self._kept)
        self._serve()


@contextmanager
def webhook(folder: Path) -> Iterator[_Broker]:
    broker = _Broker()
    try:
        with wired(broker.address) as broker.wire:
            yield broker
    finally:
        broker.stop()
