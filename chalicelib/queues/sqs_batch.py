"""The event that Lambda hands to a queue's function, handled message by message, and the answer that brings back what failed.

A fault of ours (the database is out of reach) is not the message's: it is sent again as a new one, later the older it is, and
taken off the queue. So an outage of any length makes no dead letters, until SQS itself would forget the message. What somebody
queues anew in any case, for as long as it is not done, is sent again once: copies of it would pile up. Every other failure
counts as a receive, and the tenth ends in the dead letters.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from typing import Any

from chalicelib import telemetry
from chalicelib.contracts.queue import Message, Queue, Topic
from chalicelib.domain.errors import Fault, PaymentServerError
from chalicelib.queues.sqs_form import recorded
from chalicelib.queues.sqs_queues import KEPT_S

log = logging.getLogger("paymentserver.queue")
AGAIN_S = (5.0, 300.0)  # the least and the most that a message waits after a fault of ours
AGAIN_AFTER = 4  # it waits for this part of its age
RELEASE_MAX_S = 60.0


def handle_batch(
    event: Mapping[str, Any],
    topic: Topic,
    handle: Callable[[Message], None],
    queue: Queue,
    *,
    has_time: Callable[[], bool] = lambda: True,
    threads: Executor | None = None,
    is_queued_anew: Callable[[Message], bool] = lambda message: False,
) -> dict[str, Any]:
    """What the function returns. `handle` raises where a message is to come again; once `has_time` denies it, the messages
    that are left are sent again untried, since a function that Lambda ends brings its whole batch back. With `threads`
    messages are handled side by side: those that wait for a PSP each would otherwise be paid for one after the other.
    `is_queued_anew`: whether somebody queues such a message again as long as it is not done.

    Ids of the event alone are answered: any other makes Lambda bring the whole batch back.
    """
    about = telemetry.bound()

    def again_after_fault(message: Message) -> str:
        if message.receives > 1 and is_queued_anew(message):
            return "again"
        return _again(message, queue, _wait_s(message))

    def is_settled(record: Mapping[str, Any]) -> bool:
        with telemetry.bind(**about):  # a thread begins without, and each message's line tells of itself alone
            message = _message_in(record, topic)
            return message is not None and _settled(message, handle, queue, has_time, again_after_fault)

    records = event["Records"]
    settled = (threads.map if threads is not None else map)(is_settled, records)
    failed = dict.fromkeys(record["messageId"] for record, done in zip(records, settled, strict=True) if not done)
    return {"batchItemFailures": [{"itemIdentifier": id} for id in failed]}


def _message_in(record: Mapping[str, Any], topic: Topic) -> Message | None:
    try:
        return recorded(record, topic, int(time.time() * 1000))
    except (KeyError, ValueError, TypeError, AttributeError):  # not one that PaymentServer sent
        log.exception("unreadable message", extra={"fields": {"topic": topic}})
        return None


def _settled(
    message: Message,
    handle: Callable[[Message], None],
    queue: Queue,
    has_time: Callable[[], bool],
    again_after_fault: Callable[[Message], str],
) -> bool:
    """Whether the message may be taken off the queue."""
    with telemetry.bind(topic=message.topic, receives=message.receives):
        began = time.perf_counter()
        tried = has_time()
        result = _result(message, handle, queue, again_after_fault) if tried else _again(message, queue, 0, "untried")
        telemetry.count("queue_messages_total", queue=message.topic, result=result)
        duration_ms = round((time.perf_counter() - began) * 1000, 2)
        log.info("message", extra={"fields": {"result": result, "duration_ms": duration_ms}})
        return result != "failed"


def _result(
    message: Message, handle: Callable[[Message], None], queue: Queue, again_after_fault: Callable[[Message], str]
) -> str:
    """`done`, `again` or `failed`."""
    try:
        handle(message)
    except Exception as error:
        detail = error.detail if isinstance(error, PaymentServerError) else type(error).__name__
        log.exception("message failed", extra={"fields": {"detail": detail}})
        if isinstance(error, Fault) and message.age_ms < KEPT_S * 1000:
            return again_after_fault(message)
        _release(message, queue)
        return "failed"
    return "done"


def _again(message: Message, queue: Queue, delay_s: float, result: str = "again") -> str:
    """`result`, or `failed`. Alarms take `again` for an outage."""
    try:
        queue.send_again(message, delay_s=delay_s)
    except PaymentServerError as error:
        log.error("message comes back after its lease", extra={"fields": {"detail": error.detail}})
        return "failed"
    return result


def _release(message: Message, queue: Queue) -> None:
    """Sooner than its lease ends, which is as long as the function may run; later each time."""
    try:
        queue.release(message, delay_s=min(2.0 ** (message.receives - 1), RELEASE_MAX_S))
    except PaymentServerError as error:
        log.error("message comes back after its lease", extra={"fields": {"detail": error.detail}})


def _wait_s(message: Message) -> float:
    """Spread, so that what waited for a database does not come back to it all at once."""
    least, most = AGAIN_S
    wait_s = min(max(message.age_ms / 1000 / AGAIN_AFTER, least), most)
    return wait_s * random.uniform(0.8, 1.2)  # noqa: S311  # jitter is no secret
