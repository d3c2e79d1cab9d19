"""Every queue the conformance suite runs for. A new queue is one entry in QUEUES.

The embedded queue runs on a clock that a test moves; SQS' stand-in has the machine's, so leases and delays that a test waits
for are short there, and those that must hold are long.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from chalicelib.contracts.queue import Queue
from chalicelib.queues.embedded import EmbeddedQueue
from chalicelib.queues.sqs import SqsQueue
from chalicelib.queues.sqs_queues import create_queues
from tests.servers.aws import in_aws

Start = Callable[[], str]  # gives a stand-in's endpoint
_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class OpenQueue:
    """`reopen` gives another queue over the same data; `wait` lets so many seconds pass for all of them, and `nearly` almost
    so many. `short_s` is a lease or delay that can be waited for."""

    queue: Queue
    reopen: Callable[[], Queue]
    wait: Callable[[float], None]
    nearly: Callable[[float], None]
    short_s: float
    exact: bool = True  # ages are to the millisecond, and messages come in their order

    def is_age(self, age_ms: int, least_s: float) -> bool:
        """Whether a message may be that old of which the test knows that it is `least_s` old, or a bit more."""
        return age_ms == least_s * 1000 if self.exact else least_s * 1000 <= age_ms < least_s * 1000 + 60_000

    def oldest(self, age_s: int) -> int | None:
        """What `depth` says where the oldest message is that old: SQS does not know."""
        return age_s if self.exact else None

    def as_sent(self, bodies: Sequence[bytes]) -> list[bytes]:
        """Bodies to compare with those that were sent in rising order: SQS promises no order."""
        return list(bodies) if self.exact else sorted(bodies)


class EmbeddedHarness:
    @contextmanager
    def open_for_test(self, tmp_path: Path, start: Start) -> Iterator[OpenQueue]:
        opened: list[Queue] = []
        now = [1_800_000_000.0]

        def reopen() -> Queue:
            opened.append(EmbeddedQueue(str(tmp_path / "queue.db"), lambda: now[0]))
            return opened[-1]

        def wait(seconds: float) -> None:
            now[0] += seconds

        try:
            yield OpenQueue(reopen(), reopen, wait, lambda seconds: wait(seconds - 1), short_s=30)
        finally:
            for each in opened:
                each.close()

    def __str__(self) -> str:
        return "embedded"


class SqsHarness:
    @contextmanager
    def open_for_test(self, tmp_path: Path, start: Start) -> Iterator[OpenQueue]:
        with in_aws(start()) as endpoint:
            url = f"{endpoint}/000000000000/test-{next(_numbers)}"
            create_queues(url)
            yield OpenQueue(
                SqsQueue(url),
                lambda: SqsQueue(url),
                lambda seconds: time.sleep(min(seconds, 1) + 0.05),
                lambda seconds: None,
                short_s=1,
                exact=False,
            )

    def __str__(self) -> str:
        return "sqs"


Harness = Any  # one of the classes above: `open_for_test(tmp_path, start)`, and its name as `str`
QUEUES: tuple[Harness, ...] = (
    EmbeddedHarness(),
    pytest.param(SqsHarness(), marks=pytest.mark.xdist_group("ministack")),
)
