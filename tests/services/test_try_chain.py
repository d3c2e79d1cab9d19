"""Which PSP is tried next, and when none is: promise 1, rule by rule."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from chalicelib.contracts.calls import CheckoutOrder
from chalicelib.domain.change import Change
from chalicelib.domain.errors import StorageFault
from chalicelib.domain.facts import Decline, DeclineClass, Fact, Kind, State
from chalicelib.domain.operation import Called, Operation, OperationKind, Origin
from chalicelib.domain.payment import Closure, Entry, Payment
from chalicelib.routing.plan import Candidate
from chalicelib.services import try_chain
from chalicelib.services.kinds import CONNECTION, ROUTE, connection_key, route_key
from tests.builders import NOW, PAYMENT_ID, money
from tests.psp import ANSWER, DECLINE, FRAUD, HARD, LOST, NOT_SENT, SILENT, SimulatedPsp
from tests.services.histories import attempts, changed, connections, declines, during_the_call
from tests.services.scripted import Left
from tests.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def entries(payment: Payment, kind: str) -> list[Entry]:
    return [entry for entry in payment.timeline if entry.kind == kind]


@pytest.mark.parametrize(
    ("said", "tried"),
    [
        (ANSWER, ["psp-1"]),
        (NOT_SENT, ["psp-1", "psp-2"]),
        (DECLINE, ["psp-1", "psp-2"]),
        (HARD, ["psp-1", "psp-2"]),
        (FRAUD, ["psp-1"]),
        (SILENT, ["psp-1", "psp-2"]),
        (LOST, ["psp-1", "psp-2"]),
    ],
)
def test_the_next_psp_is_tried_where_no_money_can_come_of_the_first_and_fraud_is_not_suspected(
    world: World, said: str, tried: list[str]
) -> None:
    declines(world, "psp-1", how=said)
    assert connections(world, world.open().payment) == tried


@pytest.mark.parametrize(("said", "sealed"), [(SILENT, True), (NOT_SENT, False), (DECLINE, False)])
def test_only_what_is_in_doubt_is_sealed(world: World, said: str, sealed: bool) -> None:
    declines(world, "psp-1", how=said)
    payment = world.open().payment
    assert [one.closed for one in payment.attempts] == [Closure.SEALED if sealed else None, None]
    told = [entry for entry in payment.timeline if entry.data.get("outcome") == "sealed"]
    text = "psp-1 is sealed: its page is never shown to the shopper, and it is closed at the PSP."
    entry = Entry(NOW, "psp_call", text, {"attempt_id": payment.attempts[0].id, "outcome": "sealed"})
    assert told == ([entry] if sealed else [])


def test_the_timeline_tells_of_the_next_psp(world: World) -> None:
    declines(world, "psp-1")
    payment = world.open().payment
    assert entries(payment, "routing")[-1] == Entry(
        NOW, "routing", "The next PSP of the route is psp-2.", {"connection_id": "psp-2"}
    )


def test_the_next_attempt_is_numbered_on_and_begins_now(world: World) -> None:
    during_the_call(world, lambda order: world.clock.forward(3), NOT_SENT)
    first, second = world.open().payment.attempts
    assert (first.id[-3:], second.id[-3:]) == ("_01", "_02")
    assert (second.connection_id, second.connector, second.started_at) == (
        "psp-2",
        "simulated",
        NOW + timedelta(seconds=3),
    )
    assert (first.return_url, second.return_url) == (None, None)


def disable(world: World, name: str) -> None:
    stored = world.store.get(CONNECTION, connection_key("default", name))
    world.store.put(CONNECTION, replace(stored.value, enabled=False, version=2), expect=stored.version)
    world.configuration.forget()


def test_a_psp_that_was_switched_off_meanwhile_is_passed_over(tmp_path: Path) -> None:
    world = World(tmp_path, psps={name: SimulatedPsp(name) for name in ("psp-1", "psp-2", "psp-3")})
    during_the_call(world, lambda order: disable(world, "psp-2"), NOT_SENT)
    assert connections(world, world.open().payment) == ["psp-1", "psp-3"]


def test_a_route_that_names_a_psp_twice_tries_it_once(world: World) -> None:
    stored = world.store.get(ROUTE, route_key("default", "default"))
    document = {**stored.value.document, "otherwise": {"use": ["psp-1", "psp-1", "psp-2"]}}
    world.store.put(ROUTE, replace(stored.value, document=document), expect=stored.version)
    declines(world, "psp-1")
    assert connections(world, world.open().payment) == ["psp-1", "psp-2"]


def test_ten_attempts_are_made_at_most_whatever_is_left_of_a_chain(world: World) -> None:
    declines(world, "psp-1", "psp-2")
    payment = world.open().payment
    for number in range(3):
        world.retry(payment.id, f"r{number}")
    world.retry(payment.id, "named", connection_id="psp-1")
    world.retry(payment.id, "last")
    assert connections(world, payment) == ["psp-1", "psp-2"] * 4 + ["psp-1", "psp-1"]


CANCELLATION = Operation("op_1", OperationKind.CANCELLATION, "", None, Origin.API, NOW, called=Called.STARTED)


@pytest.mark.parametrize(
    ("changes", "goes_on"),
    [
        ({}, False),
        ({"called": Called.ANSWERED}, False),
        ({"origin": Origin.PSP, "called": Called.ANSWERED}, True),
        ({"origin": Origin.POLICY}, True),
        ({"kind": OperationKind.REFUND, "amount": money(1)}, True),
        ({"called": Called.REFUSED}, True),
    ],
)
def test_once_the_merchant_gave_the_payment_up_no_other_psp_is_tried(
    world: World, changes: dict[str, Any], goes_on: bool
) -> None:
    def cancel(order: CheckoutOrder) -> None:
        operation = replace(CANCELLATION, attempt_id=order.attempt_id, **changes)
        changed(world, Change(operations=(operation,)))

    during_the_call(world, cancel, NOT_SENT)
    assert len(connections(world, world.open().payment)) == (2 if goes_on else 1)


def said(kind: Kind, id: str, state: State, value: int | None = None, **more: Any) -> Any:
    """A webhook tells so while the call runs."""
    amount = None if value is None else money(value)
    return lambda order: Fact(order.attempt_id, kind, id, state, amount, **more)


FRAUDULENT = Decline(DeclineClass.FRAUD, "fraud")
SOFT = Decline(DeclineClass.SOFT, "declined")


@pytest.mark.parametrize(
    ("fact", "goes_on"),
    [
        (said(Kind.CHECKOUT, "s", State.OPEN), True),
        (said(Kind.TRY, "t", State.PENDING), False),
        (said(Kind.TRY, "t", State.DECLINED, decline=SOFT), False),
        (said(Kind.TRY, "t", State.DECLINED, decline=FRAUDULENT), False),
        (said(Kind.CAPTURE, "p", State.SUCCEEDED, 1000), False),
        (said(Kind.CAPTURE, "p", State.SUCCEEDED, 1001), False),
        (said(Kind.AUTHORIZATION, "p", State.SUCCEEDED, 1000), False),
        (said(Kind.CHECKOUT, "s", State.EXPIRED), False),
        (said(Kind.CHECKOUT, "s", State.CANCELLED), False),
        (said(Kind.CHECKOUT, "s", State.FAILED), True),
    ],
)
def test_what_a_webhook_told_meanwhile_decides_too(world: World, fact: Any, goes_on: bool) -> None:
    """A page that a shopper has used, or that ended, is no page to seal."""
    during_the_call(world, lambda order: changed(world, Change(facts=(fact(order),))))
    assert len(connections(world, world.open().payment)) == (2 if goes_on else 1)


def test_a_suspicion_of_fraud_at_any_psp_ends_the_chain(tmp_path: Path) -> None:
    world = World(tmp_path, psps={name: SimulatedPsp(name) for name in ("psp-1", "psp-2", "psp-3")})
    declines(world, "psp-1")
    suspicion = said(Kind.TRY, "t", State.DECLINED, decline=FRAUDULENT)

    def tell(order: CheckoutOrder) -> None:
        first = world.payment(PAYMENT_ID).attempts[0]
        changed(world, Change(facts=(replace(suspicion(order), attempt_id=first.id),)))

    during_the_call(world, tell, NOT_SENT, "psp-2")
    assert connections(world, world.open().payment) == ["psp-1", "psp-2"]


@pytest.mark.parametrize(
    ("left_s", "calls"),
    [(4, [1, 2]), (4.002, [2, 2]), (2, [1, 1]), (2.001, [1, 2]), (1, [1, 1]), (0.99, [1, 0])],
    ids=str,
)
def test_half_of_the_time_is_kept_for_the_next_psp(
    world: World, left_s: float, calls: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unanswered call is made once more only with more than two seconds left; at the last PSP nothing need be kept."""
    made: list[Left] = []

    def deadline(budget_s: float) -> Left:
        made.append(Left(budget_s if made else left_s))  # the first is the whole budget
        return made[-1]

    monkeypatch.setattr(try_chain, "Deadline", deadline)
    declines(world, "psp-1", "psp-2", how=SILENT)
    world.open()
    assert [len(psp.opened) for psp in world.psps.values()] == calls


