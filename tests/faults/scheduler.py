"""Decides which of several threads goes on, at every call of a store or a PSP: one schedule can be repeated, all can be had.

Each thread stops at a gate before such a call. Exactly one runs at a time; where it stops again, `choose` says who is next.
Between two gates nothing of one thread can be seen by another, so the order of the gates is all there is to a race.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

Choose = Callable[[int], int]  # how many could go on -> which of them does


class _Worker:
    def __init__(self, work: Callable[[], Any]) -> None:
        self.work = work
        self.turn = threading.Lock()
        self.turn.acquire()
        self.result: Any = None
        self.done = False


class Scheduler:
    """`gate` is called by whatever is shared; outside of `run` it lets everybody through."""

    def __init__(self) -> None:
        self._mine = threading.local()
        self._back = threading.Lock()
        self._back.acquire()
        self.switches = 0

    def gate(self) -> None:
        worker: _Worker | None = getattr(self._mine, "worker", None)
        if worker is not None:
            self._back.release()
            worker.turn.acquire()

    def gated(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **named: Any) -> Any:
            self.gate()
            return call(*arguments, **named)

        return run

    def run(self, works: Sequence[Callable[[], Any]], choose: Choose) -> list[Any]:
        """What each came to: its result, or the exception it raised."""
        workers = [_Worker(work) for work in works]
        threads = [threading.Thread(target=self._live, args=(worker,), daemon=True) for worker in workers]
        for thread in threads:
            thread.start()
        alive = list(workers)
        while alive:
            worker = alive[choose(len(alive)) if len(alive) > 1 else 0]
            self.switches += 1
            worker.turn.release()
            self._back.acquire()
            if worker.done:
                alive.remove(worker)
        for thread in threads:
            thread.join()
        return [worker.result for worker in workers]

    def _live(self, worker: _Worker) -> None:
        self._mine.worker = worker
        worker.turn.acquire()
        try:
            worker.result = worker.work()
        except Exception as error:
            worker.result = error
        self._mine.worker = None
        worker.done = True
        self._back.release()


class Chosen:
    """Follows `script`, then always lets the first go on; remembers what could have been chosen."""

    def __init__(self, script: Sequence[int] = ()) -> None:
        self._script = script
        self.taken: list[int] = []
        self.widths: list[int] = []

    def __call__(self, width: int) -> int:
        number = len(self.taken)
        choice = self._script[number] if number < len(self._script) else 0
        assert choice < width, "the same schedule meets the same gates"
        self.taken.append(choice)
        self.widths.append(width)
        return choice


def every_schedule() -> Iterator[Chosen]:
    """All schedules, each once, in the order of a search in depth; run each before asking for the next."""
    script: list[int] = []
    while True:
        chosen = Chosen(script)
        yield chosen
        script, widths = list(chosen.taken), chosen.widths
        while script and script[-1] + 1 >= widths[len(script) - 1]:
            script.pop()
        if not script:
            return
        script[-1] += 1


def by_chance(seed: int) -> Choose:
    """A schedule that the seed names. Every other one runs threads in bursts: many gates between two switches."""
    chance = random.Random(seed)
    if seed % 2:
        return lambda width: chance.randrange(width)
    current = 0

    def choose(width: int) -> int:
        nonlocal current
        if chance.random() < 0.3:
            current = chance.randrange(width)
        return min(current, width - 1)

    return choose
