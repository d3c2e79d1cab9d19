"""Worlds whose payments are rolled up, and what that came to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from chalicelib.domain.statistics import HOUR
from chalicelib.services import roll_up_store
from chalicelib.services.kinds import KINDS, ROLL_UP
from chalicelib.services.roll_up import OPEN, roll_up
from chalicelib.services.statistics import totals
from chalicelib.storage.memory import MemoryStore
from chalicelib.storage.sql import SqlStore
from tests import rights
from tests.builders import NOW
from tests.conformance.stores import sqlite_url
from tests.world import World

STORES: dict[str, Callable[[Path], Any]] = {
    "memory": lambda folder: MemoryStore(),
    "memory, one document a page": lambda folder: MemoryStore(scan_max=1),
    "sqlite": lambda folder: SqlStore(sqlite_url(folder / "store.db"), KINDS),
}


class Interposed:
    """A store that lets something happen once, after a call of `method` about roll-ups or the newest events."""

    def __init__(self, store: Any, method: str, then: Callable[[], object]) -> None:
        self._store, self._method, self._then = store, method, [then]

    def __getattr__(self, name: str) -> Any:
        called = getattr(self._store, name)

        def call(kind: Any, what: Any, *arguments: Any, **named: Any) -> Any:
            answer = called(kind, what, *arguments, **named)
            if name == self._method and (kind is ROLL_UP or what == "by_journal") and self._then:
                self._then.pop()()
            return answer

        return call


def rolled_while(world: World, method: str, then: Callable[[], object]) -> None:
    roll_up(replace(world.ports, store=Interposed(world.store, method, then)), "default")


def rolled(world: World) -> None:
    with rights.working("measure"):
        roll_up(world.ports, "default")


def closed(world: World) -> dict[str, dict[str, int]]:
    """The figures of each closed hour, summed over its rows."""
    return {
        one.roll_up.name[:13]: summed(one.rows)
        for one in roll_up_store.closed(world.store, "default", "2000", "3000")
        if one.rows
    }


def opened(world: World) -> roll_up_store.Whole:
    found = roll_up_store.read(world.store, "default", OPEN)
    assert found is not None
    return found


def summed(rows: Any) -> dict[str, int]:
    total: dict[str, int] = {}
    for row in rows:
        for name, value in row.figures.items():
            total[name] = total.get(name, 0) + value
    return total


def counted(world: World, figure: str) -> int:
    found = totals(world.ports, "default", NOW - HOUR, NOW + 9 * HOUR, ())
    return found[0].figures.get(figure, 0) if found else 0
