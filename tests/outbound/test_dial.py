"""What is dialled is what was checked: after DNS, once, without redirects, proxies or cookies."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.outbound.dial import AddressRefused, addresses_of, guarded_session
from tests.outbound.addresses import KINDS
from tests.outbound.keeping import Keeping, keeping
from tests.ports import free_port

# Two servers at one port: `OUTER` stands for a public address, `INNER` for a service that nobody is to reach.
OUTER, INNER = "127.0.0.2", "127.0.0.1"
ALLOWED = (f"{OUTER}/32",)
NAME = "shop.example"
pytestmark = pytest.mark.allow_hosts([OUTER, INNER])


@pytest.fixture
def outer() -> Iterator[Keeping]:
    with keeping(OUTER, free_port((OUTER, INNER))) as serving:
        yield serving


@pytest.fixture
def inner(outer: Keeping) -> Iterator[Keeping]:
    with keeping(INNER, outer.server_port) as serving:
        yield serving


class Resolver:
    """Answers with the addresses that it is told, one list after the other."""

    def __init__(self) -> None:
        self.answers: list[list[str]] = []
        self.asked: list[str] = []

    def __call__(self, host: str, port: int, *rest: Any, **more: Any) -> list[Any]:
        self.asked.append(host)
        return [
            (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port))
            for address in self.answers.pop(0)
        ]


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    made = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", made)
    return made


def posted(port: int, allowed: tuple[str, ...] = ALLOWED, host: str = NAME) -> int:
    """The status that a fresh session gets."""
    with guarded_session(allowed) as session:
        return session.post(f"http://{host}:{port}/", data=b"{}", timeout=5, allow_redirects=False).status_code


@pytest.mark.parametrize(("kind", "address"), KINDS)
def test_what_is_not_public_is_not_dialled_unless_its_network_is_allowed(kind: str, address: str) -> None:
    with pytest.raises(AddressRefused, match="private, loopback or reserved"):
        addresses_of(address, 443, (), tls=True)
    network = str(ipaddress.ip_network(address.partition("%")[0]))
    found = addresses_of(address, 443, (network,), tls=True)
    assert {ipaddress.ip_address(one[4][0].partition("%")[0]) for one in found} == {
        ipaddress.ip_address(address.partition("%")[0])
    }, kind


@pytest.mark.parametrize(
    "host", ["localhost", "127.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "0", "127.0.0.1.", "[::1]"]
)
def test_loopback_by_another_name_is_not_dialled(inner: Keeping, host: str) -> None:
    with pytest.raises(Exception) as refused:  # a name that this machine's resolver does not know is none, too
        posted(inner.server_port, host=host)
    assert isinstance(refused.value, (AddressRefused, OSError))
    assert inner.requests == []


def test_a_name_that_answers_differently_the_second_time_leads_nowhere_else(
    outer: Keeping, inner: Keeping, resolver: Resolver
) -> None:
    resolver.answers = [[OUTER], [INNER]]
    assert posted(outer.server_port) == 200
    assert (len(resolver.asked), len(outer.requests)) == (1, 1), "what is dialled is what was checked"
    with pytest.raises(AddressRefused):
        posted(outer.server_port)
    assert inner.requests == []


def test_a_name_that_answers_differently_may_where_both_are_allowed(
    outer: Keeping, inner: Keeping, resolver: Resolver
) -> None:
    resolver.answers = [[OUTER], [INNER]]
    for _ in range(2):
        posted(outer.server_port, (*ALLOWED, f"{INNER}/32"))
    assert (len(outer.requests), len(inner.requests)) == (1, 1)


def test_of_several_addresses_only_those_that_may_be_are_dialled(
    outer: Keeping, inner: Keeping, resolver: Resolver
) -> None:
    resolver.answers = [[INNER, "169.254.169.254", OUTER]]
    posted(outer.server_port)
    assert (len(outer.requests), len(inner.requests)) == (1, 0)


def test_the_next_address_is_dialled_where_nobody_is_at_the_first(outer: Keeping, resolver: Resolver) -> None:
    resolver.answers = [[INNER, OUTER]]
    assert posted(outer.server_port, (*ALLOWED, f"{INNER}/32")) == 200


def test_without_tls_a_public_address_is_not_dialled() -> None:
    with pytest.raises(AddressRefused, match="TLS may be off only"):
        addresses_of("93.184.216.34", 80, ALLOWED, tls=False)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("allowed", [ALLOWED, (*ALLOWED, f"{INNER}/32")], ids=["refused", "allowed"])
def test_no_redirect_is_followed_to_a_place_that_is_refused_nor_to_one_that_is_allowed(
    outer: Keeping, inner: Keeping, status: int, allowed: tuple[str, ...]
) -> None:
    outer.answers = [(status, {"Location": inner.url}, b"")]
    assert posted(outer.server_port, allowed, OUTER) == status
    assert inner.requests == []


def test_a_proxy_of_the_environment_is_not_used(
    outer: Keeping, inner: Keeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, inner.url)
    assert posted(outer.server_port, host=OUTER) == 200
    assert inner.requests == []


def test_a_cookie_is_not_sent_back(outer: Keeping) -> None:
    outer.answers = [(200, {"Set-Cookie": "tenant=one; Path=/"}, b"{}")]
    with guarded_session(ALLOWED) as session:
        for _ in range(2):
            session.post(outer.url, data=b"{}", timeout=5)
    assert "cookie:" not in outer.requests[1].lower()
