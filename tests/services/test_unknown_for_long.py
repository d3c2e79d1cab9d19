"""Operations that stay unknown: outages, PSPs that can not be asked, and an operator's word."""

from __future__ import annotations

from pathlib import Path

import pytest

from chalicelib.domain.errors import Conflict
from chalicelib.domain.payment import Payment
from chalicelib.services.ask import ABSENT_AFTER_S
from tests.psp import DECLINE, LOST, SILENT
from tests.services.histories import (
    REFUND,
    amounts,
    hear,
    operations,
    psp_1_does,
    queue_of_operators,
    shown,
    sold,
    timeline,
    told,
)
from tests.world import World

UNKNOWN = [("refund", "unknown", "api")]
SUCCEEDED = [("refund", "succeeded", "api")]
NEVER_ANSWERED_S = (11, 61, 301, 1801, 7201, *(86_401,) * 7)  # the whole schedule of an unanswered call


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.mark.parametrize(("age_s", "status"), [(ABSENT_AFTER_S - 1, "unknown"), (ABSENT_AFTER_S, "failed")])
def test_that_the_psp_knows_nothing_proves_absence_only_after_15_minutes(world: World, age_s: int, status: str) -> None:
    payment = sold(world)
    world.offer("psp-1", key_lives_s={})
    psp_1_does(world, LOST)
    world.do(REFUND, payment.id, "k", 700)
    world.clock.forward(age_s)
    world.attend.sync(payment.id)
    assert operations(world, payment) == [("refund", status, "api")]


def test_proven_absence_frees_what_was_reserved_and_answers_the_key(world: World) -> None:
    payment = sold(world)
    world.offer("psp-1", key_lives_s={})
    psp_1_does(world, LOST)
    world.do(REFUND, payment.id, "k", 700)
    for seconds in (11, 61, 301, 1801):
        world.settle(seconds)
    assert amounts(world, payment).refundable == 1000
    answer = world.do(REFUND, payment.id, "k", 700)
    assert (answer.rendered.status, shown(answer)["status"], answer.replayed) == (201, "failed", True)
    assert "it never happened" in timeline(world, payment)
    assert told(world, payment)[-1] == "operation.failed"


def test_a_psp_that_shows_no_ids_and_honours_no_keys_leaves_it_unknown_for_an_operator(world: World) -> None:
    payment = sold(world)
    world.offer("psp-1", names_operations=False, key_lives_s={})
    psp_1_does(world, LOST)
    world.do(REFUND, payment.id, "k", 700)
    for seconds in NEVER_ANSWERED_S:
        world.settle(seconds)
    assert operations(world, payment) == UNKNOWN
    assert amounts(world, payment).refundable == 300
    assert queue_of_operators(world) == [payment.id]
    assert told(world, payment)[-1] == "payment.review_required"


TILL_A_QUARTER_S = (11, 61, 301, ABSENT_AFTER_S - 374)


def never_told(world: World) -> tuple[Payment, str]:
    """A refund that got no answer, at a PSP whose answer to each repeat tells nothing of it, a quarter of an hour later."""
    payment = sold(world)
    world.offer("psp-1", names_operations=False, key_lives_s={"refund": 45 * 86_400})
    world.psps["psp-1"].plan = lambda kind, order: DECLINE if order.repeats else LOST
    operation_id = shown(world.do(REFUND, payment.id, "k", 700))["id"]
    for seconds in TILL_A_QUARTER_S:
        world.settle(seconds)
        assert queue_of_operators(world) == [], "the PSP may show it yet"
    world.settle(2)
    return payment, operation_id


def test_what_no_answer_can_tell_is_an_operators_after_15_minutes_and_says_why_once(world: World) -> None:
    payment, _ = never_told(world)
    assert queue_of_operators(world) == [payment.id]
    for seconds in NEVER_ANSWERED_S[3:]:
        world.settle(seconds)
    assert (operations(world, payment), amounts(world, payment).refundable) == (UNKNOWN, 300)
    assert timeline(world, payment).count("can not tell what came of the refund (refused); an operator has to") == 1
    assert told(world, payment).count("payment.review_required") == 1


def test_what_no_answer_can_tell_is_asked_about_ever_more_rarely(world: World) -> None:
    never_told(world)
    asked: list[str] = []
    world.psps["psp-1"].plan = lambda kind, order: asked.append(order.operation_id) or DECLINE
    for _ in range(8 * 24):
        world.settle(3600)
    assert len(asked) == 9, "after half an hour, two hours, and daily for a week"


def test_what_no_answer_could_tell_is_settled_at_once_by_a_webhook(world: World) -> None:
    payment, operation_id = never_told(world)
    world.psps["psp-1"].move(payment.attempts[0].id, "refunds", 700, operation_id)
    world.offer("psp-1", names_operations=True)
    hear(world, payment)
    assert (operations(world, payment), queue_of_operators(world)) == (SUCCEEDED, [])


@pytest.mark.parametrize(("outcome", "refundable"), [("succeeded", 300), ("failed", 1000)])
def test_an_operators_word_settles_what_no_answer_can_tell_and_the_psp_is_left_alone(
    world: World, outcome: str, refundable: int
) -> None:
    payment, operation_id = never_told(world)
    world.say(payment.id, payment.attempts[0].id, outcome, operation_id=operation_id)
    assert (operations(world, payment), queue_of_operators(world)) == ([("refund", outcome, "api")], [])
    assert amounts(world, payment).refundable == refundable
    psp_1_does(world, "answer")
    for seconds in NEVER_ANSWERED_S:
        world.settle(seconds)
    assert (amounts(world, payment).refundable, world.psps["psp-1"].operated) == (refundable, [])


