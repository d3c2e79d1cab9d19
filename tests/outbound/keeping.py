"""An HTTP server that keeps its connections open, and what it was sent."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Keeping(ThreadingHTTPServer):
    """`answers` are given one after the other, then 200 and `{}`; a negative status hangs up. `requests` are the bytes of
    each as text."""

    daemon_threads = True

    def __init__(self, host: str, port: int) -> None:
        self.answers: list[tuple[int, dict[str, str], bytes]] = []
        self.requests: list[str] = []
        self.connections = 0
        super().__init__((host, port), _Handler)
        self.url = f"http://{host}:{self.server_address[1]}/"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is what tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Keeping

    def setup(self) -> None:
        self.server.connections += 1
        super().setup()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
        headers = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        self.server.requests.append(f"{self.requestline}\r\n{headers}\r\n{body}")
        status, more, answer = self.server.answers.pop(0) if self.server.answers else (200, {}, b"{}")
        if status < 0:
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in {**more, "Content-Length": str(len(answer))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = _answer

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@contextmanager
def keeping(host: str = "127.0.0.1", port: int = 0) -> Iterator[Keeping]:
    serving = Keeping(host, port)
    thread = threading.Thread(target=serving.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield serving
    finally:
        serving.shutdown()
        serving.server_close()
        thread.join()
