"""PaymentServer in forked processes that are killed: what is durable is on disk, and what is outside of it outlives them.

A child is forked from this warm process, lives on a real SQLite store and queue, and kills itself at the n-th point: just
before or just after a commit of the store or the queue, a call of a PSP or of a subscriber. The next fork starts afresh on
the same files. PSPs, the subscriber and the shop's notebook keep files of their own, which no kill takes back.
"""

from __future__ import annotations

import json
import os
import signal
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from chalicelib.contracts.calls import CheckoutOrder, MoneyOrder
from chalicelib.contracts.publisher import Publication
from chalicelib.contracts.store import NEW
from chalicelib.domain.configuration import Route
from chalicelib.services.kinds import KINDS, ROUTE
from chalicelib.storage.sql import SqlStore
from chalicelib.storage.sql_database import database_of
from tests.builders import NOW
from tests.psp import PSPS, Json, SimulatedConnector, SimulatedPsp
from tests.world import HandClock, World

MEMORY = Path("/dev/shm")  # a killed process leaves its writes to the system, so a disk would only be slower


class DiskPsp(SimulatedPsp):
    """A PSP whose books outlive the process. A forgetful one knows no idempotency keys: it does each call anew."""

    def __init__(self, name: str, folder: Path, *, forgetful: bool) -> None:
        super().__init__(name)
        self._path, self._forgetful = folder / f"{name}.json", forgetful
        if self._path.exists():
            self.sessions, self.opened, self.operated, self.answers = json.loads(self._path.read_text())

    def save(self) -> None:
        draft = self._path.with_suffix(".new")
        draft.write_text(json.dumps([self.sessions, self.opened, self.operated, self.answers]))
        draft.replace(self._path)

    def open(self, order: CheckoutOrder) -> Json:
        session = super().open(order)
        self.save()
        return session

    def operate(self, kind: str, order: MoneyOrder) -> Json:
        if self._forgetful:
            self.answers.pop(order.operation_id, None)
        return super().operate(kind, order)


class ForgetfulConnector(SimulatedConnector):
    """Says so: nothing may be repeated, all must be looked up."""

    def __init__(self, settings: Any) -> None:
        super().__init__(settings)
        can = SimulatedConnector.capabilities
        self.capabilities = type(can)(**{**{name: getattr(can, name) for name in can.__slots__}, "key_lives_s": {}})  # type: ignore[misc]


class DiskClock(HandClock):
    """Time goes on where the process before left it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        super().__init__(datetime.fromisoformat(path.read_text()) if path.exists() else NOW)

    def forward(self, seconds: float) -> None:
        super().forward(seconds)
        self._path.write_text(self.at.isoformat())


@lru_cache(maxsize=1)
def _blueprint() -> SqlStore:
    """Its statements are compiled before the forks: that would be most of a short life."""
    return SqlStore("sqlite:////nowhere", KINDS)


def store_on(url: str) -> SqlStore:
    store = copy(_blueprint())
    store._database = database_of(url)
    return store


def world_on(folder: Path, *, forgetful: bool = False, fresh: bool = False) -> World:
    store = store_on(f"sqlite:///{folder / 'payments.db'}")
    if fresh:
        store.migrate()
    psps: dict[str, SimulatedPsp] = {name: DiskPsp(name, folder, forgetful=forgetful) for name in ("psp-1", "psp-2")}
    world = World(folder, store, psps=psps, configure=fresh)
    if fresh:
        (folder / "account").write_text(str(folder))
    for name, psp in psps.items():
        PSPS[f"{(folder / 'account').read_text()}/{name}"] = psp
    world.clock = DiskClock(folder / "clock")
    connector = ForgetfulConnector if forgetful else SimulatedConnector
    for port, stand_in in (("clock", world.clock), ("connectors", {"simulated": connector})):
        object.__setattr__(world.ports, port, stand_in)  # ports are frozen for the product, not for a test

    def keep(publication: Publication) -> None:
        with (folder / "told").open("a") as told:
            told.write(publication.event_id + "\n")

    world.recorder.fails = keep
    return world


def template(folder: Path) -> None:
    """Migrated and configured files, to be copied for each round."""
    folder.mkdir()
    world = world_on(folder, fresh=True)
    document = {"name": "strict", "otherwise": {"use": ["psp-1"]}, "unanswered": "hold", "late": "refund"}
    world.store.put(ROUTE, Route("default", "strict", document, 1, NOW, NOW), expect=NEW)
    world.store.close()


class Killer:
    """Makes the `point`-th point the last thing this process does. Each call has two: just before it and just after."""

    def __init__(self, world: World, point: int | None) -> None:
        self.passed, self._point = 0, point
        for port, names in (
            (world.store, ("put", "delete")),
            (world.queue, ("send", "done")),
            (world.ports.driver, ("converse",)),
            (world.recorder, ("publish",)),
        ):
            for name in names:
                setattr(port, name, self._deadly(getattr(port, name)))

    def _deadly(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **named: Any) -> Any:
            self._pass()
            result = call(*arguments, **named)
            self._pass()
            return result

        return run

    def _pass(self) -> None:
        self.passed += 1
        if self.passed == self._point:
            os.kill(os.getpid(), signal.SIGKILL)


def in_a_fork(work: Callable[[], None]) -> int:
    """Runs `work` in a child and says how it ended: 0, or the signal's number negative, or 1 for an error."""
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder for many short lives, in memory where there is such a place."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        yield Path(folder)
