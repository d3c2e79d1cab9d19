"""An order's authorizations are one hold, whoever reauthorized, and in whatever order its readings become known."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

import pytest

from chalicelib.connectors.paypal.facts import Json, order_facts
from chalicelib.domain.amend import amend
from chalicelib.domain.change import Change
from chalicelib.domain.fold import fold
from chalicelib.domain.order import CaptureMode
from tests.builders import NOW, attempt_id
from tests.builders import payment as payment_of

ATTEMPT = attempt_id()
A, B, C = "A" * 17, "B" * 17, "C" * 17
DAYS = {A: "2026-03-02", B: "2026-03-06", C: "2026-03-10"}


def hold(id: str, status: str, value: str = "10.00") -> Json:
    return {"id": id, "status": status, "amount": eur(value), "create_time": f"{DAYS[id]}T12:00:00Z"}


def taken(number: int, day: str, value: str, final: bool = False) -> Json:
    at = {"create_time": f"2026-03-{day}T12:00:00Z"}
    return {"id": f"CAP{number}", "status": "COMPLETED", "amount": eur(value), "final_capture": final, **at}


def eur(value: str) -> Json:
    return {"currency_code": "EUR", "value": value}


def order(holds: Sequence[Json], *captures: Json) -> Json:
    payments = {"authorizations": list(holds), "captures": list(captures)}
    return {"id": "ORDER", "status": "COMPLETED", "purchase_units": [{"custom_id": ATTEMPT, "payments": payments}]}


HISTORIES: dict[str, tuple[list[Json], tuple[int, int, str]]] = {
    "renewed": (
        [order([hold(A, "CREATED")]), order([hold(A, "CREATED"), hold(B, "CREATED")])],
        (1000, 0, "authorized"),
    ),
    "renewed, the newer listed first": (
        [order([hold(A, "CREATED")]), order([hold(B, "CREATED"), hold(A, "CREATED")])],
        (1000, 0, "authorized"),
    ),
    "renewed twice, then taken": (
        [
            order([hold(A, "CREATED")]),
            order([hold(A, "VOIDED"), hold(B, "CREATED")]),
            order([hold(A, "VOIDED"), hold(B, "VOIDED"), hold(C, "CREATED")]),
            order([hold(A, "VOIDED"), hold(B, "VOIDED"), hold(C, "CAPTURED")], taken(1, "11", "10.00")),
        ],
        (0, 1000, "captured"),
    ),
    "renewed for less, then taken in part and for the last time": (
        [
            order([hold(A, "CREATED")]),
            order([hold(A, "CREATED"), hold(B, "CREATED", "6.00")]),
            order([hold(A, "CREATED"), hold(B, "CAPTURED", "6.00")], taken(1, "07", "5.00", final=True)),
        ],
        (0, 500, "captured"),
    ),
    "taken in part, and the rest renewed": (
        [
            order([hold(A, "PARTIALLY_CAPTURED")], taken(1, "03", "3.00")),
            order([hold(A, "PARTIALLY_CAPTURED"), hold(B, "CREATED", "7.00")], taken(1, "03", "3.00")),
            order(
                [hold(A, "PARTIALLY_CAPTURED"), hold(B, "PARTIALLY_CAPTURED", "7.00")],
                taken(1, "03", "3.00"),
                taken(2, "07", "2.00"),
            ),
        ],
        (500, 500, "partially_captured"),
    ),
    "a renewal that waits, and is denied": (
        [
            order([hold(A, "CREATED")]),
            order([hold(A, "CREATED"), hold(B, "PENDING", "6.00")]),
            order([hold(A, "CREATED"), hold(B, "DENIED", "6.00")]),
        ],
        (1000, 0, "authorized"),
    ),
    "the first one denied": (
        [order([hold(A, "PENDING")]), order([hold(A, "DENIED"), hold(B, "CREATED")])],
        (1000, 0, "authorized"),
    ),
    "given back": (
        [order([hold(A, "CREATED"), hold(B, "CREATED")]), order([hold(A, "VOIDED"), hold(B, "VOIDED")])],
        (0, 0, "cancelled"),
    ),
}


@pytest.mark.parametrize("history", HISTORIES)
def test_a_hold_that_was_renewed_comes_to_the_same_in_any_order(history: str) -> None:
    readings, wanted = HISTORIES[history]
    opened = payment_of(capture=CaptureMode.MANUAL)
    for told in permutations(readings):
        payment = opened
        for reading in (*told, told[0]):
            payment = amend(payment, Change(facts=order_facts(reading, ATTEMPT)), NOW)
        folded = fold(payment)
        assert (folded.amounts.capturable, folded.amounts.captured, folded.status) == wanted, told
        assert (folded.anomalies, payment.attention) == ((), False)
