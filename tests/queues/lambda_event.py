"""The event that Lambda makes of an SQS batch (AWS Lambda Developer Guide, "Using Lambda with Amazon SQS")."""

from __future__ import annotations

import base64
import hashlib
import time
import uuid
from typing import Any

from chalicelib.queues.sqs_form import sent_form


def record_of(body: bytes, *, receives: int = 1, age_s: float = 0, born_ms: int | None = None) -> dict[str, Any]:
    """What PaymentServer sent, as its function gets it."""
    form = sent_form(body, born_ms)
    sent_ms = int((time.time() - age_s) * 1000)
    return {
        "messageId": str(uuid.uuid4()),
        "receiptHandle": f"AQEB{uuid.uuid4().hex}",
        "body": form["MessageBody"],
        "attributes": {
            "ApproximateReceiveCount": str(receives),
            "SentTimestamp": str(sent_ms),
            "SenderId": "AROAEXAMPLE:webhooks",
            "ApproximateFirstReceiveTimestamp": str(sent_ms + 7),
        },
        "messageAttributes": {name: _attribute_of(one) for name, one in form.get("MessageAttributes", {}).items()},
        "md5OfBody": hashlib.md5(form["MessageBody"].encode()).hexdigest(),
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:paymentserver-prod-events",
        "awsRegion": "eu-central-1",
    }


def _attribute_of(sent: dict[str, Any]) -> dict[str, Any]:
    value = {"stringListValues": [], "binaryListValues": [], "dataType": sent["DataType"]}
    if "BinaryValue" in sent:
        return {**value, "binaryValue": base64.b64encode(sent["BinaryValue"]).decode()}
    return {**value, "stringValue": sent["StringValue"]}


def event_of(*records: dict[str, Any]) -> dict[str, Any]:
    return {"Records": list(records)}
