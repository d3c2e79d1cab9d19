"""Database and queue trips of the product, from its own metrics and its queue's file."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector


@dataclass(frozen=True, slots=True)
class Made:
    """For each time it was done."""

    store_calls: float
    queue_sends: float


class Trips:
    """`per` names the counter that says how often something was done."""

    def __init__(self, var: Path, per: str = "http_requests_total") -> None:
        self._var, self._per = var, per
        self._before = self._now()

    def since_last(self) -> Made:
        """What was made since this was asked before, or since the start."""
        before, self._before = self._before, self._now()
        times, calls, sends = (late - early for late, early in zip(self._before, before, strict=True))
        return Made(calls / times, sends / times)

    def _now(self) -> tuple[float, float, float]:
        registry = CollectorRegistry()
        MultiProcessCollector(registry, path=str(self._var / "metrics"))  # type: ignore[no-untyped-call]
        totals = {self._per: 0.0, "store_calls_total": 0.0}
        for family in registry.collect():
            for sample in family.samples:
                if sample.name in totals:
                    totals[sample.name] += sample.value
        return totals[self._per], totals["store_calls_total"], self._sent()

    def _sent(self) -> float:
        file = self._var / "queue.db"
        if not file.exists():
            return 0.0
        connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
        try:
            found = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'messages'").fetchone()
        finally:
            connection.close()
        return 0.0 if found is None else float(found[0])