@pytest.mark.parametrize(("outcome", "refundable"), [("succeeded", 300), ("failed", 1000)])
def test_an_operators_word_settles_what_the_psp_can_not_tell(world: World, outcome: str, refundable: int) -> None:
    payment = sold(world)
    world.offer("psp-1", names_operations=False, key_lives_s={})
    psp_1_does(world, LOST)
    operation_id = shown(world.do(REFUND, payment.id, "k", 700))["id"]
    for seconds in NEVER_ANSWERED_S:
        world.settle(seconds)
    world.say(payment.id, payment.attempts[0].id, outcome, operation_id=operation_id)
    assert operations(world, payment) == [("refund", outcome, "api")]
    assert amounts(world, payment).refundable == refundable
    assert queue_of_operators(world) == []


def test_an_operators_word_is_about_the_refund_that_the_psp_tells_of_and_does_not_name(world: World) -> None:
    payment = sold(world)
    world.offer("psp-1", names_operations=False, key_lives_s={})
    psp_1_does(world, SILENT)
    operation_id = shown(world.do(REFUND, payment.id, "k", 700))["id"]
    for seconds in NEVER_ANSWERED_S:
        world.settle(seconds)
    assert amounts(world, payment).refundable == 0, "it may be another's, and both count"
    world.say(payment.id, payment.attempts[0].id, "succeeded", operation_id=operation_id)
    assert operations(world, payment) == SUCCEEDED
    assert (amounts(world, payment).refunded, amounts(world, payment).refundable) == (700, 300)


def test_an_operators_word_that_the_psp_seems_to_contradict_waits_until_it_has_told_all(world: World) -> None:
    payment = sold(world)
    world.offer("psp-1", names_operations=False, key_lives_s={})
    world.psps["psp-1"].move(payment.attempts[0].id, "refunds", 300)["status"] = "failed"
    hear(world, payment)
    psp_1_does(world, LOST)
    operation_id = shown(world.do(REFUND, payment.id, "k", 300))["id"]
    with pytest.raises(Conflict, match="sync the payment first"):
        world.say(payment.id, payment.attempts[0].id, "succeeded", operation_id=operation_id)


def test_a_psp_that_is_down_is_asked_again_within_minutes_once_it_is_back(world: World) -> None:
    payment = sold(world)
    psp_1_does(world, SILENT)
    world.do(REFUND, payment.id, "k", 700)
    world.psps["psp-1"].can_read = False
    for seconds in (11, 61, 121, 241, 241, 241):
        world.settle(seconds)
    world.psps["psp-1"].can_read = True
    world.settle(241)
    assert operations(world, payment) == SUCCEEDED


def test_a_psp_that_stays_down_is_told_of_once(world: World) -> None:
    payment = sold(world)
    psp_1_does(world, LOST)
    world.do(REFUND, payment.id, "k", 700)
    world.psps["psp-1"].can_read = False
    for seconds in (11, 61, 121, 241, 241, 241):
        world.settle(seconds)
    lines = timeline(world, payment).splitlines()
    assert sum("could not be asked" in line for line in lines) <= 1
    assert sum("no usable answer to the refund" in line for line in lines) == 2  # the call's own, and the outage


ALWAYS_PENDING_S = (
    3_601,
    23 * 3_600 + 1,
    6 * 86_400 + 1,
    23 * 86_400 + 1,
)  # the whole schedule of a refund that was taken


def left_pending(world: World) -> tuple[Payment, str]:
    """A refund that its PSP took, and never says more about."""
    payment = sold(world)
    world.psps["psp-1"].settles = "pending"
    operation_id = shown(world.do(REFUND, payment.id, "k", 700))["id"]
    for seconds in ALWAYS_PENDING_S:
        world.settle(seconds)
    assert operations(world, payment) == [("refund", "pending", "api")]
    assert queue_of_operators(world) == [payment.id]
    return payment, operation_id


@pytest.mark.parametrize(("outcome", "refundable"), [("succeeded", 300), ("failed", 1000)])
def test_an_operators_word_settles_what_the_psp_leaves_pending(world: World, outcome: str, refundable: int) -> None:
    payment, operation_id = left_pending(world)
    world.say(payment.id, payment.attempts[0].id, outcome, operation_id=operation_id)
    assert operations(world, payment) == [("refund", outcome, "api")]
    assert amounts(world, payment).refundable == refundable
    assert queue_of_operators(world) == []
    hear(world, payment)
    assert operations(world, payment) == [("refund", outcome, "api")], "it is still pending there"


@pytest.mark.parametrize("outcome", ["succeeded", "failed"])
@pytest.mark.parametrize(("status", "refunded"), [("succeeded", 700), ("failed", 0)])
def test_what_the_psp_says_after_all_outweighs_an_operators_word(
    world: World, outcome: str, status: str, refunded: int
) -> None:
    payment, operation_id = left_pending(world)
    world.say(payment.id, payment.attempts[0].id, outcome, operation_id=operation_id)
    world.psps["psp-1"].settle(payment.attempts[0].id, "refunds", status)
    hear(world, payment)
    assert operations(world, payment) == [("refund", status, "api")]
    assert amounts(world, payment).refunded == refunded
