"""Where deliveries run: a lane for each endpoint, so that a slow or dead one keeps no other waiting.

A lane runs a few jobs at a time, and of one key (a payment) never two: what is put in first goes first. All lanes share one
pool of threads, which is larger than what the slowest endpoints together may hold.
"""

from __future__ import annotations

import contextvars
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

THREADS = 128  # most of them wait for somebody's answer
WAITING_MAX = 1_000  # jobs of one lane; what comes beyond is left to the due index
BURST_MAX = 10_000  # of a lane whose endpoint is quick: it works them off within the minute


class LaneFull(Exception):
    """Too much waits for this endpoint already."""


@dataclass(frozen=True, slots=True)
class _Job:
    key: str
    run: Callable[[], None]
    done: Future[None]


@dataclass
class _Lane:
    running: int = 0
    busy: set[str] = field(default_factory=set)  # keys of which a job runs
    waiting: deque[_Job] = field(default_factory=deque)


class Lanes:
    """Thread-safe. Lanes that are empty are forgotten."""

    def __init__(self, threads: int = THREADS) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="deliver")
        self._lock = threading.Condition()
        self._lanes: dict[str, _Lane] = {}

    def is_short(self, name: str, limit: int) -> bool:
        """Whether a job would run at once, or soon where the endpoint is quick."""
        with self._lock:
            lane = self._lanes.get(name)
            return lane is None or len(lane.waiting) < limit

    def submit(
        self, name: str, limit: int, key: str, run: Callable[[], None], *, room: int = WAITING_MAX
    ) -> Future[None]:
        """Runs `run` when the lane lets it; the future tells when it is done, or what it raised. Raises LaneFull where
        `room` jobs wait already."""
        inside = contextvars.copy_context()  # so that its log lines carry what the caller's carry
        job = _Job(key, lambda: inside.run(run), Future())
        with self._lock:
            lane = self._lanes.setdefault(name, _Lane())
            if len(lane.waiting) >= room:
                raise LaneFull
            lane.waiting.append(job)
            ready = self._next(lane, limit)
        self._start(name, limit, ready)
        return job.done

    def rest(self, timeout_s: float, *, begin_s: float | None = None) -> bool:
        """Waits until nothing runs and nothing waits, and says whether it came to that. What has not begun after `begin_s` is
        dropped: its record brings it back."""
        ends = time.monotonic() + timeout_s
        with self._lock:
            if begin_s is not None and not self._lock.wait_for(lambda: not self._lanes, min(begin_s, timeout_s)):
                self._drop()
            return self._lock.wait_for(lambda: not self._lanes, max(ends - time.monotonic(), 0))

    def close(self) -> None:
        """Ends when what runs has ended. What waits is dropped: its messages and records bring it back."""
        with self._lock:
            self._drop()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _drop(self) -> None:
        for lane in self._lanes.values():
            lane.waiting.clear()

    def _next(self, lane: _Lane, limit: int) -> _Job | None:
        """Takes the first job whose key is not busy; jobs behind it with the same key stay behind it."""
        if lane.running >= limit:
            return None
        for place, job in enumerate(lane.waiting):
            if job.key not in lane.busy:
                del lane.waiting[place]
                lane.running += 1
                lane.busy.add(job.key)
                return job
        return None

    def _start(self, name: str, limit: int, job: _Job | None) -> None:
        if job is not None:
            self._pool.submit(self._run, name, limit, job)

    def _run(self, name: str, limit: int, job: _Job) -> None:
        try:
            job.run()
        except BaseException as error:
            job.done.set_exception(error)
        else:
            job.done.set_result(None)
        with self._lock:
            lane = self._lanes[name]
            lane.running -= 1
            lane.busy.discard(job.key)
            ready = self._next(lane, limit)
            if not lane.running and not lane.waiting:
                self._lanes.pop(name, None)
                self._lock.notify_all()
        self._start(name, limit, ready)
