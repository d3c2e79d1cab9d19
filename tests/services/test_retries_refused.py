"""Retries that are refused: nobody is left to try, money moved, or the payment was given up."""

from __future__ import annotations

from pathlib import Path

import pytest

from chalicelib.domain.errors import Conflict
from chalicelib.domain.payment import Status
from tests.psp import FRAUD, HARD
from tests.services.histories import (
    CANCEL,
    answers,
    connections,
    declines,
    hear,
    held,
    sold,
)
from tests.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_when_all_were_tried_the_chain_begins_again(world: World) -> None:
    declines(world, "psp-1", "psp-2")
    payment = world.open().payment
    assert payment.status is Status.FAILED
    answers(world)
    assert world.retry(payment.id, "again").rendered.status == 201
    assert connections(world, payment) == ["psp-1", "psp-2", "psp-1"]


def test_a_psp_that_declined_for_good_is_left_out_the_second_time(world: World) -> None:
    declines(world, "psp-1", how=HARD)
    declines(world, "psp-2")
    payment = world.open().payment
    answers(world)
    world.retry(payment.id, "again")
    assert connections(world, payment) == ["psp-1", "psp-2", "psp-2"]


def test_when_all_declined_for_good_nobody_is_left_to_try(world: World) -> None:
    declines(world, "psp-1", "psp-2", how=HARD)
    payment = world.open().payment
    with pytest.raises(Conflict, match="declined this payment for good"):
        world.retry(payment.id, "again")


def test_suspected_fraud_is_never_tried_again(world: World) -> None:
    declines(world, "psp-1", how=FRAUD)
    payment = world.open().payment
    answers(world)
    with pytest.raises(Conflict, match="fraud"):
        world.retry(payment.id, "again")
    assert world.psps["psp-2"].opened == []


def test_fraud_is_not_tried_again_at_a_named_connection_either(world: World) -> None:
    declines(world, "psp-1", how=FRAUD)
    payment = world.open().payment
    with pytest.raises(Conflict, match="fraud"):
        world.retry(payment.id, "again", connection_id="psp-2", supersede=True)


def test_after_money_moved_there_is_no_retry(world: World) -> None:
    payment = sold(world)
    with pytest.raises(Conflict, match="Money has moved"):
        world.retry(payment.id, "again", supersede=True)


def test_after_money_was_authorized_there_is_no_retry(world: World) -> None:
    payment = held(world)
    with pytest.raises(Conflict, match="Money has moved"):
        world.retry(payment.id, "again", supersede=True)


def test_after_all_was_refunded_there_is_no_retry(world: World) -> None:
    payment = sold(world)
    world.psps["psp-1"].move(payment.attempts[0].id, "refunds", 1000)
    hear(world, payment)
    with pytest.raises(Conflict, match="Money has moved"):
        world.retry(payment.id, "again")


def test_a_shopper_who_paid_before_the_page_could_be_closed_wins(world: World) -> None:
    payment = world.open().payment
    world.psps["psp-1"].pay(payment.attempts[0].id)
    with pytest.raises(Conflict, match="Money has moved"):
        world.retry(payment.id, "again", supersede=True)
    assert world.payment(payment.id).status is Status.CAPTURED
    assert world.psps["psp-2"].opened == []


def test_after_a_cancellation_there_is_no_retry(world: World) -> None:
    payment = world.open().payment
    world.do(CANCEL, payment.id, "x")
    with pytest.raises(Conflict, match="cancelled"):
        world.retry(payment.id, "again", supersede=True)
    assert world.psps["psp-2"].opened == []


def test_a_payment_has_ten_attempts_at_most(world: World) -> None:
    payment = world.open().payment
    for number in range(9):
        world.retry(payment.id, f"again-{number}")
    with pytest.raises(Conflict, match="10 attempts"):
        world.retry(payment.id, "once-more")
    assert len(world.payment(payment.id).attempts) == 10
