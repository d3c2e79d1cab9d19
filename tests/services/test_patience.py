"""Where each look at a payment is paid for: events that were queued are seen to late, and together with something else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chalicelib.contracts.queue import Topic
from chalicelib.domain.errors import QueueFault, StorageFault
from chalicelib.domain.operation import OperationKind
from chalicelib.domain.order import CaptureMode
from chalicelib.queues.embedded import EmbeddedQueue
from chalicelib.services.kinds import PAYMENT, SUBSCRIPTION, subscription_key
from tests.world import HandClock, World

PATIENCE_S = 900.0
HOUR_S = 3600


class Losing(EmbeddedQueue):
    """Refuses, or loses, messages about events while it is told to."""

    refuses = loses = False

    def send_all(self, topic: Topic, bodies: Sequence[bytes], *, delay_s: float = 0) -> None:
        if self.refuses:
            raise QueueFault("the queue can not be reached")
        if not self.loses:
            super().send_all(topic, bodies, delay_s=delay_s)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def world(tmp_path: Path, clock: HandClock) -> World:
    queue = Losing(str(tmp_path / "queue.db"), clock=lambda: clock.at.timestamp())
    return World(tmp_path, clock=clock, queue=queue, outbox_patience_s=PATIENCE_S)


def due_in_s(world: World, payment_id: str) -> float | None:
    at = world.payment(payment_id).due_at
    return None if at is None else (at - world.clock.at).total_seconds()


def paid(world: World) -> str:
    payment = world.open().payment
    attempt_id = payment.attempts[0].id
    world.psps["psp-1"].pay(attempt_id)
    world.webhook("psp-1", attempt_id)
    world.settle()
    return payment.id


def puts_while(world: World, do: Any) -> int:
    """How many times payments are put while `do` runs."""
    made: list[str] = []
    put = world.store.put

    def counting(kind: Any, value: Any, **named: Any) -> Any:
        made.append(kind.name)
        return put(kind, value, **named)

    world.store.put = counting
    do()
    world.store.put = put
    return made.count(PAYMENT.name)


def test_a_page_s_question_is_the_one_place_in_the_due_index(world: World) -> None:
    payment_id = paid(world)
    assert due_in_s(world, payment_id) == PATIENCE_S
    assert [one.type for one in world.payment(payment_id).outbox] == ["payment.pending", "payment.captured"]


def test_all_events_leave_the_outbox_by_one_put(world: World) -> None:
    payment_id = paid(world)
    assert puts_while(world, lambda: world.settle(PATIENCE_S + 11)) == 1
    assert world.payment(payment_id).outbox == ()
    assert due_in_s(world, payment_id) is None


def test_events_leave_the_outbox_with_the_question_about_a_refund(world: World) -> None:
    payment_id = paid(world)
    world.psps["psp-1"].settles = "pending"
    world.do(OperationKind.REFUND, payment_id, "a-refund", 1000)
    assert due_in_s(world, payment_id) == HOUR_S
    assert puts_while(world, lambda: world.settle(HOUR_S + 1)) == 1
    known = world.payment(payment_id)
    assert (known.outbox, known.operations[0].asked) == ((), 1)


def test_events_that_the_queue_lost_are_queued_again(world: World) -> None:
    world.queue.loses = True
    payment = world.open().payment
    world.queue.loses = False
    world.settle(60)
    assert world.recorder.published == []
    world.settle(PATIENCE_S)
    assert [one.event_type for one in world.recorder.published] == ["payment.pending"]
    event_id = world.recorder.published[0].event_id
    assert event_id in {one.id for one in world.payment(payment.id).outbox}, "it is dropped once its record was seen"
    world.settle(PATIENCE_S + 60)
    assert event_id not in {one.id for one in world.payment(payment.id).outbox}


def test_events_that_could_not_be_queued_are_not_put_off(world: World) -> None:
    world.queue.refuses = True
    payment = world.open().payment
    assert due_in_s(world, payment.id) == 10
    world.queue.refuses = False
    world.settle(11)
    assert [one.event_type for one in world.recorder.published] == ["payment.pending"]


def test_an_authorized_payment_is_looked_at_once_before_its_authorization_ends(world: World) -> None:
    payment = world.open(capture=CaptureMode.MANUAL).payment
    world.psps["psp-1"].pay(payment.attempts[0].id)
    world.webhook("psp-1", payment.attempts[0].id)
    world.settle()
    assert due_in_s(world, payment.id) == PATIENCE_S
    world.settle(PATIENCE_S + 11)
    assert world.payment(payment.id).outbox == ()
    assert world.payment(payment.id).due_at == world.payment(payment.id).attempts[0].ask_at


def only(world: World, *events: str) -> None:
    """From now on the one subscription wants these, and whoever commits knows it."""
    stored = world.store.get(SUBSCRIPTION, subscription_key("default", "sub_1"))
    world.store.put(SUBSCRIPTION, replace(stored.value, events=events), expect=stored.version)
    object.__setattr__(world.ports, "is_wanted", world.configuration.is_wanted)


def test_events_that_nobody_wants_cost_no_message_and_leave_the_outbox(world: World) -> None:
    only(world, "payment.captured")
    payment_id = world.open().payment.id
    assert world.queue.depth(Topic.EVENTS)[0] == 0
    assert [one.type for one in world.payment(payment_id).outbox] == ["payment.pending"]
    paid(world)
    assert [one.event_type for one in world.recorder.published] == ["payment.captured"]
    world.settle(PATIENCE_S + 11)
    assert world.payment(payment_id).outbox == ()


def test_who_subscribes_while_an_event_is_committed_is_told_when_the_outbox_is_seen_to(world: World) -> None:
    only(world)
    world.open()
    only(world, "payment.pending")
    world.settle(60)
    assert world.recorder.published == []
    world.settle(PATIENCE_S)
    assert [one.event_type for one in world.recorder.published] == ["payment.pending"]


def test_events_are_queued_where_nobody_knows_who_wants_them(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    only(world)

    def away(*arguments: Any, **named: Any) -> Any:
        raise StorageFault("down")

    monkeypatch.setattr(world.store, "find", away)
    world.open()
    assert world.queue.depth(Topic.EVENTS)[0] == 1


def test_what_could_not_be_queued_is_not_put_off_by_what_happens_next_either(world: World) -> None:
    payment = world.open().payment
    payment_id, attempt_id = payment.id, payment.attempts[0].id
    world.psps["psp-1"].pay(attempt_id)
    world.webhook("psp-1", attempt_id)
    world.queue.refuses = True
    for message in world.queue.receive(Topic.INBOUND):
        world.work.handle(message)
        world.queue.done(message)
    assert due_in_s(world, payment_id) == 10
    world.queue.refuses = False
    world.psps["psp-1"].settles = "pending"
    world.do(OperationKind.REFUND, payment_id, "a-refund", 1000)  # which is asked about within the hour
    assert due_in_s(world, payment_id) == 10
    world.settle(11)
    assert "payment.captured" in {one.event_type for one in world.recorder.published}
