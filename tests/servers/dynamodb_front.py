"""An HTTP server in front of DynamoDB Local that does what the real one may do, and the local one never does."""

from __future__ import annotations

import http.client
import json
import socket
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

WELL = "well"
THROTTLED = "ProvisionedThroughputExceededException"  # these answer 400 with that code, and apply nothing
THROTTLING = "ThrottlingException"
DENIED = "AccessDeniedException"
BROKEN = "500, not applied"
BROKEN_AFTER = "500, though applied"
RESET = "reset before it was applied"
RESET_AFTER = "reset after it was applied"
SLOW_AFTER = "applied, but the answer comes too late"
GATEWAY_PAGE = "applied, but a gateway answers 200 with a page of its own"
DAMAGED = "applied, but the answer is damaged on its way"
PARTIAL = "only half of the keys of a BatchGetItem are served"
_ERRORS = (THROTTLED, THROTTLING, DENIED)
_APPLIED = (BROKEN_AFTER, RESET_AFTER, SLOW_AFTER, GATEWAY_PAGE, DAMAGED)
_TYPE = "application/x-amz-json-1.0"


class Front:
    """`plan` is asked what shall become of each call, by its operation; `asked` are the operations so far.

    `applied` is called after a call took effect and before its answer goes wrong: what others do meanwhile.
    """

    def __init__(self, behind: str) -> None:
        self.behind = urlsplit(behind)
        self.plan: Callable[[str], str] = lambda operation: WELL
        self.applied: Callable[[], None] = lambda: None
        self.asked: list[str] = []
        self.slow_s = 1.0

    def script(self, operation: str, *faults: str) -> None:
        """The next calls of `operation` go wrong in this way, one after the other; then all is well."""
        left = list(faults)
        self.plan = lambda asked: left.pop(0) if asked == operation and left else WELL

    def count(self, operation: str) -> int:
        return self.asked.count(operation)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one segment
    disable_nagle_algorithm = True
    front: Front

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        operation = self.headers["X-Amz-Target"].rpartition(".")[2]
        fault = self.front.plan(operation)
        self.front.asked.append(operation)
        if fault in _ERRORS:
            return self._answer(400, json.dumps({"__type": f"com.amazonaws#{fault}", "message": "no"}).encode())
        if fault == BROKEN:
            return self._broken()
        if fault == RESET:
            return self._reset()
        left: dict[str, Any] = {}
        if fault == PARTIAL:
            body, left = _halved(body)
        status, answer = self._forward(body)
        if fault in _APPLIED:
            self.front.applied()
        if fault == BROKEN_AFTER:
            return self._broken()
        if fault == RESET_AFTER:
            return self._reset()
        if fault == GATEWAY_PAGE:
            return self._answer(200, b"<html>a gateway's own page</html>", {})
        if fault == DAMAGED:
            return self._answer(status, b"{ }", {"x-amz-crc32": str(zlib.crc32(answer))})
        if fault == SLOW_AFTER:
            time.sleep(self.front.slow_s)
        if fault == PARTIAL:
            answer = json.dumps({**json.loads(answer), "UnprocessedKeys": left}).encode()
        return self._answer(status, answer)

    def _forward(self, body: bytes) -> tuple[int, bytes]:
        behind = http.client.HTTPConnection(self.front.behind.netloc, timeout=30)
        kept = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")}
        try:
            behind.request("POST", "/", body, {**kept, "Content-Length": str(len(body))})
            answer = behind.getresponse()
            return answer.status, answer.read()
        finally:
            behind.close()

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        if headers is None:
            headers = {"x-amzn-requestid": "a-request", "x-amz-crc32": str(zlib.crc32(body))}
        try:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", _TYPE)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()
        except OSError:
            self.close_connection = True  # who asked has gone

    def _broken(self) -> None:
        self._answer(500, json.dumps({"__type": "com.amazonaws#InternalServerError", "message": "no"}).encode())

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True
        self.wfile, self.rfile = _Nowhere(), _Nowhere()  # type: ignore[assignment]

    def log_message(self, *arguments: Any) -> None: ...


class _Nowhere:
    """What is left of a connection that was reset."""

    closed = False

    def flush(self) -> None: ...

    def close(self) -> None: ...


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, address: Any) -> None:
        """A client that was killed has left its connection."""

    def shutdown_request(self, request: Any) -> None:
        if request.fileno() >= 0:
            super().shutdown_request(request)


@contextmanager
def front_of(endpoint: str) -> Iterator[tuple[Front, str]]:
    """The front and its own endpoint."""
    front = Front(endpoint)
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"front": front}))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield front, f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _halved(body: bytes) -> tuple[bytes, dict[str, Any]]:
    """A BatchGetItem of half the keys, at least one, and the others as UnprocessedKeys."""
    asked = json.loads(body)
    ((table, wanted),) = asked["RequestItems"].items()
    served = (len(wanted["Keys"]) + 1) // 2
    left = wanted["Keys"][served:]
    half = {**asked, "RequestItems": {table: {**wanted, "Keys": wanted["Keys"][:served]}}}
    return json.dumps(half).encode(), ({table: {**wanted, "Keys": left}} if left else {})
