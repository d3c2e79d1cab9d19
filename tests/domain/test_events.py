"""The events that subscribers get, as they are written, and the timeline that people read."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.amend import amend
from chalicelib.domain.change import CallOutcome, Change, Closing
from chalicelib.domain.emit import EVENT_BYTES_MAX, FULL_EVENTS_MAX, SUMMARY_MAX, bounded
from chalicelib.domain.facts import Fact, Kind, State
from chalicelib.domain.ids import event_id_of
from chalicelib.domain.money import Money
from chalicelib.domain.operation import MOVEMENT, Called, Operation, OperationKind, Origin
from chalicelib.domain.payment import Closure, Entry, Payment
from tests.builders import NOW, PAYMENT_ID, attempt_id, fact, money, opened, payment

LATER = NOW + timedelta(minutes=1)
PAID = fact(Kind.CAPTURE, "p", State.SUCCEEDED, 1000)


def opened_payment(**order: Any) -> Payment:
    start = payment()
    return amend(replace(start, order=replace(start.order, **order)), Change(facts=(opened(),)), NOW)


def told(known: Payment, *facts: Fact, **more: Any) -> Payment:
    return amend(known, Change(facts=facts, **more), LATER)


def entries(known: Payment, kind: str) -> list[Entry]:
    return [entry for entry in known.timeline if entry.kind == kind]


def test_an_event_as_it_is_written() -> None:
    event = told(opened_payment(), PAID).outbox[-1]
    body = json.loads(event.body)
    shown = body["data"].pop("payment")
    assert body == {
        "specversion": "1.0",
        "id": event_id_of(PAYMENT_ID, 2),
        "source": "/paymentserver/default",
        "type": "payment.captured",
        "subject": PAYMENT_ID,
        "time": "2026-03-01T12:01:00.000000Z",
        "datacontenttype": "application/json",
        "sequence": 2,
        "data": {"previous_status": "pending"},
    }
    assert (shown["id"], shown["status"], shown["sequence"]) == (PAYMENT_ID, "captured", 2)
    assert shown["amounts"]["captured"] == 1000
    assert "attempts" in shown
    assert (event.id, event.sequence, event.type, event.time) == (body["id"], 2, "payment.captured", LATER)
    assert event.due_at == LATER + timedelta(seconds=10), "by then it is queued again"


def test_an_event_is_as_short_as_json_can_be_and_as_readable() -> None:
    known = told(opened_payment(description="Bücher"), PAID)
    body = known.outbox[-1].body
    assert "Bücher" in body
    assert json.dumps(json.loads(body), ensure_ascii=False, separators=(",", ":")) == body


def test_an_event_is_remembered_with_the_amounts_of_then() -> None:
    remembered = told(opened_payment(), PAID).journal[-1]
    assert (remembered.id, remembered.sequence, remembered.type) == (event_id_of(PAYMENT_ID, 2), 2, "payment.captured")
    assert (remembered.time, remembered.status, remembered.amounts) == (
        LATER,
        "captured",
        (1000, 1000, 0, 1000, 0, 0, 0),
    )


def test_of_several_events_of_one_change_each_has_its_own_number() -> None:
    disputed = told(opened_payment(), PAID, fact(Kind.DISPUTE, "d", State.OPENED, 1000))
    assert [(one.sequence, one.type) for one in disputed.outbox] == [
        (1, "payment.pending"),
        (2, "payment.captured"),
        (3, "payment.disputed"),
    ]
    assert disputed.sequence == 3
    assert [json.loads(one.body)["data"]["payment"]["sequence"] for one in disputed.outbox] == [1, 2, 3]


def padded(bytes_: int) -> Payment:
    """A payment whose next event has so many bytes."""
    of_one = len(told(opened_payment(description="ü"), PAID).outbox[-1].body.encode())
    letters, odd = divmod(bytes_ - of_one, 2)
    known = opened_payment(description="ü" + "ü" * letters + "u" * odd)
    return told(known, PAID)


@pytest.mark.parametrize(("bytes_", "thin"), [(EVENT_BYTES_MAX, False), (EVENT_BYTES_MAX + 1, True)])
def test_an_event_over_twenty_thousand_bytes_is_sent_thin(bytes_: int, thin: bool) -> None:
    event = padded(bytes_).outbox[-1]
    data = json.loads(event.body)["data"]
    assert len(event.body.encode()) == bytes_ or thin
    assert data.get("thin", False) is thin
    assert ("attempts" in data["payment"]) is not thin
    assert (data["payment"]["sequence"], data["payment"]["status"]) == (2, "captured")
    assert data["previous_status"] == "pending"


def test_a_thin_event_still_tells_of_its_operation() -> None:
    known = told(opened_payment(description="x" * EVENT_BYTES_MAX), PAID)
    refunded = told(known, fact(Kind.REFUND, "r", State.SUCCEEDED, 400))
    data = json.loads(refunded.outbox[-1].body)["data"]
    assert (data["thin"], data["operation"]["kind"]) == (True, "refund")


def test_the_ninth_unsent_event_is_thin() -> None:
    known = told(opened_payment(), PAID)
    disputes = tuple(fact(Kind.DISPUTE, f"d{number}", State.OPENED, 1) for number in range(8))
    thin = ["thin" in json.loads(one.body)["data"] for one in told(known, *disputes).outbox]
    assert FULL_EVENTS_MAX == 8
    assert thin == [False] * 8 + [True] * 2


def test_a_change_of_status_is_in_the_timeline() -> None:
    (entry,) = entries(told(opened_payment(), PAID), "status")[1:]
    assert entry == Entry(
        LATER,
        "status",
        "The payment is captured (it was pending).",
        {"status": "captured", "previous_status": "pending"},
    )


def test_a_status_of_two_words_is_told_in_two() -> None:
    known = told(told(opened_payment(), PAID), fact(Kind.REFUND, "r", State.SUCCEEDED, 400))
    assert entries(known, "status")[-1].summary == "The payment is partially refunded (it was captured)."


def test_an_anomaly_is_in_the_timeline_with_what_was_asked() -> None:
    (entry,) = entries(told(opened_payment(), fact(Kind.CAPTURE, "p", State.SUCCEEDED, 1001)), "anomaly")
    assert entry == Entry(
        LATER,
        "anomaly",
        "Anomaly: the PSP reports a capture of 10.01 EUR, but 10.00 EUR was asked. "
        "It is kept and does not count; an operator decides.",
        {
            "attempt_id": attempt_id(),
            "kind": "capture",
            "id": "p",
            "state": "succeeded",
            "amount": {"value": 1001, "currency": "EUR"},
        },
    )


@pytest.mark.parametrize(
    ("kind", "asked", "told_of"),
    [(OperationKind.REFUND, money(400), "4.00 EUR"), (OperationKind.CANCELLATION, None, "10.00 EUR")],
)
def test_an_anomaly_of_an_operation_is_told_with_what_that_asked_for(
    kind: OperationKind, asked: Money | None, told_of: str
) -> None:
    operation = Operation("op_1", kind, attempt_id(), asked, Origin.API, NOW)
    odd = fact(MOVEMENT[kind], "r", State.SUCCEEDED, 5000, operation_id="op_1")
    (entry,) = entries(told(told(opened_payment(), PAID, operations=(operation,)), odd), "anomaly")
    assert f" of 50.00 EUR, but {told_of} was asked." in entry.summary


def test_an_operation_without_an_amount_is_told_without_one() -> None:
    operation = Operation("op_1", OperationKind.CANCELLATION, attempt_id(), None, Origin.API, NOW)
    known = told(told(opened_payment(), operations=(operation,)), outcomes=(CallOutcome("op_1", Called.ANSWERED),))
    assert entries(known, "operation")[-1].summary == "The cancellation succeeded."


def test_an_anomaly_without_an_amount_has_none_in_the_timeline() -> None:
    (entry,) = entries(told(opened_payment(), fact(Kind.CAPTURE, "p", State.SUCCEEDED)), "anomaly")
    assert entry.data["amount"] is None


def test_a_second_anomaly_is_told_too_and_the_first_not_again() -> None:
    one, other = (fact(Kind.CAPTURE, name, State.SUCCEEDED, 1001) for name in "pq")
    known = told(told(opened_payment(), one), other)
    assert [entry.data["id"] for entry in entries(known, "anomaly")] == ["p", "q"]
    assert [event.type for event in known.outbox].count("payment.review_required") == 2


def given_up(late: str | None = None, route: str = "accept") -> Payment:
    """psp-1's page ended, or was superseded with a policy of its own for late money."""
    start = opened_payment()
    start = replace(start, route=replace(start.route, late=route))
    if late:
        return told(start, closings=(Closing(attempt_id(), Closure.SUPERSEDED, late),))
    return told(start, fact(Kind.CHECKOUT, "s", State.EXPIRED))


