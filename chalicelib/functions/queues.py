"""The functions behind the queues: `apply` takes PSPs' webhooks, `notify` status changes, `attend` chores.

A batch is answered with the messages that failed, which alone come again.
"""

from __future__ import annotations

import base64
import logging
from typing import Any

from chalicelib import telemetry
from chalicelib.contracts.queue import Message, Topic
from chalicelib.domain.errors import PaymentServerError
from chalicelib.functions.invocation import Context, invocation, left_s
from chalicelib.functions.wired import wired

log = logging.getLogger("paymentserver.functions")
MARGIN_S = 2.0  # kept for answering before Lambda ends the function


def apply(event: dict[str, Any], context: Context) -> dict[str, Any]:
    return _work("apply", Topic.INBOUND, event, context)


def notify(event: dict[str, Any], context: Context) -> dict[str, Any]:
    return _work("notify", Topic.EVENTS, event, context)


def attend(event: dict[str, Any], context: Context) -> dict[str, Any]:
    return _work("attend", Topic.CHORES, event, context)


def _work(function: str, topic: Topic, event: dict[str, Any], context: Context) -> dict[str, Any]:
    with invocation(function, context) as fields:
        left = left_s(context, MARGIN_S)
        failed = []
        for record in event["Records"]:
            message = Message(
                record["messageId"],
                topic,
                base64.b64decode(record["body"]),
                record["receiptHandle"],
                int(record["attributes"]["ApproximateReceiveCount"]),
                0,
            )
            if not _handled(message):
                failed.append({"itemIdentifier": record["messageId"]})
        fields["count"] = len(event["Records"])
        # Deliveries run beside their messages, and Lambda freezes what still runs when the function has answered.
        wired().notify.rest(max(left(), 0))
        return {"batchItemFailures": failed}


def _handled(message: Message) -> bool:
    with telemetry.bind(topic=message.topic, receives=message.receives):
        try:
            wired().work.handle(message)
        except Exception as error:
            detail = error.detail if isinstance(error, PaymentServerError) else type(error).__name__
            log.exception("message failed", extra={"fields": {"detail": detail}})
            return False
    return True
