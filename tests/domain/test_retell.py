"""An event whose words are gone is told again from the journal."""

from __future__ import annotations

import json

from chalicelib.domain.facts import Kind, State
from chalicelib.domain.ids import event_id_of
from chalicelib.domain.retell import retold
from tests.builders import PAYMENT_ID, fact
from tests.domain.told import LATER, PAID, opened_payment, told


def test_an_event_is_told_again_as_it_was_then_and_thin() -> None:
    paid = told(opened_payment(), PAID)
    known = told(paid, fact(Kind.REFUND, "r", State.SUCCEEDED, 400))
    assert known.journal[1].time == LATER
    assert json.loads(retold(known, known.journal[1])) == {
        "specversion": "1.0",
        "id": event_id_of(PAYMENT_ID, 2),
        "source": "/paymentserver/default",
        "type": "payment.captured",
        "subject": PAYMENT_ID,
        "time": "2026-03-01T12:01:00.000000Z",
        "datacontenttype": "application/json",
        "sequence": 2,
        "data": {
            "payment": {
                "id": PAYMENT_ID,
                "merchant_id": "default",
                "order_reference": "order-1",
                "status": "captured",
                "amount": {"value": 1000, "currency": "EUR"},
                "amounts": {
                    "authorized": 1000,
                    "captured": 1000,
                    "refunded": 0,
                    "refundable": 1000,
                    "capturable": 0,
                    "charged_back": 0,
                    "surplus": 0,
                },
                "sequence": 2,
                "created_at": "2026-03-01T12:00:00.000000Z",
                "updated_at": "2026-03-01T12:01:00.000000Z",
            },
            "previous_status": "pending",
            "thin": True,
        },
    }


def test_the_first_event_came_after_nothing() -> None:
    known = opened_payment()
    assert json.loads(retold(known, known.journal[0]))["data"]["previous_status"] == "created"


def test_an_event_that_is_told_again_is_written_as_the_others_are() -> None:
    known = opened_payment(order_reference="Bücher-1")
    body = retold(known, known.journal[0])
    assert "Bücher-1" in body
    assert json.dumps(json.loads(body), ensure_ascii=False, separators=(",", ":")) == body