@pytest.mark.parametrize(
    ("late", "route", "policy"),
    [(None, "accept", "accept"), (None, "review", "review"), ("refund", "accept", "refund")],
)
def test_money_that_comes_late_is_in_the_timeline_with_its_policy_once(
    late: str | None, route: str, policy: str
) -> None:
    known = told(given_up(late, route), PAID)
    known = told(known, fact(Kind.DISPUTE, "d", State.OPENED, 1))
    assert entries(known, "late") == [
        Entry(
            LATER,
            "late",
            f"Money came late at psp-1, which had been given up; the policy is to {policy}.",
            {"attempt_id": attempt_id(), "policy": policy},
        )
    ]


def test_money_in_time_is_not_told_as_late() -> None:
    assert entries(told(opened_payment(), PAID), "late") == []


def test_money_that_had_come_before_its_attempt_was_given_up_is_told_as_late_then() -> None:
    known = told(told(opened_payment(), PAID), fact(Kind.CHECKOUT, "s", State.EXPIRED))
    assert len(entries(known, "late")) == 1


def test_what_waits_for_an_operator_is_in_the_timeline_once() -> None:
    known = told(given_up(route="review"), PAID)
    assert entries(told(known, fact(Kind.DISPUTE, "d", State.OPENED, 1)), "review") == entries(known, "review")
    assert entries(known, "review") == [
        Entry(
            LATER,
            "review",
            "Money came that the late policy does not simply take or give back; an operator decides.",
            {"attempt_id": attempt_id()},
        )
    ]
    assert (known.reviews, known.attention) == ((attempt_id(),), True)
    assert known.outbox[-1].type == "payment.review_required"


