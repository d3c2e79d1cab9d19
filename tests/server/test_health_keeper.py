"""The keeper: tells and reads beside the requests, and what is untold at the end is told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chalicelib import wiring
from chalicelib.contracts.store import Kind, Version
from chalicelib.routing.health import Outcome
from chalicelib.services.health import Health
from chalicelib.services.kinds import HEALTH
from chalicelib.settings import Settings
from chalicelib.storage.memory import MemoryStore
from server import health_keeper
from server.health_keeper import HealthKeeper, keep_health, stop_keeping
from tests.services.configured import ports_at

SOON_S = 10.0
KEY = "default/psp-1"


class Store(MemoryStore):
    """Says who put, and when; `breaks` makes the next put a mistake of ours."""

    def __init__(self) -> None:
        super().__init__()
        self.was_put = threading.Event()
        self.by: list[str] = []
        self.breaks = False

    def put(self, kind: Kind[Any], value: Any, *, expect: Version) -> Version:
        if self.breaks:
            self.breaks = False
            raise ZeroDivisionError
        version = super().put(kind, value, expect=expect)
        self.by.append(threading.current_thread().name)
        self.was_put.set()
        return version


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def health(tmp_path: Path, store: Store) -> Health:
    return Health(ports_at(tmp_path, store))


@pytest.fixture
def keeper(health: Health) -> Iterator[HealthKeeper]:
    keeper = HealthKeeper(health)
    keeper.start()
    yield keeper
    keeper.stop()


def record(health: Health, answered: bool) -> None:
    health.record("default", "psp-1", Outcome(1.0, 1.0, answered))


def test_a_failure_is_told_soon_and_by_the_keeper_alone(health: Health, keeper: HealthKeeper, store: Store) -> None:
    record(health, answered=False)
    assert store.was_put.wait(SOON_S)
    assert store.by == ["health-keeper"]


def test_what_is_untold_at_the_end_is_told(health: Health, keeper: HealthKeeper, store: Store) -> None:
    record(health, answered=True)
    keeper.stop()
    assert store.get(HEALTH, KEY).value.window.buckets[0].calls == 1


def test_a_mistake_of_ours_does_not_end_the_keeper(health: Health, keeper: HealthKeeper, store: Store) -> None:
    store.breaks = True
    record(health, answered=False)
    record(health, answered=False)
    assert store.was_put.wait(SOON_S)


def test_every_process_that_is_wired_gets_a_keeper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wiring, "_wiring", None)
    monkeypatch.setattr(wiring, "_then", [])
    monkeypatch.setattr(wiring, "Settings", lambda: Settings(var=tmp_path, issuer="https://issuer.example/realm"))
    keep_health()
    assert health_keeper._KEEPERS == []
    wired = wiring.wiring()
    assert wired.health.wake is not None
    record(wired.health, answered=True)
    stop_keeping()
    assert wired.store.get(HEALTH, KEY).value.window.buckets[0].calls == 1
    wired.store.close()
    wired.queue.close()
