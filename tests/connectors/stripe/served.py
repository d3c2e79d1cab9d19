"""Stripe accounts at an address of this machine, and the real driver led there."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from chalicelib.contracts.conversation import HttpRequest, HttpResponse
from chalicelib.outbound.driver import Deadline, Driver
from tests.connectors.stripe.peer import Stripe


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65_536
    server: _Server

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        headers = {name.lower(): value for name, value in self.headers.items()}
        stripe = self.server.accounts[headers.get("authorization", "").removeprefix("Bearer ")]
        with stripe.lock:
            status, said = stripe.answer(self.command, self.path, headers, body)
            text = json.dumps(said).encode()
            if stripe.lost:
                stripe.lost -= 1
                self.close_connection = True
                return
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = _answer

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


class _Server(ThreadingHTTPServer):
    """One address for all accounts: the key says whose it is."""

    daemon_threads = True

    def __init__(self, accounts: dict[str, Stripe]) -> None:
        self.accounts = accounts
        super().__init__(("127.0.0.1", 0), _Handler)


class PeerDriver(Driver):
    """The real driver; Stripe's address, and no other, leads to the peer. `requests` are those that the connector made,
    `before` is told of each first."""

    def __init__(self, url: str) -> None:
        super().__init__(call_timeout_s=3)
        self._url = url
        self.requests: list[HttpRequest] = []
        self.before: Callable[[HttpRequest], None] = lambda request: None

    def _send(self, request: HttpRequest, deadline: Deadline) -> HttpResponse:
        self.requests.append(request)
        self.before(request)
        address, host = request.url.split("/v1/", 1)[0], "https://api.stripe.com"
        assert address == host, request.url
        return super()._send(replace(request, url=self._url + request.url.removeprefix(host)), deadline)


@contextmanager
def serving(*accounts: Stripe) -> Iterator[str]:
    server = _Server({one.api_key: one for one in accounts})
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
