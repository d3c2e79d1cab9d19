"""Who may take a payment, and what the trace says of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.contracts.connector import Capabilities
from chalicelib.domain.configuration import Route
from chalicelib.domain.errors import VaultFault
from chalicelib.domain.money import Money
from chalicelib.domain.order import CaptureMode, Order
from chalicelib.domain.payment import Considered
from chalicelib.routing.engine import Chain, Winner
from chalicelib.routing.plan import Candidate, ineligible, plan
from tests.builders import NOW, money
from tests.routing.strategies import orders

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


def route(**more: object) -> Route:
    return Route("default", "a-route", {"name": "a-route", "otherwise": {"use": ["psp-1"]}, **more}, 7, NOW, NOW)


WINNER = Winner("Dutch", Chain(("psp-2", "gone", "psp-1"), "b"))
SEEN: dict[str, str | int] = {"country": "NL"}


def candidate(connection_id: str = "psp-1", **more: object) -> Candidate:
    return replace(Candidate(connection_id, True, CAN), **more)  # type: ignore[arg-type]


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


def test_the_chain_is_those_who_may_in_their_order_and_all_are_remembered() -> None:
    candidates = [candidate("psp-2"), candidate("gone", capabilities=None), candidate("psp-1", health="half_open")]
    decision = plan(ORDER, route(unanswered="hold", late="review"), WINNER, SEEN, candidates)
    assert (decision.name, decision.version, decision.chain) == ("a-route", 7, ("psp-2", "psp-1"))
    assert (decision.rule, decision.arm, decision.inputs) == ("Dutch", "b", SEEN)
    assert (decision.unanswered, decision.late) == ("hold", "review")
    assert decision.candidates == (
        Considered("psp-2"),
        Considered("gone", "the connection does not exist"),
        Considered("psp-1", health="half_open"),
    )


def test_a_route_that_does_not_say_goes_on_and_accepts() -> None:
    decision = plan(ORDER, route(), WINNER, SEEN, [candidate()])
    assert (decision.unanswered, decision.late) == ("next", "accept")
    assert (decision.fallback, decision.attempts_max, decision.budget_s) == ({}, 10, None)


def test_a_routes_own_bounds_and_fallback_go_with_the_payment() -> None:
    bounds = {"fallback": {"hard_decline": "stop"}, "attempts_max": 2, "budget_s": 8}
    decision = plan(ORDER, route(**bounds), WINNER, SEEN, [candidate()])
    assert (decision.fallback, decision.attempts_max, decision.budget_s) == ({"hard_decline": "stop"}, 2, 8)


def test_an_open_circuit_stands_behind_the_others() -> None:
    candidates = [candidate("psp-1", health="open"), candidate("psp-2"), candidate("psp-3", health="half_open")]
    assert plan(ORDER, route(), WINNER, SEEN, candidates).chain == ("psp-2", "psp-3", "psp-1")


def test_open_circuits_alone_keep_their_order() -> None:
    candidates = [candidate("psp-2", health="open"), candidate("psp-1", health="open")]
    assert plan(ORDER, route(), WINNER, SEEN, candidates).chain == ("psp-2", "psp-1")


LIMITS = {"EUR": (100, 5000), "USD": (None, 1000), "JPY": (50, None)}


@pytest.mark.parametrize(
    ("amount", "why"),
    [
        (money(99), "it takes 100 EUR minor units or more"),
        (money(100), None),
        (money(5000), None),
        (money(5001), "it takes 5000 EUR minor units or less"),
        (money(1, "USD"), None),
        (money(1001, "USD"), "it takes 1000 USD minor units or less"),
        (money(49, "JPY"), "it takes 50 JPY minor units or more"),
        (money(10**12, "JPY"), None),
        (money(1, "GBP"), None),
    ],
)
def test_a_psps_limits_are_kept_by_currency(amount: Money, why: str | None) -> None:
    can = replace(CAN, currencies=frozenset({"EUR", "USD", "JPY", "GBP"}), amount_limits=LIMITS)
    assert ineligible(replace(ORDER, amount=amount), candidate(capabilities=can)) == why


def candidates() -> st.SearchStrategy[list[Candidate]]:
    """Some exist, some may take the payment, some are well."""
    able = st.builds(
        replace,
        st.just(CAN),
        currencies=st.frozensets(st.sampled_from(["EUR", "USD", "JPY"])),
        payment_methods=st.frozensets(st.sampled_from(["card", "ideal"])),
        capture_modes=st.frozensets(st.sampled_from(CaptureMode)),
        amount_limits=st.fixed_dictionaries({"EUR": st.sampled_from([(None, None), (5, None), (None, 5)])}),
    )
    health = st.sampled_from(["closed", "open", "half_open"])
    return st.tuples(
        *(
            st.builds(Candidate, st.just(f"psp-{number}"), st.booleans(), st.none() | able, health=health)
            for number in range(5)
        )
    ).map(list)


@given(orders(), candidates())
def test_a_plan_has_every_eligible_connection_once_and_no_other(order: Order, known: list[Candidate]) -> None:
    chain = plan(order, route(), WINNER, SEEN, known).chain
    eligible = {one.connection_id for one in known if ineligible(order, one) is None}
    assert (set(chain), len(chain)) == (eligible, len(eligible))


@given(orders(), candidates())
def test_the_well_stand_before_the_open_and_otherwise_the_routes_order_holds(
    order: Order, known: list[Candidate]
) -> None:
    chain = plan(order, route(), WINNER, SEEN, known).chain
    place = {one.connection_id: (one.health == "open", number) for number, one in enumerate(known)}
    assert list(chain) == sorted(chain, key=lambda name: place[name])
