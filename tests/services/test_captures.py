"""Captures: never more than is held, and nothing a connector does not offer."""

from __future__ import annotations

from pathlib import Path

import pytest

from chalicelib.domain.errors import Conflict
from chalicelib.domain.order import CaptureMode
from chalicelib.domain.payment import Status
from tests.psp import DECLINE, SILENT
from tests.services.histories import (
    CANCEL,
    CAPTURE,
    amounts,
    attempts,
    hear,
    held,
    operations,
    pay,
    sealed,
    shown,
    sold,
    told,
)
from tests.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_part_can_be_captured_and_the_rest_stays_held(world: World) -> None:
    payment = held(world)
    answer = world.do(CAPTURE, payment.id, "c1", 400)
    assert (answer.rendered.status, shown(answer)["status"]) == (201, "succeeded")
    assert world.payment(payment.id).status is Status.PARTIALLY_CAPTURED
    assert (amounts(world, payment).captured, amounts(world, payment).capturable) == (400, 600)


def test_several_captures_take_all_that_is_held(world: World) -> None:
    payment = held(world)
    for key, value in (("c1", 400), ("c2", 500), ("c3", 100)):
        world.do(CAPTURE, payment.id, key, value)
    assert world.payment(payment.id).status is Status.CAPTURED
    assert (amounts(world, payment).captured, amounts(world, payment).capturable) == (1000, 0)


def test_without_an_amount_all_that_is_left_is_captured(world: World) -> None:
    payment = held(world)
    world.do(CAPTURE, payment.id, "c1", 400)
    assert shown(world.do(CAPTURE, payment.id, "c2"))["amount"] == {"value": 600, "currency": "EUR"}


def test_a_final_capture_gives_the_rest_back(world: World) -> None:
    payment = held(world)
    world.do(CAPTURE, payment.id, "c1", 400, final=True)
    hear(world, payment)
    assert world.payment(payment.id).status is Status.CAPTURED
    assert (amounts(world, payment).captured, amounts(world, payment).capturable) == (400, 0)


def test_a_final_capture_is_one_operation_though_it_moves_twice(world: World) -> None:
    payment = held(world)
    world.do(CAPTURE, payment.id, "c1", 400, final=True)
    hear(world, payment)
    assert operations(world, payment) == [("capture", "succeeded", "api")]


def test_the_last_of_what_is_held_is_captured_as_final(world: World) -> None:
    payment = held(world)
    finals: list[bool] = []

    def plan(kind: str, order: object) -> str:
        finals.append(order.final)  # type: ignore[attr-defined]
        return "answer"

    world.psps["psp-1"].plan = plan
    world.do(CAPTURE, payment.id, "c1", 400)
    world.do(CAPTURE, payment.id, "c2", 600)
    assert finals == [False, True]


@pytest.mark.parametrize("value", [1001, 10**12])
def test_more_than_is_held_is_refused_before_any_call(world: World, value: int) -> None:
    payment = held(world)
    with pytest.raises(Conflict, match="more than"):
        world.do(CAPTURE, payment.id, "c1", value)
    assert world.psps["psp-1"].operated == []


def test_more_than_the_first_capture_left_is_refused(world: World) -> None:
    payment = held(world)
    world.do(CAPTURE, payment.id, "c1", 400)
    with pytest.raises(Conflict, match="left to capture"):
        world.do(CAPTURE, payment.id, "c2", 601)
    assert len(world.psps["psp-1"].operated) == 1


def test_what_an_unanswered_capture_may_have_taken_is_not_there_for_another(world: World) -> None:
    payment = held(world)
    world.psps["psp-1"].plan = lambda kind, order: SILENT
    world.psps["psp-1"].can_read = False
    assert world.do(CAPTURE, payment.id, "c1", 400).rendered.status == 202
    with pytest.raises(Conflict, match="left to capture"):
        world.do(CAPTURE, payment.id, "c2", 700)


def test_a_sale_has_nothing_left_to_capture(world: World) -> None:
    payment = sold(world)
    with pytest.raises(Conflict, match="nothing left to capture"):
        world.do(CAPTURE, payment.id, "c1")


def test_an_unpaid_payment_has_nothing_to_capture(world: World) -> None:
    payment = world.open().payment
    with pytest.raises(Conflict, match="nothing left to capture"):
        world.do(CAPTURE, payment.id, "c1")


