"""The functions behind the queues: `apply` takes PSPs' webhooks, `notify` status changes, `attend` chores."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

from chalicelib.contracts.queue import Topic
from chalicelib.functions.invocation import Context, invocation, left_s
from chalicelib.functions.wired import wired
from chalicelib.queues.sqs_batch import handle_batch
from chalicelib.services.work import is_queued_anew

log = logging.getLogger("paymentserver.functions")
MARGIN_S = 3.0  # kept for the answer, before Lambda ends the function and brings its whole batch back

# What one message may take: a PSP has 20 s for a question, of which a webhook may need three (is it genuine, whose is it, what
# became of that). An event waits for nobody but the database.
MESSAGE_S = {"apply": 65.0, "notify": 25.0, "attend": 65.0}
BEGIN_S = 3.0  # what has not begun by then, once all messages are handled, waits behind a slow endpoint

THREADS = 10  # as many as a batch of chores has messages
_WAITS = ("attend",)  # for an answer of a PSP, most of its time

# What each function's messages need; the others are made if they are ever asked for.
_PARTS = {"apply": ("apply", "attend"), "notify": ("notify",), "attend": ("attend", "notify", "apply")}


def start(handler: str) -> None:
    for part in (*_PARTS[handler], "work", "queue"):
        getattr(wired(), part)
    if "notify" in _PARTS[handler]:
        assert wired().ports.publishers["webhook"], "most subscribers have an endpoint"
    wired().connect()


def apply(event: Mapping[str, Any], context: Context) -> dict[str, Any]:
    return _work("apply", Topic.INBOUND, event, context)


def notify(event: Mapping[str, Any], context: Context) -> dict[str, Any]:
    return _work("notify", Topic.EVENTS, event, context)


def attend(event: Mapping[str, Any], context: Context) -> dict[str, Any]:
    return _work("attend", Topic.CHORES, event, context)


def _work(function: str, topic: Topic, event: Mapping[str, Any], context: Context) -> dict[str, Any]:
    with invocation(function, context, is_told=True) as fields:
        left, begun = left_s(context, MARGIN_S), 0

        def has_time() -> bool:
            """The first message has it in any case: a function of too short a time would put all off for ever."""
            nonlocal begun
            begun += 1
            return begun == 1 or left() >= MESSAGE_S[function]

        threads = _threads() if function in _WAITS else None
        answer = handle_batch(
            event,
            topic,
            wired().work.handle,
            wired().queue,
            has_time=has_time,
            threads=threads,
            is_queued_anew=is_queued_anew,
        )
        fields["count"], fields["failed"] = len(event["Records"]), len(answer["batchItemFailures"])
        if "notify" in _PARTS[function]:
            _let_deliveries_end(left())
        return answer


@cache
def _threads() -> ThreadPoolExecutor:
    """Kept between calls, with the connections that each has to PSPs."""
    return ThreadPoolExecutor(THREADS, "chore")


def _let_deliveries_end(most_s: float) -> None:
    """They run beside their messages, and Lambda freezes what still runs once the function has answered. Such a one is
    recorded as due; the sweep brings it again, and the subscriber drops the repeat by its id. What stands in the lane of a slow
    endpoint is left to the sweep too: waiting for all of it would keep other subscribers' messages from this function."""
    if not wired().notify.rest(max(most_s, 0), begin_s=BEGIN_S):
        log.warning("deliveries are cut short")
