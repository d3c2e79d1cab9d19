"""Why no answer came, as the driver and the guarded sessions of channels meet it on real sockets."""

from __future__ import annotations

import errno
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.exceptions import HTTPError, NewConnectionError

from chalicelib.outbound.dial import ADDRESS_REFUSED, AddressRefused, guarded_session
from chalicelib.outbound.failures import UNRESOLVED, reason_of
from chalicelib.outbound.transport import prepared
from tests.conformance.certificates import authority_in, server_context
from tests.ports import free_port

TIMEOUT_S = 0.3
SECRETS = ("user", "hunter2", "key=s3cret", "Bearer t0ken")
CLOSED = "the connection was closed before the answer was complete"


def by_adapter(url: str) -> requests.Response:
    """As the driver sends."""
    return HTTPAdapter().send(prepared("GET", url, HEADERS, None), stream=True, timeout=TIMEOUT_S, verify=True)


def by_guarded_session(url: str) -> requests.Response:
    """As the channels send."""
    adapter = guarded_session(("127.0.0.0/8", "::1/128")).get_adapter(url)
    return adapter.send(prepared("POST", url, HEADERS, b"{}"), stream=True, timeout=(TIMEOUT_S, TIMEOUT_S), verify=True)


HEADERS = {"Authorization": "Bearer t0ken"}
Send = Callable[[str], requests.Response]
both = pytest.mark.parametrize("send", [by_adapter, by_guarded_session])


def told(send: Send, url: str) -> str:
    """What is told of a call there, with credentials in its address, its query and a header."""
    with pytest.raises((requests.RequestException, HTTPError, OSError, AddressRefused)) as failed:
        send(url.replace("://", "://user:hunter2@") + "?key=s3cret").raw.read(decode_content=True)
    reason = reason_of(failed.value, connect_s=TIMEOUT_S, answer_s=TIMEOUT_S)
    assert not any(secret in reason for secret in (*SECRETS, "127.0.0.1", "localhost"))
    return reason


@contextmanager
def server(behave: Callable[[socket.socket], Any], tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """The port of a server that treats its one connection as `behave` says."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=_served, args=(listening, behave, tls), daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        thread.join()


def _served(listening: socket.socket, behave: Callable[[socket.socket], Any], tls: ssl.SSLContext | None) -> None:
    try:
        with ExitStack() as held:
            accepted = held.enter_context(listening.accept()[0])
            if tls is not None:
                accepted = held.enter_context(tls.wrap_socket(accepted, server_side=True))
            _read_whole(accepted)  # closing with bytes unread would reset the connection
            behave(accepted)
    except OSError:
        pass  # a client that does not trust it


def _read_whole(accepted: socket.socket) -> None:
    """A request of `by_adapter` or `by_guarded_session`, or what begins a handshake."""
    received = b""
    while not received.startswith(b"\x16"):
        part = accepted.recv(65_536)
        received += part
        if not part or received.endswith(b"\r\n\r\n{}" if received.startswith(b"POST") else b"\r\n\r\n"):
            return


def answering(text: bytes) -> Callable[[socket.socket], Any]:
    return lambda accepted: accepted.sendall(text)


def reset(accepted: socket.socket) -> None:
    accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")


@both
def test_a_name_without_an_address(send: Send) -> None:
    assert told(send, "http://psp.invalid/") == UNRESOLVED


@both
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_port_where_nobody_listens(send: Send, scheme: str) -> None:
    assert told(send, f"{scheme}://127.0.0.1:{free_port()}/") == "the connection was refused"


@both
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_server_that_is_silent(send: Send, scheme: str) -> None:
    with server(lambda accepted: accepted.recv(1)) as port:  # which ends when the client hangs up
        assert told(send, f"{scheme}://127.0.0.1:{port}/") == "no answer within 0.3 s"


@both
def test_a_server_that_takes_no_connection(send: Send) -> None:
    """Its queue of connections is full, so that the system leaves further ones unanswered."""
    with ExitStack() as held:
        listening = held.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        waiting = [held.enter_context(socket.socket()) for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(listening.getsockname())
        assert told(send, f"http://127.0.0.1:{listening.getsockname()[1]}/") == "no connection within 0.3 s"


@both
@pytest.mark.parametrize(
    "behave",
    [
        reset,
        lambda accepted: None,
        answering(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{"),
        answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"),
    ],
)
def test_a_server_that_hangs_up(send: Send, behave: Callable[[socket.socket], Any]) -> None:
    with server(behave) as port:
        assert told(send, f"http://127.0.0.1:{port}/") == CLOSED


@both
@pytest.mark.parametrize(
    "text",
    [b"hello\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Encoding: gzip\r\n\r\n{}"],
)
def test_a_server_that_makes_no_sense(send: Send, text: bytes) -> None:
    with server(answering(text)) as port:
        assert told(send, f"http://127.0.0.1:{port}/") == "the answer can not be read"


@both
def test_a_server_without_tls_where_tls_is_spoken(send: Send) -> None:
    with server(answering(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as port:
        assert told(send, f"https://127.0.0.1:{port}/") == "TLS failed (WRONG_VERSION_NUMBER)"


@both
def test_a_certificate_that_nobody_vouches_for(send: Send, tmp_path: Path) -> None:
    _, certificate, key = authority_in(tmp_path)
    with server(reset, server_context(certificate, key)) as port:
        reason = told(send, f"https://localhost:{port}/")
    assert reason == "the server's certificate is not trusted: unable to get local issuer certificate"


@both
@pytest.mark.parametrize("url", ["https://localhost:{}/", "https://127.0.0.2:{}/"])
@pytest.mark.allow_hosts(["127.0.0.1", "127.0.0.2", "::1"])
def test_a_certificate_of_another_host(send: Send, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority, certificate, key = authority_in(tmp_path, "shop.example")
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(authority))
    with socket.create_server(("", 0)) as listening:
        where = (listening, reset, server_context(certificate, key))
        thread = threading.Thread(target=_served, args=where, daemon=True)
        thread.start()
        reason = told(send, url.format(listening.getsockname()[1]))
        thread.join()
    assert reason == "the server's certificate is for another host"


def test_an_address_that_may_not_be_dialled() -> None:
    def strict(url: str) -> requests.Response:
        return guarded_session(()).get_adapter(url).send(prepared("GET", url, HEADERS, None))

    assert told(strict, "https://127.0.0.1/") == ADDRESS_REFUSED


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "there is no route to the host"),
        (OSError(errno.EHOSTUNREACH, "No route to host"), "there is no route to the host"),
        (PermissionError(errno.EPERM, "Operation not permitted"), "this machine's own rules forbid the connection"),
        (OSError(errno.EMFILE, "Too many open files"), "no usable answer (ConnectionError)"),
    ],
)
def test_what_no_socket_of_this_machine_does(error: OSError, reason: str) -> None:
    refused = NewConnectionError(HTTPConnection("psp.example"), "no connection")
    refused.__cause__ = error
    assert reason_of(requests.ConnectionError(refused), connect_s=1, answer_s=1) == reason