def test_a_declined_capture_leaves_all_to_be_captured_again(world: World) -> None:
    payment = held(world)
    world.psps["psp-1"].plan = lambda kind, order: DECLINE
    answer = world.do(CAPTURE, payment.id, "c1")
    assert (shown(answer)["status"], shown(answer)["decline"]["class"]) == ("failed", "soft")
    assert amounts(world, payment).capturable == 1000


def test_a_capture_that_waits_at_the_psp_reserves_until_it_succeeds(world: World) -> None:
    payment = held(world)
    world.psps["psp-1"].settles = "pending"
    assert shown(world.do(CAPTURE, payment.id, "c1", 400))["status"] == "pending"
    assert (amounts(world, payment).captured, amounts(world, payment).capturable) == (0, 600)
    world.psps["psp-1"].settle(payment.attempts[0].id, "captures", "succeeded")
    hear(world, payment)
    assert (amounts(world, payment).captured, amounts(world, payment).capturable) == (400, 600)
    assert told(world, payment)[-2:] == ["payment.partially_captured", "operation.succeeded"]


def test_a_capture_that_fails_later_leaves_the_money_held(world: World) -> None:
    payment = held(world)
    world.do(CAPTURE, payment.id, "c1", 400)
    world.psps["psp-1"].settle(payment.attempts[0].id, "captures", "failed")
    hear(world, payment)
    assert world.payment(payment.id).status is Status.AUTHORIZED
    assert amounts(world, payment).capturable == 1000
    assert told(world, payment)[-1] == "operation.failed"


def test_a_connector_without_captures_is_a_conflict_before_any_call(world: World) -> None:
    payment = held(world)
    world.offer("psp-1", operations=frozenset({"cancel", "refund", "expire"}))
    with pytest.raises(Conflict, match="offers no capture"):
        world.do(CAPTURE, payment.id, "c1")
    assert world.psps["psp-1"].operated == []


def test_a_connector_without_partial_captures_is_a_conflict_before_any_call(world: World) -> None:
    payment = held(world)
    world.offer("psp-1", partial_capture=False)
    with pytest.raises(Conflict, match="whole amount only"):
        world.do(CAPTURE, payment.id, "c1", 999)
    assert world.psps["psp-1"].operated == []


def test_a_connector_without_partial_captures_takes_the_whole(world: World) -> None:
    payment = held(world)
    world.offer("psp-1", partial_capture=False)
    assert shown(world.do(CAPTURE, payment.id, "c1", 1000))["status"] == "succeeded"


def test_a_connector_that_captures_once_refuses_the_second(world: World) -> None:
    payment = held(world)
    world.offer("psp-1", multiple_captures=False)
    world.do(CAPTURE, payment.id, "c1", 400)
    with pytest.raises(Conflict, match="once only"):
        world.do(CAPTURE, payment.id, "c2", 100)
    assert len(world.psps["psp-1"].operated) == 1


def test_a_capture_that_failed_is_not_the_one_of_a_connector_that_captures_once(world: World) -> None:
    payment = held(world)
    world.offer("psp-1", multiple_captures=False)
    world.psps["psp-1"].plan = lambda kind, order: DECLINE
    world.do(CAPTURE, payment.id, "c1", 400)
    world.psps["psp-1"].plan = lambda kind, order: "answer"
    assert shown(world.do(CAPTURE, payment.id, "c2", 400))["status"] == "succeeded"


def test_the_held_money_of_a_sealed_attempt_is_never_captured(world: World) -> None:
    payment = sealed(world, capture=CaptureMode.MANUAL)
    world.psps["psp-1"].can_read = True
    pay(world, payment, 0, late=True)
    assert attempts(world, payment) == ["sealed", "pending"]
    voids = [one for one in world.payment(payment.id).operations if one.kind is CANCEL]
    assert [(one.origin, one.status, one.attempt_id) for one in voids] == [
        ("policy", "succeeded", payment.attempts[0].id)
    ]
    assert world.psps["psp-1"].operated == [voids[0].id]


def test_held_money_of_a_sealed_attempt_under_review_is_not_captured_either(world: World) -> None:
    world.late("review")
    payment = sealed(world, capture=CaptureMode.MANUAL)
    world.psps["psp-1"].can_read = True
    pay(world, payment, 0, late=True)
    with pytest.raises(Conflict, match="given up"):
        world.do(CAPTURE, payment.id, "c1")
    assert world.psps["psp-1"].operated == []
