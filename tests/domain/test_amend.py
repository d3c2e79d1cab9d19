"""Events ride along with the change that caused them, and a repeat changes nothing at all."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib.domain.amend import amend, due_of, without_events
from chalicelib.domain.change import Asked, Change, Found
from chalicelib.domain.facts import Fact, Kind, State
from chalicelib.domain.operation import OperationKind, Origin
from chalicelib.domain.payment import Entry, Status
from chalicelib.domain.watch import Phase
from tests.builders import NOW, attempt_id, fact, money, opened, page, payment

PAID = fact(Kind.CAPTURE, "p", State.SUCCEEDED, 1000)


def pending() -> object:
    return amend(payment(), Change(facts=(opened(),), found=(Found(attempt_id(), "s", page()),)), NOW)


def test_a_status_change_is_an_event_with_the_payment_as_it_is_then() -> None:
    after = amend(pending(), Change(facts=(PAID,)), NOW)  # type: ignore[arg-type]
    event = json.loads(after.outbox[-1].body)
    assert (event["type"], event["sequence"], event["subject"]) == ("payment.captured", 2, after.id)
    assert event["data"]["payment"]["status"] == "captured"
    assert event["data"]["payment"]["sequence"] == 2
    assert event["data"]["previous_status"] == "pending"


def test_a_known_fact_changes_nothing() -> None:
    after = amend(pending(), Change(facts=(PAID,)), NOW)  # type: ignore[arg-type]
    entry = Entry(NOW, "webhook", "again", {})
    assert amend(after, Change(facts=(PAID,), entries=(entry,)), NOW) is after


def test_an_anomaly_is_told_once() -> None:
    odd = fact(Kind.CAPTURE, "p", State.SUCCEEDED, 1001)
    after = amend(pending(), Change(facts=(odd,)), NOW)  # type: ignore[arg-type]
    again = amend(after, Change(facts=(fact(Kind.CHECKOUT, "s", State.OPEN),)), NOW)
    assert after.status is Status.UNKNOWN
    assert after.attention
    assert [event.type for event in again.outbox].count("payment.review_required") == 1
    assert [entry.kind for entry in again.timeline].count("anomaly") == 1


def test_a_dispute_is_told_when_it_opens_and_when_it_closes() -> None:
    paid = amend(pending(), Change(facts=(PAID,)), NOW)  # type: ignore[arg-type]
    disputed = amend(paid, Change(facts=(fact(Kind.DISPUTE, "d", State.OPENED, 1000),)), NOW)
    closed = amend(disputed, Change(facts=(fact(Kind.DISPUTE, "d", State.LOST, 1000),)), NOW)
    assert [event.type for event in closed.outbox][-2:] == ["payment.disputed", "payment.dispute_closed"]


@pytest.mark.parametrize(
    ("made", "kind"),
    [
        (Kind.CAPTURE, OperationKind.CAPTURE),
        (Kind.REFUND, OperationKind.REFUND),
        (Kind.RELEASE, OperationKind.CANCELLATION),
    ],
)
def test_what_somebody_did_at_the_psp_is_an_operation_of_the_psps(made: Kind, kind: OperationKind) -> None:
    held = (opened(), fact(Kind.AUTHORIZATION, "p", State.SUCCEEDED, 1000))
    after = amend(payment(), Change(facts=(*held, fact(made, "m", State.SUCCEEDED, 400))), NOW)
    (operation,) = after.operations
    assert (operation.kind, operation.origin, operation.amount) == (kind, Origin.PSP, money(400))
    assert operation.movement == (made, "m")


def test_an_open_page_is_asked_about_in_15_minutes() -> None:
    known = pending()
    assert known.attempts[0].phase == Phase.OPEN  # type: ignore[attr-defined]
    assert known.attempts[0].ask_at == NOW + timedelta(minutes=15)  # type: ignore[attr-defined]


def test_a_paid_attempt_is_asked_about_no_more() -> None:
    after = amend(pending(), Change(facts=(PAID,)), NOW)  # type: ignore[arg-type]
    assert after.attempts[0].ask_at is None
    assert due_of(without_events(after, {event.id for event in after.outbox})) is None


def test_each_question_puts_the_next_one_off() -> None:
    unanswered = Fact(attempt_id(), Kind.OPEN, attempt_id(), State.UNANSWERED)
    known = amend(payment(), Change(facts=(unanswered,)), NOW)
    waits = []
    for _ in range(4):
        at = known.attempts[0].ask_at
        assert at is not None
        waits.append((at - known.updated_at).total_seconds())
        known = amend(known, Change(asked=(Asked(attempt_id()),)), at)
    assert waits == [10, 60, 300, 1800]


def test_questions_before_their_time_do_not_use_the_schedule_up() -> None:
    """A shop that syncs often, or a shopper who returns often, must not be why nobody closes the page at its end."""
    known = pending()
    for _ in range(10):
        known = amend(known, Change(asked=(Asked(attempt_id()),)), NOW)  # type: ignore[arg-type]
    assert known.attempts[0].ask_at == NOW + timedelta(minutes=15)  # type: ignore[attr-defined]
    assert not known.attention  # type: ignore[attr-defined]


def test_time_never_runs_backwards_in_a_payment() -> None:
    later = replace(payment(), updated_at=NOW + timedelta(hours=1))
    assert amend(later, Change(facts=(opened(),)), NOW).updated_at == NOW + timedelta(hours=1)
