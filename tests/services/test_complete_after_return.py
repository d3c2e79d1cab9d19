"""PSPs that take nothing until the server says so, once the shopper has done her part: however that is learnt."""

from __future__ import annotations

from pathlib import Path

import pytest

from chalicelib.domain.payment import CaptureMode, Payment, Status
from chalicelib.services.returns import come_back, return_link, return_token
from tests.psp import DECLINE, LOST, SILENT
from tests.services.histories import CANCEL, attempts, hear, pay, sealed, timeline, told
from tests.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def approved(world: World, **order: object) -> Payment:
    """The shopper has approved at psp-1, and nobody knows of it yet."""
    payment = world.open(**order).payment
    world.psps["psp-1"].approve(payment.attempts[0].id)
    return payment


def returns(world: World, payment: Payment) -> None:
    come_back(world.ports, return_token(world.ports.return_key(), payment.id, payment.order.return_url))
    world.settle()


def completions(world: World, name: str = "psp-1") -> int:
    return sum(call.endswith("-complete") for call in world.psps[name].operated)


def test_a_shopper_who_returns_has_paid(world: World) -> None:
    payment = approved(world)
    returns(world, payment)
    assert world.payment(payment.id).status is Status.CAPTURED
    assert told(world, payment) == ["payment.pending", "payment.captured"]


def test_where_a_connector_needs_it_the_shopper_returns_through_our_signed_link(world: World) -> None:
    world.offer("psp-1", needs_return_link=True)
    seen: list[str] = []

    def script(order: object) -> str:
        seen.append(order.return_url)  # type: ignore[attr-defined]
        return "answer"

    world.psps["psp-1"].script = script
    payment = world.open().payment
    assert seen == [return_link(world.ports, payment.id, payment.order.return_url)]
    assert seen[0].startswith("https://hooks.pay.example/returns/pay_")


def test_elsewhere_the_shopper_returns_straight_to_the_shop(world: World) -> None:
    assert world.open().payment.attempts[0].return_url is None


def test_the_return_link_leads_on_to_the_shop(world: World) -> None:
    payment = world.open(return_url="https://shop.example/return?basket=7").payment
    back = come_back(world.ports, return_token(world.ports.return_key(), payment.id, payment.order.return_url))
    assert back == f"https://shop.example/return?basket=7&payment_id={payment.id}"


def test_a_webhook_completes_for_a_shopper_who_never_returns(world: World) -> None:
    payment = approved(world)
    hear(world, payment)
    assert world.payment(payment.id).status is Status.CAPTURED


def test_reconciliation_completes_for_a_shopper_who_never_returns(world: World) -> None:
    payment = approved(world)
    world.settle(901)
    assert world.payment(payment.id).status is Status.CAPTURED


def test_who_approves_in_the_last_minutes_is_completed_when_the_page_expires(world: World) -> None:
    payment = world.open().payment
    world.settle(901)
    world.psps["psp-1"].approve(payment.attempts[0].id)
    world.settle(961)
    assert world.payment(payment.id).status is Status.CAPTURED


def test_an_authorization_is_completed_too(world: World) -> None:
    payment = approved(world, capture=CaptureMode.MANUAL)
    returns(world, payment)
    assert world.payment(payment.id).status is Status.AUTHORIZED


def test_it_is_completed_once_however_often_it_is_told(world: World) -> None:
    payment = approved(world)
    for _ in range(3):
        returns(world, payment)
        hear(world, payment)
        world.attend.sync(payment.id)
    assert completions(world) == 1


def test_an_answer_that_was_lost_is_read_and_not_asked_for_again(world: World) -> None:
    payment = approved(world)
    world.psps["psp-1"].completion = SILENT
    returns(world, payment)
    assert world.payment(payment.id).status is Status.PENDING
    world.settle(61)
    assert world.payment(payment.id).status is Status.CAPTURED
    assert completions(world) == 1


def test_a_call_that_was_lost_is_made_again_with_the_same_key(world: World) -> None:
    payment = approved(world)
    world.psps["psp-1"].completion = LOST
    returns(world, payment)
    world.psps["psp-1"].completion = "answer"
    world.settle(61)
    assert world.payment(payment.id).status is Status.CAPTURED
    assert set(world.psps["psp-1"].operated) == {f"{payment.attempts[0].id}-complete"}


def test_a_psp_that_refuses_to_complete_is_told_and_nothing_is_paid(world: World) -> None:
    payment = approved(world)
    world.psps["psp-1"].completion = DECLINE
    returns(world, payment)
    assert world.payment(payment.id).status is Status.PENDING
    assert "psp-1 refused to complete the payment: insufficient_funds" in timeline(world, payment)


def test_a_shopper_who_has_not_approved_has_not_paid(world: World) -> None:
    payment = world.open().payment
    returns(world, payment)
    assert world.payment(payment.id).status is Status.PENDING
    assert completions(world) == 0


def test_a_connector_that_needs_no_completion_is_never_asked_for_it(world: World) -> None:
    payment = approved(world)
    world.offer("psp-1", completes_on_return=False)
    returns(world, payment)
    hear(world, payment)
    assert completions(world) == 0


def test_a_sealed_attempt_is_closed_and_never_completed(world: World) -> None:
    payment = sealed(world)
    world.psps["psp-1"].approve(payment.attempts[0].id)
    world.psps["psp-1"].can_read = True
    hear(world, payment, 0)
    world.settle(61)
    assert completions(world) == 0
    assert world.psps["psp-1"].sessions[payment.attempts[0].id]["status"] == "expired"


def test_a_cancelled_payment_is_closed_and_never_completed(world: World) -> None:
    payment = approved(world)
    world.do(CANCEL, payment.id, "x")
    returns(world, payment)
    assert completions(world) == 0
    assert world.payment(payment.id).status is Status.CANCELLED


def test_a_payment_that_was_cancelled_while_its_psp_was_down_is_never_completed(world: World) -> None:
    payment = approved(world)
    world.psps["psp-1"].can_read = False
    world.do(CANCEL, payment.id, "x")
    world.psps["psp-1"].can_read = True
    hear(world, payment)
    returns(world, payment)
    assert completions(world) == 0
    assert attempts(world, payment) == ["superseded"]


def retried(world: World) -> Payment:
    """psp-1's page could not be closed, and psp-2's was opened."""
    payment = world.open().payment
    world.psps["psp-1"].can_read = False
    world.retry(payment.id, "again", supersede=True)
    world.settle()
    return world.payment(payment.id)


def test_nothing_is_completed_while_an_odd_amount_waits_for_an_operator(world: World) -> None:
    payment = retried(world)
    pay(world, payment, 0, more=1)
    world.psps["psp-2"].approve(payment.attempts[1].id)
    returns(world, payment)
    assert completions(world, "psp-2") == 0
    assert world.payment(payment.id).status is Status.UNKNOWN


def test_nothing_is_completed_once_another_attempt_is_paid(world: World) -> None:
    payment = retried(world)
    world.psps["psp-2"].approve(payment.attempts[1].id)
    pay(world, payment, 0)
    returns(world, payment)
    assert completions(world, "psp-2") == 0
    assert world.payment(payment.id).status is Status.CAPTURED
