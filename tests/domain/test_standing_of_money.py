"""What an attempt has, and whose word counts for it."""

from __future__ import annotations

import pytest

from chalicelib.domain.facts import Decline, DeclineClass, Fact, Kind, State
from chalicelib.domain.operation import Called, Operation, OperationKind, Origin
from chalicelib.domain.payment import AttemptStatus, Closure, Status
from chalicelib.domain.standing import Standing, standing_of
from tests.builders import NOW, attempt, attempt_id, fact, money, opened

PAID = fact(Kind.CAPTURE, "p", State.SUCCEEDED, 1000)
HELD = fact(Kind.AUTHORIZATION, "p", State.SUCCEEDED, 1000)
DOLLARS = money(1000, "USD")


def standing(
    *facts: Fact, closed: Closure | None = None, odd: bool = False, operations: tuple[Operation, ...] = ()
) -> Standing:
    return standing_of(attempt(closed=closed), (opened(), *facts), odd, operations, "EUR")


def in_dollars(kind: Kind, state: State) -> Fact:
    return Fact(attempt_id(), kind, "x", state, DOLLARS)


@pytest.mark.parametrize(
    ("facts", "approved"),
    [
        ((fact(Kind.TRY, "t", State.APPROVED),), True),
        ((fact(Kind.TRY, "t", State.DECLINED),), False),
        ((fact(Kind.TRY, "t", State.DECLINED), fact(Kind.TRY, "u", State.APPROVED)), True),
        ((), False),
    ],
)
def test_the_shopper_did_her_part_once_a_try_was_approved(facts: tuple[Fact, ...], approved: bool) -> None:
    found = standing(*facts)
    assert (found.approved, found.waits_for_completion) == (approved, approved)


@pytest.mark.parametrize(
    "more", [PAID, HELD, fact(Kind.CAPTURE, "p", State.PENDING, 1000), fact(Kind.CHECKOUT, "s", State.EXPIRED)]
)
def test_once_money_moves_or_the_page_ended_nothing_waits_for_completion(more: Fact) -> None:
    assert not standing(fact(Kind.TRY, "t", State.APPROVED), more).waits_for_completion


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        ((), AttemptStatus.UNKNOWN),
        ((HELD,), AttemptStatus.AUTHORIZED),
        ((fact(Kind.CHECKOUT, "s", State.EXPIRED),), AttemptStatus.EXPIRED),
    ],
)
def test_an_odd_amount_leaves_an_open_attempt_in_doubt(facts: tuple[Fact, ...], status: AttemptStatus) -> None:
    assert standing(*facts, odd=True).status is status


def test_an_attempt_that_was_given_up_ends_as_its_page_does() -> None:
    found = standing(fact(Kind.CHECKOUT, "s", State.CANCELLED), closed=Closure.SEALED)
    assert (found.status, found.ended, found.confirmed) == (AttemptStatus.SEALED, Status.CANCELLED, True)


@pytest.mark.parametrize(
    ("disputes", "disputed"),
    [
        ((fact(Kind.DISPUTE, "d", State.OPENED, 400),), 400),
        ((fact(Kind.DISPUTE, "d", State.LOST, 400), fact(Kind.DISPUTE, "e", State.OPENED, 100)), 500),
        ((fact(Kind.DISPUTE, "d", State.OPENED),), 1000),
        ((fact(Kind.DISPUTE, "d", State.INQUIRY), fact(Kind.DISPUTE, "e", State.WON, 100)), 0),
        ((in_dollars(Kind.DISPUTE, State.OPENED),), 0),
    ],
)
def test_what_is_disputed_is_what_was_opened_or_lost(disputes: tuple[Fact, ...], disputed: int) -> None:
    found = standing(PAID, *disputes)
    assert (found.disputed, found.refundable) == (disputed, 1000 - disputed)


@pytest.mark.parametrize(
    ("releases", "held"),
    [
        ((fact(Kind.RELEASE, "v", State.PENDING, 400),), 1000),
        ((fact(Kind.RELEASE, "v", State.SUCCEEDED, 400),), 600),
        ((fact(Kind.RELEASE, "v", State.SUCCEEDED, 400), fact(Kind.RELEASE, "w", State.SUCCEEDED, 500)), 100),
        ((fact(Kind.RELEASE, "v", State.SUCCEEDED, 400), fact(Kind.RELEASE, "w", State.SUCCEEDED)), 0),
        ((fact(Kind.RELEASE, "v", State.SUCCEEDED, 1100),), 0),
    ],
)
def test_what_was_released_is_no_longer_held(releases: tuple[Fact, ...], held: int) -> None:
    assert standing(HELD, *releases).held == held


