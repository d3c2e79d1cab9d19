"""Which addresses may be dialled for others."""

from __future__ import annotations

import pytest

from chalicelib.outbound.guard import is_allowed

REFUSED = [
    "127.0.0.1",
    "127.255.255.254",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "192.88.99.1",
    "192.0.0.8",
    "198.18.0.1",
    "203.0.113.5",
    "240.0.0.1",
    "::1",
    "::",
    "fe80::1",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2001::1",
    "2001:db8::1",
    "3fff::1",
    "5f00::1",
    "100::1",
    "fe80::1%eth0",
    "not-an-address",
]


@pytest.mark.parametrize("address", REFUSED)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    assert not is_allowed(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_a_public_address_is_let_through(address: str) -> None:
    assert is_allowed(address)


def test_a_network_can_be_allowed() -> None:
    assert is_allowed("10.1.2.3", ("10.0.0.0/8",))
    assert is_allowed("::ffff:127.0.0.1", ("127.0.0.0/8",))
    assert not is_allowed("192.168.1.1", ("10.0.0.0/8",))
