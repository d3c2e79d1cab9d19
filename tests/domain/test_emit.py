"""What is told of operations, to subscribers and in the timeline."""

from __future__ import annotations

import pytest

from chalicelib.domain.amend import amend
from chalicelib.domain.change import CallOutcome, Change
from chalicelib.domain.facts import Decline, DeclineClass, Kind, State
from chalicelib.domain.operation import Called, Operation, OperationKind, Origin
from chalicelib.domain.payment import Payment
from tests.builders import NOW, attempt_id, fact, money, opened, payment

PAID = fact(Kind.CAPTURE, "p", State.SUCCEEDED, 1000)
NO = Decline(DeclineClass.HARD, "refused_by_bank")


def refunding(origin: Origin = Origin.API) -> Payment:
    """A paid payment of which a part is being refunded."""
    refund = Operation("op_1", OperationKind.REFUND, attempt_id(), money(400), origin, NOW)
    return amend(payment(), Change(facts=(opened(), PAID), operations=(refund,)), NOW)


def told_of(payment: Payment) -> list[str]:
    return [event.type for event in payment.outbox if event.type.startswith("operation.")]


def timeline_of(payment: Payment) -> list[str]:
    return [entry.summary for entry in payment.timeline if entry.kind == "operation"]


@pytest.mark.parametrize(
    ("state", "told"),
    [(State.PENDING, []), (State.SUCCEEDED, ["operation.succeeded"]), (State.FAILED, ["operation.failed"])],
)
def test_subscribers_are_told_what_an_operation_came_to(state: State, told: list[str]) -> None:
    settled = fact(Kind.REFUND, "r", state, 400, operation_id="op_1")
    assert told_of(amend(refunding(), Change(facts=(settled,)), NOW)) == told


def test_an_operation_that_becomes_unknown_is_in_the_timeline_alone() -> None:
    after = amend(refunding(), Change(outcomes=(CallOutcome("op_1", Called.UNANSWERED),)), NOW)
    assert told_of(after) == []
    assert timeline_of(after) == ["The refund of 4.00 EUR is unknown."]


@pytest.mark.parametrize(
    ("origin", "text"),
    [
        (Origin.API, "The refund of 4.00 EUR failed (refused_by_bank)."),
        (Origin.POLICY, "The refund of 4.00 EUR, made by the late policy, failed (refused_by_bank)."),
    ],
)
def test_the_timeline_says_whose_operation_it_was_and_why_it_failed(origin: Origin, text: str) -> None:
    outcome = CallOutcome("op_1", Called.REFUSED, NO)
    assert timeline_of(amend(refunding(origin), Change(outcomes=(outcome,)), NOW)) == [text]


def test_the_timeline_tells_of_a_refund_that_somebody_made_at_the_psp() -> None:
    paid = amend(payment(), Change(facts=(opened(), PAID)), NOW)
    after = amend(paid, Change(facts=(fact(Kind.REFUND, "r", State.SUCCEEDED, 400),)), NOW)
    assert timeline_of(after) == ["The refund of 4.00 EUR, made at the PSP, succeeded."]