@pytest.mark.parametrize(("of_route_s", "budget_s"), [(None, 20), (5, 5), (20, 20), (25, 20)])
def test_all_psps_of_a_chain_share_one_budget_which_a_route_may_lower(
    world: World, of_route_s: int | None, budget_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    budgets: list[float] = []

    def budget(budget_s: float) -> Left:
        budgets.append(budget_s)
        return Left(budget_s)

    stored = world.store.get(ROUTE, route_key("default", "default"))
    document = {**stored.value.document, "budget_s": of_route_s}
    world.store.put(ROUTE, replace(stored.value, document=document), expect=stored.version)
    monkeypatch.setattr(try_chain, "Deadline", budget)
    declines(world, "psp-1")
    world.open()
    assert budgets == [budget_s, budget_s - min(8, budget_s / 2), budget_s]


def test_a_page_that_was_opened_and_failed_is_told_as_it_is(world: World) -> None:
    failed = said(Kind.CHECKOUT, "s", State.FAILED)
    during_the_call(world, lambda order: changed(world, Change(facts=(failed(order),))), ANSWER)
    answer = world.open()
    assert (connections(world, answer.payment), attempts(world, answer.payment)) == (["psp-1"], ["failed"])


def test_an_attempt_is_stored_as_started_before_its_psp_is_called(world: World) -> None:
    seen: list[Fact] = []
    during_the_call(world, lambda order: seen.extend(world.payment(PAYMENT_ID).facts), ANSWER)
    (attempt,) = world.open().payment.attempts
    assert seen == [Fact(attempt.id, Kind.OPEN, attempt.id, State.STARTED)]


def test_a_connection_that_is_gone_or_can_not_be_read_is_no_candidate(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    able = world.try_chain.candidate("default", "psp-1")
    assert (able.connection_id, able.usable, able.fault) == ("psp-1", True, None)
    assert able.capabilities is not None
    assert world.try_chain.candidate("default", "psp-9") == Candidate("psp-9", False, None)
    world.configuration.forget()
    fault, read = StorageFault("down"), world.store.get

    def away(kind: object, id: str) -> object:
        if kind is CONNECTION:
            raise fault
        return read(kind, id)

    world.store.get = away
    with caplog.at_level(logging.ERROR, "paymentserver.checkout"):
        assert world.try_chain.candidate("default", "psp-1") == Candidate("psp-1", False, None, fault)
    (record,) = caplog.records
    assert record.message == "connection unusable"
    assert record.fields == {"connection_id": "psp-1", "detail": "down"}  # type: ignore[attr-defined]


def test_a_disabled_connection_is_not_usable(world: World) -> None:
    disable(world, "psp-1")
    assert not world.try_chain.candidate("default", "psp-1").usable
