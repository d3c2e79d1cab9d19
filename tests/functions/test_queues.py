"""The functions behind the queues: each message is handled, what failed alone comes again, deliveries end first."""

from __future__ import annotations

import base64
import json
import logging
import threading
from datetime import UTC, datetime
from typing import Any

import pytest

from chalicelib.contracts.queue import Topic
from chalicelib.contracts.webhooks import Delivery
from chalicelib.domain.errors import StorageFault
from chalicelib.functions import queues
from chalicelib.functions.handlers import handler_of
from chalicelib.queues.sqs_form import sent_form
from chalicelib.services.apply import BUDGET_S
from chalicelib.services.chores import chore
from chalicelib.services.intake import message_of
from chalicelib.services.kinds import INBOX
from infra.stages import stage_of
from tests.aws.events import Context, queued
from tests.functions.conftest import Process

WEBHOOK = {"id": "evt_1", "type": "session.expired", "version": 1, "data": {"reference": "att_" + "a" * 24 + "_01"}}


def event(topic: Topic, *bodies: bytes, receives: int = 1) -> dict[str, Any]:
    forms = [sent_form(body) for body in bodies]
    assert not any(form.get("MessageAttributes") for form in forms), "the tests' bodies are text"
    return queued(topic, *(form["MessageBody"] for form in forms), receives=receives)


def webhook(**changes: Any) -> bytes:
    body = json.dumps({**WEBHOOK, **changes}).encode()
    return message_of("default", "sandbox-a", Delivery({}, body, datetime.now(UTC)), "verified")


