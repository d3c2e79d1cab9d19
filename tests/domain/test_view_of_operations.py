"""An operation as the API and its events show it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chalicelib.domain.amend import amend
from chalicelib.domain.change import CallOutcome, Change
from chalicelib.domain.facts import Decline, DeclineClass, Fact, Kind, State
from chalicelib.domain.fold import fold
from chalicelib.domain.operation import OPERATOR, Called, Operation, OperationKind, Origin
from chalicelib.domain.payment import Payment
from chalicelib.domain.view import operation_view
from tests.builders import NOW, attempt_id, fact, money, opened, payment

AT = "2026-03-01T12:00:00.000000Z"
PAID = fact(Kind.CAPTURE, "p", State.SUCCEEDED, 1000)
SOFT, HARD = Decline(DeclineClass.SOFT, "declined", "05", "Ask your bank."), Decline(DeclineClass.HARD, "stolen_card")
REFUND = Operation("op_1", OperationKind.REFUND, attempt_id(), money(400), Origin.API, NOW, reason="returned")


def after(*facts: Fact, start: Payment | None = None, **more: object) -> Payment:
    return amend(start or payment(), Change(facts=(opened(), *facts), **more), NOW)  # type: ignore[arg-type]


def operation_shown(known: Payment) -> dict[str, object]:
    return operation_view(known.operations[0], fold(known))


def test_an_operation_as_it_is_shown() -> None:
    settled = fact(Kind.REFUND, "r-1", State.SUCCEEDED, 400, operation_id="op_1")
    assert operation_shown(after(PAID, settled, operations=(REFUND,))) == {
        "id": "op_1",
        "kind": "refund",
        "status": "succeeded",
        "amount": {"value": 400, "currency": "EUR"},
        "attempt_id": attempt_id(),
        "origin": "api",
        "reason": "returned",
        "decline": None,
        "psp_reference": "r-1",
        "created_at": AT,
    }


def test_a_cancellation_of_what_holds_nothing_has_no_amount() -> None:
    given_up = replace(REFUND, kind=OperationKind.CANCELLATION, amount=None)
    assert operation_shown(after(operations=(given_up,)))["amount"] is None


@pytest.mark.parametrize(
    ("called", "facts", "shows"),
    [
        (Called.REFUSED, (), True),
        (Called.REFUSED, (fact(Kind.REFUND, "r", State.SUCCEEDED, 400, operation_id="op_1"),), False),
    ],
)
def test_an_operations_decline_is_shown_while_it_failed(called: Called, facts: tuple[Fact, ...], shows: bool) -> None:
    known = after(PAID, *facts, operations=(REFUND,), outcomes=(CallOutcome("op_1", called, HARD),))
    decline = {"class": "hard", "code": "stolen_card", "psp_code": "", "message": ""}
    assert operation_shown(known)["decline"] == (decline if shows else None)


@pytest.mark.parametrize(
    ("facts", "reference"),
    [
        ((), None),
        ((fact(Kind.REFUND, f"{OPERATOR}op_1", State.SUCCEEDED, 400, operation_id="op_1"),), None),
        ((fact(Kind.REFUND, "r", State.SUCCEEDED, 400, operation_id="op_1", number=2),), None),
        (
            (
                fact(Kind.REFUND, "r", State.FAILED, 400, operation_id="op_1"),
                fact(Kind.REFUND, "s", State.SUCCEEDED, 400, operation_id="op_1"),
            ),
            "s",
        ),
    ],
)
def test_the_psps_own_name_of_an_operation_is_its_last_movements(
    facts: tuple[Fact, ...], reference: str | None
) -> None:
    start = payment(2)
    assert operation_shown(after(PAID, *facts, start=start, operations=(REFUND,)))["psp_reference"] == reference
