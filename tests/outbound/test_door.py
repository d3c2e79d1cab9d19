"""What a Door lets through, and how long its sockets wait."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib.outbound.door import Door
from tests.conformance.certificates import authority_in, server_context
from tests.conformance.wire import Wire
from tests.outbound.keeping import Keeping, keeping

LOOPBACK = ("127.0.0.0/8",)


@pytest.fixture
def server() -> Iterator[Keeping]:
    with keeping() as serving:
        yield serving


@pytest.fixture
def dialled(server: Keeping) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.server_address[1])) as connected:
        yield connected


@pytest.mark.parametrize("tls", [None, ssl.create_default_context()], ids=["without TLS", "with TLS"])
def test_an_address_that_is_not_allowed_is_told_nothing(
    server: Keeping, dialled: socket.socket, tls: ssl.SSLContext | None
) -> None:
    with pytest.raises(OSError, match=r"^the address that was dialled is not allowed$"):
        Door("localhost", tls, (), 1.0).wrap_socket(dialled)
    assert server.requests == []


def test_a_socket_does_not_wait_without_end_when_it_is_told_to(dialled: socket.socket) -> None:
    door = Door("localhost", None, LOOPBACK, 0.1)
    wrapped = door.wrap_socket(dialled)
    wrapped.settimeout(None)
    with pytest.raises(TimeoutError):
        wrapped.recv_into(bytearray(1))
    door.close()


def test_nothing_is_read_once_the_time_is_over(dialled: socket.socket) -> None:
    door = Door("localhost", None, LOOPBACK, 1.0)
    wrapped = door.wrap_socket(dialled)
    wrapped.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert wrapped.recv_into(bytearray(4)) == 4
    door.open_for(0.0)
    assert door.is_over()
    with pytest.raises(ConnectionAbortedError, match="the time is over"):
        wrapped.recv_into(bytearray(4))
    door.open_for(5.0)
    assert not door.is_over()
    assert wrapped.recv_into(bytearray(4)) == 4
    door.close()


def test_a_handshake_is_given_up_in_time(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, socket.create_connection(silent.getsockname()) as dialled:
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            Door("localhost", ssl.create_default_context(), LOOPBACK, 0.2).wrap_socket(dialled)
        assert time.monotonic() - began < 5


def test_tls_is_for_the_host_that_was_meant(server: Keeping, tmp_path: Path) -> None:
    ca, certificate, key = authority_in(tmp_path, "shop.example")
    wire = Wire(("127.0.0.1", server.server_address[1]), server_context(certificate, key))
    try:
        for host, trusted in (("shop.example", True), ("other.example", False)):
            door = Door(host, ssl.create_default_context(cafile=str(ca)), LOOPBACK, 5.0)
            with socket.create_connection(("127.0.0.1", wire.port)) as dialled:
                if trusted:
                    assert door.wrap_socket(dialled, server_hostname="127.0.0.1").fileno() > 0
                else:
                    with pytest.raises(ssl.SSLCertVerificationError):
                        door.wrap_socket(dialled, server_hostname="127.0.0.1")
            door.close()
    finally:
        wire.close()
