"""Every order of up to six facts, each repeated anywhere, brings a payment to one end: not the facts alone, but all that
follows from them. Only `sequence` and the timeline tell of the way there.

The orders are walked as a tree, so that what has a beginning in common is done once. At each node everything that was said
before is said again and must change nothing at all: by induction no repeat ever does, however many and wherever.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest

from chalicelib.domain.amend import amend
from chalicelib.domain.change import Change, Closing
from chalicelib.domain.facts import Fact, Kind, State
from chalicelib.domain.fold import fold
from chalicelib.domain.late import REFUND
from chalicelib.domain.money import Money
from chalicelib.domain.operation import Called, Operation, OperationKind, OperationStatus, Origin
from chalicelib.domain.order import CaptureMode
from chalicelib.domain.payment import Closure, Payment, Resolution, Status
from tests.builders import NOW, attempt_id, fact, money, opened, payment

AUTH, CAP, REF, REL, DIS, CHK = (
    Kind.AUTHORIZATION, Kind.CAPTURE, Kind.REFUND, Kind.RELEASE, Kind.DISPUTE, Kind.CHECKOUT,
)  # fmt: skip
OK, NO, WAIT = State.SUCCEEDED, State.FAILED, State.PENDING
MANUAL = CaptureMode.MANUAL
Said = Fact | Change


def asked_for(id: str, kind: OperationKind, value: int, called: Called = Called.ANSWERED, **more: object) -> Operation:
    """An operation that the shop asked for and whose call came so far."""
    return Operation(id, kind, attempt_id(), money(value), Origin.API, NOW, called=called, **more)  # type: ignore[arg-type]


def with_operations(start: Payment, *operations: Operation) -> Payment:
    return amend(start, Change(operations=operations), NOW)


def closed(start: Payment, closure: Closure, late: str | None = None) -> Payment:
    return amend(start, Change(closings=(Closing(attempt_id(), closure, late),)), NOW)


def giving_late_money_back(start: Payment) -> Payment:
    return replace(start, route=replace(start.route, late=REFUND))


ACCEPTED = Resolution(attempt_id(), "accept", "seen", "an-operator", NOW, accepted=((CAP, "p", 1001, "EUR"),))
CANCELLATION = Operation(
    "op_1", OperationKind.CANCELLATION, attempt_id(), None, Origin.API, NOW, called=Called.ANSWERED
)
OP_REFUND, OP_CAPTURE = OperationKind.REFUND, OperationKind.CAPTURE

# name: (where it starts, what is said, the status it ends in)
HISTORIES: dict[str, tuple[Payment, Sequence[Said], Status]] = {
    "a sale": (
        payment(),
        [opened(), fact(CHK, "s", State.OPEN), fact(Kind.TRY, "t1", State.DECLINED), fact(Kind.TRY, "t2", State.APPROVED),
         fact(CAP, "p", WAIT, 1000), fact(CAP, "p", OK, 1000)],
        Status.CAPTURED,
    ),
    "an authorization with captures": (
        with_operations(
            payment(capture=MANUAL), asked_for("op_1", OP_CAPTURE, 300), asked_for("op_2", OP_CAPTURE, 400, final=True)
        ),
        [opened(), fact(AUTH, "p", OK, 1000), fact(CAP, "c1", WAIT, 300, operation_id="op_1"),
         fact(CAP, "c1", OK, 300, operation_id="op_1"), fact(CAP, "c2", OK, 400, operation_id="op_2"), fact(REL, "v", OK, 300)],
        Status.CAPTURED,
    ),
    "several refunds": (
        with_operations(
            payment(), asked_for("op_1", OP_REFUND, 300), asked_for("op_2", OP_REFUND, 200, Called.UNANSWERED),
            asked_for("op_3", OP_REFUND, 100),
        ),
        [fact(CAP, "p", OK, 1000), fact(REF, "r1", WAIT, 300, operation_id="op_1"),
         fact(REF, "r1", OK, 300, operation_id="op_1"), fact(REF, "r2", OK, 200, operation_id="op_2"),
         fact(REF, "r3", OK, 100, operation_id="op_3"), fact(REF, "r3", NO, 100, operation_id="op_3")],
        Status.PARTIALLY_REFUNDED,
    ),
    "a dispute, won, and then a second one, lost": (
        payment(),
        [opened(), fact(CAP, "p", OK, 1000), fact(DIS, "d", State.OPENED, 1000), fact(DIS, "d", State.WON, 1000),
         fact(DIS, "d", State.OPENED, 600, revision=1), fact(DIS, "d", State.LOST, 600, revision=1)],
        Status.CAPTURED,
    ),
    "two attempts paid": (
        payment(2),
        [opened(), opened(2), fact(CAP, "x", WAIT, 1000), fact(CAP, "x", OK, 1000), fact(CHK, "s", State.OPEN, number=2),
         fact(CAP, "y", OK, 1000, number=2)],
        Status.CAPTURED,
    ),
    "sealed, late, and paid elsewhere": (
        closed(payment(2), Closure.SEALED),
        [opened(), fact(CHK, "s", State.EXPIRED), fact(CAP, "x", OK, 1000), opened(2), fact(CHK, "s", State.OPEN, number=2),
         fact(CAP, "y", OK, 1000, number=2)],
        Status.CAPTURED,
    ),
    "late, where late money goes back": (
        giving_late_money_back(payment()),
        [opened(), fact(CHK, "s", State.OPEN), fact(CHK, "s", State.EXPIRED), fact(CAP, "p", WAIT, 1000),
         fact(CAP, "p", OK, 1000)],
        Status.CAPTURED,
    ),
    "superseded, held late, and paid elsewhere": (
        closed(payment(2, capture=MANUAL), Closure.SUPERSEDED, REFUND),
        [opened(), fact(AUTH, "x", WAIT, 1000), fact(AUTH, "x", OK, 1000), opened(2), fact(AUTH, "y", OK, 1000, number=2)],
        Status.AUTHORIZED,
    ),
    "an anomaly that an operator accepts": (
        payment(),
        [opened(), fact(CHK, "s", State.OPEN), fact(CAP, "p", WAIT, 1001), fact(CAP, "p", OK, 1001),
         Change(resolutions=(ACCEPTED,))],
        Status.CAPTURED,
    ),
    "an anomaly that nobody accepts": (
        payment(),
        [opened(), fact(CHK, "s", State.OPEN), fact(CAP, "p", WAIT, 1001), fact(CAP, "p", OK, 1001)],
        Status.UNKNOWN,
    ),
    "a refund made at the PSP that proves to be ours": (
        with_operations(payment(), asked_for("op_1", OP_REFUND, 400, Called.UNANSWERED)),
        [opened(), fact(CAP, "p", OK, 1000), fact(REF, "r", WAIT, 400), fact(REF, "r", OK, 400),
         fact(REF, "r", WAIT, 400, operation_id="op_1"), fact(REF, "r", OK, 400, operation_id="op_1")],
        Status.PARTIALLY_REFUNDED,
    ),
    "refunds made at the PSP": (
        payment(),
        [opened(), fact(CAP, "p", OK, 1000), fact(REF, "r1", OK, 300), fact(REF, "r2", WAIT, 700), fact(REF, "r2", OK, 700)],
        Status.REFUNDED,
    ),
    "a refund of which two amounts are told": (
        payment(),
        [opened(), fact(CAP, "p", OK, 1000), fact(REF, "r", WAIT, 400), fact(REF, "r", OK, 300), fact(REF, "r", OK, 400)],
        Status.PARTIALLY_REFUNDED,
    ),
    "cancelled": (
        closed(with_operations(payment(), CANCELLATION), Closure.SUPERSEDED, REFUND),
        [opened(), fact(CHK, "s", State.OPEN), fact(CHK, "s", State.CANCELLED), fact(Kind.TRY, "t", State.DECLINED)],
        Status.CANCELLED,
    ),
    "cancelled, and paid all the same": (
        closed(with_operations(payment(), CANCELLATION), Closure.SUPERSEDED, REFUND),
        [opened(), fact(CHK, "s", State.CANCELLED), fact(CAP, "p", WAIT, 1000), fact(CAP, "p", OK, 1000)],
        Status.CAPTURED,
    ),
    "voided": (
        with_operations(payment(capture=MANUAL), asked_for("op_1", OperationKind.CANCELLATION, 1000)),
        [opened(), fact(AUTH, "p", WAIT, 1000), fact(AUTH, "p", OK, 1000), fact(REL, "v", WAIT, 1000, operation_id="op_1"),
         fact(REL, "v", OK, 1000, operation_id="op_1")],
        Status.CANCELLED,
    ),
    "a direct debit that fails late": (
        payment(),
        [opened(), fact(CHK, "s", State.PROCESSING), fact(CAP, "p", WAIT, 1000), fact(CAP, "p", OK, 1000),
         fact(CAP, "p", NO, 1000)],
        Status.FAILED,
    ),
}  # fmt: skip


def end_of(known: Payment) -> tuple[object, ...]:
    folded = fold(known)
    operations = tuple(
        (one.id, one.kind, one.attempt_id, one.amount, one.origin, one.called, folded.operations[one.id])
        for one in sorted(known.operations, key=lambda one: one.id)
    )
    standings = tuple(folded.standings.items())
    return (
        known.status, folded.amounts, standings, known.facts, operations, known.attention, sorted(known.reviews)
    )  # fmt: skip


def said(known: Payment, saying: Said) -> Payment:
    return amend(known, saying if isinstance(saying, Change) else Change(facts=(saying,)), NOW)


def walk(start: Payment, sayings: Sequence[Said], ends: list[tuple[object, ...]]) -> int:
    """All orders of `sayings` from here; how many orders there were."""

    def go(known: Payment, before: tuple[Said, ...], left: tuple[Said, ...]) -> int:
        if not left:
            end = end_of(known)
            if end not in ends:
                ends.append(end)
            return 1
        orders = 0
        for number, saying in enumerate(left):
            after = said(known, saying)
            for again in (saying, *before):
                assert said(after, again) is after, f"a repeat of {again} changes something"
            orders += go(after, (*before, saying), left[:number] + left[number + 1 :])
        return orders

    return go(start, (), tuple(sayings))


@pytest.mark.parametrize("name", HISTORIES)
def test_every_order_and_every_repeat_comes_to_one_end(name: str) -> None:
    start, sayings, status = HISTORIES[name]
    assert len(sayings) <= 6
    ends: list[tuple[object, ...]] = []
    assert walk(start, sayings, ends) == math.factorial(len(sayings))
    assert len(ends) == 1, "\n".join(map(str, ends))
    assert ends[0][0] is status


@pytest.mark.parametrize(
    ("name", "attempt", "value"),
    [
        ("two attempts paid", 2, 1000),
        ("sealed, late, and paid elsewhere", 1, 1000),
        ("late, where late money goes back", 1, 1000),
        ("cancelled, and paid all the same", 1, 1000),
    ],
)
def test_what_a_rule_gives_back_is_the_same_in_every_order(name: str, attempt: int, value: int) -> None:
    start, sayings, _ = HISTORIES[name]
    for order in (sayings, sayings[::-1]):
        known = start
        for saying in order:
            known = said(known, saying)
        made = [one for one in known.operations if one.origin is Origin.POLICY]
        assert [(one.attempt_id, one.amount, one.status) for one in made] == [
            (attempt_id(attempt), Money(value, "EUR"), OperationStatus.PENDING)
        ]
