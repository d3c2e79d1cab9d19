"""Two attempts paid: what is too much goes back exactly once, from the attempt that was given up first."""

from __future__ import annotations

from pathlib import Path

import pytest

from chalicelib.domain.order import CaptureMode
from chalicelib.domain.payment import Payment, Status
from tests.psp import DECLINE, LOST
from tests.services.histories import (
    CAPTURE,
    REFUND,
    amounts,
    attempts,
    hear,
    operations,
    pay,
    queue_of_operators,
    sealed,
    timeline,
    told,
)
from tests.world import World

GIVEN_UP, SHOWN = 0, 1  # the sealed attempt at psp-1, and the one at psp-2 whose page the shopper saw
ORDERS = [(GIVEN_UP, SHOWN), (SHOWN, GIVEN_UP)]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def both_paid(world: World, order: tuple[int, int], **wanted: object) -> Payment:
    """The shopper paid on both pages before anybody heard of either; then the PSPs tell, in this order."""
    payment = sealed(world, **wanted)
    for number in order:
        attempt = payment.attempts[number]
        world.psps[attempt.connection_id].pay(attempt.id, late=True)
    world.psps["psp-1"].can_read = True
    for number in order:
        hear(world, payment, number)
    world.settle()
    return payment


@pytest.mark.parametrize("order", ORDERS)
def test_the_surplus_goes_back_once(world: World, order: tuple[int, int]) -> None:
    payment = both_paid(world, order)
    assert operations(world, payment) == [("refund", "succeeded", "policy")]
    assert (amounts(world, payment).captured, amounts(world, payment).refunded) == (2000, 1000)
    assert amounts(world, payment).surplus == 0


@pytest.mark.parametrize("order", ORDERS)
def test_the_attempt_that_was_given_up_is_refunded(world: World, order: tuple[int, int]) -> None:
    payment = both_paid(world, order)
    (refund,) = world.payment(payment.id).operations
    assert refund.attempt_id == payment.attempts[GIVEN_UP].id


@pytest.mark.parametrize("order", ORDERS)
def test_the_refund_has_one_id_in_either_order(tmp_path: Path, order: tuple[int, int]) -> None:
    ids = set()
    for number, one in enumerate((order, ORDERS[0])):
        folder = tmp_path / str(number)
        folder.mkdir()
        world = World(folder)
        ids |= {operation.id for operation in world.payment(both_paid(world, one).id).operations}
    assert len(ids) == 1


@pytest.mark.parametrize("order", ORDERS)
def test_telling_it_again_gives_nothing_more_back(world: World, order: tuple[int, int]) -> None:
    payment = both_paid(world, order)
    for number in (*order, *order):
        hear(world, payment, number)
        world.attend.sync(payment.id)
    assert operations(world, payment) == [("refund", "succeeded", "policy")]
    assert [len(world.psps[name].operated) for name in ("psp-1", "psp-2")] == [1, 0]


@pytest.mark.parametrize("order", ORDERS)
def test_a_surplus_authorization_is_voided(world: World, order: tuple[int, int]) -> None:
    payment = both_paid(world, order, capture=CaptureMode.MANUAL)
    (void,) = world.payment(payment.id).operations
    assert operations(world, payment) == [("cancellation", "succeeded", "policy")]
    assert void.attempt_id == payment.attempts[GIVEN_UP].id
    assert amounts(world, payment).capturable == 1000


@pytest.mark.parametrize("order", ORDERS)
def test_after_the_void_the_shown_attempt_is_captured(world: World, order: tuple[int, int]) -> None:
    payment = both_paid(world, order, capture=CaptureMode.MANUAL)
    world.do(CAPTURE, payment.id, "c1")
    assert world.payment(payment.id).status is Status.CAPTURED
    assert attempts(world, payment)[SHOWN] == "captured"


def test_the_surplus_is_told_in_events_and_timeline(world: World) -> None:
    payment = both_paid(world, ORDERS[0])
    assert told(world, payment).count("operation.succeeded") == 1
    assert "The refund of 10.00 EUR, made by the late policy, succeeded." in timeline(world, payment)


def test_the_surplus_can_be_seen_while_it_is_on_its_way_back(world: World) -> None:
    world.psps["psp-1"].settles = "pending"
    payment = both_paid(world, ORDERS[0])
    assert operations(world, payment) == [("refund", "pending", "policy")]
    assert amounts(world, payment).surplus == 1000
    assert amounts(world, payment).refundable == 1000


@pytest.mark.parametrize("order", ORDERS)
def test_under_review_the_surplus_waits_for_an_operator(world: World, order: tuple[int, int]) -> None:
    world.late("review")
    payment = both_paid(world, order)
    assert operations(world, payment) == []
    assert world.payment(payment.id).reviews == (payment.attempts[GIVEN_UP].id,)
    assert queue_of_operators(world) == [payment.id]


@pytest.mark.parametrize("order", ORDERS)
def test_an_operator_gives_the_surplus_under_review_back(world: World, order: tuple[int, int]) -> None:
    world.late("review")
    payment = both_paid(world, order)
    world.say(payment.id, payment.attempts[GIVEN_UP].id, "refund")
    world.settle()
    assert (amounts(world, payment).refunded, amounts(world, payment).surplus) == (1000, 0)
    assert queue_of_operators(world) == []


@pytest.mark.parametrize("order", ORDERS)
def test_an_operator_lets_the_surplus_stay(world: World, order: tuple[int, int]) -> None:
    world.late("review")
    payment = both_paid(world, order)
    world.say(payment.id, payment.attempts[GIVEN_UP].id, "accept")
    for number in order:
        hear(world, payment, number)
    assert (operations(world, payment), amounts(world, payment).surplus) == ([], 0)
    assert queue_of_operators(world) == []


