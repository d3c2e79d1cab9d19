"""How one attempt stands, state by state and operation by operation."""

from __future__ import annotations

import pytest

from chalicelib.domain.amend import amend
from chalicelib.domain.change import Change, Closing
from chalicelib.domain.facts import RISING, Fact, Kind, State
from chalicelib.domain.fold import expected_of, fold
from chalicelib.domain.operation import Called, Operation, OperationKind, Origin
from chalicelib.domain.order import CaptureMode
from chalicelib.domain.payment import AttemptStatus, Closure, Resolution, Status
from chalicelib.domain.standing import Standing
from tests.builders import NOW, attempt_id, fact, money, opened, payment

PAID = fact(Kind.CAPTURE, "p", State.SUCCEEDED, 1000)
HELD = fact(Kind.AUTHORIZATION, "p", State.SUCCEEDED, 1000)


def standing_with(
    *facts: Fact, closed: Closure | None = None, operation: Operation | None = None, capture: str = "automatic"
) -> Standing:
    """How a payment's only attempt of 10 euro stands after that."""
    change = Change(
        facts=facts,
        closings=(Closing(attempt_id(), closed),) if closed else (),
        operations=(operation,) if operation else (),
    )
    return fold(amend(payment(capture=CaptureMode(capture)), change, NOW)).standings[attempt_id()]


def operation(kind: OperationKind, value: int = 400, called: Called = Called.STARTED) -> Operation:
    return Operation("op_1", kind, attempt_id(), money(value), Origin.API, NOW, called=called)


@pytest.mark.parametrize(
    ("state", "status", "ended"),
    [
        (State.OPEN, AttemptStatus.PENDING, None),
        (State.PROCESSING, AttemptStatus.PENDING, None),
        (State.EXPIRED, AttemptStatus.EXPIRED, Status.EXPIRED),
        (State.CANCELLED, AttemptStatus.CANCELLED, Status.CANCELLED),
        (State.FAILED, AttemptStatus.FAILED, Status.FAILED),
    ],
)
def test_an_attempt_ends_as_its_page_does(state: State, status: AttemptStatus, ended: Status | None) -> None:
    found = standing_with(opened(), fact(Kind.CHECKOUT, "s", state))
    assert (found.status, found.ended, found.confirmed) == (status, ended, ended is not None)
    assert found.given_up is (ended is not None)
    assert found.live is (ended is None)


@pytest.mark.parametrize(
    ("closed", "status", "ended"),
    [
        (Closure.SEALED, AttemptStatus.SEALED, None),
        (Closure.SUPERSEDED, AttemptStatus.SUPERSEDED, None),
        (Closure.LAPSED, AttemptStatus.EXPIRED, Status.EXPIRED),
    ],
)
def test_an_attempt_that_was_given_up_says_how(closed: Closure, status: AttemptStatus, ended: Status | None) -> None:
    found = standing_with(opened(), closed=closed)
    assert (found.status, found.ended, found.confirmed) == (status, ended, False)
    assert (found.closed, found.given_up, found.live) == (True, True, False)


@pytest.mark.parametrize(
    ("state", "more", "status"),
    [
        (State.STARTED, {}, AttemptStatus.STARTED),
        (State.UNANSWERED, {}, AttemptStatus.UNKNOWN),
        (State.ABSENT, {}, AttemptStatus.FAILED),
        (State.ABSENT, {"reason": "not_sent"}, AttemptStatus.NOT_SENT),
        (State.REFUSED, {}, AttemptStatus.FAILED),
        (State.OPENED, {}, AttemptStatus.PENDING),
    ],
)
def test_without_a_word_of_the_page_the_call_that_opened_it_tells(
    state: State, more: dict[str, str], status: AttemptStatus
) -> None:
    found = standing_with(fact(Kind.OPEN, attempt_id(), state, **more))  # type: ignore[arg-type]
    assert found.status is status
    assert found.unanswered is (state is State.UNANSWERED)
    assert found.opened is (state is State.OPENED)


@pytest.mark.parametrize(
    ("kind", "state", "progress"),
    [
        (Kind.OPEN, State.OPENED, 0),
        (Kind.CHECKOUT, State.OPEN, 1),
        (Kind.TRY, State.DECLINED, 2),
        (Kind.RELEASE, State.SUCCEEDED, 3),
        (Kind.AUTHORIZATION, State.PENDING, 3),
        (Kind.CAPTURE, State.PENDING, 4),
        (Kind.REFUND, State.PENDING, 4),
        (Kind.DISPUTE, State.OPENED, 4),
    ],
)
def test_an_attempt_got_as_far_as_the_furthest_that_is_told_of_it(kind: Kind, state: State, progress: int) -> None:
    assert standing_with(opened(), fact(kind, "x", state, 1000)).progress == progress


def test_an_attempt_that_was_never_opened_got_nowhere() -> None:
    assert standing_with(fact(Kind.OPEN, attempt_id(), State.REFUSED)).progress == -1


PROCESSING = {(Kind.CHECKOUT, State.PROCESSING), (Kind.AUTHORIZATION, State.PENDING), (Kind.CAPTURE, State.PENDING)}


