"""What holds before any broker is dialled."""

from __future__ import annotations

import pytest

from chalicelib.contracts.publisher import Rejected, Retry
from chalicelib.publishers.broker import dialled_addresses, library_of, objection_to

PRIVATE, PUBLIC = ("10.0.0.0/8",), "93.184.216.34"


def test_a_missing_library_is_told_with_its_requirements_file() -> None:
    with pytest.raises(Retry, match=r"pip install -r requirements/channels/rabbitmq\.txt"), library_of("rabbitmq"):
        raise ImportError("pika")


@pytest.mark.parametrize(
    ("host", "allowed", "tls", "found"),
    [
        (PUBLIC, (), True, [PUBLIC]),
        (PUBLIC, PRIVATE, True, [PUBLIC]),
        ("10.1.2.3", PRIVATE, True, ["10.1.2.3"]),
        ("10.1.2.3", PRIVATE, False, ["10.1.2.3"]),
    ],
)
def test_what_may_be_dialled(host: str, allowed: tuple[str, ...], tls: bool, found: list[str]) -> None:
    assert dialled_addresses(host, 5671, allowed, tls=tls) == found
    assert objection_to(host, allowed, tls=tls, at="/host") is None


@pytest.mark.parametrize(
    ("host", "allowed", "tls", "why"),
    [
        ("10.1.2.3", (), True, "private"),
        ("127.0.0.1", PRIVATE, True, "private"),
        ("169.254.169.254", PRIVATE, False, "private"),
        (PUBLIC, (), False, "TLS"),
        (PUBLIC, PRIVATE, False, "TLS"),
    ],
)
def test_what_may_not_be_dialled(host: str, allowed: tuple[str, ...], tls: bool, why: str) -> None:
    with pytest.raises(Rejected, match=why):
        dialled_addresses(host, 5671, allowed, tls=tls)
    objection = objection_to(host, allowed, tls=tls, at="/host")
    assert objection is not None
    assert why in objection.detail


def test_a_name_is_looked_up_when_it_is_dialled() -> None:
    assert objection_to("broker.example", PRIVATE, tls=False, at="/host") is None
    with pytest.raises(Rejected, match="private"):
        dialled_addresses("localhost", 5671, PRIVATE, tls=True)


def test_a_name_can_not_be_dialled_without_tls_where_nothing_is_allowed() -> None:
    assert objection_to("broker.example", (), tls=False, at="/host") is not None


def test_a_name_without_an_address_is_tried_again() -> None:
    with pytest.raises(Retry, match="no address"):
        dialled_addresses("a" * 64 + ".example", 5671, (), tls=True)
