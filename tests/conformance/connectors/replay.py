"""A PSP made of recorded exchanges: an HTTP server that answers what it is told to, in order, and goes wrong on demand."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar
from urllib.parse import urlsplit

from chalicelib.contracts.conversation import Conversation, HttpRequest
from tests.conformance.connectors.profile import profile_of
from tests.conformance.connectors.recordings import object_of

T = TypeVar("T")
CLOSED_PORT = "http://127.0.0.1:1"  # nobody listens there


class Fault(StrEnum):
    REFUSED = "refused"  # no connection comes about: before
    SILENCE = "silence"  # it is read, and nothing is answered: after
    RESET = "reset"  # it is read, and the connection is cut
    HALF = "half"  # half of the answer comes
    DOWN = "down"  # 503


@dataclass(frozen=True, slots=True)
class Answer:
    """`signed`: by the PSP, where it signs its answers (`Profile.sign_answer`)."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    signed: bool = True


def answer_of(exchange: Mapping[str, Any]) -> Answer:
    """Of a recorded exchange: `body` is a JSON document, or the exact text as `{"$text": …}`; `signed` may be false."""
    answer = exchange["answer"]
    body = answer.get("body")
    text = body["$text"] if isinstance(body, dict) and "$text" in body else None
    raw = text.encode() if text is not None else json.dumps(body).encode() if "body" in answer else b""
    return Answer(answer.get("status", 200), answer.get("headers", {}), raw, answer.get("signed", True))


def signed_by(psp: str, answer: Answer) -> Answer:
    """As the PSP would send it."""
    sign = profile_of(psp).sign_answer
    if sign is None or not answer.signed:
        return answer
    return replace(answer, headers=sign(answer.headers, answer.body), signed=False)


def answers_of(psp: str, name: str) -> list[Answer]:
    """Of an object of `objects.json` that is an answer, or the list of those that a connector is given one after the other:
    a token that is no longer taken, and no other in its place."""
    found = object_of(psp, name)
    return [answer_of({"answer": one}) for one in (found if isinstance(found, list) else [found])]


class Replay(ThreadingHTTPServer):
    """`answers` are given one after the other; one that is a Fault goes wrong."""

    daemon_threads = True

    def __init__(self) -> None:
        self.answers: list[Answer | Fault] = []
        self.released = threading.Event()
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is what tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65_536  # one write for each answer: two would wait for each other, 40 ms
    server: Replay

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        answer = self.server.answers.pop(0) if self.server.answers else Answer(599, {}, b"nothing is recorded")
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
def replaying() -> Iterator[Replay]:
    server = Replay()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server.shutdown()
        server.server_close()
        thread.join()


def readdressed(conversation: Conversation[T], addresses: Sequence[str], seen: list[HttpRequest]) -> Conversation[T]:
    """The same conversation with its n-th request sent to the n-th address (the last one for all that follow); `seen` gets
    the requests as they were."""
    try:
        request = next(conversation)
        while True:
            address = addresses[min(len(seen), len(addresses) - 1)]
            seen.append(request)
            parts = urlsplit(request.url)
            assert parts.scheme == "https" or parts.hostname in ("localhost", "127.0.0.1"), (
                "credentials go over TLS alone"
            )
            response = yield replace(request, url=address + request.url.partition(parts.netloc)[2])
            request = conversation.send(response)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
