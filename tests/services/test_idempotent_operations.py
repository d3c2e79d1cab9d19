"""One key makes one operation: a repeat gets the same answer, and a key says one thing only."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from chalicelib.domain.errors import Conflict, InProgress, Invalid
from chalicelib.domain.ids import operation_id_of
from chalicelib.domain.operation import OperationKind
from tests.psp import SILENT
from tests.services.histories import CANCEL, CAPTURE, REFUND, attempts, held, operations, pay, shown, sold
from tests.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


class Killed(BaseException):
    """The process dies here."""


@pytest.mark.parametrize("kind", [CAPTURE, CANCEL, REFUND])
def test_the_same_key_replays_the_answer_byte_for_byte(world: World, kind: OperationKind) -> None:
    payment = sold(world) if kind is REFUND else held(world)
    first, second = world.do(kind, payment.id, "k"), world.do(kind, payment.id, "k")
    assert second.rendered == first.rendered
    assert (first.replayed, second.replayed) == (False, True)
    assert len(world.psps["psp-1"].operated) == 1


def test_a_replay_is_the_same_though_the_payment_has_moved_on(world: World) -> None:
    payment = sold(world)
    first = world.do(REFUND, payment.id, "k", 400)
    world.do(REFUND, payment.id, "other", 600)
    assert world.do(REFUND, payment.id, "k", 400).rendered == first.rendered


def test_the_same_key_with_another_body_is_refused(world: World) -> None:
    payment = sold(world)
    world.do(REFUND, payment.id, "k", 400)
    with pytest.raises(Invalid) as refused:
        world.do(REFUND, payment.id, "k", 500, fingerprint="other")
    assert refused.value.slug == "key-reused"
    assert len(world.psps["psp-1"].operated) == 1


def test_a_key_of_a_capture_is_not_a_key_of_a_refund(world: World) -> None:
    payment = held(world)
    world.do(CAPTURE, payment.id, "k", 400)
    with pytest.raises(Invalid) as refused:
        world.do(REFUND, payment.id, "k", 400)
    assert refused.value.slug == "key-reused"
    assert operations(world, payment) == [("capture", "succeeded", "api")]


def test_a_key_of_a_retry_is_not_a_key_of_a_refund(world: World) -> None:
    payment = world.open().payment
    world.retry(payment.id, "k")
    pay(world, world.payment(payment.id))
    with pytest.raises(Invalid) as refused:
        world.do(REFUND, payment.id, "k", 400)
    assert refused.value.slug == "key-reused"
    assert operations(world, payment) == []


def test_a_key_of_a_cancellation_is_not_a_key_of_a_retry(world: World) -> None:
    payment = world.open().payment
    world.do(CANCEL, payment.id, "k")
    with pytest.raises(Invalid) as refused:
        world.retry(payment.id, "k")
    assert refused.value.slug == "key-reused"
    assert attempts(world, payment) == ["expired"]


def test_the_same_key_is_another_operation_on_another_payment(world: World) -> None:
    one, other = sold(world), sold(world, key="other")
    ids = {shown(world.do(REFUND, payment.id, "k", 400))["id"] for payment in (one, other)}
    assert len(ids) == 2
    assert len(world.psps["psp-1"].operated) == 2


def test_no_key_of_a_merchant_reaches_the_id_of_a_policys_operation(world: World) -> None:
    """The policy's id is derived from "surplus:…", a merchant's from "key:" and the key."""
    payment = sold(world)
    policys = f"surplus:refund:{payment.attempts[0].id}"
    made = shown(world.do(REFUND, payment.id, policys, 100))["id"]
    assert made != operation_id_of(payment.id, policys)


def test_a_refusal_is_not_remembered(world: World) -> None:
    payment = world.open().payment
    with pytest.raises(Conflict):
        world.do(REFUND, payment.id, "k", 400)
    pay(world, payment)
    assert shown(world.do(REFUND, payment.id, "k", 400))["status"] == "succeeded"


def dying(world: World, when: str) -> Callable[[str, object], str]:
    """A plan that kills the process before the PSP hears of the call, or after it has done it."""

    def plan(kind: str, order: object) -> str:
        if when == "after":
            world.psps["psp-1"].operate(kind, order)  # type: ignore[arg-type]
        raise Killed

    return plan


@pytest.mark.parametrize("when", ["before", "after"])
def test_while_the_first_call_holds_its_lease_the_repeat_is_told_to_wait(world: World, when: str) -> None:
    payment = sold(world)
    world.psps["psp-1"].plan = dying(world, when)
    with pytest.raises(Killed):
        world.do(REFUND, payment.id, "k", 400)
    with pytest.raises(InProgress) as busy:
        world.do(REFUND, payment.id, "k", 400)
    assert busy.value.retry_after_s >= 1


@pytest.mark.parametrize("when", ["before", "after"])
def test_after_a_crash_the_repeat_resumes_the_same_operation(world: World, when: str) -> None:
    payment = sold(world)
    world.psps["psp-1"].plan = dying(world, when)
    with pytest.raises(Killed):
        world.do(REFUND, payment.id, "k", 400)
    world.psps["psp-1"].plan = lambda kind, order: "answer"
    world.clock.forward(61)
    assert shown(world.do(REFUND, payment.id, "k", 400))["status"] == "succeeded"
    assert world.psps["psp-1"].left(payment.attempts[0].id, "refunds") == 600
    assert len(set(world.psps["psp-1"].operated)) == 1


@pytest.mark.parametrize("when", ["before", "after"])
def test_after_a_crash_the_operation_is_carried_out_though_nobody_repeats_it(world: World, when: str) -> None:
    payment = sold(world)
    world.psps["psp-1"].plan = dying(world, when)
    with pytest.raises(Killed):
        world.do(REFUND, payment.id, "k", 400)
    world.psps["psp-1"].plan = lambda kind, order: "answer"
    world.settle(66)
    assert operations(world, payment) == [("refund", "succeeded", "api")]
    assert world.psps["psp-1"].left(payment.attempts[0].id, "refunds") == 600


def test_what_a_crashed_call_came_to_is_the_answer_to_its_repeat(world: World) -> None:
    payment = sold(world)
    world.psps["psp-1"].plan = dying(world, "after")
    with pytest.raises(Killed):
        world.do(REFUND, payment.id, "k", 400)
    world.psps["psp-1"].plan = lambda kind, order: SILENT
    world.settle(66)
    found, again = world.do(REFUND, payment.id, "k", 400), world.do(REFUND, payment.id, "k", 400)
    assert (found.rendered.status, shown(found)["status"]) == (201, "succeeded")
    assert again.rendered == found.rendered
