"""The events that subscribers get, as they are written."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib.domain.change import Closing
from chalicelib.domain.emit import EVENT_BYTES_MAX, FULL_EVENTS_MAX
from chalicelib.domain.facts import Fact, Kind, State
from chalicelib.domain.ids import event_id_of
from chalicelib.domain.payment import Closure, Payment
from tests.builders import PAYMENT_ID, attempt_id, fact, opened, payment
from tests.domain.told import LATER, PAID, opened_payment, told


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
