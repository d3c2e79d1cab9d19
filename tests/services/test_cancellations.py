"""Cancellations: held money is voided, an unpaid payment is closed at its PSPs, and what comes all the same goes back."""

from __future__ import annotations

from pathlib import Path

import pytest

from chalicelib.domain.errors import Conflict
from chalicelib.domain.order import CaptureMode
from chalicelib.domain.payment import Closure, Status
from tests.psp import ANSWER, DECLINE, LOST, SILENT
from tests.services.histories import (
    CANCEL,
    CAPTURE,
    amounts,
    attempts,
    hear,
    held,
    operations,
    pay,
    queue_of_operators,
    sealed,
    shown,
    sold,
    timeline,
    told,
)
from tests.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def unreachable(world: World) -> None:
    for psp in world.psps.values():
        psp.can_read = False


def test_an_unpaid_page_is_closed_at_its_psp(world: World) -> None:
    payment = world.open().payment
    answer = world.do(CANCEL, payment.id, "x", reason="out of stock")
    assert (answer.rendered.status, shown(answer)["status"], shown(answer)["amount"]) == (201, "succeeded", None)
    assert world.psps["psp-1"].sessions[payment.attempts[0].id]["status"] == "expired"


def test_the_payment_is_cancelled_whatever_the_psp_calls_it(world: World) -> None:
    payment = world.open().payment
    world.do(CANCEL, payment.id, "x")
    assert world.payment(payment.id).status is Status.CANCELLED
    assert told(world, payment) == ["payment.pending", "payment.cancelled", "operation.succeeded"]


def test_a_page_that_can_not_be_closed_is_superseded(world: World) -> None:
    payment = world.open().payment
    unreachable(world)
    answer = world.do(CANCEL, payment.id, "x")
    assert (answer.rendered.status, shown(answer)["status"]) == (201, "succeeded")
    attempt = world.payment(payment.id).attempts[0]
    assert (attempt.closed, attempt.late, attempt.action) == (Closure.SUPERSEDED, "refund", None)
    assert "could not close its page; money that comes goes back" in timeline(world, payment)


def test_a_superseded_page_is_closed_once_its_psp_is_back(world: World) -> None:
    payment = world.open().payment
    unreachable(world)
    world.do(CANCEL, payment.id, "x")
    world.psps["psp-1"].can_read = True
    world.settle(61)
    assert world.psps["psp-1"].sessions[payment.attempts[0].id]["status"] == "expired"


@pytest.mark.parametrize("route_says", ["accept", "refund", "review"])
def test_money_that_comes_after_it_was_cancelled_goes_back_whatever_the_route_says(
    world: World, route_says: str
) -> None:
    world.late(route_says)
    payment = world.open().payment
    unreachable(world)
    world.do(CANCEL, payment.id, "x")
    world.psps["psp-1"].can_read = True
    pay(world, payment)
    assert operations(world, payment) == [("cancellation", "succeeded", "api"), ("refund", "succeeded", "policy")]
    assert world.payment(payment.id).status is Status.REFUNDED


def test_authorized_money_that_comes_after_it_was_cancelled_is_voided(world: World) -> None:
    payment = world.open(capture=CaptureMode.MANUAL).payment
    unreachable(world)
    world.do(CANCEL, payment.id, "x")
    world.psps["psp-1"].can_read = True
    pay(world, payment)
    assert operations(world, payment) == [("cancellation", "succeeded", "api"), ("cancellation", "succeeded", "policy")]
    assert world.payment(payment.id).status is Status.CANCELLED


def test_every_page_of_a_payment_is_given_up(world: World) -> None:
    payment = sealed(world)
    world.psps["psp-1"].can_read = True
    world.do(CANCEL, payment.id, "x")
    ends = [world.psps[one.connection_id].sessions[one.id]["status"] for one in payment.attempts]
    assert ends == ["expired", "expired"]


def test_money_at_a_sealed_attempt_of_a_cancelled_payment_goes_back(world: World) -> None:
    payment = sealed(world)
    world.do(CANCEL, payment.id, "x")
    world.psps["psp-1"].can_read = True
    pay(world, payment, 0)
    assert operations(world, payment)[-1] == ("refund", "succeeded", "policy")
    assert amounts(world, payment).captured == amounts(world, payment).refunded == 1000


def test_authorized_money_is_voided(world: World) -> None:
    payment = held(world)
    answer = world.do(CANCEL, payment.id, "x")
    assert shown(answer)["amount"] == {"value": 1000, "currency": "EUR"}
    assert world.payment(payment.id).status is Status.CANCELLED
    assert amounts(world, payment).capturable == 0


def test_what_a_capture_left_is_voided_and_what_was_captured_stays(world: World) -> None:
    payment = held(world)
    world.do(CAPTURE, payment.id, "c1", 400)
    world.do(CANCEL, payment.id, "x")
    assert world.payment(payment.id).status is Status.CAPTURED
    assert (amounts(world, payment).captured, amounts(world, payment).capturable) == (400, 0)


@pytest.mark.parametrize("said", [LOST, SILENT])
def test_while_nobody_knows_whether_a_capture_reached_the_psp_the_rest_is_not_voided(world: World, said: str) -> None:
    """A void gives back whatever is not captured: also what the capture was about, where it has yet to be made again."""
    payment = held(world)
    world.psps["psp-1"].plan = lambda kind, order: said
    world.do(CAPTURE, payment.id, "c1", 400)
    world.psps["psp-1"].plan = lambda kind, order: ANSWER
    world.psps["psp-1"].can_read = False
    with pytest.raises(Conflict, match="ask again soon"):
        world.do(CANCEL, payment.id, "x")
    world.psps["psp-1"].can_read = True
    world.settle(11)
    world.do(CANCEL, payment.id, "x")
    assert world.payment(payment.id).status is Status.CAPTURED
    assert (amounts(world, payment).captured, amounts(world, payment).capturable) == (400, 0)


