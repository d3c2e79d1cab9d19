"""A PSP's address on this machine: each call that is read is answered as a test says, or goes wrong."""

from __future__ import annotations

import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from chalicelib.contracts.conversation import HttpRequest

CLOSED_PORT = "http://127.0.0.1:1"  # nobody listens there


class Fault(StrEnum):
    REFUSED = "refused"  # no connection comes about: before
    SILENCE = "silence"  # it is read, and nothing is answered: after
    RESET = "reset"  # it is read, and the connection is cut
    HALF = "half"  # half of the answer comes
    DOWN = "down"  # 503


@dataclass(frozen=True, slots=True)
class Call:
    """`target` is the path with its query; names of headers are lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def line(self) -> str:
        """Such as ``GET /v1/things``, without the query."""
        return f"{self.method} {self.target.partition('?')[0]}"

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(self.target.partition("?")[2]))


@dataclass(frozen=True, slots=True)
class Answer:
    """`signed`: by the PSP, where it signs its answers (`Profile.sign_answer`)."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    signed: bool = True


Answers = Callable[[Call], Answer | Fault]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, answers: Answers) -> None:
        self.answers, self.released = answers, threading.Event()
        self.failed: list[BaseException] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is what tests are about; a fault of the test's own PSP is not."""
        error = sys.exception()
        if error is not None and not isinstance(error, ConnectionError):
            self.failed.append(error)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65_536  # one write for each answer: two would wait for each other, 40 ms
    server: _Server

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.server.answers(Call(self.command, self.path, headers, body))
        if answer is Fault.SILENCE:
            self.server.released.wait(5)
            self.close_connection = True
        elif answer is Fault.RESET:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
        elif answer is Fault.HALF:
            self._write(200, {}, b'{"id": ', 200)
            self.close_connection = True
        elif answer is Fault.DOWN:
            self._write(503, {}, b"<html>down</html>")
        else:
            assert isinstance(answer, Answer)
            self._write(answer.status, answer.headers, answer.body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer

    def _write(self, status: int, headers: Mapping[str, str], body: bytes, length: int | None = None) -> None:
        self.send_response_only(status)  # whose Date is a recorded one
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def answering(answers: Answers) -> Iterator[str]:
    """The address. Raises what `answers` raised, once it is no longer needed."""
    server = _Server(answers)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
    if server.failed:
        raise server.failed[0]


def led_to(address: str, request: HttpRequest) -> HttpRequest:
    """The same request to another address."""
    return replace(request, url=address + request.url.partition(urlsplit(request.url).netloc)[2])