@pytest.mark.parametrize(("kind", "state"), [(kind, state) for kind, states in RISING.items() for state in states])
def test_only_money_on_its_way_in_is_processed(kind: Kind, state: State) -> None:
    found = standing_with(fact(kind, "x", state, None if kind in (Kind.OPEN, Kind.CHECKOUT, Kind.TRY) else 1000))
    assert found.processing is ((kind, state) in PROCESSING)


@pytest.mark.parametrize(
    ("kind", "refunds", "captures"),
    [(OperationKind.CAPTURE, 0, 400), (OperationKind.CANCELLATION, 0, 400), (OperationKind.REFUND, 400, 0)],
)
def test_an_operation_reserves_what_it_would_take(kind: OperationKind, refunds: int, captures: int) -> None:
    found = standing_with(opened(), HELD, operation=operation(kind), capture="manual")
    assert (found.reserved_refunds, found.reserved_captures) == (refunds, captures)


@pytest.mark.parametrize("called", Called)
def test_an_operation_reserves_until_it_is_proven_that_nothing_was_done(called: Called) -> None:
    found = standing_with(opened(), PAID, operation=operation(OperationKind.REFUND, called=called))
    assert found.refundable == (1000 if called in (Called.ABSENT, Called.REFUSED) else 600)


@pytest.mark.parametrize("called", Called)
def test_a_refund_that_the_psp_says_is_under_way_is_reserved_however_far_our_call_came(called: Called) -> None:
    """A PSP can refuse a call and carry out its twin: what it says of the movement goes before what it answered."""
    under_way = fact(Kind.REFUND, "r", State.PENDING, 400, operation_id="op_1")
    found = standing_with(opened(), PAID, under_way, operation=operation(OperationKind.REFUND, called=called))
    assert found.refundable == 600


@pytest.mark.parametrize(
    ("kind", "state", "value"),
    [(kind, state, 1000) for kind, states in RISING.items() for state in states if kind is not Kind.OPEN],
)
def test_an_amount_that_is_not_told_is_odd_only_where_money_came_in(kind: Kind, state: State, value: int) -> None:
    silent = amend(payment(), Change(facts=(opened(), fact(kind, "x", state))), NOW)
    came_in = kind in (Kind.AUTHORIZATION, Kind.CAPTURE) and state is State.SUCCEEDED
    assert bool(fold(silent).anomalies) is came_in


def test_a_dispute_that_an_operator_accepted_makes_nobody_owe_more() -> None:
    odd = fact(Kind.DISPUTE, "d", State.OPENED, 1500)
    word = Resolution(attempt_id(), "accept", "", "an-operator", NOW, accepted=(("dispute", "d", 1500, "EUR"),))
    known = amend(payment(), Change(facts=(opened(), PAID, odd), resolutions=(word,)), NOW)
    assert expected_of(known, fold(known).standings) == 1000


@pytest.mark.parametrize("kind", [Kind.AUTHORIZATION, Kind.CAPTURE])
def test_an_amount_that_an_operator_accepted_is_what_was_owed(kind: Kind) -> None:
    odd = fact(kind, "p", State.SUCCEEDED, 1500)
    word = Resolution(attempt_id(), "accept", "", "an-operator", NOW, accepted=((str(kind), "p", 1500, "EUR"),))
    known = amend(payment(), Change(facts=(opened(), odd), resolutions=(word,)), NOW)
    assert expected_of(known, fold(known).standings) == 1500


RELEASED = fact(Kind.RELEASE, "v", State.SUCCEEDED)
PART = fact(Kind.CAPTURE, "c", State.SUCCEEDED, 400)


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        ((PAID,), AttemptStatus.CAPTURED),
        ((HELD,), AttemptStatus.AUTHORIZED),
        ((HELD, PART, RELEASED), AttemptStatus.CAPTURED),
        ((HELD, fact(Kind.RELEASE, "v", State.SUCCEEDED, 400)), AttemptStatus.AUTHORIZED),
        ((PAID, fact(Kind.REFUND, "r", State.SUCCEEDED, 1000)), AttemptStatus.CAPTURED),
    ],
)
def test_an_attempt_that_has_money_has_not_ended(facts: tuple[Fact, ...], status: AttemptStatus) -> None:
    found = standing_with(opened(), *facts, capture="manual")
    assert (found.status, found.ended, found.confirmed, found.live) == (status, None, False, False)


def test_a_refusal_does_not_end_an_attempt_whose_page_is_open() -> None:
    refused = fact(Kind.OPEN, attempt_id(), State.REFUSED)
    found = standing_with(refused, fact(Kind.CHECKOUT, "s", State.OPEN))
    assert (found.status, found.confirmed, found.live) == (AttemptStatus.PENDING, False, True)


@pytest.mark.parametrize(
    ("facts", "over"),
    [
        ((PAID,), False),
        ((PAID, fact(Kind.REFUND, "r", State.SUCCEEDED, 1000)), False),
        ((PAID, fact(Kind.CAPTURE, "again", State.SUCCEEDED, 1000)), True),
        ((fact(Kind.REFUND, "r", State.SUCCEEDED, 1),), True),
    ],
)
def test_more_than_fits_is_more_taken_than_asked_or_more_given_back_than_taken(
    facts: tuple[Fact, ...], over: bool
) -> None:
    assert standing_with(opened(), *facts).is_over(1000) is over
