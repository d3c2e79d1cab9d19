"""The peer over real HTTP; `PeerDriver` is the real driver that finds it under Mollie's address."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from chalicelib.contracts.conversation import HttpRequest, HttpResponse
from chalicelib.outbound.driver import Deadline, Driver
from tests.connectors.mollie.peer import HOST, Mollie


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65_536
    server: _Server

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        mollie, path = self.server.mollie, self.path
        with mollie.lock:
            status, said = mollie.answer(self.command, path, {k.lower(): v for k, v in self.headers.items()}, body)
            text = b"" if said is None else json.dumps(said).encode()
        if self.command != "GET" and any(path.endswith(end) for end in mollie.silent):
            self.server.released.wait(0 if mollie.abrupt else 5)
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PATCH = do_DELETE = _answer

    def log_message(self, format: str, *args: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, mollie: Mollie) -> None:
        self.mollie, self.released = mollie, threading.Event()
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that does not wait for an answer is what tests are about."""


class PeerDriver(Driver):
    """The real driver; Mollie's address, and no other, leads to the peer."""

    def __init__(self, url: str, *, call_timeout_s: float = 5.0) -> None:
        super().__init__(call_timeout_s=call_timeout_s)
        self._url = url

    def _send(self, request: HttpRequest, deadline: Deadline) -> HttpResponse:
        parts = urlsplit(request.url)
        assert (parts.scheme, parts.netloc) == ("https", HOST), request.url
        return super()._send(replace(request, url=self._url + request.url.partition(parts.netloc)[2]), deadline)


@contextmanager
def serving(mollie: Mollie) -> Iterator[str]:
    server = _Server(mollie)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
