"""Refunds: never more than was captured, and nothing a connector does not offer."""

from __future__ import annotations

from pathlib import Path

import pytest

from chalicelib.domain.errors import Conflict, Invalid, NotFound
from chalicelib.domain.money import Money
from chalicelib.domain.payment import Status
from chalicelib.services.operate import Keyed
from chalicelib.services.reserve import Wanted
from tests.psp import DECLINE, NOT_SENT
from tests.services.histories import CAPTURE, REFUND, amounts, hear, held, operations, pay, shown, sold, timeline, told
from tests.world import World, render_operation


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_part_can_be_refunded(world: World) -> None:
    payment = sold(world)
    answer = world.do(REFUND, payment.id, "r1", 400, reason="one book came back")
    assert (answer.rendered.status, shown(answer)["status"]) == (201, "succeeded")
    assert world.payment(payment.id).status is Status.PARTIALLY_REFUNDED
    assert (amounts(world, payment).refunded, amounts(world, payment).refundable) == (400, 600)


def test_several_refunds_give_all_back(world: World) -> None:
    payment = sold(world)
    for key, value in (("r1", 400), ("r2", 600)):
        world.do(REFUND, payment.id, key, value)
    assert world.payment(payment.id).status is Status.REFUNDED
    assert told(world, payment)[2:] == [
        "payment.partially_refunded",
        "operation.succeeded",
        "payment.refunded",
        "operation.succeeded",
    ]


def test_without_an_amount_all_that_is_left_is_refunded(world: World) -> None:
    payment = sold(world)
    world.do(REFUND, payment.id, "r1", 400)
    assert shown(world.do(REFUND, payment.id, "r2"))["amount"] == {"value": 600, "currency": "EUR"}


def test_the_psp_is_told_the_reason_and_our_id(world: World) -> None:
    payment = sold(world)
    seen: list[tuple[object, ...]] = []

    def plan(kind: str, order: object) -> str:
        seen.append((order.operation_id, order.reason))  # type: ignore[attr-defined]
        return "answer"

    world.psps["psp-1"].plan = plan
    answer = world.do(REFUND, payment.id, "r1", 400, reason="one book came back")
    assert seen == [(shown(answer)["id"], "one book came back")]
    assert shown(answer)["reason"] == "one book came back"


def test_more_than_was_captured_is_refused_before_any_call(world: World) -> None:
    payment = sold(world)
    with pytest.raises(Conflict, match="left to refund"):
        world.do(REFUND, payment.id, "r1", 1001)
    assert world.psps["psp-1"].operated == []


def test_more_than_earlier_refunds_left_is_refused(world: World) -> None:
    payment = sold(world)
    world.do(REFUND, payment.id, "r1", 400)
    with pytest.raises(Conflict, match="left to refund"):
        world.do(REFUND, payment.id, "r2", 601)
    assert len(world.psps["psp-1"].operated) == 1


def test_only_what_was_captured_can_be_refunded_not_what_is_held(world: World) -> None:
    payment = held(world)
    world.do(CAPTURE, payment.id, "c1", 400)
    with pytest.raises(Conflict, match="left to refund"):
        world.do(REFUND, payment.id, "r1", 401)


def test_an_unpaid_payment_has_nothing_to_refund(world: World) -> None:
    payment = world.open().payment
    with pytest.raises(Conflict, match="nothing left to refund"):
        world.do(REFUND, payment.id, "r1")


def test_another_currency_is_pointed_at_before_any_call(world: World) -> None:
    payment = sold(world)
    keyed = Keyed("default", payment.id, "r1", "f")
    with pytest.raises(Invalid) as refused:
        world.operate.operate(keyed, Wanted(REFUND, Money(400, "USD")), render_operation)
    assert [one.pointer for one in refused.value.errors] == ["/amount/currency"]
    assert world.psps["psp-1"].operated == []


def test_an_attempt_of_another_payment_is_pointed_at(world: World) -> None:
    payment, other = sold(world), sold(world, key="other")
    with pytest.raises(Invalid) as refused:
        world.do(REFUND, payment.id, "r1", 400, attempt_id=other.attempts[0].id)
    assert [one.pointer for one in refused.value.errors] == ["/attempt_id"]


def test_another_merchants_payment_is_not_there(world: World) -> None:
    payment = sold(world)
    with pytest.raises(NotFound):
        world.operate.operate(Keyed("other", payment.id, "r1", "f"), Wanted(REFUND), render_operation)
    assert world.psps["psp-1"].operated == []


