"""What a message looks like in SQS, as it is sent, as it is received, and as Lambda hands it to a function.

Text that SQS takes is the message's body, readable on AWS' console. Other bytes travel in a binary attribute, which may not be
empty, so it begins with one byte of nothing. A message that was sent again carries when it was first sent.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any

from chalicelib.contracts.queue import Message, Topic

BYTES, BORN_MS = "bytes", "born_ms"
IN_ATTRIBUTE = "The message is in the attribute `bytes`."
ASKED = {
    "MessageAttributeNames": [BYTES, BORN_MS],
    "MessageSystemAttributeNames": ["SentTimestamp", "ApproximateReceiveCount"],
}

# Amazon SQS API Reference, SendMessage: the characters of a body.
_TEXT = re.compile("[\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]+")


def sent_form(body: bytes, born_ms: int | None = None) -> dict[str, Any]:
    """What SendMessage and an entry of SendMessageBatch take."""
    text = _text_of(body)
    attributes: dict[str, Any] = {}
    if text is None:
        attributes[BYTES] = {"DataType": "Binary", "BinaryValue": b"\0" + body}
    if born_ms is not None:
        attributes[BORN_MS] = {"DataType": "Number", "StringValue": str(born_ms)}
    form: dict[str, Any] = {"MessageBody": IN_ATTRIBUTE if text is None else text}
    return {**form, "MessageAttributes": attributes} if attributes else form


def received(got: Mapping[str, Any], topic: Topic, now_ms: int) -> Message:
    """A message of ReceiveMessage's answer."""
    attributes = {
        name: one.get("BinaryValue", one.get("StringValue")) for name, one in got.get("MessageAttributes", {}).items()
    }
    return _message(got["MessageId"], topic, got["ReceiptHandle"], got["Body"], attributes, got["Attributes"], now_ms)


def recorded(record: Mapping[str, Any], topic: Topic, now_ms: int) -> Message:
    """A record of the event that Lambda hands to the queue's function, where binary values are base64. Raises KeyError and
    ValueError for what is none."""
    attributes: dict[str, Any] = {
        name: one.get("stringValue") for name, one in record.get("messageAttributes", {}).items()
    }
    if BYTES in attributes:
        attributes[BYTES] = base64.b64decode(record["messageAttributes"][BYTES]["binaryValue"], validate=True)
    return _message(
        record["messageId"],
        topic,
        record["receiptHandle"],
        record["body"],
        attributes,
        record["attributes"],
        now_ms,
    )


def _message(
    id: str,
    topic: Topic,
    receipt: str,
    text: str,
    attributes: Mapping[str, Any],
    counted: Mapping[str, str],
    now_ms: int,
) -> Message:
    body = attributes[BYTES][1:] if BYTES in attributes else text.encode()
    receives, born_ms = int(counted["ApproximateReceiveCount"]), int(counted["SentTimestamp"])
    if BORN_MS in attributes:
        receives, born_ms = receives + 1, int(attributes[BORN_MS])
    return Message(id, topic, body, receipt, receives, max(now_ms - born_ms, 0))


def _text_of(body: bytes) -> str | None:
    """None for what can be no body."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return None
    return text if _TEXT.fullmatch(text) else None
