"""One key, one answer: a call that is repeated while it runs, after a crash, and in doubt."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from chalicelib.contracts.calls import CheckoutOrder
from chalicelib.contracts.store import NEW
from chalicelib.domain.change import Change
from chalicelib.domain.errors import InProgress, Invalid
from chalicelib.domain.facts import Fact, Kind, State
from chalicelib.domain.payment import Payment
from chalicelib.services.kinds import PAYMENT
from tests.builders import NOW, PAYMENT_ID, money
from tests.psp import ANSWER, NOT_SENT, SILENT
from tests.services.histories import attempts, changed, connections, declines, during_the_call
from tests.world import World

TAKEN_OVER = r"^Another call with this Idempotency-Key has taken it over; ask again soon\.$"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


class Killed(BaseException):
    """The process ends in the middle of a call."""


def test_the_claim_is_held_for_another_minute_with_each_psp(world: World) -> None:
    seen: list[object] = []
    during_the_call(world, lambda order: world.clock.forward(30), NOT_SENT)
    during_the_call(
        world,
        lambda order: seen.append(world.payment(PAYMENT_ID).claim.lease_until),
        name="psp-2",
    )
    world.open()
    assert seen[0] == NOW + timedelta(seconds=90)


def take_over(world: World) -> None:
    """The lease runs out, and a repeat of the call is made."""
    world.psps["psp-1"].script = lambda order: ANSWER
    world.clock.forward(61)
    world.open()


def test_who_finds_its_claim_taken_over_and_answered_gives_that_answer(world: World) -> None:
    during_the_call(world, lambda order: take_over(world), NOT_SENT)
    slow = world.open()
    assert slow.rendered.status == 201
    assert connections(world, slow.payment) == ["psp-1"]
    assert attempts(world, slow.payment) == ["pending"], (
        "its proof that nothing was sent proves nothing of the other call"
    )
    assert not slow.replayed


def test_who_finds_its_claim_taken_over_and_still_running_is_told_to_ask_again(world: World) -> None:
    def again(order: CheckoutOrder) -> None:
        """The repeat is in its call while the first one comes back."""
        world.psps["psp-1"].script = die
        world.clock.forward(61)
        with pytest.raises(Killed):
            world.open()

    def die(order: CheckoutOrder) -> str:
        raise Killed

    during_the_call(world, again, NOT_SENT)
    with pytest.raises(InProgress, match=TAKEN_OVER) as busy:
        world.open()
    assert busy.value.retry_after_s == 1


def test_a_key_that_was_used_for_something_else_is_refused(world: World) -> None:
    world.open()
    why = r"^This Idempotency-Key was used with another request; use a new key for a new one\.$"
    with pytest.raises(Invalid, match=why):
        world.open(fingerprint="other")


def crash(world: World, name: str = "psp-1") -> Payment:
    """The process dies in the first call to that PSP, which then answers."""

    def die(order: CheckoutOrder) -> str:
        world.psps[name].script = lambda order: ANSWER
        raise Killed

    world.psps[name].script = die
    with pytest.raises(Killed):
        world.open()
    return world.payment(PAYMENT_ID)


@pytest.mark.parametrize(("after_s", "runs"), [(59, True), (60, False)])
def test_a_call_runs_for_a_minute_at_most(world: World, after_s: float, runs: bool) -> None:
    crash(world)
    world.clock.forward(after_s)
    if runs:
        why = r"^The first call with this Idempotency-Key is still running; ask again soon\.$"
        with pytest.raises(InProgress, match=why) as busy:
            world.open()
        assert busy.value.retry_after_s == 1
    else:
        assert world.open().rendered.status == 201


def test_a_repeat_after_a_crash_is_remembered_as_a_call(world: World) -> None:
    """Absence is proven only long after the last one."""
    crash(world)
    world.clock.forward(61)
    (attempt,) = world.open().payment.attempts
    assert attempt.called_at == NOW + timedelta(seconds=61)


def test_only_the_call_that_is_made_again_is_remembered_so(world: World) -> None:
    declines(world, "psp-1")
    crash(world, name="psp-2")
    world.clock.forward(61)
    assert [one.called_at for one in world.open().payment.attempts] == [None, NOW + timedelta(seconds=61)]


def test_after_a_crash_the_call_is_made_again_only_while_its_key_lives(world: World) -> None:
    world.offer("psp-1", key_lives_s={"open": 122})
    crash(world)
    world.clock.forward(61)
    answer = world.open(route="default")
    assert (answer.rendered.status, attempts(world, answer.payment)) == (202, ["unknown"])
    assert world.psps["psp-1"].opened == []


def test_after_a_crash_what_is_known_by_now_is_the_answer(world: World) -> None:
    payment = crash(world)
    changed(world, Change(facts=(Fact(payment.attempts[0].id, Kind.CAPTURE, "p", State.SUCCEEDED, money()),)))
    world.clock.forward(61)
    answer = world.open()
    assert (answer.rendered.status, answer.replayed) == (201, False)
    assert world.psps["psp-1"].opened == []
    assert world.open().replayed


def test_in_doubt_each_repeat_is_a_new_answer_until_it_is_settled(world: World) -> None:
    declines(world, "psp-1", "psp-2", how=SILENT)
    first, again = world.open(), world.open()
    assert [(one.rendered.status, one.replayed) for one in (first, again)] == [(202, False), (202, False)]
    assert first.payment.claim.lease_until is None
    world.settle(11)
    settled = world.open()
    assert (settled.rendered.status, settled.replayed) == (201, True)


def test_who_sleeps_until_its_claim_runs_out_calls_nobody(world: World) -> None:
    put = world.store.put

    def slow(kind: Any, value: Any, *, expect: Any) -> Any:
        version = put(kind, value, expect=expect)
        if kind is PAYMENT and len(value.attempts) == 2:
            world.clock.forward(60)
        return version

    world.store.put = slow
    during_the_call(world, lambda order: None, NOT_SENT)
    with pytest.raises(InProgress, match=TAKEN_OVER) as busy:
        world.open()
    assert (busy.value.retry_after_s, world.psps["psp-2"].opened) == (1, [])


def test_of_two_repeats_after_a_crash_one_makes_the_call(world: World) -> None:
    crash(world)
    world.clock.forward(61)
    put = world.store.put

    def overtaken(kind: Any, value: Any, *, expect: Any) -> Any:
        if expect is NEW:
            return put(kind, value, expect=expect)
        world.store.put = put
        assert world.open().rendered.status == 201
        return put(kind, value, expect=expect)

    world.store.put = overtaken
    with pytest.raises(InProgress, match=TAKEN_OVER) as busy:
        world.open()
    assert (busy.value.retry_after_s, len(world.psps["psp-1"].opened)) == (1, 1)