@pytest.fixture
def released(process: Process, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Ids of messages that were given back; a queue of this machine knows no message of SQS."""
    ids: list[str] = []
    monkeypatch.setattr(process.wiring.queue, "release", lambda message, *, delay_s: ids.append(message.id))
    return ids


def inbox(process: Process) -> list[Any]:
    return [one.value for one in process.wiring.store.find(INBOX, "by_time", "default").items]


def test_a_webhook_is_applied_or_kept_in_the_inbox(process: Process) -> None:
    assert queues.apply(event(Topic.INBOUND, webhook()), Context(120)) == {"batchItemFailures": []}
    (item,) = inbox(process)
    assert (item.status, json.loads(base64.b64decode(item.body_base64))) == ("failed", WEBHOOK)


def test_a_returning_shoppers_sync_may_come_among_the_webhooks(process: Process) -> None:
    asked: list[str] = []
    process.wiring.__dict__["attend"] = type("Asked", (), {"sync": staticmethod(asked.append)})()
    queues.apply(event(Topic.INBOUND, webhook(), chore("sync", "pay_1")), Context(120))
    assert asked == ["pay_1"]
    assert len(inbox(process)) == 1


def test_only_what_failed_comes_again(process: Process, released: list[str]) -> None:
    batch = event(Topic.INBOUND, webhook(), b"{}", b"not JSON")
    failed = [one["messageId"] for one in batch["Records"][1:]]
    told = queues.apply(batch, Context(120))
    assert told == {"batchItemFailures": [{"itemIdentifier": one} for one in failed]}
    assert len(inbox(process)) == 1
    assert released == failed


def test_a_database_that_is_down_makes_no_failure_but_a_new_message(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_: object, **__: object) -> None:
        raise StorageFault("no answer")

    with monkeypatch.context() as broken:
        broken.setattr(process.wiring.store, "get", down)
        broken.setattr("chalicelib.queues.sqs_batch.AGAIN_S", (0.0, 0.0))
        assert queues.apply(event(Topic.INBOUND, webhook(), receives=9), Context(120)) == {"batchItemFailures": []}
    (again,) = process.wiring.queue.receive(Topic.INBOUND)
    assert again.receives < 9
    process.wiring.work.handle(again)
    assert [one.status for one in inbox(process)] == ["failed"]


@pytest.mark.parametrize(
    ("topic", "body", "copies"),
    [
        (Topic.CHORES, chore("attend", "pay_1"), 0),
        (Topic.CHORES, chore("deliver", "del_1"), 0),
        (Topic.CHORES, chore("inbox", "inb_1"), 0),
        (Topic.CHORES, chore("look_again", "pay_1"), 1),  # the walk has passed by
        (Topic.CHORES, chore("sync", "pay_1"), 1),
    ],
    ids=str,
)
def test_an_outage_multiplies_no_chore_that_the_sweep_queues_anew_anyway(
    process: Process, monkeypatch: pytest.MonkeyPatch, topic: Topic, body: bytes, copies: int
) -> None:
    """The sweep finds what is due each half minute. Were each of its chores sent again until the database is back, an
    outage of a day would leave thousands of chores for each payment that is due."""
    monkeypatch.setattr("chalicelib.queues.sqs_batch.AGAIN_S", (0.0, 0.0))
    monkeypatch.setattr(process.wiring.store, "get", _down)
    for receives, kept in ((1, 1), (2, copies)):  # once, because most faults are short
        assert queues.attend(event(topic, body, receives=receives), Context(120)) == {"batchItemFailures": []}
        assert [one.body for one in _taken(process, topic)] == [body] * kept


@pytest.mark.parametrize(("again", "copies"), [(False, 1), (True, 0)])
def test_an_outage_multiplies_no_event_that_the_outbox_queues_anew_anyway(
    process: Process, monkeypatch: pytest.MonkeyPatch, again: bool, copies: int
) -> None:
    monkeypatch.setattr("chalicelib.queues.sqs_batch.AGAIN_S", (0.0, 0.0))
    monkeypatch.setattr(process.wiring.store, "find", _down)
    body = json.dumps({**json.loads(status_change()), "again": again}).encode()
    assert queues.notify(event(Topic.EVENTS, body, receives=2), Context(120)) == {"batchItemFailures": []}
    assert len(_taken(process, Topic.EVENTS)) == copies


def _down(*_: object, **__: object) -> None:
    raise StorageFault("no answer")


def _taken(process: Process, topic: Topic) -> list[Any]:
    found = list(process.wiring.queue.receive(topic))
    for one in found:
        process.wiring.queue.done(one)
    return found


def test_a_chore_whose_object_is_gone_is_done(process: Process) -> None:
    batch = event(Topic.CHORES, *(chore(do, "gone") for do in ("attend", "sync", "deliver", "inbox")))
    assert queues.attend(batch, Context(120)) == {"batchItemFailures": []}


def test_what_there_is_no_time_for_is_sent_again_but_the_first_is_always_tried(process: Process) -> None:
    batch = event(Topic.CHORES, *(chore("attend", f"pay_{number}") for number in range(3)))
    assert queues.attend(batch, Context(left_s=10)) == {"batchItemFailures": []}
    again = process.wiring.queue.receive(Topic.CHORES)
    assert sorted(json.loads(one.body)["id"] for one in again) == ["pay_1", "pay_2"]


def status_change() -> bytes:
    document = {
        "merchant_id": "default",
        "payment_id": "pay_1",
        "event_id": "evt_1",
        "event_type": "payment.captured",
        "again": False,
        "body": "{}",
    }
    return json.dumps(document).encode()


def test_an_event_that_nobody_subscribed_to_is_done(process: Process) -> None:
    assert queues.notify(event(Topic.EVENTS, status_change()), Context(120)) == {"batchItemFailures": []}


def test_the_function_answers_once_its_deliveries_have_ended(process: Process) -> None:
    """Lambda would freeze them else."""
    ended = threading.Event()

    class Slow:
        def message(self, body: bytes, *, again: bool) -> None: ...

        def rest(self, timeout_s: float, *, begin_s: float) -> bool:
            assert 0 < begin_s < timeout_s <= 27
            ended.set()
            return True

        def close(self) -> None: ...

    process.wiring.__dict__["notify"] = Slow()
    queues.notify(event(Topic.EVENTS, status_change()), Context(left_s=30))
    assert ended.is_set()


def test_a_batch_that_went_well_is_told_by_its_messages(process: Process, caplog: pytest.LogCaptureFixture) -> None:
    queues.apply(event(Topic.INBOUND, webhook()), Context(120))  # the first call of a process is always told
    with caplog.at_level(logging.INFO, "paymentserver"):
        caplog.clear()
        queues.apply(event(Topic.INBOUND, webhook(), webhook()), Context(120))
    assert [one.message for one in caplog.records if one.levelno == logging.INFO] == ["message", "message"]


def test_a_batch_with_a_failure_is_one_wide_line(
    process: Process, released: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "paymentserver.functions"):
        queues.apply(event(Topic.INBOUND, webhook(), b"{}"), Context(120))
    (line,) = [one.fields for one in caplog.records if one.message == "invocation"]  # type: ignore[attr-defined]
    assert (line["result"], line["count"], line["failed"]) == ("done", 2, 1)


@pytest.mark.parametrize("name", ["apply", "notify", "attend"])
def test_a_function_starts_without_anybody_to_call(
    process: Process, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", name)
    assert handler_of(name) is getattr(queues, name)


@pytest.mark.parametrize("function", ["apply", "attend"])
def test_a_message_begins_only_with_the_time_for_every_question_that_it_may_ask(function: str) -> None:
    """Each takes 20 s at most: whether the webhook is genuine, whose it is, and what became of the attempt. A function that is
    ended meanwhile brings messages back that were done, one receive nearer to the dead letters."""
    assert queues.MESSAGE_S[function] > 3 * BUDGET_S
    assert stage_of("prod").timeout_s(function) - queues.MARGIN_S > queues.MESSAGE_S[function]


def test_a_message_of_an_event_begins_with_the_time_that_a_database_may_take() -> None:
    assert stage_of("prod").timeout_s("notify") - queues.MARGIN_S > queues.MESSAGE_S["notify"] >= 25
