"""What every queue promises: see `contracts.queue`."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chalicelib.contracts.queue import DELAY_MAX_S, MESSAGE_BYTES_MAX, RECEIVES_MAX, Queue, Topic
from chalicelib.domain.errors import TooLarge
from tests.conformance.queues import QUEUES, OpenQueue
from tests.storage.children import exit_code, fork, in_children

EVENTS = Topic.EVENTS


@pytest.fixture(params=QUEUES, ids=str)
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenQueue]:
    with request.param.open_for_test(tmp_path, lambda: request.getfixturevalue("ministack_at")) as opened:
        yield opened


@pytest.fixture
def queue(opened: OpenQueue) -> Queue:
    return opened.queue


def bodies(queue: Queue, topic: Topic = EVENTS, count: int = 10) -> list[bytes]:
    return [message.body for message in queue.receive(topic, count=count)]


def exhaust(opened: OpenQueue) -> None:
    """Receives what is there until it is over RECEIVES_MAX."""
    for _ in range(RECEIVES_MAX):
        received = opened.queue.receive(EVENTS)
        assert received
        for message in received:
            opened.queue.release(message)
    assert opened.queue.receive(EVENTS) == []


BODIES = [
    b"{}",
    b"\x00\xff body",
    b"",
    " ü €\n\U0001f600".encode(),
    b"\x0b",
    "\uffff".encode(),
    b"\xed\xa0\x80",
    bytes(range(256)),
]


@pytest.mark.parametrize("body", BODIES, ids=repr)
def test_a_message_arrives_as_it_was_sent(opened: OpenQueue, body: bytes) -> None:
    opened.queue.send(EVENTS, body)
    (message,) = opened.queue.receive(EVENTS)
    assert (message.topic, message.body, message.receives) == (EVENTS, body, 1)
    assert opened.is_age(message.age_ms, 0)


def test_a_sent_message_outlives_the_queue_object(opened: OpenQueue) -> None:
    opened.queue.send(EVENTS, b"1")
    assert bodies(opened.reopen()) == [b"1"]


def test_an_empty_queue_gives_nothing_at_once(queue: Queue) -> None:
    assert queue.receive(EVENTS) == []


def test_topics_are_apart(queue: Queue) -> None:
    queue.send(EVENTS, b"1")
    assert bodies(queue, Topic.CHORES) == []


def test_a_batch_holds_the_oldest_messages_first(opened: OpenQueue) -> None:
    for number in range(5):
        opened.queue.send(EVENTS, b"%d" % number)
    batches = [bodies(opened.queue, count=3), bodies(opened.queue, count=3)]
    assert [len(one) for one in batches] == [3, 2]
    assert opened.as_sent(batches[0] + batches[1]) == [b"0", b"1", b"2", b"3", b"4"]


def test_messages_that_are_sent_together_are_messages_of_their_own(opened: OpenQueue) -> None:
    many = [b"%02d" % number for number in range(25)]
    opened.queue.send_all(EVENTS, many)
    received = opened.queue.receive(EVENTS, count=30)
    assert opened.as_sent([one.body for one in received]) == many
    assert len({one.id for one in received}) == 25


def test_messages_of_any_size_are_sent_together(opened: OpenQueue) -> None:
    many = [b"%d" % number * MESSAGE_BYTES_MAX for number in range(3)] + [b"\x00%d" % number for number in range(3)]
    opened.queue.send_all(EVENTS, many)
    assert Counter(bodies(opened.queue)) == Counter(many)


def test_of_messages_together_one_that_is_too_large_keeps_all_from_being_sent(queue: Queue) -> None:
    with pytest.raises(TooLarge):
        queue.send_all(EVENTS, [b"1", b"x" * (MESSAGE_BYTES_MAX + 1)])
    assert bodies(queue) == []


def test_to_send_no_message_is_nothing(queue: Queue) -> None:
    queue.send_all(EVENTS, [])
    assert bodies(queue) == []


def test_messages_that_are_sent_together_may_be_delayed(opened: OpenQueue) -> None:
    opened.queue.send_all(EVENTS, [b"1", b"2"], delay_s=opened.short_s)
    assert (bodies(opened.queue), opened.queue.depth(EVENTS)[0]) == ([], 2)
    opened.wait(opened.short_s)
    assert opened.as_sent(bodies(opened.queue)) == [b"1", b"2"]


def test_a_leased_message_is_not_given_to_another(opened: OpenQueue) -> None:
    opened.queue.send(EVENTS, b"1")
    opened.queue.receive(EVENTS)
    assert bodies(opened.reopen()) == []


def test_an_unanswered_message_comes_back_when_its_lease_ends(opened: OpenQueue) -> None:
    opened.queue.send(EVENTS, b"1")
    opened.queue.receive(EVENTS, lease_s=opened.short_s)
    opened.wait(opened.short_s)
    (message,) = opened.queue.receive(EVENTS)
    assert message.receives == 2
    assert opened.is_age(message.age_ms, opened.short_s)


def test_an_unanswered_message_does_not_come_back_before(opened: OpenQueue) -> None:
    opened.queue.send(EVENTS, b"1")
    opened.queue.receive(EVENTS, lease_s=60)
    opened.nearly(60)
    assert bodies(opened.queue) == []


def test_a_done_message_does_not_come_back(opened: OpenQueue) -> None:
    opened.queue.send(EVENTS, b"1")
    for message in opened.queue.receive(EVENTS, lease_s=opened.short_s):
        opened.queue.done(message)
    opened.wait(opened.short_s)
    assert bodies(opened.queue) == []
    assert opened.queue.depth(EVENTS) == (0, opened.oldest(0))


def test_a_done_message_is_gone_for_others_when_the_queue_is_closed(opened: OpenQueue) -> None:
    opened.queue.send(EVENTS, b"1")
    for message in opened.queue.receive(EVENTS):
        opened.queue.done(message)
    opened.queue.close()
    assert opened.reopen().depth(EVENTS)[0] == 0


def test_many_done_messages_are_gone(opened: OpenQueue) -> None:
    for number in range(100):
        opened.queue.send(EVENTS, b"%d" % number)
    for message in opened.queue.receive(EVENTS, count=100):
        opened.queue.done(message)
    assert opened.queue.depth(EVENTS)[0] == 0


def test_a_lapsed_lease_can_not_finish_anothers_work(opened: OpenQueue) -> None:
    opened.queue.send(EVENTS, b"1")
    (late,) = opened.queue.receive(EVENTS, lease_s=opened.short_s)
    opened.wait(opened.short_s)
    other = opened.reopen()
    (message,) = other.receive(EVENTS)
    opened.queue.done(late)
    opened.queue.release(late)
    opened.queue.extend(late, lease_s=600)
    assert opened.queue.depth(EVENTS)[0] == 1
    assert bodies(opened.queue) == []
    other.done(message)
    assert other.depth(EVENTS)[0] == 0


def test_a_released_message_is_due_again(opened: OpenQueue) -> None:
    opened.queue.send(EVENTS, b"1")
    (message,) = opened.queue.receive(EVENTS)
    opened.queue.release(message)
    assert bodies(opened.queue) == [b"1"]


def test_a_released_message_waits_for_its_delay(opened: OpenQueue) -> None:
    opened.queue.send(EVENTS, b"1")
    (message,) = opened.queue.receive(EVENTS)
    opened.queue.release(message, delay_s=100)
    opened.nearly(100)
    assert bodies(opened.queue) == []


def test_a_released_message_is_due_after_its_delay(opened: OpenQueue) -> None:
    opened.queue.send(EVENTS, b"1")
    (message,) = opened.queue.receive(EVENTS)
    opened.queue.release(message, delay_s=opened.short_s)
    opened.wait(opened.short_s)
    assert bodies(opened.queue) == [b"1"]


def test_an_extended_lease_counts_from_now(opened: OpenQueue) -> None:
    opened.queue.send(EVENTS, b"1")
    (message,) = opened.queue.receive(EVENTS, lease_s=2 * opened.short_s)
    opened.queue.extend(message, lease_s=60)
    opened.nearly(60)
    assert bodies(opened.queue) == []
    opened.queue.extend(message, lease_s=opened.short_s)
    opened.wait(opened.short_s)
    assert bodies(opened.queue) == [b"1"]


def test_who_extended_a_lease_may_end_it(opened: OpenQueue) -> None:
    opened.queue.send(EVENTS, b"1")
    (message,) = opened.queue.receive(EVENTS, lease_s=60)
    opened.queue.extend(message, lease_s=60)
    opened.queue.done(message)
    assert opened.queue.depth(EVENTS)[0] == 0


@pytest.mark.parametrize("lease_s", [0, -1])
def test_a_lease_of_no_time_is_a_mistake(queue: Queue, lease_s: float) -> None:
    queue.send(EVENTS, b"1")
    (message,) = queue.receive(EVENTS)
    with pytest.raises(ValueError, match="lease_s"):
        queue.receive(EVENTS, lease_s=lease_s)
    with pytest.raises(ValueError, match="lease_s"):
        queue.extend(message, lease_s=lease_s)


def test_a_message_that_is_sent_again_keeps_its_body_and_age(opened: OpenQueue) -> None:
    opened.queue.send(EVENTS, b"\xff1")
    opened.wait(opened.short_s)
    (message,) = opened.queue.receive(EVENTS)
    opened.queue.send_again(message)
    opened.queue.done(message)
    (again,) = opened.queue.receive(EVENTS)
    assert (again.body, again.receives, again.id != message.id) == (b"\xff1", 2, True)
    assert opened.is_age(again.age_ms, opened.short_s)


def test_a_message_that_is_sent_again_and_again_never_dies(opened: OpenQueue) -> None:
    opened.queue.send(EVENTS, b"1")
    for _ in range(2 * RECEIVES_MAX):
        (message,) = opened.queue.receive(EVENTS)
        opened.queue.send_again(message)
        opened.queue.done(message)
    assert (opened.queue.dead_count(EVENTS), bodies(opened.queue)) == (0, [b"1"])


def test_a_message_that_is_sent_again_may_be_delayed(opened: OpenQueue) -> None:
    opened.queue.send(EVENTS, b"1")
    (message,) = opened.queue.receive(EVENTS)
    opened.queue.send_again(message, delay_s=60)
    opened.queue.done(message)
    opened.nearly(60)
    assert (bodies(opened.queue), opened.queue.depth(EVENTS)[0]) == ([], 1)


def test_a_delayed_message_waits(opened: OpenQueue) -> None:
    opened.queue.send(EVENTS, b"late", delay_s=DELAY_MAX_S)
    opened.queue.send(EVENTS, b"now")
    opened.nearly(DELAY_MAX_S)
    assert bodies(opened.queue) == [b"now"]


def test_a_delayed_message_comes_after_its_delay(opened: OpenQueue) -> None:
    opened.queue.send(EVENTS, b"late", delay_s=opened.short_s)
    assert bodies(opened.queue) == []
    opened.wait(opened.short_s)
    assert bodies(opened.queue) == [b"late"]


def test_a_message_received_too_often_is_a_dead_letter(opened: OpenQueue) -> None:
    opened.queue.send(EVENTS, b"poison")
    exhaust(opened)
    (dead,) = opened.queue.dead(EVENTS)
    assert dead.body == b"poison"
    assert dead.receives == RECEIVES_MAX if opened.exact else dead.receives >= RECEIVES_MAX
    assert (opened.queue.dead_count(EVENTS), opened.queue.depth(EVENTS)[0]) == (1, 0)


def test_dead_letters_can_be_looked_at_again_and_again(opened: OpenQueue) -> None:
    opened.queue.send_all(EVENTS, [b"%02d" % number for number in range(12)])
    for _ in range(RECEIVES_MAX):
        for message in opened.queue.receive(EVENTS, count=12):
            opened.queue.release(message)
    opened.queue.receive(EVENTS, count=12)
    seen = [opened.as_sent([one.body for one in opened.queue.dead(EVENTS)]) for _ in range(2)]
    assert seen == [[b"%02d" % number for number in range(12)]] * 2


def test_dead_letters_are_put_back(opened: OpenQueue) -> None:
    for number in range(3):
        opened.queue.send(EVENTS, b"%d" % number)
    exhaust(opened)
    some = [message.body for message in opened.queue.dead(EVENTS, limit=2)]
    assert len(some) == 2
    assert not opened.exact or some == [b"0", b"1"]
    assert opened.queue.redrive(EVENTS) == 3
    assert (opened.queue.dead(EVENTS), opened.queue.dead_count(EVENTS)) == ([], 0)
    again = opened.queue.receive(EVENTS)
    assert opened.as_sent([message.body for message in again]) == [b"0", b"1", b"2"]
    assert [message.receives for message in again] == [1, 1, 1]


def test_where_nothing_is_dead_nothing_is_put_back(queue: Queue) -> None:
    queue.send(EVENTS, b"1")
    assert (queue.redrive(EVENTS), bodies(queue)) == (0, [b"1"])


def test_depth_counts_what_waits_and_the_age_of_what_is_due(opened: OpenQueue) -> None:
    opened.queue.send(EVENTS, b"leased")
    opened.queue.receive(EVENTS, lease_s=600)
    opened.wait(5)
    opened.queue.send(EVENTS, b"due")
    opened.queue.send(EVENTS, b"delayed", delay_s=600)
    opened.wait(7)
    assert opened.queue.depth(EVENTS) == (3, opened.oldest(7))
    assert opened.queue.depth(Topic.CHORES) == (0, opened.oldest(0))


def test_ready_are_those_that_are_neither_leased_nor_delayed(opened: OpenQueue) -> None:
    opened.queue.send(EVENTS, b"leased")
    opened.queue.receive(EVENTS, lease_s=600)
    opened.queue.send_all(EVENTS, [b"due", b"too"])
    opened.queue.send(EVENTS, b"delayed", delay_s=600)
    assert (opened.queue.ready(EVENTS), opened.queue.ready(Topic.CHORES)) == (2, 0)


def test_a_message_may_be_as_large_as_the_limit_and_no_larger(queue: Queue) -> None:
    queue.send(EVENTS, b"x" * MESSAGE_BYTES_MAX)
    with pytest.raises(TooLarge):
        queue.send(EVENTS, b"x" * (MESSAGE_BYTES_MAX + 1))
    assert [len(body) for body in bodies(queue)] == [MESSAGE_BYTES_MAX]


@pytest.mark.parametrize("delay_s", [-1, DELAY_MAX_S + 1, float("nan")])
def test_a_delay_outside_its_range_is_a_mistake(queue: Queue, delay_s: float) -> None:
    with pytest.raises(ValueError, match="delay_s"):
        queue.send(EVENTS, b"1", delay_s=delay_s)


def test_threads_share_the_messages_without_a_double(queue: Queue) -> None:
    for number in range(60):
        queue.send(EVENTS, b"%d" % number)

    def work(_: int) -> list[bytes]:
        mine = []
        while batch := queue.receive(EVENTS, count=4):
            for message in batch:
                mine.append(message.body)
                queue.done(message)
        return mine

    with ThreadPoolExecutor(8) as pool:
        received = Counter(body for mine in pool.map(work, range(8)) for body in mine)
    assert received == Counter(b"%d" % number for number in range(60))
    assert queue.depth(EVENTS)[0] == 0


def test_processes_share_the_messages_without_a_double(queue: Queue) -> None:
    for number in range(60):
        queue.send(EVENTS, b"%d" % number)

    def work(_: int) -> int:
        received = 0
        while batch := queue.receive(EVENTS, count=2):
            for message in batch:
                queue.done(message)
                received += 1
        queue.close()
        return received

    assert sum(in_children(6, work)) == 60
    assert queue.depth(EVENTS)[0] == 0


def test_processes_that_start_together_all_send(queue: Queue) -> None:
    def start(number: int) -> int:
        queue.send(EVENTS, b"%d" % number)
        return 0

    in_children(8, start)
    assert sorted(bodies(queue)) == [b"%d" % number for number in range(8)]


def test_a_killed_sender_loses_nothing_that_was_acknowledged(queue: Queue) -> None:
    for round in range(4):
        reading, writing = os.pipe()

        def send(round: int = round, writing: int = writing) -> int:
            number = 0
            while True:
                queue.send(EVENTS, b"%d-%d" % (round, number))
                os.write(writing, b"%d\n" % number)
                number += 1

        pid = fork(send)
        os.close(writing)
        with os.fdopen(reading) as acknowledged:
            for _ in range(1 + round * 5):
                acknowledged.readline()
            os.kill(pid, signal.SIGKILL)
            last = max([round * 5, *map(int, acknowledged.read().split())])
        assert exit_code(pid) == -signal.SIGKILL
        received = bodies(queue, count=10_000)
        assert received[: last + 1] == [b"%d-%d" % (round, number) for number in range(last + 1)]
