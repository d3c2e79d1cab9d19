"""Of what a call proves, and of what it leaves to be found out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from chalicelib.contracts.calls import Refusal, RefusalKind
from chalicelib.domain.amend import amend
from chalicelib.domain.change import CallOutcome, Change
from chalicelib.domain.facts import Decline, DeclineClass, Kind, State
from chalicelib.domain.operation import Called, Operation, OperationKind, Origin
from chalicelib.services.execute import decline_of
from chalicelib.services.kinds import PAYMENT
from chalicelib.services.operate import without_proof
from tests.builders import NOW, money
from tests.services.histories import operations, sold, timeline
from tests.world import World

NO = Decline(DeclineClass.HARD, "refused")


@pytest.mark.parametrize("called", Called)
def test_a_call_whose_claim_was_taken_over_proves_nothing(called: Called) -> None:
    (kept,) = without_proof(Change(outcomes=(CallOutcome("op_1", called, NO),))).outcomes
    proof = called in (Called.ABSENT, Called.REFUSED)
    assert kept == CallOutcome("op_1", *((Called.UNANSWERED, None) if proof else (called, NO)))


@pytest.mark.parametrize("called", Called)
def test_only_a_call_that_nothing_is_certain_of_is_made_again(tmp_path: Path, called: Called) -> None:
    """The PSP refunds, and has not said that it succeeded: it is asked, and not told once more."""
    world = World(tmp_path)
    payment = sold(world)
    refund = Operation("op_1", OperationKind.REFUND, payment.attempts[0].id, money(400), Origin.POLICY, NOW)
    said = Change(operations=(replace(refund, called=called),))
    if called in (Called.ABSENT, Called.REFUSED, Called.ANSWERED):
        moved = world.psps["psp-1"].move(payment.attempts[0].id, "refunds", 400, "op_1")
        moved["status"] = "pending"
        under_way = replace(payment.facts[-1], kind=Kind.REFUND, id=moved["id"], state=State.PENDING)
        said += Change(facts=(replace(under_way, amount=money(400), operation_id="op_1"),))
    stored = world.store.get(PAYMENT, payment.id)
    world.store.put(PAYMENT, amend(stored.value, said, world.clock.now()), expect=stored.version)
    world.settle(3700)
    unsure = called in (Called.PLANNED, Called.STARTED, Called.UNANSWERED)
    assert world.psps["psp-1"].operated == (["op_1"] if unsure else [])
    assert operations(world, payment) == [("refund", "succeeded" if unsure else "pending", "policy")]
    assert world.payment(payment.id).operations[0].called is (Called.ANSWERED if unsure else called)
    world.psps["psp-1"].can_read = False
    world.settle(24 * 3600)
    assert "no usable answer to the refund" not in timeline(world, payment)


@pytest.mark.parametrize(("after_s", "status"), [(66, "unknown"), (900, "failed")])
def test_a_call_that_a_crash_cut_off_proves_nothing_for_15_minutes_however_old_its_operation_is(
    tmp_path: Path, after_s: int, status: str
) -> None:
    """A rule wanted it an hour before somebody called for it."""
    world = World(tmp_path)
    payment = sold(world)
    world.offer("psp-1", key_lives_s={})
    planned = Operation("op_1", OperationKind.REFUND, payment.attempts[0].id, money(400), Origin.POLICY, NOW)
    said = Change(operations=(replace(planned, called=Called.PLANNED),))
    stored = world.store.get(PAYMENT, payment.id)
    world.clock.forward(3600)
    world.store.put(PAYMENT, amend(stored.value, said, world.clock.now()), expect=stored.version)

    def die(kind: str, order: object) -> str:
        raise KeyboardInterrupt

    world.psps["psp-1"].plan = die
    with pytest.raises(KeyboardInterrupt):
        world.settle(1)
    world.settle(after_s)
    assert operations(world, payment) == [("refund", status, "policy")]


@pytest.mark.parametrize(
    ("kind", "cls", "code"),
    [
        (RefusalKind.DECLINED, DeclineClass.HARD, "declined"),
        (RefusalKind.MISCONFIGURED, DeclineClass.HARD, "misconfigured"),
        (RefusalKind.RATE_LIMITED, DeclineClass.SOFT, "rate_limited"),
    ],
)
def test_a_refusal_without_a_decline_gets_one_of_ours(kind: RefusalKind, cls: DeclineClass, code: str) -> None:
    assert decline_of(Refusal(kind, "why")) == Decline(cls, code, message="why")


def test_a_refusal_keeps_the_psps_own_decline() -> None:
    assert decline_of(Refusal(RefusalKind.DECLINED, "why", NO)) is NO