def reviews_told(known: Payment) -> int:
    return [event.type for event in known.outbox].count("payment.review_required")


def test_whoever_must_look_is_called_once_for_each_reason() -> None:
    """An amount that nobody asked for on one attempt, and then late money on another."""
    start = payment(2)
    start = replace(start, route=replace(start.route, late="review"))
    known = told(start, opened(), opened(2), fact(Kind.CAPTURE, "p", State.SUCCEEDED, 1001))
    known = told(known, fact(Kind.CHECKOUT, "s", State.EXPIRED, number=2))
    assert reviews_told(known) == 1
    known = told(known, fact(Kind.CAPTURE, "q", State.SUCCEEDED, 1000, number=2))
    assert (reviews_told(known), known.reviews) == (2, (attempt_id(2),))


def test_somebody_must_look_where_only_time_ended_an_attempt() -> None:
    unanswered = Fact(attempt_id(), Kind.OPEN, attempt_id(), State.UNANSWERED)
    known = told(payment(), unanswered)
    known = told(known, closings=(Closing(attempt_id(), Closure.LAPSED),))
    assert (known.attention, known.reviews, reviews_told(known)) == (True, (), 1)
    assert reviews_told(told(known, fact(Kind.TRY, "t", State.DECLINED))) == 1


def test_an_operations_entry_names_it_and_its_attempt() -> None:
    known = told(told(opened_payment(), PAID), fact(Kind.REFUND, "r", State.SUCCEEDED, 400))
    (entry,) = entries(known, "operation")
    operation = known.operations[0]
    assert (entry.at, entry.data) == (
        LATER,
        {"operation_id": operation.id, "attempt_id": attempt_id(), "status": "succeeded"},
    )
    assert operation.status == "succeeded", "what was published last"


DISPUTED, CLOSED = "payment.disputed", "payment.dispute_closed"


@pytest.mark.parametrize(
    ("states", "events"),
    [
        ((State.INQUIRY,), []),
        ((State.INQUIRY, State.OPENED), [DISPUTED]),
        ((State.OPENED, State.WON), [DISPUTED, CLOSED]),
        ((State.OPENED, State.LOST), [DISPUTED, CLOSED]),
        ((State.WON,), [CLOSED]),
        ((State.WON, State.LOST), [CLOSED, CLOSED]),
    ],
)
def test_a_dispute_is_told_once_for_each_turn(states: tuple[State, ...], events: list[str]) -> None:
    known = told(opened_payment(), PAID, fact(Kind.DISPUTE, "other", State.INQUIRY, 1))
    for state in states:
        known = told(known, fact(Kind.DISPUTE, "d", state, 400))
        known = told(known, fact(Kind.REFUND, f"r{state}", State.SUCCEEDED, 1))
    assert [one.type for one in known.outbox if "dispute" in one.type] == events


def entry(number: int, summary: str = "") -> Entry:
    return Entry(NOW, "status", summary or str(number), {})


def test_a_timeline_keeps_how_the_payment_began_and_where_it_stands() -> None:
    kept = [int(one.summary) for one in bounded(tuple(entry(number) for number in range(201)))]
    assert kept == [*range(50), *range(51, 201)]
    assert len(bounded(tuple(entry(number) for number in range(200)))) == 200


def test_an_entry_has_six_hundred_characters_at_most() -> None:
    long, short = entry(1, "x" * (SUMMARY_MAX + 1)), entry(2, "y" * SUMMARY_MAX)
    assert [one.summary for one in bounded((long, short))] == ["x" * 600, "y" * 600]


def test_a_payment_in_another_currency_is_an_anomaly_of_that_currency() -> None:
    dollars = Fact(attempt_id(), Kind.CAPTURE, "p", State.SUCCEEDED, money(1000, "USD"))
    (entry,) = entries(told(opened_payment(), dollars), "anomaly")
    assert "10.00 USD, but 10.00 EUR" in entry.summary
