"""How a payment that nobody paid ended: as the attempt that got furthest, unless its merchant gave it up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chalicelib.domain.amend import amend
from chalicelib.domain.change import Change, Closing
from chalicelib.domain.facts import Fact, Kind, State
from chalicelib.domain.fold import fold
from chalicelib.domain.operation import Called, Operation, OperationKind, OperationStatus, Origin
from chalicelib.domain.payment import Closure, Status
from tests.builders import NOW, attempt_id, fact, money, opened, payment

REFUSED = fact(Kind.OPEN, attempt_id(), State.REFUSED)
REFUSED_TOO = fact(Kind.OPEN, attempt_id(2), State.REFUSED, number=2)


def page(state: State, number: int = 1) -> Fact:
    return fact(Kind.CHECKOUT, "s", state, number=number)


def status_after(*facts: Fact, closed: int | None = None, operation: Operation | None = None) -> Status:
    closings = (Closing(attempt_id(closed), Closure.SUPERSEDED),) if closed else ()
    operations = (operation,) if operation else ()
    return fold(amend(payment(2), Change(facts=facts, closings=closings, operations=operations), NOW)).status


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        ((page(State.EXPIRED), REFUSED_TOO), Status.EXPIRED),
        ((REFUSED, page(State.CANCELLED, 2)), Status.CANCELLED),
        ((page(State.EXPIRED), fact(Kind.TRY, "t", State.DECLINED), page(State.CANCELLED, 2)), Status.EXPIRED),
        (
            (page(State.CANCELLED), page(State.EXPIRED, 2), fact(Kind.TRY, "t", State.DECLINED, number=2)),
            Status.EXPIRED,
        ),
        ((page(State.CANCELLED), page(State.EXPIRED, 2)), Status.EXPIRED),
        ((page(State.EXPIRED), page(State.CANCELLED, 2)), Status.CANCELLED),
        ((REFUSED, REFUSED_TOO), Status.FAILED),
    ],
)
def test_an_unpaid_payment_ended_as_the_attempt_that_got_furthest_or_else_the_newest(
    facts: tuple[Fact, ...], status: Status
) -> None:
    assert status_after(*facts) is status


def test_of_two_that_got_as_far_the_one_that_was_not_given_up_tells() -> None:
    assert status_after(page(State.CANCELLED), page(State.EXPIRED, 2), closed=2) is Status.CANCELLED


@pytest.mark.parametrize(
    ("kind", "origin", "called", "status"),
    [
        (OperationKind.CANCELLATION, Origin.API, Called.ANSWERED, Status.CANCELLED),
        (OperationKind.CANCELLATION, Origin.PSP, Called.ANSWERED, Status.CANCELLED),
        (OperationKind.CANCELLATION, Origin.POLICY, Called.ANSWERED, Status.EXPIRED),
        (OperationKind.CANCELLATION, Origin.API, Called.STARTED, Status.EXPIRED),
        (OperationKind.CANCELLATION, Origin.API, Called.REFUSED, Status.EXPIRED),
        (OperationKind.CAPTURE, Origin.API, Called.ANSWERED, Status.EXPIRED),
    ],
)
def test_a_merchants_cancellation_is_how_it_ended(
    kind: OperationKind, origin: Origin, called: Called, status: Status
) -> None:
    operation = Operation("op_1", kind, attempt_id(), None, origin, NOW, called=called)
    ended = fold(
        amend(
            payment(2),
            Change(facts=(page(State.EXPIRED), page(State.EXPIRED, 2)), operations=(operation,)),
            NOW,
        )
    )
    assert ended.status is status


def test_an_open_attempt_keeps_the_payment_open_whatever_the_others_came_to() -> None:
    assert status_after(page(State.EXPIRED), opened(2)) is Status.PENDING
    assert (
        status_after(page(State.EXPIRED), fact(Kind.OPEN, attempt_id(2), State.UNANSWERED, number=2)) is Status.UNKNOWN
    )
    assert status_after(page(State.EXPIRED)) is Status.CREATED, "the second one is being opened"


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        (("authorized 1000",), Status.AUTHORIZED),
        (("authorized 1000", "captured 400"), Status.PARTIALLY_CAPTURED),
        (("authorized 1000", "captured 400", "released"), Status.CAPTURED),
        (("authorized 1000", "captured 400", "refunded 400"), Status.PARTIALLY_REFUNDED),
        (("authorized 1000", "captured 400", "refunded 400", "released"), Status.REFUNDED),
        (("authorized 1000", "captured 1000", "refunded 999"), Status.PARTIALLY_REFUNDED),
        (("authorized 1000", "captured 1000", "refunded 1000"), Status.REFUNDED),
    ],
)
def test_money_that_moved_and_stayed_outranks_everything(facts: tuple[str, ...], status: Status) -> None:
    kinds = {
        "authorized": Kind.AUTHORIZATION,
        "captured": Kind.CAPTURE,
        "refunded": Kind.REFUND,
        "released": Kind.RELEASE,
    }
    told = [opened(), fact(Kind.OPEN, attempt_id(2), State.UNANSWERED, number=2)]
    for one in facts:
        kind, _, value = one.partition(" ")
        told.append(Fact(attempt_id(), kinds[kind], kind, State.SUCCEEDED, money(int(value)) if value else None))
    assert status_after(*told) is status


def test_facts_and_operations_of_an_attempt_that_nobody_knows_harm_nothing() -> None:
    stray = Operation("op_1", OperationKind.REFUND, attempt_id(2), money(400), Origin.API, NOW)
    known = replace(amend(payment(), Change(facts=(opened(),)), NOW), operations=(stray,))
    folded = fold(known)
    assert (folded.status, folded.operations["op_1"]) == (Status.PENDING, OperationStatus.PENDING)
    paid = fact(Kind.CAPTURE, "p", State.SUCCEEDED, 1000, number=2)
    folded = fold(replace(known, facts=(*known.facts, paid)))
    assert (folded.status, folded.amounts.captured, folded.sound[-1]) == (Status.PENDING, 0, paid)