def test_who_let_late_money_stay_has_not_let_stay_what_is_paid_on_the_other_page_later(world: World) -> None:
    world.late("review")
    payment = sealed(world)
    world.psps["psp-2"].can_read = False  # so that its page can not be closed
    pay(world, payment, GIVEN_UP)
    world.say(payment.id, payment.attempts[GIVEN_UP].id, "accept")
    pay(world, payment, SHOWN)
    assert amounts(world, payment).surplus == 1000
    assert world.payment(payment.id).reviews == (payment.attempts[SHOWN].id,)
    assert queue_of_operators(world) == [payment.id]


def test_where_late_money_is_refunded_the_surplus_goes_back_too(world: World) -> None:
    world.late("refund")
    payment = both_paid(world, ORDERS[1])
    assert amounts(world, payment).refunded == 1000
    assert operations(world, payment) == [("refund", "succeeded", "policy")]


def test_a_surplus_that_the_psp_refuses_to_give_back_is_an_operators(world: World) -> None:
    world.psps["psp-1"].plan = lambda kind, order: DECLINE
    payment = both_paid(world, ORDERS[1])
    assert operations(world, payment) == [("refund", "failed", "policy")]
    assert queue_of_operators(world) == [payment.id]
    assert told(world, payment).count("payment.review_required") == 1


def test_a_surplus_whose_refund_is_refused_does_not_take_the_other_attempts_money(world: World) -> None:
    world.psps["psp-1"].plan = lambda kind, order: DECLINE
    payment = both_paid(world, ORDERS[1])
    for seconds in (11, 61, 3601):
        world.settle(seconds)
        hear(world, payment, SHOWN)
    assert world.psps["psp-2"].left(payment.attempts[SHOWN].id, "refunds") == 1000


def test_a_surplus_refund_that_fails_later_is_an_operators(world: World) -> None:
    payment = both_paid(world, ORDERS[0])
    world.psps["psp-1"].settle(payment.attempts[GIVEN_UP].id, "refunds", "failed")
    hear(world, payment, GIVEN_UP)
    assert operations(world, payment) == [("refund", "failed", "policy")]
    assert amounts(world, payment).surplus == 1000
    assert queue_of_operators(world) == [payment.id]


def test_a_refund_that_fails_after_an_operator_gave_back_the_rest_is_hers_again(world: World) -> None:
    world.late("review")
    payment = both_paid(world, ORDERS[0])
    given_up = payment.attempts[GIVEN_UP].id
    by_hand = world.psps["psp-1"].move(given_up, "refunds", 400)
    by_hand["status"] = "pending"
    hear(world, payment, GIVEN_UP)
    world.say(payment.id, given_up, "refund")
    world.settle()
    assert queue_of_operators(world) == []
    by_hand["status"] = "failed"
    hear(world, payment, GIVEN_UP)
    assert amounts(world, payment).surplus == 400
    assert queue_of_operators(world) == [payment.id]


def test_a_surplus_refund_that_fails_after_an_operator_gave_back_more_is_hers_again(world: World) -> None:
    payment = sealed(world)
    pay(world, payment, SHOWN)
    world.do(REFUND, payment.id, "r1", 300)
    world.psps["psp-1"].can_read = True
    pay(world, payment, GIVEN_UP)
    world.psps["psp-2"].settle(payment.attempts[SHOWN].id, "refunds", "failed")
    hear(world, payment, SHOWN)
    world.settle(61)
    world.say(payment.id, payment.attempts[GIVEN_UP].id, "refund")
    world.settle()
    by_rule, by_operator = world.psps["psp-1"].sessions[payment.attempts[GIVEN_UP].id]["payment"]["refunds"]
    assert (by_rule["amount"]["value"], by_operator["amount"]["value"]) == (700, 300)
    assert queue_of_operators(world) == []
    by_rule["status"] = "failed"
    hear(world, payment, GIVEN_UP)
    assert amounts(world, payment).surplus == 700
    assert queue_of_operators(world) == [payment.id]


def test_a_surplus_refund_without_an_answer_is_made_once(world: World) -> None:
    world.psps["psp-1"].plan = lambda kind, order: LOST
    payment = both_paid(world, ORDERS[0])
    assert operations(world, payment) == [("refund", "unknown", "policy")]
    world.psps["psp-1"].plan = lambda kind, order: "answer"
    for seconds in (11, 61):
        world.settle(seconds)
    assert operations(world, payment) == [("refund", "succeeded", "policy")]
    assert amounts(world, payment).refunded == 1000


def test_what_somebody_gave_back_at_the_psp_is_not_given_back_again(world: World) -> None:
    payment = sealed(world)
    world.psps["psp-1"].can_read = True
    attempt_id = payment.attempts[GIVEN_UP].id
    world.psps["psp-1"].pay(attempt_id, late=True)
    world.psps["psp-1"].move(attempt_id, "refunds", 1000)
    pay(world, payment, SHOWN)
    hear(world, payment, GIVEN_UP)
    assert operations(world, payment) == [("refund", "succeeded", "psp")]
    assert world.psps["psp-1"].operated == []


def test_the_merchant_can_refund_what_stays(world: World) -> None:
    payment = both_paid(world, ORDERS[0])
    world.do(REFUND, payment.id, "r1")
    assert world.payment(payment.id).status is Status.REFUNDED
    assert amounts(world, payment).refunded == 2000


def test_of_two_shown_pages_the_one_that_had_expired_gives_its_money_back(world: World) -> None:
    payment = world.open().payment
    world.retry(payment.id, "again")
    payment = world.payment(payment.id)
    pay(world, payment, 1)
    pay(world, payment, 0, late=True)
    (refund,) = world.payment(payment.id).operations
    assert refund.attempt_id == payment.attempts[0].id
