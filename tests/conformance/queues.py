"""Every queue the conformance suite runs for. A new queue is one entry in QUEUES."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from chalicelib.contracts.queue import Queue
from chalicelib.queues.embedded import EmbeddedQueue


@dataclass(frozen=True, slots=True)
class OpenQueue:
    """`reopen` gives another queue over the same data; `wait` lets so many seconds pass for all of them."""

    queue: Queue
    reopen: Callable[[], Queue]
    wait: Callable[[float], None]


@dataclass(frozen=True, slots=True)
class QueueHarness:
    name: str
    at: Callable[[Path, Callable[[], float]], Queue]

    @contextmanager
    def open_for_test(self, tmp_path: Path) -> Iterator[OpenQueue]:
        opened: list[Queue] = []
        now = [1_800_000_000.0]

        def reopen() -> Queue:
            opened.append(self.at(tmp_path, lambda: now[0]))
            return opened[-1]

        def wait(seconds: float) -> None:
            now[0] += seconds

        try:
            yield OpenQueue(reopen(), reopen, wait)
        finally:
            for each in opened:
                each.close()

    def __str__(self) -> str:
        return self.name


QUEUES = (QueueHarness("embedded", lambda path, clock: EmbeddedQueue(str(path / "queue.db"), clock)),)
