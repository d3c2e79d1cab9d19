"""Where a checkout goes: by the route's rules, as far along the chain as the route says, and explained for ever."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chalicelib.contracts.calls import CheckoutOrder
from chalicelib.contracts.conversation import Conversation
from chalicelib.domain.errors import Invalid
from chalicelib.domain.order import CaptureMode, Customer
from chalicelib.outbound.driver import Deadline
from chalicelib.services.explain import explain
from chalicelib.services.kinds import ROUTE, route_key
from tests.builders import NOW
from tests.psp import SimulatedPsp
from tests.world import PlainDriver, World

NL = {"field": "country", "op": "eq", "value": "NL"}
DUTCH = {"name": "Dutch", "when": NL, "then": {"use": ["psp-2"]}}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, psps={name: SimulatedPsp(name) for name in ("psp-1", "psp-2", "psp-3")})


def tried(world: World, key: str = "a-key", **order: Any) -> list[str]:
    return [one.connection_id for one in world.open(key, **order).payment.attempts]


def always(what: str) -> Callable[[CheckoutOrder], str]:
    return lambda order: what


def test_the_first_rule_that_matches_chooses_the_chain(world: World) -> None:
    world.route(rules=[DUTCH, {"name": "Dutch too", "when": NL, "then": {"use": ["psp-3"]}}])
    assert tried(world, country="NL") == ["psp-2"]
    assert tried(world, "another-key", country="BE") == ["psp-1"]


def test_a_split_by_customer_keeps_a_customer_on_one_arm(world: World) -> None:
    arms = [{"arm": name, "weight": 50, "use": [psp]} for name, psp in (("a", "psp-1"), ("b", "psp-2"))]
    world.route(otherwise={"split": {"by": "customer", "arms": arms}})
    paid = [world.open(f"key-{number}", customer=Customer(id="c-17")).payment for number in range(10)]
    assert len({one.route.arm for one in paid}) == 1
    assert len({one.attempts[0].connection_id for one in paid}) == 1
    others = [world.open(f"key-{number}", customer=Customer(id=f"c-{number}")).payment for number in range(20, 60)]
    assert {one.route.arm for one in others} == {"a", "b"}


def test_a_payment_keeps_the_version_that_it_was_routed_by(world: World) -> None:
    world.psps["psp-1"].script = always("decline")
    first = world.open()
    world.route(otherwise={"use": ["psp-3"]})
    again = world.open()
    assert (again.replayed, again.payment.route.version) == (True, 1)
    assert first.payment.route.chain == ("psp-1", "psp-2", "psp-3")


OUTCOMES = {
    "hard_decline": "hard",
    "soft_decline": "decline",
    "not_sent": "not_sent",
    "misconfiguration": "misconfigured",
    "rate_limit": "rate_limited",
    "outage": "outage",
}


@pytest.mark.parametrize(("outcome", "script"), OUTCOMES.items())
def test_every_failure_leads_to_the_next_psp_unless_the_route_stops_there(
    world: World, outcome: str, script: str
) -> None:
    world.psps["psp-1"].script = always(script)
    assert tried(world) == ["psp-1", "psp-2"]
    world.route(fallback={outcome: "stop"})
    assert tried(world, "another-key") == ["psp-1"]


@pytest.mark.parametrize(("outcome", "script"), OUTCOMES.items())
def test_a_route_that_stops_at_another_failure_goes_on(world: World, outcome: str, script: str) -> None:
    world.psps["psp-1"].script = always(script)
    world.route(fallback={other: "stop" for other in OUTCOMES if other != outcome})
    assert tried(world) == ["psp-1", "psp-2"]


def test_suspected_fraud_is_never_tried_elsewhere(world: World) -> None:
    world.psps["psp-1"].script = always("fraud")
    assert tried(world) == ["psp-1"]


def test_no_more_psps_are_tried_than_the_route_allows(world: World) -> None:
    world.psps["psp-1"].script = world.psps["psp-2"].script = always("decline")
    world.route(attempts_max=2)
    assert tried(world) == ["psp-1", "psp-2"]
    world.route(attempts_max=3)
    assert tried(world, "another-key") == ["psp-1", "psp-2", "psp-3"]


class Watched(PlainDriver):
    """Remembers how much time each call had."""

    def __init__(self) -> None:
        self.left_s: list[float] = []

    def converse(self, conversation: Conversation[Any], deadline: Deadline, *, fresh: bool = False) -> Any:
        self.left_s.append(deadline.left_s())
        return super().converse(conversation, deadline, fresh=fresh)


@pytest.mark.parametrize(("budget_s", "first_s", "second_s"), [(None, 12, 20), (20, 12, 20), (10, 5, 10), (6, 3, 6)])
def test_the_psp_behind_keeps_time_of_the_budget(
    tmp_path: Path, budget_s: int | None, first_s: float, second_s: float
) -> None:
    driver = Watched()
    world = World(tmp_path, driver=driver)
    world.psps["psp-1"].script = always("decline")
    world.route(**({"budget_s": budget_s} if budget_s else {}))
    assert tried(world) == ["psp-1", "psp-2"]
    assert driver.left_s == pytest.approx([first_s, second_s], abs=0.9)


def test_with_no_time_left_for_another_psp_an_unanswered_page_is_held_and_not_sealed(tmp_path: Path) -> None:
    world = World(tmp_path, checkout_budget_s=0.5)
    world.psps["psp-1"].script = always("silent")
    answer = world.open()
    assert answer.rendered.status == 202
    assert [(one.connection_id, one.closed) for one in answer.payment.attempts] == [("psp-1", None)]


def test_a_psp_that_can_no_longer_take_the_payment_is_passed_over_on_the_way(world: World) -> None:
    """Eligibility is looked at again before each hop: what was planned may have changed since."""

    def change(order: CheckoutOrder) -> str:
        world.offer("psp-2", capture_modes=frozenset({CaptureMode.MANUAL}))
        return "decline"

    world.psps["psp-1"].script = change
    assert tried(world) == ["psp-1", "psp-3"]


def test_nobody_eligible_is_refused_with_each_reason(world: World) -> None:
    world.route(rules=[DUTCH])
    world.offer("psp-2", currencies=frozenset({"USD"}))
    with pytest.raises(Invalid, match=r"rule 'Dutch', can take this payment \(psp-2: it takes no EUR\)") as no:
        world.open(country="NL")
    assert no.value.slug == "no-eligible-connection"


def test_the_explanation_shows_each_rule_that_was_asked_and_each_candidate(world: World) -> None:
    vip = {"field": "metadata.vip", "op": "exists", "value": True}
    many = {"name": "Many", "when": {"any": [vip, {"not": NL}]}, "then": {"use": ["psp-3"]}}
    world.route(rules=[many, {**DUTCH, "then": {"use": ["psp-3", "psp-2", "psp-1"]}}, {**DUTCH, "name": "Behind"}])
    world.offer("psp-3", currencies=frozenset({"USD"}))
    payment = world.open(country="NL").payment
    world.route(rules=[])
    told = explain(world.ports, payment)
    assert told["summary"] == "Route default (version 2; rule 'Dutch') chose psp-2, then psp-1."
    nl = {"field": "country", "op": "eq", "wanted": "NL", "actual": "NL", "matched": True}
    absent = {"field": "metadata.vip", "op": "exists", "wanted": True, "actual": None, "matched": False}
    assert told["rules"] == [
        {"rule": "Many", "any": [absent, {"not": nl, "matched": False}], "matched": False},
        {"rule": "Dutch", **nl},
    ]
    assert told["candidates"] == [
        {"connection_id": "psp-3", "chosen": False, "reason": "It could not take this payment: it takes no EUR."},
        {
            "connection_id": "psp-2",
            "chosen": True,
            "reason": "It is the first of the chain that could take this payment.",
        },
        {"connection_id": "psp-1", "chosen": False, "reason": "It is tried where psp-2 does not take the payment."},
    ]


def test_a_deleted_route_still_explains_its_payments(world: World) -> None:
    world.route(rules=[DUTCH])
    payment = world.open(country="BE").payment
    stored = world.store.get(ROUTE, route_key("default", "default"))
    world.store.put(ROUTE, replace(stored.value, deleted_at=NOW), expect=stored.version)
    assert [one["matched"] for one in explain(world.ports, payment)["rules"]] == [False]


def test_of_a_version_that_is_gone_the_payments_own_memory_is_shown(world: World) -> None:
    payment = world.open().payment
    elsewhere = replace(payment, route=replace(payment.route, version=99))
    told = explain(world.ports, elsewhere)
    assert (told["rules"], len(told["candidates"])) == ([], 3)


def test_the_trace_of_an_answer_says_what_rules_saw(world: World) -> None:
    world.route(rules=[DUTCH])
    shown = json.loads(world.open(country="NL", metadata={"channel": "web"}).rendered.body)["route"]
    assert (shown["version"], shown["arm"], shown["explanation"]) == (2, None, None)
    (step,) = shown["trace"]
    assert step["rule"] == "Dutch"
    assert (step["inputs"]["country"], step["inputs"]["metadata.channel"]) == ("NL", "web")
    assert step["candidates"] == [{"connection_id": "psp-2", "eligible": True, "reason": None, "health": "closed"}]
