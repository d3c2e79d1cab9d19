"""Who may take a payment, and what the trace says of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chalicelib.contracts.connector import Capabilities
from chalicelib.domain.configuration import Route
from chalicelib.domain.errors import VaultFault
from chalicelib.domain.payment import CaptureMode, Considered, Order
from chalicelib.routing.plan import Candidate, chain_of, ineligible, plan
from tests.builders import NOW, money

CAN = Capabilities(
    operations=frozenset(),
    payment_methods=frozenset({"card"}),
    currencies=frozenset({"EUR"}),
    capture_modes=frozenset({CaptureMode.AUTOMATIC}),
    partial_capture=True,
    multiple_captures=True,
    partial_refund=True,
    inert_until_visited=True,
    looks_up_references=True,
    key_lives_s={},
)
ORDER = Order(money(), "order-1", "https://shop.example/r", "https://shop.example/c")


def route(*uses: str, **more: str) -> Route:
    return Route("default", "a-route", {"name": "a-route", "otherwise": {"use": list(uses)}, **more}, 7, NOW, NOW)


def candidate(connection_id: str = "psp-1", **more: object) -> Candidate:
    return replace(Candidate(connection_id, True, CAN), **more)  # type: ignore[arg-type]


def test_a_chain_is_what_the_route_uses_otherwise() -> None:
    assert chain_of(route("psp-2", "psp-1")) == ("psp-2", "psp-1")


@pytest.mark.parametrize(
    ("order", "changes", "why"),
    [
        ({}, {}, None),
        ({"payment_method": "card"}, {}, None),
        ({"payment_method": "ideal"}, {}, "it offers no ideal"),
        ({"amount": money(1, "JPY")}, {}, "it takes no JPY"),
        ({"capture": CaptureMode.MANUAL}, {}, "it offers no manual capture"),
        ({}, {"usable": False}, "the connection is disabled or deleted"),
        ({}, {"capabilities": None}, "the connection does not exist"),
        ({}, {"capabilities": None, "fault": VaultFault("no key")}, "the connection can not be read"),
        ({}, {"fault": VaultFault("no key")}, "the connection can not be read"),
        ({"amount": money(1, "JPY")}, {"usable": False}, "the connection is disabled or deleted"),
    ],
)
def test_why_a_connection_may_not_take_a_payment(
    order: dict[str, object], changes: dict[str, object], why: str | None
) -> None:
    assert ineligible(replace(ORDER, **order), candidate(**changes)) == why  # type: ignore[arg-type]


def test_the_chain_is_those_who_may_in_their_order_and_the_trace_tells_of_all() -> None:
    candidates = [candidate("psp-2"), candidate("gone", capabilities=None), candidate("psp-1")]
    decision = plan(ORDER, route("psp-2", "gone", "psp-1", unanswered="hold", late="review"), candidates)
    assert (decision.name, decision.version, decision.chain) == ("a-route", 7, ("psp-2", "psp-1"))
    assert (decision.unanswered, decision.late) == ("hold", "review")
    assert decision.candidates == (
        Considered("psp-2"),
        Considered("gone", "the connection does not exist"),
        Considered("psp-1"),
    )


def test_a_route_that_does_not_say_goes_on_and_accepts() -> None:
    decision = plan(ORDER, route("psp-1"), [candidate()])
    assert (decision.unanswered, decision.late) == ("next", "accept")


def test_a_chain_is_no_longer_than_a_payment_has_attempts() -> None:
    names = [f"psp-{number}" for number in range(11)]
    assert plan(ORDER, route(*names), [candidate(name) for name in names]).chain == tuple(names[:10])
