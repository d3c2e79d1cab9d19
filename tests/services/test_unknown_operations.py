"""Operations whose outcome is unknown: nothing is guessed, the amount stays reserved, and the truth is found out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from chalicelib.contracts.calls import MoneyOrder
from chalicelib.domain.errors import Conflict
from chalicelib.domain.operation import OperationKind
from tests.psp import DECLINE, LOST, NOT_SENT, SILENT
from tests.services.histories import (
    CANCEL,
    CAPTURE,
    REFUND,
    amounts,
    hear,
    held,
    operations,
    psp_1_does,
    queue_of_operators,
    shown,
    sold,
)
from tests.world import World

UNKNOWN = [("refund", "unknown", "api")]
SUCCEEDED = [("refund", "succeeded", "api")]
FAILED = [("refund", "failed", "api")]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.mark.parametrize("kind", [CAPTURE, CANCEL, REFUND])
@pytest.mark.parametrize("how", [SILENT, LOST])
def test_without_an_answer_the_outcome_is_unknown(world: World, kind: OperationKind, how: str) -> None:
    payment = sold(world) if kind is REFUND else held(world)
    psp_1_does(world, how)
    answer = world.do(kind, payment.id, "k")
    assert (answer.rendered.status, shown(answer)["status"]) == (202, "unknown")
    assert operations(world, payment) == [(str(kind), "unknown", "api")]


def test_an_unknown_refund_keeps_what_it_reserved(world: World) -> None:
    payment = sold(world)
    psp_1_does(world, LOST)
    world.do(REFUND, payment.id, "k", 700)
    world.psps["psp-1"].can_read = False
    with pytest.raises(Conflict, match="left to refund"):
        world.do(REFUND, payment.id, "other", 301)


def test_repeating_the_key_says_202_until_it_is_settled(world: World) -> None:
    payment = sold(world)
    psp_1_does(world, SILENT)
    world.psps["psp-1"].can_read = False
    world.do(REFUND, payment.id, "k", 700)
    again = world.do(REFUND, payment.id, "k", 700)
    assert (again.rendered.status, shown(again)["status"], again.replayed) == (202, "unknown", False)


def test_repeating_the_key_calls_nobody(world: World) -> None:
    payment = sold(world)
    psp_1_does(world, SILENT)
    for _ in range(3):
        world.do(REFUND, payment.id, "k", 700)
    assert len(world.psps["psp-1"].operated) == 1


def test_once_settled_the_answer_is_fixed(world: World) -> None:
    payment = sold(world)
    psp_1_does(world, SILENT)
    world.do(REFUND, payment.id, "k", 700)
    world.settle(11)
    settled = world.do(REFUND, payment.id, "k", 700)
    assert (settled.rendered.status, shown(settled)["status"], settled.replayed) == (201, "succeeded", True)
    world.psps["psp-1"].settle(payment.attempts[0].id, "refunds", "failed")
    hear(world, payment)
    assert world.do(REFUND, payment.id, "k", 700).rendered == settled.rendered


def test_a_webhook_settles_it_too(world: World) -> None:
    payment = sold(world)
    psp_1_does(world, SILENT)
    world.do(REFUND, payment.id, "k", 700)
    hear(world, payment)
    assert operations(world, payment) == SUCCEEDED
    assert amounts(world, payment).refundable == 300


def test_what_was_done_but_not_answered_is_read_and_never_done_again(world: World) -> None:
    payment = sold(world)
    psp_1_does(world, SILENT)
    world.do(REFUND, payment.id, "k", 700)
    world.settle(11)
    assert operations(world, payment) == SUCCEEDED
    assert len(world.psps["psp-1"].operated) == 1


def test_what_was_lost_on_its_way_is_sent_again_with_the_same_key(world: World) -> None:
    payment = sold(world)
    psp_1_does(world, LOST)
    operation_id = shown(world.do(REFUND, payment.id, "k", 700))["id"]
    psp_1_does(world, "answer")
    world.settle(11)
    assert operations(world, payment) == SUCCEEDED
    assert world.psps["psp-1"].operated == [operation_id]


def test_a_repeat_has_the_same_parameters(world: World) -> None:
    payment = held(world)
    orders: list[MoneyOrder] = []

    def lose(kind: str, order: MoneyOrder) -> str:
        orders.append(order)
        return LOST

    world.psps["psp-1"].plan = lose
    world.do(CAPTURE, payment.id, "k", 400, final=True)
    world.settle(11)
    world.settle(61)
    assert [one.repeats for one in orders] == [False, True, True]
    assert orders[1:] == [replace(orders[0], repeats=True)] * 2


def test_an_error_that_answers_a_repeat_proves_nothing(world: World) -> None:
    """ "Already refunded" may mean that the first call did it."""
    payment = sold(world)
    psp_1_does(world, LOST)
    world.do(REFUND, payment.id, "k", 700)
    psp_1_does(world, DECLINE)
    world.settle(11)
    assert operations(world, payment) == UNKNOWN
    assert amounts(world, payment).refundable == 300


def test_a_repeat_that_was_not_sent_proves_nothing_of_the_first_call(world: World) -> None:
    payment = sold(world)
    psp_1_does(world, LOST)
    world.do(REFUND, payment.id, "k", 700)
    psp_1_does(world, NOT_SENT)
    world.settle(11)
    assert operations(world, payment) == UNKNOWN


def test_a_no_to_the_first_call_is_an_answer(world: World) -> None:
    payment = sold(world)
    psp_1_does(world, DECLINE)
    world.do(REFUND, payment.id, "k", 700)
    assert operations(world, payment) == FAILED


def test_after_half_of_the_keys_life_nothing_is_repeated(world: World) -> None:
    payment = sold(world)
    world.offer("psp-1", key_lives_s={"refund": 120})
    psp_1_does(world, LOST)
    world.do(REFUND, payment.id, "k", 700)
    psp_1_does(world, "answer")
    world.clock.forward(61)
    world.settle()
    assert world.psps["psp-1"].operated == []
    assert operations(world, payment) == UNKNOWN


def test_inside_half_of_the_keys_life_it_is_repeated(world: World) -> None:
    payment = sold(world)
    world.offer("psp-1", key_lives_s={"refund": 120})
    psp_1_does(world, LOST)
    world.do(REFUND, payment.id, "k", 700)
    psp_1_does(world, "answer")
    world.settle(59)
    assert operations(world, payment) == SUCCEEDED


def test_another_operations_key_life_does_not_count(world: World) -> None:
    payment = sold(world)
    world.offer("psp-1", key_lives_s={"open": 86_400, "capture": 86_400})
    psp_1_does(world, LOST)
    world.do(REFUND, payment.id, "k", 700)
    psp_1_does(world, "answer")
    world.settle(11)
    assert world.psps["psp-1"].operated == []


@pytest.mark.parametrize(
    ("kind", "name"), [(CAPTURE, "capture"), (CANCEL, "cancel"), (REFUND, "refund")], ids=["capture", "void", "refund"]
)
def test_each_kind_of_operation_is_repeated_while_its_own_key_lives(
    world: World, kind: OperationKind, name: str
) -> None:
    payment = sold(world) if kind is REFUND else held(world)
    world.offer("psp-1", key_lives_s={name: 120})
    psp_1_does(world, LOST)
    world.do(kind, payment.id, "k")
    psp_1_does(world, "answer")
    world.settle(11)
    assert operations(world, payment) == [(str(kind), "succeeded", "api")]


def test_the_psp_is_asked_before_anything_else_is_done_to_a_payment_in_doubt(world: World) -> None:
    payment = sold(world)
    psp_1_does(world, SILENT)
    world.do(REFUND, payment.id, "k", 700)
    psp_1_does(world, "answer")
    world.do(REFUND, payment.id, "other", 300)
    assert operations(world, payment) == SUCCEEDED * 2


def test_a_second_refund_of_what_an_unknown_one_left_is_taken(world: World) -> None:
    payment = sold(world)
    psp_1_does(world, LOST)
    world.do(REFUND, payment.id, "k", 700)
    psp_1_does(world, "answer")
    assert shown(world.do(REFUND, payment.id, "other", 300))["status"] == "succeeded"


def test_a_connectors_mistake_after_a_call_leaves_the_outcome_unknown(world: World) -> None:
    payment = sold(world)

    def stumble(kind: str, order: object) -> str:
        raise KeyError("amount")

    world.psps["psp-1"].plan = stumble
    answer = world.do(REFUND, payment.id, "k", 700)
    assert (answer.rendered.status, amounts(world, payment).refundable) == (202, 300)


def test_a_status_that_nobody_knows_is_pending_and_reserves(world: World) -> None:
    payment = sold(world)
    world.psps["psp-1"].settles = "frobnicated"
    answer = world.do(REFUND, payment.id, "k", 700)
    assert (answer.rendered.status, shown(answer)["status"]) == (201, "pending")
    assert amounts(world, payment).refundable == 300


def test_a_refund_of_another_amount_than_was_asked_does_not_count(world: World) -> None:
    payment = sold(world)
    psp_1_does(world, SILENT)
    world.do(REFUND, payment.id, "k", 700)
    attempt_id = payment.attempts[0].id
    world.psps["psp-1"].sessions[attempt_id]["payment"]["refunds"][0]["amount"]["value"] = 701
    hear(world, payment)
    assert operations(world, payment) == UNKNOWN
    assert amounts(world, payment).refunded == 0
    assert queue_of_operators(world) == [payment.id]