def test_a_refund_that_was_not_sent_failed_and_frees_what_it_reserved(world: World) -> None:
    payment = sold(world)
    world.psps["psp-1"].plan = lambda kind, order: NOT_SENT
    answer = world.do(REFUND, payment.id, "r1")
    assert (answer.rendered.status, shown(answer)["status"]) == (201, "failed")
    assert shown(answer)["decline"]["code"] == "not_sent"
    assert amounts(world, payment).refundable == 1000


def test_a_declined_refund_says_why_and_frees_what_it_reserved(world: World) -> None:
    payment = sold(world)
    world.psps["psp-1"].plan = lambda kind, order: DECLINE
    answer = world.do(REFUND, payment.id, "r1")
    assert (answer.rendered.status, shown(answer)["status"]) == (201, "failed")
    assert (shown(answer)["decline"]["class"], shown(answer)["decline"]["code"]) == ("soft", "declined")
    assert amounts(world, payment).refundable == 1000


def test_a_refund_that_waits_at_the_psp_reserves_until_it_succeeds(world: World) -> None:
    payment = sold(world)
    world.psps["psp-1"].settles = "pending"
    assert shown(world.do(REFUND, payment.id, "r1", 400))["status"] == "pending"
    assert (amounts(world, payment).refunded, amounts(world, payment).refundable) == (0, 600)
    world.psps["psp-1"].settle(payment.attempts[0].id, "refunds", "succeeded")
    hear(world, payment)
    assert (amounts(world, payment).refunded, amounts(world, payment).refundable) == (400, 600)


def test_a_refund_that_succeeded_and_fails_later_frees_its_amount(world: World) -> None:
    payment = sold(world)
    world.do(REFUND, payment.id, "r1", 400)
    world.psps["psp-1"].settle(payment.attempts[0].id, "refunds", "failed")
    hear(world, payment)
    assert world.payment(payment.id).status is Status.CAPTURED
    assert amounts(world, payment).refundable == 1000
    assert told(world, payment)[-2:] == ["payment.captured", "operation.failed"]


@pytest.mark.parametrize("asked_after_s", [3601, 86_401])
def test_a_refund_that_fails_later_is_found_without_a_webhook(world: World, asked_after_s: int) -> None:
    payment = sold(world)
    world.do(REFUND, payment.id, "r1", 400)
    if asked_after_s > 3601:
        world.settle(3601)
    world.psps["psp-1"].settle(payment.attempts[0].id, "refunds", "failed")
    world.settle(asked_after_s)
    assert operations(world, payment) == [("refund", "failed", "api")]


def test_the_answer_to_a_refund_that_fails_later_stays_what_it_was(world: World) -> None:
    payment = sold(world)
    first = world.do(REFUND, payment.id, "r1", 400)
    world.psps["psp-1"].settle(payment.attempts[0].id, "refunds", "failed")
    hear(world, payment)
    assert world.do(REFUND, payment.id, "r1", 400).rendered == first.rendered


def test_the_timeline_tells_of_the_refund(world: World) -> None:
    payment = sold(world)
    world.do(REFUND, payment.id, "r1", 400)
    assert "operation: The refund of 4.00 EUR succeeded." in timeline(world, payment)


def test_a_connector_without_refunds_is_a_conflict_before_any_call(world: World) -> None:
    payment = sold(world)
    world.offer("psp-1", operations=frozenset({"capture", "cancel", "expire"}))
    with pytest.raises(Conflict, match="offers no refund"):
        world.do(REFUND, payment.id, "r1")
    assert world.psps["psp-1"].operated == []


@pytest.mark.parametrize("value", [1, 999])
def test_a_connector_without_partial_refunds_is_a_conflict_before_any_call(world: World, value: int) -> None:
    payment = sold(world)
    world.offer("psp-1", partial_refund=False)
    with pytest.raises(Conflict, match="whole amount only"):
        world.do(REFUND, payment.id, "r1", value)
    assert world.psps["psp-1"].operated == []


@pytest.mark.parametrize("value", [1000, None])
def test_a_connector_without_partial_refunds_gives_the_whole_back(world: World, value: int | None) -> None:
    payment = sold(world)
    world.offer("psp-1", partial_refund=False)
    assert shown(world.do(REFUND, payment.id, "r1", value))["status"] == "succeeded"


def test_without_an_attempt_the_one_with_most_left_is_refunded(world: World) -> None:
    world.psps["psp-1"].can_read = False
    payment = world.open().payment
    world.retry(payment.id, "again", supersede=True)
    pay(world, world.payment(payment.id))
    answer = world.do(REFUND, payment.id, "r1", 400)
    assert shown(answer)["attempt_id"] == world.payment(payment.id).attempts[1].id
