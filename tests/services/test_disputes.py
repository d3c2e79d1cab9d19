"""Disputes: told, shown, and taken off what can be refunded."""

from __future__ import annotations

from pathlib import Path

import pytest

from chalicelib.domain.errors import Conflict
from chalicelib.domain.facts import Fact, Kind, State
from chalicelib.domain.fold import fold
from chalicelib.domain.payment import Payment, Status
from chalicelib.domain.view import view_of
from tests.psp import SimulatedConnector
from tests.services.histories import REFUND, amounts, hear, queue_of_operators, sold, told
from tests.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def disputed(world: World, payment: Payment, state: str, value: int = 600) -> None:
    world.psps["psp-1"].dispute(payment.attempts[0].id, state, value)
    hear(world, payment)


@pytest.mark.parametrize(
    ("state", "refundable", "charged_back"),
    [("inquiry", 1000, 0), ("opened", 400, 600), ("won", 1000, 0), ("lost", 400, 600)],
)
def test_what_is_contested_or_lost_can_not_be_refunded(
    world: World, state: str, refundable: int, charged_back: int
) -> None:
    payment = sold(world)
    disputed(world, payment, state)
    assert (amounts(world, payment).refundable, amounts(world, payment).charged_back) == (refundable, charged_back)


def test_over_what_a_dispute_left_is_refused_before_any_call(world: World) -> None:
    payment = sold(world)
    disputed(world, payment, "opened")
    with pytest.raises(Conflict, match="left to refund"):
        world.do(REFUND, payment.id, "r1", 401)
    assert world.psps["psp-1"].operated == []


def test_once_it_is_won_all_can_be_refunded_again(world: World) -> None:
    payment = sold(world)
    disputed(world, payment, "opened")
    disputed(world, payment, "won")
    world.do(REFUND, payment.id, "r1")
    assert world.payment(payment.id).status is Status.REFUNDED


@pytest.mark.parametrize("end", ["won", "lost"])
def test_its_opening_and_its_end_are_told_once(world: World, end: str) -> None:
    payment = sold(world)
    for state in ("inquiry", "opened", "opened", end, end):
        disputed(world, payment, state)
    assert told(world, payment)[2:] == ["payment.disputed", "payment.dispute_closed"]


def test_an_inquiry_is_told_to_nobody(world: World) -> None:
    payment = sold(world)
    disputed(world, payment, "inquiry")
    assert told(world, payment)[2:] == []


def test_a_dispute_changes_no_status_and_needs_no_operator(world: World) -> None:
    payment = sold(world)
    disputed(world, payment, "lost")
    assert world.payment(payment.id).status is Status.CAPTURED
    assert queue_of_operators(world) == []


def test_a_dispute_is_shown_with_the_payment(world: World) -> None:
    payment = sold(world)
    disputed(world, payment, "opened")
    now = world.payment(payment.id)
    assert view_of(now, fold(now))["disputes"] == [
        {
            "id": "dsp_1",
            "status": "opened",
            "amount": {"value": 600, "currency": "EUR"},
            "reason": "fraudulent",
            "respond_by": None,
        }
    ]


def test_a_dispute_without_an_amount_is_about_everything(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    payment = sold(world)
    attempt_id = payment.attempts[0].id
    opened = Fact(attempt_id, Kind.DISPUTE, "dsp_1", State.OPENED)
    monkeypatch.setattr(SimulatedConnector, "read", lambda self, delivery: (opened,))
    hear(world, payment)
    assert (amounts(world, payment).refundable, amounts(world, payment).charged_back) == (0, 1000)


def test_a_dispute_after_a_refund_leaves_nothing_negative(world: World) -> None:
    payment = sold(world)
    world.do(REFUND, payment.id, "r1", 700)
    disputed(world, payment, "lost", 600)
    assert amounts(world, payment).refundable == 0


def test_a_dispute_of_more_than_was_paid_is_an_operators(world: World) -> None:
    payment = sold(world)
    disputed(world, payment, "opened", 1001)
    assert world.payment(payment.id).status is Status.CAPTURED
    assert queue_of_operators(world) == [payment.id]


def test_late_news_of_a_dispute_takes_nothing_back(world: World) -> None:
    payment = sold(world)
    disputed(world, payment, "won")
    disputed(world, payment, "opened")
    assert amounts(world, payment).charged_back == 0
