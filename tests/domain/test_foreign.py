"""What somebody did at the PSP is an operation, until it proves to be one of ours."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib.domain.amend import amend
from chalicelib.domain.change import Change
from chalicelib.domain.facts import Fact, Kind, State
from chalicelib.domain.ids import operation_id_of
from chalicelib.domain.operation import Called, Operation, OperationKind, OperationStatus, Origin
from chalicelib.domain.order import CaptureMode
from chalicelib.domain.payment import Payment
from tests.builders import NOW, PAYMENT_ID, attempt_id, fact, money, opened, payment

LATER = NOW + timedelta(minutes=1)
HELD = fact(Kind.AUTHORIZATION, "p", State.SUCCEEDED, 1000)
PAID = fact(Kind.CAPTURE, "p", State.SUCCEEDED, 1000)
REFUNDED = fact(Kind.REFUND, "r", State.SUCCEEDED, 400)


def paid(*facts: Fact, **more: object) -> Payment:
    return amend(payment(), Change(facts=(opened(), PAID, *facts), **more), NOW)  # type: ignore[arg-type]


def told(known: Payment, *facts: Fact) -> Payment:
    return amend(known, Change(facts=facts), LATER)


def test_it_is_stored_as_made_at_the_psp_when_it_was_heard_of() -> None:
    (operation,) = told(paid(), REFUNDED).operations
    assert operation == Operation(
        id=operation_id_of(PAYMENT_ID, f"psp:{attempt_id()}:refund:r"),
        kind=OperationKind.REFUND,
        attempt_id=attempt_id(),
        amount=money(400),
        origin=Origin.PSP,
        created_at=LATER,
        called=Called.ANSWERED,
        movement=("refund", "r"),
        status=OperationStatus.SUCCEEDED,
        phase="refunded",
        made_at=LATER,
    )


def test_its_amount_is_what_the_psp_names_now() -> None:
    known = told(paid(fact(Kind.REFUND, "r", State.PENDING, 400)), fact(Kind.REFUND, "r", State.SUCCEEDED, 500))
    assert [one.amount for one in known.operations] == [money(500)]


def test_it_is_one_operation_however_often_it_is_told() -> None:
    known = told(paid(REFUNDED), REFUNDED, fact(Kind.REFUND, "s", State.SUCCEEDED, 100))
    assert [(one.movement, one.created_at) for one in known.operations] == [
        (("refund", "r"), NOW),
        (("refund", "s"), LATER),
    ]


def test_once_it_proves_to_be_ours_it_is_ours_alone() -> None:
    ours = Operation("op_1", OperationKind.REFUND, attempt_id(), money(400), Origin.API, NOW)
    known = paid(REFUNDED, operations=(ours,))
    assert [one.origin for one in known.operations] == [Origin.API, Origin.PSP]
    assert [one.id for one in told(known, replace(REFUNDED, operation_id="op_1")).operations] == ["op_1"]


def test_a_movement_that_names_an_operation_we_do_not_know_was_made_at_the_psp() -> None:
    assert [one.origin for one in told(paid(), replace(REFUNDED, operation_id="op_x")).operations] == [Origin.PSP]


@pytest.mark.parametrize(
    ("capture", "facts", "made"),
    [
        (CaptureMode.AUTOMATIC, (PAID,), 0),
        (CaptureMode.MANUAL, (HELD,), 0),
        (CaptureMode.MANUAL, (HELD, PAID), 1),
        (CaptureMode.MANUAL, (HELD, fact(Kind.RELEASE, "expiry:p", State.SUCCEEDED)), 0),
        (CaptureMode.MANUAL, (HELD, fact(Kind.RELEASE, "v", State.SUCCEEDED)), 1),
        (CaptureMode.AUTOMATIC, (PAID, fact(Kind.REFUND, "expiry", State.SUCCEEDED, 1)), 1),
        (CaptureMode.AUTOMATIC, (PAID, fact(Kind.DISPUTE, "d", State.OPENED, 1)), 0),
        (CaptureMode.AUTOMATIC, (PAID, fact(Kind.REFUND, "r", State.SUCCEEDED, 1001)), 0),
    ],
)
def test_a_sale_a_lapse_a_dispute_and_an_odd_amount_are_no_operations(
    capture: CaptureMode, facts: tuple[Fact, ...], made: int
) -> None:
    known = amend(payment(capture=capture), Change(facts=(opened(), *facts)), NOW)
    assert len(known.operations) == made
