"""Money that comes after its attempt was given up follows the late policy, once, and is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from chalicelib.domain.order import CaptureMode
from chalicelib.domain.payment import Payment, Status
from tests.psp import DECLINE, SILENT
from tests.services.histories import (
    CANCEL,
    REFUND,
    amounts,
    attempts,
    expired,
    hear,
    operations,
    pay,
    queue_of_operators,
    sealed,
    timeline,
    told,
)
from tests.world import World

Given = Callable[..., Payment]
REFUNDED_BY_POLICY = [("refund", "succeeded", "policy")]
VOIDED_BY_POLICY = [("cancellation", "succeeded", "policy")]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def superseded(world: World, **order: object) -> Payment:
    """psp-1 could not close its page; psp-2's was opened at the merchant's word and has expired since."""
    payment = world.open(**order).payment
    world.psps["psp-1"].can_read = False
    world.retry(payment.id, "again", supersede=True)
    for seconds in (901, 961, 11):
        world.settle(seconds)
    world.psps["psp-1"].can_read = True
    return payment


def sealed_alone(world: World, **order: object) -> Payment:
    """psp-1 is sealed, and psp-2 said no."""
    world.psps["psp-2"].script = lambda order: DECLINE
    payment = sealed(world, **order)
    world.psps["psp-1"].can_read = True
    return payment


def lapsed(world: World, **order: object) -> Payment:
    """psp-1 never answered and can not be asked."""
    world.offer("psp-1", looks_up_references=False, key_lives_s={})
    world.psps["psp-1"].script = lambda order: SILENT
    payment = world.open(route="careful", **order).payment
    for seconds in (11, 61, 301, 1801, 11):
        world.settle(seconds)
    world.offer("psp-1", looks_up_references=True)
    return payment


GIVEN_UP = [expired, superseded, sealed_alone]


@pytest.mark.parametrize("given", [*GIVEN_UP, lapsed])
def test_accepted_late_money_is_the_payments(world: World, given: Given) -> None:
    world.late("accept")
    payment = given(world)
    pay(world, payment, 0, late=True)
    assert world.payment(payment.id).status is Status.CAPTURED
    assert operations(world, payment) == []
    assert told(world, payment)[-1] == "payment.captured"


@pytest.mark.parametrize("given", [*GIVEN_UP, lapsed])
def test_accepted_late_money_can_be_refunded_by_the_merchant(world: World, given: Given) -> None:
    world.late("accept")
    payment = given(world)
    pay(world, payment, 0, late=True)
    world.settle(61)
    world.do(REFUND, payment.id, "r1")
    assert world.payment(payment.id).status is Status.REFUNDED


@pytest.mark.parametrize("given", [*GIVEN_UP, lapsed])
def test_refused_late_money_goes_back(world: World, given: Given) -> None:
    world.late("refund")
    payment = given(world)
    pay(world, payment, 0, late=True)
    world.settle(61)
    assert operations(world, payment) == REFUNDED_BY_POLICY
    assert world.payment(payment.id).status is Status.REFUNDED
    assert world.psps["psp-1"].left(payment.attempts[0].id, "refunds") == 0


@pytest.mark.parametrize("given", GIVEN_UP)
def test_refused_late_authorizations_are_voided(world: World, given: Given) -> None:
    world.late("refund")
    payment = given(world, capture=CaptureMode.MANUAL)
    pay(world, payment, 0, late=True)
    assert operations(world, payment) == VOIDED_BY_POLICY
    assert amounts(world, payment).capturable == 0


@pytest.mark.parametrize("given", GIVEN_UP)
def test_reviewed_late_money_waits_for_an_operator(world: World, given: Given) -> None:
    world.late("review")
    payment = given(world)
    pay(world, payment, 0, late=True)
    assert operations(world, payment) == []
    assert world.payment(payment.id).status is Status.CAPTURED
    assert queue_of_operators(world) == [payment.id]
    assert told(world, payment)[-2:] == ["payment.captured", "payment.review_required"]
    assert "review: Money came" in timeline(world, payment)


def test_refused_late_money_is_told_in_events_and_timeline(world: World) -> None:
    world.late("refund")
    payment = expired(world)
    pay(world, payment, late=True)
    assert told(world, payment)[-3:] == ["payment.captured", "payment.refunded", "operation.succeeded"]
    assert "The refund of 10.00 EUR, made by the late policy, succeeded." in timeline(world, payment)


def test_the_event_of_late_money_says_what_it_was_before(world: World) -> None:
    payment = expired(world)
    pay(world, payment, late=True)
    assert "The payment is captured (it was expired)." in timeline(world, payment)


def test_late_money_goes_back_once_however_often_it_is_told(world: World) -> None:
    world.late("refund")
    payment = expired(world)
    pay(world, payment, late=True)
    for _ in range(3):
        hear(world, payment)
        world.attend.sync(payment.id)
    assert operations(world, payment) == REFUNDED_BY_POLICY
    assert len(set(world.psps["psp-1"].operated)) == 1


def test_an_operator_may_accept_what_is_under_review(world: World) -> None:
    world.late("review")
    payment = expired(world)
    pay(world, payment, late=True)
    world.say(payment.id, payment.attempts[0].id, "accept")
    world.settle(61)
    assert queue_of_operators(world) == []
    assert operations(world, payment) == []
    assert world.payment(payment.id).status is Status.CAPTURED


def test_an_operator_may_refund_what_is_under_review(world: World) -> None:
    world.late("review")
    payment = expired(world)
    pay(world, payment, late=True)
    world.say(payment.id, payment.attempts[0].id, "refund")
    world.settle()
    assert queue_of_operators(world) == []
    assert world.payment(payment.id).status is Status.REFUNDED


def test_a_merchant_who_refunds_what_is_under_review_clears_the_queue(world: World) -> None:
    world.late("review")
    payment = expired(world)
    pay(world, payment, late=True)
    world.do(REFUND, payment.id, "r1")
    assert queue_of_operators(world) == []


def test_a_merchants_own_refund_is_not_doubled_by_the_policy(world: World) -> None:
    """The route is asked when money comes; what the merchant gave back is gone."""
    payment = expired(world)
    pay(world, payment, late=True)
    world.do(REFUND, payment.id, "r1", 400)
    world.late("refund")
    hear(world, payment)
    assert operations(world, payment) == [("refund", "succeeded", "api")]


def test_a_changed_route_changes_nothing_for_payments_under_way(world: World) -> None:
    world.late("accept")
    payment = expired(world)
    world.late("refund")
    pay(world, payment, late=True)
    assert operations(world, payment) == []


def test_money_in_time_is_not_late(world: World) -> None:
    world.late("refund")
    payment = world.open().payment
    pay(world, payment)
    for seconds in (901, 961, 11):
        world.settle(seconds)
    assert operations(world, payment) == []
    assert world.payment(payment.id).status is Status.CAPTURED


def test_late_money_after_a_cancellation_goes_back_though_the_route_accepts(world: World) -> None:
    world.late("accept")
    payment = world.open().payment
    world.psps["psp-1"].can_read = False
    world.do(CANCEL, payment.id, "x")
    world.psps["psp-1"].can_read = True
    pay(world, payment)
    assert operations(world, payment)[-1:] == REFUNDED_BY_POLICY


@pytest.mark.parametrize(("policy", "made"), [("accept", []), ("refund", REFUNDED_BY_POLICY)])
def test_late_money_on_a_page_that_the_psp_had_closed_follows_the_route(
    world: World, policy: str, made: list[tuple[str, ...]]
) -> None:
    world.late(policy)
    payment = world.open().payment
    world.do(CANCEL, payment.id, "x")
    pay(world, payment, late=True)
    assert operations(world, payment)[1:] == made


def test_a_crash_before_the_policys_call_loses_nothing(world: World) -> None:
    """The operation is planned in the same put as the fact that asks for it."""
    world.late("refund")
    payment = expired(world)
    world.psps["psp-1"].pay(payment.attempts[0].id, late=True)

    def die(kind: str, order: object) -> str:
        raise KeyboardInterrupt

    world.psps["psp-1"].plan = die
    with pytest.raises(KeyboardInterrupt):
        hear(world, payment)
    world.psps["psp-1"].plan = lambda kind, order: "answer"
    world.settle(66)
    world.settle(66)
    assert operations(world, payment) == REFUNDED_BY_POLICY


def test_a_sealed_attempts_money_is_not_late_for_a_page_that_is_still_open(world: World) -> None:
    """Nothing else is paid, so it is taken; and the open page is closed, so that nobody pays twice."""
    payment = sealed(world)
    world.psps["psp-1"].can_read = True
    pay(world, payment, 0)
    assert world.payment(payment.id).status is Status.CAPTURED
    assert attempts(world, payment) == ["captured", "expired"]
