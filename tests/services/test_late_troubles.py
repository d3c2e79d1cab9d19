"""The late policy when its PSP refuses, is silent, or a crash comes between."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from chalicelib.domain.payment import Payment, Status
from tests.psp import DECLINE, LOST, NOT_SENT
from tests.services.histories import (
    expired,
    hear,
    operations,
    pay,
    queue_of_operators,
    told,
)
from tests.world import World

Given = Callable[..., Payment]
REFUNDED_BY_POLICY = [("refund", "succeeded", "policy")]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_refund_by_the_policy_that_gets_no_answer_is_repeated_with_its_key(world: World) -> None:
    world.late("refund")
    payment = expired(world)
    world.psps["psp-1"].plan = lambda kind, order: LOST
    pay(world, payment, late=True)
    assert operations(world, payment) == [("refund", "unknown", "policy")]
    world.psps["psp-1"].plan = lambda kind, order: "answer"
    world.settle(11)
    assert operations(world, payment) == REFUNDED_BY_POLICY


def test_a_refund_by_the_policy_that_was_not_sent_is_sent_later(world: World) -> None:
    world.late("refund")
    payment = expired(world)
    world.psps["psp-1"].plan = lambda kind, order: NOT_SENT
    pay(world, payment, late=True)
    world.psps["psp-1"].plan = lambda kind, order: "answer"
    for seconds in (11, 61, 121):
        world.settle(seconds)
    assert operations(world, payment) == REFUNDED_BY_POLICY


def test_a_refund_by_the_policy_that_the_psp_refuses_is_an_operators(world: World) -> None:
    world.late("refund")
    payment = expired(world)
    world.psps["psp-1"].plan = lambda kind, order: DECLINE
    pay(world, payment, late=True)
    assert operations(world, payment) == [("refund", "failed", "policy")]
    assert queue_of_operators(world) == [payment.id]
    assert "payment.review_required" in told(world, payment)


def test_a_refused_refund_by_the_policy_is_not_tried_over_and_over(world: World) -> None:
    world.late("refund")
    payment = expired(world)
    world.psps["psp-1"].plan = lambda kind, order: DECLINE
    pay(world, payment, late=True)
    for seconds in (11, 61, 3601):
        world.settle(seconds)
        hear(world, payment)
    assert operations(world, payment) == [("refund", "failed", "policy")]
    assert told(world, payment).count("payment.review_required") == 1


@pytest.mark.parametrize(("outcome", "status"), [("accept", Status.CAPTURED), ("refund", Status.REFUNDED)])
def test_an_operator_decides_on_what_the_policy_could_not_give_back(world: World, outcome: str, status: Status) -> None:
    world.late("refund")
    payment = expired(world)
    world.psps["psp-1"].plan = lambda kind, order: DECLINE
    pay(world, payment, late=True)
    world.psps["psp-1"].plan = lambda kind, order: "answer"
    world.settle(61)
    world.say(payment.id, payment.attempts[0].id, outcome)
    world.settle(61)
    assert world.payment(payment.id).status is status
    assert queue_of_operators(world) == []
