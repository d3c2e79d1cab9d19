"""Odd amounts: kept and shown, never counted, and decided by an operator whose word is audited."""

from __future__ import annotations

from pathlib import Path

import pytest

from chalicelib.domain.errors import Conflict
from chalicelib.domain.fold import fold
from chalicelib.domain.money import Money
from chalicelib.domain.operation import OperationKind, Origin
from chalicelib.domain.order import CaptureMode
from chalicelib.domain.payment import Status
from chalicelib.domain.view import view_of
from chalicelib.services.kinds import INBOX
from tests.services.histories import (
    CANCEL,
    CAPTURE,
    REFUND,
    amounts,
    attempts,
    foreign,
    hear,
    held,
    odd,
    pay,
    queue_of_operators,
    sold,
    timeline,
    told,
)
from tests.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.mark.parametrize("capture", list(CaptureMode))
@pytest.mark.parametrize("more", [-1, 1])
def test_another_amount_than_was_asked_does_not_count(world: World, more: int, capture: CaptureMode) -> None:
    payment = odd(world, more, capture=capture)
    assert world.payment(payment.id).status is Status.UNKNOWN
    assert set(amounts(world, payment)) == {0}
    assert attempts(world, payment) == ["unknown"]


def test_another_currency_than_was_asked_does_not_count(world: World) -> None:
    payment = foreign(world)
    assert world.payment(payment.id).status is Status.UNKNOWN
    assert set(amounts(world, payment)) == {0}


def test_an_odd_amount_is_told_to_subscribers_timeline_and_operators(world: World) -> None:
    payment = odd(world)
    assert told(world, payment) == ["payment.pending", "payment.unknown", "payment.review_required"]
    assert "the PSP reports a capture of 10.01 EUR, but 10.00 EUR was asked" in timeline(world, payment)
    assert queue_of_operators(world) == [payment.id]


def test_an_odd_amount_is_told_once_however_often_the_psp_says_so(world: World) -> None:
    payment = odd(world)
    for _ in range(3):
        hear(world, payment)
        world.attend.sync(payment.id)
    assert told(world, payment).count("payment.review_required") == 1
    assert timeline(world, payment).count("anomaly:") == 1


def test_the_webhook_that_told_of_it_is_kept_in_the_inbox(world: World) -> None:
    odd(world)
    assert [one.value.status for one in world.store.find(INBOX, "by_time", "default").items] == ["anomalous"]


def test_no_page_is_shown_while_an_odd_amount_waits(world: World) -> None:
    payment = world.payment(odd(world).id)
    assert view_of(payment, fold(payment))["next_action"] is None


@pytest.mark.parametrize("supersede", [True, False])
def test_an_odd_amount_blocks_retries(world: World, supersede: bool) -> None:
    payment = odd(world)
    with pytest.raises(Conflict, match="operator decides first"):
        world.retry(payment.id, "again", supersede=supersede)
    assert world.psps["psp-2"].opened == []


@pytest.mark.parametrize("kind", [CAPTURE, CANCEL])
def test_an_odd_amount_blocks_captures_and_cancellations(world: World, kind: OperationKind) -> None:
    payment = odd(world, capture=CaptureMode.MANUAL)
    with pytest.raises(Conflict, match="operator decides first"):
        world.do(kind, payment.id, "k")
    assert world.psps["psp-1"].operated == []


def test_an_odd_amount_leaves_nothing_to_refund_by_the_merchant(world: World) -> None:
    payment = odd(world)
    with pytest.raises(Conflict, match="nothing left to refund"):
        world.do(REFUND, payment.id, "k")


def test_good_money_decides_the_status_beside_an_odd_amount(world: World) -> None:
    payment = world.open().payment
    world.psps["psp-1"].can_read = False
    world.retry(payment.id, "again", supersede=True)
    payment = world.payment(payment.id)
    pay(world, payment, 0, more=1)
    pay(world, payment, 1)
    assert world.payment(payment.id).status is Status.CAPTURED
    assert amounts(world, payment).captured == 1000
    assert queue_of_operators(world) == [payment.id]


def test_a_refund_in_the_dashboard_of_more_than_was_asked_does_not_count(world: World) -> None:
    payment = sold(world)
    world.psps["psp-1"].move(payment.attempts[0].id, "refunds", 1001)
    hear(world, payment)
    assert amounts(world, payment).refunded == 0
    assert queue_of_operators(world) == [payment.id]


@pytest.mark.parametrize("kind", ["refunds", "voids"])
def test_an_operator_can_not_give_back_what_went_out_oddly(world: World, kind: str) -> None:
    """Only money that came in can be sent back; here what stayed of it is."""
    payment = sold(world)
    moved = world.psps["psp-1"].move(payment.attempts[0].id, kind, 1001)
    moved["amount"] = {"value": 1001, "currency": "USD"}
    hear(world, payment)
    world.say(payment.id, payment.attempts[0].id, "refund")
    given_back = [one for one in world.payment(payment.id).operations if one.origin is Origin.POLICY]
    assert [(one.kind, one.amount) for one in given_back] == [(OperationKind.REFUND, Money(1000, "EUR"))]


def test_a_capture_of_another_amount_than_ours_does_not_count(world: World) -> None:
    payment = held(world)
    world.psps["psp-1"].plan = lambda kind, order: "silent"
    world.do(CAPTURE, payment.id, "c1", 400)
    world.psps["psp-1"].sessions[payment.attempts[0].id]["payment"]["captures"][0]["amount"]["value"] = 300
    hear(world, payment)
    assert amounts(world, payment).captured == 0
    assert world.payment(payment.id).status is Status.AUTHORIZED, "good money decides"
    assert queue_of_operators(world) == [payment.id]
