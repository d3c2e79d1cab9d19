"""A batch that Lambda hands over: what failed comes back alone, what our own faults kept from being done is sent anew."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib import telemetry
from chalicelib.contracts.queue import RECEIVES_MAX, Message, Topic
from chalicelib.domain.errors import NotFound, QueueFault, StorageFault
from chalicelib.queues.embedded import EmbeddedQueue
from chalicelib.queues.sqs_batch import AGAIN_S, handle_batch
from chalicelib.queues.sqs_form import recorded, sent_form
from chalicelib.queues.sqs_queues import KEPT_S
from tests.queues.lambda_event import event_of, record_of

EVENTS = Topic.EVENTS
NOTHING: dict[str, Any] = {"batchItemFailures": []}


class Queue(EmbeddedQueue):
    """Where messages are sent again; `asked` are the waits that were asked for, and `is_down` refuses everything."""

    def __init__(self, path: str) -> None:
        super().__init__(path, lambda: self.now)
        self.now = 1_800_000_000.0
        self.asked: list[tuple[str, str, float]] = []
        self.is_down = False

    def send_again(self, message: Message, *, delay_s: float = 0) -> None:
        self._note("again", message, delay_s)
        super().send_again(message, delay_s=delay_s)

    def release(self, message: Message, *, delay_s: float = 0) -> None:
        self._note("release", message, delay_s)

    def _note(self, what: str, message: Message, delay_s: float) -> None:
        if self.is_down:
            raise QueueFault("SQS is down.")
        self.asked.append((what, message.receipt, delay_s))

    def sent(self) -> list[Message]:
        self.now += 900
        return list(self.receive(EVENTS, count=100))


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    queue = Queue(str(tmp_path / "queue.db"))
    yield queue
    queue.close()


def failing(error: Exception, *bodies: bytes) -> Callable[[Message], None]:
    """A handler that fails for these bodies, or for all."""

    def handle(message: Message) -> None:
        if not bodies or message.body in bodies:
            raise error

    return handle


@pytest.mark.parametrize("body", [b'{"do": "attend"}', b"\x00\xff", b"", " €\n".encode()], ids=repr)
def test_a_record_is_the_message_that_was_sent(queue: Queue, body: bytes) -> None:
    record, got = record_of(body, receives=3, age_s=60), list[Message]()
    assert handle_batch(event_of(record), EVENTS, got.append, queue) == NOTHING
    (message,) = got
    assert (message.id, message.topic, message.body) == (record["messageId"], EVENTS, body)
    assert (message.receipt, message.receives) == (record["receiptHandle"], 3)
    assert 60_000 <= message.age_ms < 120_000


def test_a_batch_without_a_failure_is_taken_off_the_queue_whole(queue: Queue) -> None:
    got: list[Message] = []
    records = [record_of(b"%d" % number) for number in range(10)]
    assert handle_batch(event_of(*records), EVENTS, got.append, queue) == NOTHING
    assert [one.body for one in got] == [b"%d" % number for number in range(10)]
    assert (queue.sent(), queue.asked) == ([], [])


def test_an_empty_batch_has_no_failures(queue: Queue) -> None:
    assert handle_batch(event_of(), EVENTS, failing(ValueError()), queue) == NOTHING


def test_what_fails_comes_back_alone(queue: Queue) -> None:
    records = [record_of(b"1"), record_of(b"2"), record_of(b"3")]
    answer = handle_batch(event_of(*records), EVENTS, failing(ValueError(), b"2"), queue)
    assert answer == {"batchItemFailures": [{"itemIdentifier": records[1]["messageId"]}]}
    assert queue.sent() == []


@pytest.mark.parametrize(("receives", "wait_s"), [(1, 1), (2, 2), (4, 8), (7, 60), (RECEIVES_MAX, 60)])
def test_what_fails_comes_back_later_each_time(queue: Queue, receives: int, wait_s: float) -> None:
    record = record_of(b"1", receives=receives)
    handle_batch(event_of(record), EVENTS, failing(ValueError()), queue)
    assert queue.asked == [("release", record["receiptHandle"], wait_s)]


@pytest.mark.parametrize("error", [ValueError("a bug"), NotFound("gone"), RecursionError()])
def test_a_failure_that_is_no_fault_of_ours_counts_as_a_receive(queue: Queue, error: Exception) -> None:
    record = record_of(b"1")
    answer = handle_batch(event_of(record), EVENTS, failing(error), queue)
    assert (len(answer["batchItemFailures"]), queue.sent()) == (1, [])


def test_a_fault_of_ours_sends_the_message_again_and_takes_it_off(queue: Queue) -> None:
    records = [record_of(b"\xff1", receives=9, age_s=100), record_of(b"2")]
    handle = failing(StorageFault("The database is down."), b"\xff1")
    assert handle_batch(event_of(*records), EVENTS, handle, queue) == NOTHING
    (again,) = queue.sent()
    assert (again.body, again.receives) == (b"\xff1", 2)
    assert again.age_ms >= 100_000


@pytest.mark.parametrize(("age_s", "about_s"), [(0, 5), (10, 5), (100, 25), (1200, 300), (86_400, 300)])
def test_the_older_a_message_the_longer_it_waits_after_a_fault_of_ours(
    queue: Queue, age_s: float, about_s: float
) -> None:
    handle_batch(event_of(record_of(b"1", age_s=age_s)), EVENTS, failing(StorageFault("down")), queue)
    ((what, _, wait_s),) = queue.asked
    assert what == "again"
    assert about_s * 0.8 <= wait_s <= about_s * 1.25


def test_the_age_of_a_message_that_was_sent_again_is_that_of_the_first(queue: Queue) -> None:
    first = record_of(b"1", age_s=3_000)
    message = recorded(first, EVENTS, int(first["attributes"]["SentTimestamp"]) + 3_000_000)
    again = record_of(b"1", born_ms=int(first["attributes"]["SentTimestamp"]))
    got: list[Message] = []
    handle_batch(event_of(again), EVENTS, got.append, queue)
    assert (message.age_ms, got[0].receives) == (3_000_000, 2)
    assert 3_000_000 <= got[0].age_ms < 3_060_000


def test_an_outage_of_a_day_makes_no_dead_letter(queue: Queue) -> None:
    """Each message that comes out of the queue is handed to the function, as Lambda would."""
    queue.send(EVENTS, b"1")
    tries = 0
    begins = queue.now
    while queue.now < begins + 86_400:
        queue.now += 15
        for message in queue.receive(EVENTS):
            tries += 1
            record = record_of(message.body, receives=message.receives, age_s=message.age_ms / 1000)
            assert handle_batch(event_of(record), EVENTS, failing(StorageFault("down")), queue) == NOTHING
            queue.done(message)
    assert queue.dead_count(EVENTS) == 0
    assert 86_400 / (AGAIN_S[1] * 1.25) < tries < 500
    assert len(queue.sent()) == 1


def test_what_sqs_would_forget_counts_as_failed(queue: Queue) -> None:
    record = record_of(b"1", age_s=KEPT_S + 1)
    answer = handle_batch(event_of(record), EVENTS, failing(StorageFault("down")), queue)
    assert (len(answer["batchItemFailures"]), queue.sent()) == (1, [])


@pytest.mark.parametrize("error", [StorageFault("down"), ValueError()])
def test_a_queue_that_is_down_too_brings_the_message_back_by_its_lease(queue: Queue, error: Exception) -> None:
    queue.is_down = True
    records = [record_of(b"1"), record_of(b"2")]
    answer = handle_batch(event_of(*records), EVENTS, failing(error, b"1"), queue)
    assert answer == {"batchItemFailures": [{"itemIdentifier": records[0]["messageId"]}]}


def test_what_there_is_no_time_for_is_sent_again_untried(queue: Queue) -> None:
    got: list[Message] = []
    records = [record_of(b"%d" % number, receives=RECEIVES_MAX) for number in range(3)]
    assert handle_batch(event_of(*records), EVENTS, got.append, queue, has_time=lambda: not got) == NOTHING
    assert [one.body for one in got] == [b"0"]
    assert [(what, delay_s) for what, _, delay_s in queue.asked] == [("again", 0), ("again", 0)]
    assert [one.body for one in queue.sent()] == [b"1", b"2"]


def test_what_there_was_no_time_for_does_not_look_like_an_outage(
    queue: Queue, caplog: pytest.LogCaptureFixture
) -> None:
    """An alarm counts the lines of what an outage put off."""
    with caplog.at_level(logging.INFO, "paymentserver.queue"):
        handle_batch(event_of(record_of(b"1")), EVENTS, failing(ValueError()), queue, has_time=lambda: False)
    (line,) = [one.fields for one in caplog.records]  # type: ignore[attr-defined]
    assert line["result"] == "untried"


def test_records_of_one_id_are_answered_once(queue: Queue) -> None:
    record = record_of(b"1")
    answer = handle_batch(event_of(record, record), EVENTS, failing(ValueError()), queue)
    assert answer == {"batchItemFailures": [{"itemIdentifier": record["messageId"]}]}


@pytest.mark.parametrize(
    "change",
    [
        {"attributes": {}},
        {"attributes": {"ApproximateReceiveCount": "many", "SentTimestamp": "1"}},
        {"messageAttributes": {"bytes": {"dataType": "Binary", "binaryValue": "%%%"}}},
        {"messageAttributes": {"bytes": {"dataType": "String", "stringValue": "x"}}},
        {"messageAttributes": {"born_ms": {"dataType": "String", "stringValue": "yesterday"}}},
        {"body": None},
    ],
    ids=str,
)
def test_a_record_that_makes_no_sense_fails_alone(queue: Queue, change: dict[str, Any]) -> None:
    strange, good, got = {**record_of(b"1"), **change}, record_of(b"2"), list[Message]()
    answer = handle_batch(event_of(strange, good), EVENTS, got.append, queue)
    assert answer == {"batchItemFailures": [{"itemIdentifier": strange["messageId"]}]}
    assert [one.body for one in got] == [b"2"]


def test_the_answer_is_json_as_lambda_wants_it(queue: Queue) -> None:
    answer = handle_batch(event_of(record_of(b"1")), EVENTS, failing(ValueError()), queue)
    assert json.loads(json.dumps(answer)) == answer


@given(st.binary(max_size=200) | st.text(max_size=100).map(lambda text: text.encode(errors="ignore")))
def test_any_bytes_travel_as_text_that_sqs_takes(body: bytes) -> None:
    form = sent_form(body)
    assert form["MessageBody"]
    assert all(char in "\t\n\r" or " " <= char <= "\ud7ff" or char >= "\ue000" for char in form["MessageBody"])
    assert not {"\ufffe", "\uffff"} & set(form["MessageBody"])
    assert recorded(record_of(body), EVENTS, 0).body == body


def test_with_threads_messages_are_handled_side_by_side(queue: Queue) -> None:
    """One after the other, the first would wait for the others until the barrier gives up."""
    records, all_there = [record_of(b"%d" % number) for number in range(3)], Barrier(3, timeout=20)

    def handle(message: Message) -> None:
        all_there.wait()
        if message.body == b"1":
            raise ValueError("a bug")

    with ThreadPoolExecutor(3) as threads:
        answer = handle_batch(event_of(*records), EVENTS, handle, queue, threads=threads)
    assert answer == {"batchItemFailures": [{"itemIdentifier": records[1]["messageId"]}]}


def test_messages_side_by_side_tell_of_themselves_alone(queue: Queue) -> None:
    records, both_there, told = [record_of(b"1"), record_of(b"2")], Barrier(2, timeout=20), list[dict[str, Any]]()

    def handle(message: Message) -> None:
        telemetry.note(payment_id=f"pay_{message.body.decode()}")
        both_there.wait()
        told.append({**telemetry.bound(), "body": message.body.decode()})

    with telemetry.bind(request_id="r"), ThreadPoolExecutor(2) as threads:
        handle_batch(event_of(*records), EVENTS, handle, queue, threads=threads)
    assert {one["request_id"] for one in told} == {"r"}
    assert all(one["payment_id"] == f"pay_{one['body']}" for one in told)