def test_a_capture_that_waits_at_the_psp_keeps_its_rest_from_nobody(world: World) -> None:
    payment = held(world)
    world.psps["psp-1"].settles = "pending"
    world.do(CAPTURE, payment.id, "c1", 400)
    world.do(CANCEL, payment.id, "x")
    world.psps["psp-1"].settle(payment.attempts[0].id, "captures", "succeeded")
    world.psps["psp-1"].settle(payment.attempts[0].id, "voids", "succeeded")
    hear(world, payment)
    assert world.payment(payment.id).status is Status.CAPTURED
    assert (amounts(world, payment).captured, amounts(world, payment).capturable) == (400, 0)


def test_while_a_void_is_unknown_nothing_can_be_captured(world: World) -> None:
    payment = held(world)
    world.psps["psp-1"].plan = lambda kind, order: LOST
    world.do(CANCEL, payment.id, "x")
    unreachable(world)
    with pytest.raises(Conflict, match="nothing left to capture"):
        world.do(CAPTURE, payment.id, "c1", 1)


def test_a_declined_void_leaves_the_money_to_be_captured(world: World) -> None:
    payment = held(world)
    world.psps["psp-1"].plan = lambda kind, order: DECLINE
    assert shown(world.do(CANCEL, payment.id, "x"))["status"] == "failed"
    assert amounts(world, payment).capturable == 1000


def test_captured_money_is_refunded_not_cancelled(world: World) -> None:
    payment = sold(world)
    with pytest.raises(Conflict, match="refund it instead"):
        world.do(CANCEL, payment.id, "x")
    assert world.psps["psp-1"].operated == []


def test_a_payment_that_has_ended_can_not_be_cancelled(world: World) -> None:
    payment = world.open().payment
    world.do(CANCEL, payment.id, "x")
    with pytest.raises(Conflict, match="nothing left to cancel"):
        world.do(CANCEL, payment.id, "y")


def test_a_shopper_who_paid_meanwhile_wins(world: World) -> None:
    payment = world.open().payment
    world.psps["psp-1"].pay(payment.attempts[0].id)
    answer = world.do(CANCEL, payment.id, "x")
    assert (shown(answer)["status"], shown(answer)["decline"]["code"]) == ("failed", "already_paid")
    assert world.payment(payment.id).status is Status.CAPTURED


def test_a_payment_that_was_paid_meanwhile_is_not_given_up(world: World) -> None:
    payment = world.open().payment
    world.psps["psp-1"].pay(payment.attempts[0].id)
    world.do(CANCEL, payment.id, "x")
    world.settle()
    assert operations(world, payment) == [("cancellation", "failed", "api")]
    assert amounts(world, payment).refundable == 1000


def test_an_odd_amount_found_while_closing_is_not_given_up(world: World) -> None:
    payment = world.open().payment
    world.psps["psp-1"].pay(payment.attempts[0].id, more=1)
    answer = world.do(CANCEL, payment.id, "x")
    assert (shown(answer)["status"], shown(answer)["decline"]["code"]) == ("failed", "amount_in_doubt")
    assert queue_of_operators(world) == [payment.id]


def test_a_payment_in_doubt_is_asked_about_and_then_cancelled(world: World) -> None:
    world.psps["psp-1"].script = lambda order: "silent"
    payment = world.open(route="careful").payment
    world.do(CANCEL, payment.id, "x")
    assert world.payment(payment.id).status is Status.CANCELLED
    assert world.psps["psp-1"].sessions[payment.attempts[0].id]["status"] == "expired"


def test_a_payment_whose_psp_is_silent_is_cancelled_and_watched(world: World) -> None:
    world.psps["psp-1"].script = lambda order: "silent"
    payment = world.open(route="careful").payment
    unreachable(world)
    world.do(CANCEL, payment.id, "x")
    assert attempts(world, payment) == ["superseded"]
    assert world.payment(payment.id).attempts[0].ask_at is not None


def test_the_checkout_that_was_in_doubt_does_not_show_a_page_after_it_was_cancelled(world: World) -> None:
    world.psps["psp-1"].script = lambda order: "silent"
    payment = world.open(route="careful").payment
    unreachable(world)
    world.do(CANCEL, payment.id, "x")
    world.psps["psp-1"].can_read = True
    world.settle(61)
    assert "psp-1.example" not in world.open(route="careful").rendered.body


def test_a_connector_without_voids_is_a_conflict_before_any_call(world: World) -> None:
    payment = held(world)
    world.offer("psp-1", operations=frozenset({"capture", "refund", "expire"}))
    with pytest.raises(Conflict, match="offers no cancellation"):
        world.do(CANCEL, payment.id, "x")
    assert world.psps["psp-1"].operated == []


def test_a_page_of_a_connector_that_can_not_close_one_is_superseded(world: World) -> None:
    payment = world.open().payment
    world.offer("psp-1", operations=frozenset({"capture", "cancel", "refund"}))
    answer = world.do(CANCEL, payment.id, "x")
    assert shown(answer)["status"] == "succeeded"
    assert attempts(world, payment) == ["superseded"]


def test_a_second_void_of_a_cancelled_authorization_is_refused(world: World) -> None:
    payment = held(world)
    world.do(CANCEL, payment.id, "x")
    with pytest.raises(Conflict, match="nothing left"):
        world.do(CANCEL, payment.id, "y")
    hear(world, payment)
    assert operations(world, payment) == [("cancellation", "succeeded", "api")]