@pytest.mark.parametrize(
    ("facts", "status", "ended"),
    [
        ((HELD, fact(Kind.RELEASE, "v", State.SUCCEEDED)), AttemptStatus.CANCELLED, Status.CANCELLED),
        ((HELD, fact(Kind.RELEASE, "expiry:v", State.SUCCEEDED)), AttemptStatus.EXPIRED, Status.EXPIRED),
        (
            (HELD, fact(Kind.RELEASE, "v", State.SUCCEEDED), fact(Kind.RELEASE, "expiry:v", State.PENDING)),
            AttemptStatus.CANCELLED,
            Status.CANCELLED,
        ),
        (
            (fact(Kind.AUTHORIZATION, "expiry", State.SUCCEEDED, 1000), fact(Kind.RELEASE, "v", State.SUCCEEDED)),
            AttemptStatus.CANCELLED,
            Status.CANCELLED,
        ),
        ((fact(Kind.RELEASE, "v", State.SUCCEEDED),), AttemptStatus.PENDING, None),
        ((fact(Kind.CAPTURE, "p", State.FAILED, 1000),), AttemptStatus.FAILED, Status.FAILED),
        (
            (fact(Kind.CAPTURE, "p", State.FAILED, 1000), fact(Kind.CAPTURE, "q", State.PENDING, 1000)),
            AttemptStatus.PENDING,
            None,
        ),
        ((in_dollars(Kind.CAPTURE, State.SUCCEEDED),), AttemptStatus.FAILED, Status.FAILED),
        ((in_dollars(Kind.CAPTURE, State.PENDING),), AttemptStatus.PENDING, None),
        (
            (fact(Kind.CHECKOUT, "s", State.EXPIRED), fact(Kind.TRY, "t", State.PENDING)),
            AttemptStatus.EXPIRED,
            Status.EXPIRED,
        ),
        (
            (fact(Kind.CHECKOUT, "s", State.EXPIRED), fact(Kind.CAPTURE, "p", State.FAILED, 1000)),
            AttemptStatus.EXPIRED,
            Status.EXPIRED,
        ),
    ],
)
def test_an_attempt_ends_as_its_money_does(
    facts: tuple[Fact, ...], status: AttemptStatus, ended: Status | None
) -> None:
    found = standing(*facts)
    assert (found.status, found.ended) == (status, ended)


@pytest.mark.parametrize("state", [State.EXPIRED, State.CANCELLED])
@pytest.mark.parametrize("kind", [Kind.AUTHORIZATION, Kind.CAPTURE])
def test_money_on_its_way_may_still_come_after_the_page_ended(kind: Kind, state: State) -> None:
    found = standing(fact(Kind.CHECKOUT, "s", state), fact(kind, "p", State.PENDING, 1000))
    assert (found.ended, found.live, found.given_up) == (None, True, True)


def test_where_the_checkout_failed_no_money_is_on_its_way() -> None:
    found = standing(fact(Kind.CHECKOUT, "s", State.FAILED), fact(Kind.CAPTURE, "p", State.PENDING, 1000))
    assert (found.status, found.ended) == (AttemptStatus.FAILED, Status.FAILED)


@pytest.mark.parametrize(
    ("pending", "refunds", "captures"),
    [
        (fact(Kind.REFUND, "r", State.PENDING, 300), 300, 0),
        (fact(Kind.CAPTURE, "c", State.PENDING, 300), 0, 300),
        (fact(Kind.REFUND, "r", State.FAILED, 300), 0, 0),
        (fact(Kind.REFUND, "r", State.PENDING), 0, 0),
    ],
)
def test_what_the_psp_says_is_under_way_is_reserved_without_an_operation_of_ours(
    pending: Fact, refunds: int, captures: int
) -> None:
    found = standing(HELD, pending)
    assert (found.reserved_refunds, found.reserved_captures) == (refunds, captures)


def test_only_operations_of_ours_on_this_attempt_reserve() -> None:
    ours = Operation("op_1", OperationKind.REFUND, attempt_id(), money(400), Origin.API, NOW, called=Called.STARTED)
    elsewhere = Operation("op_2", OperationKind.REFUND, attempt_id(2), money(200), Origin.API, NOW)
    theirs = Operation("op_3", OperationKind.REFUND, attempt_id(), money(100), Origin.PSP, NOW)
    given_up = Operation("op_4", OperationKind.CANCELLATION, attempt_id(), None, Origin.API, NOW)
    assert standing(PAID, operations=(ours, elsewhere, theirs, given_up)).reserved_refunds == 400


def test_what_was_asked_for_is_reserved_whatever_the_psp_has_said() -> None:
    ours = Operation("op_1", OperationKind.REFUND, attempt_id(), money(400), Origin.API, NOW)
    assert standing(operations=(ours,)).reserved_refunds == 400


def test_where_nothing_moved_nothing_is_reserved() -> None:
    found = standing(fact(Kind.CHECKOUT, "s", State.OPEN))
    assert (found.reserved_refunds, found.reserved_captures) == (0, 0)


@pytest.mark.parametrize(
    ("decline", "status"),
    [(None, AttemptStatus.FAILED), (Decline(DeclineClass.SOFT, "declined"), AttemptStatus.DECLINED)],
)
def test_a_refused_opening_is_a_decline_where_the_psp_says_so(decline: Decline | None, status: AttemptStatus) -> None:
    refused = fact(Kind.OPEN, attempt_id(), State.REFUSED, decline=decline)
    found = standing_of(attempt(), (refused,), False, (), "EUR")
    assert (found.status, found.ended) == (status, Status.FAILED)


def test_two_ends_of_one_page_are_the_one_that_says_most() -> None:
    """Two sessions of one attempt: the order in which they are told of must not matter."""
    ends = (fact(Kind.CHECKOUT, "s", State.FAILED), fact(Kind.CHECKOUT, "t", State.EXPIRED))
    assert standing(*ends).status is standing(*reversed(ends)).status is AttemptStatus.FAILED


def test_an_attempt_of_which_nothing_is_known_was_started() -> None:
    found = standing_of(attempt(), (), False, (), "EUR")
    assert (found.status, found.ended, found.live, found.progress) == (AttemptStatus.STARTED, None, True, -1)
