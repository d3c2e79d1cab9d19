"""Which addresses may be dialled for others."""

from __future__ import annotations

import ipaddress

import pytest

from chalicelib.outbound.guard import is_allowed, is_within
from tests.outbound.addresses import KINDS, PUBLIC


def network_of(address: str) -> str:
    """The network of this address alone."""
    return str(ipaddress.ip_network(address.partition("%")[0]))


@pytest.mark.parametrize(("kind", "address"), KINDS)
def test_an_address_that_is_not_public_is_refused_unless_its_network_is_allowed(kind: str, address: str) -> None:
    assert not is_allowed(address), kind
    assert is_allowed(address, (network_of(address),))


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_let_through(address: str) -> None:
    assert is_allowed(address)


@pytest.mark.parametrize("text", ["", "not-an-address", "127.1", "2130706433", "0x7f.0.0.1", "8.8.8.8.", "8.8.8.8 "])
def test_what_is_no_address_is_refused_whatever_is_allowed(text: str) -> None:
    assert not is_allowed(text, ("0.0.0.0/0", "::/0"))


def test_a_network_lets_nothing_else_through() -> None:
    assert is_allowed("10.1.2.3", ("10.0.0.0/8",))
    assert not is_allowed("192.168.1.1", ("10.0.0.0/8",))


def test_an_allowed_network_counts_for_its_mapped_addresses_and_for_no_translated_ones() -> None:
    """A mapped address is the IPv4 address itself; where a translated one leads is up to the network between."""
    assert is_allowed("::ffff:127.0.0.1", ("127.0.0.0/8",))
    assert not is_allowed("64:ff9b::7f00:1", ("127.0.0.0/8",))
    assert not is_allowed("2002:7f00:1::", ("127.0.0.0/8",))


@pytest.mark.parametrize(
    ("address", "within"), [("10.1.2.3", True), ("8.8.8.8", False), ("fe80::1", False), ("x", False)]
)
def test_only_allowed_networks_are_spoken_to_without_tls(address: str, within: bool) -> None:
    assert is_within(address, ("10.0.0.0/8", "fd00::/8")) is within
