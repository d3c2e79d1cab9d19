"""The worker's consumers over the real queue: what a stop leaves, and what a failure gives back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib.contracts.queue import Message, Topic
from chalicelib.queues.embedded import EmbeddedQueue
from server.worker import Consumer
from tests.server.shop import wait_for


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[EmbeddedQueue]:
    made = EmbeddedQueue(str(tmp_path / "queue.db"))
    yield made
    made.close()


def test_a_stop_finishes_what_runs_and_takes_nothing_more(queue: EmbeddedQueue) -> None:
    begun, may_end, handled = threading.Event(), threading.Event(), []

    def handle(message: Message) -> None:
        begun.set()
        may_end.wait(20)
        handled.append(message.body)

    consumer = Consumer(queue, Topic.CHORES, handle, threads=1)
    for body in (b"first", b"second"):
        queue.send(Topic.CHORES, body)
    consumer.start()
    assert begun.wait(20)
    consumer.stop()  # its loop waits for the one thread by now
    may_end.set()
    consumer.join(20)
    assert handled == [b"first"]
    assert [message.body for message in queue.receive(Topic.CHORES)] == [b"second"]


def test_a_message_whose_handler_fails_comes_again(queue: EmbeddedQueue) -> None:
    receives: list[int] = []

    def handle(message: Message) -> None:
        receives.append(message.receives)
        if message.receives == 1:
            raise RuntimeError("the first time fails")

    consumer = Consumer(queue, Topic.CHORES, handle, threads=2)
    queue.send(Topic.CHORES, b"again")
    consumer.start()
    wait_for(lambda: receives == [1, 2])
    consumer.stop()
    consumer.join(20)
    assert queue.depth(Topic.CHORES)[0] == 0
