"""Checkout: one answer for a key, and the next PSP only when promise 1 allows it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chalicelib.contracts.queue import Topic
from chalicelib.domain.errors import InProgress, Invalid, StorageFault
from chalicelib.domain.fold import fold
from chalicelib.domain.payment import AttemptStatus, Closure, Payment, Status
from chalicelib.services.kinds import CONNECTION, PAYMENT
from tests.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def statuses(payment: Payment) -> list[AttemptStatus]:
    folded = fold(payment)
    return [folded.standings[attempt.id].status for attempt in payment.attempts]


def stored(world: World, payment: Payment) -> Payment:
    found: Payment = world.store.get(PAYMENT, payment.id).value
    return found


def test_a_checkout_opens_at_the_first_psp(world: World) -> None:
    answer = world.open()
    shown = json.loads(answer.rendered.body)
    assert answer.rendered.status == 201
    assert shown["next_action"]["url"].startswith("https://psp-1.example/")
    assert (shown["status"], shown["sequence"]) == ("pending", 1)
    assert world.psps["psp-2"].opened == []


def test_the_same_key_gives_the_same_bytes(world: World) -> None:
    first, second = world.open(), world.open()
    assert second.rendered == first.rendered
    assert (first.replayed, second.replayed) == (False, True)
    assert len(world.psps["psp-1"].opened) == 1


def test_the_same_key_with_another_body_is_refused(world: World) -> None:
    world.open()
    with pytest.raises(Invalid) as refused:
        world.open(fingerprint="other")
    assert refused.value.slug == "key-reused"


def test_a_call_that_still_runs_is_not_run_again(world: World) -> None:
    seen: list[InProgress] = []

    def script(order: object) -> str:
        with pytest.raises(InProgress) as busy:
            world.open()
        seen.append(busy.value)
        return "answer"

    world.psps["psp-1"].script = script
    world.open()
    assert seen[0].retry_after_s >= 1
    assert len(world.psps["psp-1"].opened) == 1


def test_a_psp_that_can_not_be_reached_leads_to_the_next(world: World) -> None:
    world.psps["psp-1"].script = lambda order: "not_sent"
    answer = world.open()
    assert answer.rendered.status == 201
    assert statuses(answer.payment) == [AttemptStatus.NOT_SENT, AttemptStatus.PENDING]


def test_an_unanswered_page_is_sealed_and_closed_at_its_psp(world: World) -> None:
    world.psps["psp-1"].script = lambda order: "silent"
    answer = world.open()
    first = answer.payment.attempts[0]
    assert statuses(answer.payment) == [AttemptStatus.SEALED, AttemptStatus.PENDING]
    assert (first.closed, first.action) == (Closure.SEALED, None)
    assert "psp-1.example" not in answer.rendered.body
    world.settle()
    assert world.psps["psp-1"].sessions[first.id]["status"] == "expired"
    assert "psp-1.example" not in json.dumps([event.body for event in stored(world, answer.payment).outbox])


def test_the_route_may_hold_instead(world: World) -> None:
    world.psps["psp-1"].script = lambda order: "silent"
    answer = world.open(route="careful")
    assert answer.rendered.status == 202
    assert statuses(answer.payment) == [AttemptStatus.UNKNOWN]
    assert world.psps["psp-2"].opened == []


def test_a_held_checkout_settles_on_the_page_that_was_found(world: World) -> None:
    world.psps["psp-1"].script = lambda order: "silent"
    world.open(route="careful")
    assert world.open(route="careful").rendered.status == 202
    world.settle(11)
    found, again = world.open(route="careful"), world.open(route="careful")
    assert found.rendered.status == 201
    assert again.rendered == found.rendered
    assert len(world.psps["psp-1"].sessions) == 1


def test_the_last_psp_is_never_sealed(world: World) -> None:
    for psp in world.psps.values():
        psp.script = lambda order: "silent"
    answer = world.open()
    assert answer.rendered.status == 202
    assert statuses(answer.payment) == [AttemptStatus.SEALED, AttemptStatus.UNKNOWN]


def test_absence_is_proven_only_after_15_minutes(world: World) -> None:
    world.psps["psp-1"].script = lambda order: "lost"
    answer = world.open(route="careful")
    for seconds in (11, 61, 301):
        world.settle(seconds)
    assert stored(world, answer.payment).status is Status.UNKNOWN
    world.settle(1801)
    assert stored(world, answer.payment).status is Status.FAILED
    assert world.open(route="careful").rendered.status == 502


def test_no_psp_at_all_is_told_as_a_problem_and_remembered(world: World) -> None:
    for psp in world.psps.values():
        psp.script = lambda order: "not_sent"
    answer, again = world.open(), world.open()
    assert (answer.rendered.status, again.rendered) == (502, answer.rendered)


def test_a_crash_before_the_psp_was_called_resumes_the_same_attempt(world: World) -> None:
    class Killed(BaseException):
        pass

    def die(order: object) -> str:
        raise Killed

    world.psps["psp-1"].script = die
    with pytest.raises(Killed):
        world.open()
    world.psps["psp-1"].script = lambda order: "answer"
    with pytest.raises(InProgress):
        world.open()
    world.clock.forward(61)
    answer = world.open()
    assert answer.rendered.status == 201
    assert len(answer.payment.attempts) == 1


def test_a_webhook_that_overtakes_the_answer_is_not_lost(world: World) -> None:
    def script(order: object) -> str:
        attempt_id = order.attempt_id  # type: ignore[attr-defined]
        if world.psps["psp-1"].open(order)["status"] == "open":  # type: ignore[arg-type]
            world.psps["psp-1"].pay(attempt_id)
        world.webhook("psp-1", attempt_id)
        world.settle()
        return "silent"

    world.psps["psp-1"].script = script
    answer = world.open()
    assert answer.rendered.status == 201
    assert stored(world, answer.payment).status is Status.CAPTURED
    assert len(answer.payment.attempts) == 1


def test_an_unknown_route_is_refused_and_nothing_is_stored(world: World) -> None:
    with pytest.raises(Invalid, match="no route"):
        world.open(route="nowhere")
    assert world.open().rendered.status == 201


def test_no_eligible_connection_says_why_for_each(world: World) -> None:
    with pytest.raises(Invalid, match="psp-1: it offers no ideal; psp-2: it offers no ideal") as refused:
        world.open(payment_method="ideal")
    assert refused.value.slug == "no-eligible-connection"


def test_a_paid_payment_is_told_to_subscribers_once_and_leaves_the_outbox(world: World) -> None:
    answer = world.open()
    attempt_id = answer.payment.attempts[0].id
    world.psps["psp-1"].pay(attempt_id)
    world.webhook("psp-1", attempt_id)
    world.webhook("psp-1", attempt_id)
    world.settle()
    world.settle(11)
    assert [one.event_type for one in world.recorder.published] == ["payment.pending", "payment.captured"]
    assert stored(world, answer.payment).outbox == ()


def test_a_wrong_amount_is_an_anomaly_and_never_paid(world: World) -> None:
    answer = world.open()
    attempt_id = answer.payment.attempts[0].id
    world.psps["psp-1"].pay(attempt_id, more=1)
    world.webhook("psp-1", attempt_id)
    world.settle()
    now = stored(world, answer.payment)
    assert now.status is Status.UNKNOWN
    assert fold(now).amounts.captured == 0
    assert "anomaly" in {entry.kind for entry in now.timeline}


def test_an_open_page_expires_here_and_at_the_psp(world: World) -> None:
    answer = world.open()
    world.settle(901)
    world.settle(1000)
    assert stored(world, answer.payment).status is Status.EXPIRED
    assert world.psps["psp-1"].sessions[answer.payment.attempts[0].id]["status"] == "expired"


def test_events_lost_with_the_queue_are_found_by_the_sweeper(world: World) -> None:
    answer = world.open()
    for message in world.queue.receive(Topic.EVENTS):
        world.queue.done(message)  # as if the process had died before it could queue them
    world.settle(11)
    assert [one.event_type for one in world.recorder.published] == ["payment.pending"]
    assert stored(world, answer.payment).outbox != ()
    world.settle(61)
    assert stored(world, answer.payment).outbox == ()


def test_a_database_that_is_away_is_our_fault_and_not_the_callers(world: World) -> None:
    """A shop gives up on a 422; a connection that could not be read may be there the next moment."""
    read = world.store.get

    def away(kind: object, id: str) -> object:
        if kind is CONNECTION:
            raise StorageFault("down")
        return read(kind, id)

    world.store.get = away
    with pytest.raises(StorageFault):
        world.open()
    world.store.get = read
    assert world.open().rendered.status == 201
