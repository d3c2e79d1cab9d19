"""Certainty: what proves that nothing was sent, and what leaves the outcome unknown."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from traceback import format_exception

import pytest

from chalicelib.contracts.conversation import (
    Conversation,
    HttpRequest,
    HttpResponse,
    NotSent,
    OutcomeUnknown,
    ReadFailed,
)
from chalicelib.domain.errors import SignatureInvalid
from chalicelib.outbound.driver import Deadline, Driver
from tests.ports import free_port

Behaviour = Callable[[socket.socket], None]


@contextmanager
def server(behave: Behaviour, connections: int = 5) -> Iterator[str]:
    """A TCP server that treats each connection as `behave` says, after it has read the request."""
    listening = socket.create_server(("127.0.0.1", 0))
    listening.settimeout(10)

    def serve() -> None:
        for _ in range(connections):
            try:
                accepted, _ = listening.accept()
            except OSError:
                return
            with accepted:
                try:
                    _read_whole(accepted)  # closing with bytes unread would reset the connection
                    behave(accepted)
                except OSError:
                    continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    listening.close()
    thread.join(0.1)


def _read_whole(accepted: socket.socket) -> None:
    received = b""
    while not received.endswith(b"\r\n\r\n{}" if received.startswith(b"POST") else b"\r\n\r\n"):
        part = accepted.recv(65_536)
        if not part:
            return
        received += part


def answering(status: str, body: bytes) -> Behaviour:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
    return lambda accepted: accepted.sendall(head + body)


def one_call(url: str, *, moves_money: bool = True) -> Conversation[dict[str, object]]:
    response: HttpResponse = yield HttpRequest("POST", url, body=b"{}", moves_money=moves_money)
    document: dict[str, object] = response.json()
    return document


def converse(url: str, *, moves_money: bool = True, budget_s: float = 5) -> dict[str, object]:
    return Driver(call_timeout_s=0.5).converse(one_call(url, moves_money=moves_money), Deadline(budget_s))


def test_an_answer_is_the_conversations_result() -> None:
    with server(answering("200 OK", b'{"a": 1}')) as url:
        assert converse(url) == {"a": 1}


def test_a_closed_port_proves_that_nothing_was_sent() -> None:
    with pytest.raises(NotSent):
        converse(f"http://127.0.0.1:{free_port()}")


def test_a_name_without_an_address_proves_that_nothing_was_sent() -> None:
    with pytest.raises(NotSent):
        converse("http://psp.invalid/")


def test_no_time_left_proves_that_nothing_was_sent() -> None:
    with pytest.raises(NotSent, match="no time"):
        converse("http://127.0.0.1:1", budget_s=0)


def reset(accepted: socket.socket) -> None:
    accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")


def silent(accepted: socket.socket) -> None:
    threading.Event().wait(1)


def dripping(accepted: socket.socket) -> None:
    accepted.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(60):
        accepted.sendall(b" ")
        threading.Event().wait(0.02)


CLOSED = "the connection was closed before the answer was complete"
# name: (behaviour, what is told of it)
UNCERTAIN: dict[str, tuple[Behaviour, str]] = {
    "a reset after connecting": (reset, f"127.0.0.1: {CLOSED}"),
    "a close without an answer": (lambda accepted: None, f"127.0.0.1: {CLOSED}"),
    "no answer in time": (silent, "127.0.0.1: no answer within 0.5 s"),
    "an answer that drips": (dripping, "127.0.0.1: the answer took too long"),
    "a server error": (answering("503 Unavailable", b"{}"), "127.0.0.1: answered 503"),
    "half an answer": (
        lambda accepted: accepted.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{"),
        f"127.0.0.1: {CLOSED}",
    ),
    "an answer that is no JSON": (
        answering("200 OK", b"<html>"),
        "127.0.0.1: the answer can not be read (JSONDecodeError)",
    ),
    "no HTTP": (
        lambda accepted: accepted.sendall(b"hello\r\n\r\n"),
        "127.0.0.1: the answer can not be read",
    ),
}


@pytest.mark.parametrize("name", UNCERTAIN)
def test_anything_else_after_a_money_call_is_unknown(name: str) -> None:
    behave, told = UNCERTAIN[name]
    with server(behave) as url, pytest.raises(OutcomeUnknown) as unknown:
        converse(url)
    assert unknown.value.detail == told


@pytest.mark.parametrize("name", UNCERTAIN)
def test_the_same_on_a_read_is_only_a_failed_read(name: str) -> None:
    behave, told = UNCERTAIN[name]
    with server(behave) as url, pytest.raises(ReadFailed) as failed:
        converse(url, moves_money=False)
    assert failed.value.detail == told


def test_an_answer_over_a_megabyte_is_not_read() -> None:
    with server(answering("200 OK", b" " * 1_100_000)) as url, pytest.raises(OutcomeUnknown, match="bytes"):
        converse(url)


@pytest.mark.parametrize("key", ["key\n", "key\r\nX-Other: 1", "key\0", "€"])
def test_a_header_that_can_not_be_sent_is_not_sent_and_not_shown(key: str) -> None:
    def call(url: str) -> Conversation[None]:
        yield HttpRequest("POST", url, {"Authorization": key}, moves_money=True)

    with server(answering("200 OK", b"{}")) as url, pytest.raises(NotSent, match="can not be written") as refused:
        Driver().converse(call(url), Deadline(1))
    assert key not in "".join(format_exception(refused.value))


@pytest.mark.parametrize("url", ["http://127.0.0.1:99999/", "http://psp:port/", "psp.example"])
def test_an_address_that_can_not_be_is_not_sent(url: str) -> None:
    with pytest.raises(NotSent):
        converse(url)


def test_redirects_are_not_followed() -> None:
    with server(answering("302 Found\r\nLocation: http://127.0.0.1:1/", b"{}")) as url:
        assert converse(url) == {}


def test_a_connector_may_raise_the_projects_own_errors() -> None:
    def verifying() -> Conversation[None]:
        raise SignatureInvalid("forged")
        yield

    with pytest.raises(SignatureInvalid):
        Driver().converse(verifying(), Deadline(1))


def test_a_conversation_has_an_end() -> None:
    def endless(url: str) -> Conversation[None]:
        while True:
            yield HttpRequest("GET", url)

    with server(answering("200 OK", b"{}"), connections=20) as url, pytest.raises(ReadFailed, match="calls"):
        Driver().converse(endless(url), Deadline(5))
