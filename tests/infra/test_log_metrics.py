"""What the log metrics look for is what the functions write."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.contracts.queue import Message, Topic
from chalicelib.domain.errors import StorageFault
from chalicelib.queues.sqs_batch import handle_batch
from chalicelib.telemetry.logs import JsonFormatter
from infra.log_metrics import PUT_OFF
from tests.aws.events import queued


class Resending:
    """A queue that takes messages back."""

    def __init__(self) -> None:
        self.sent: list[Message] = []

    def send_again(self, message: Message, *, delay_s: float = 0) -> None:
        self.sent.append(message)


@pytest.fixture
def lines() -> Iterator[list[dict[str, Any]]]:
    """What is logged, filled in when the test looks at it."""
    stream, told = io.StringIO(), list[dict[str, Any]]()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    handler.addFilter(lambda record: told.append(json.loads(handler.format(record))) or True)
    logger = logging.getLogger("paymentserver")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield told
    logger.removeHandler(handler)
    logger.setLevel(level)


def _matches(line: dict[str, Any]) -> bool:
    """As CloudWatch reads the pattern, which here only compares fields of a JSON line with texts."""
    compared = re.findall(r'\$\.(\w+) = "([^"]*)"', PUT_OFF)
    assert len(compared) == PUT_OFF.count("$.") == PUT_OFF.count("&&") + 1
    return all(line.get(name) == text for name, text in compared)


def test_a_message_that_an_outage_puts_off_is_counted(lines: list[dict[str, Any]]) -> None:
    def handle(message: Message) -> None:
        raise StorageFault("no answer")

    queue: Any = Resending()
    assert handle_batch(queued("inbound", "{}"), Topic.INBOUND, handle, queue) == {"batchItemFailures": []}
    assert len(queue.sent) == 1
    assert [_matches(line) for line in lines].count(True) == 1


def test_a_message_that_is_done_is_not(lines: list[dict[str, Any]]) -> None:
    queue: Any = Resending()
    handle_batch(queued("inbound", "{}"), Topic.INBOUND, lambda message: None, queue)
    assert lines
    assert not any(_matches(line) for line in lines)
