"""A roll-up of more rows than a document holds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chalicelib.contracts.store import NEW
from chalicelib.domain.errors import StaleVersion
from chalicelib.domain.statistics import HOUR, RollUp
from chalicelib.services import roll_up_store
from chalicelib.services.roll_up import OPEN
from tests.builders import NOW
from tests.services.histories import pay, sold
from tests.services.rolled import STORES, counted, opened, rolled
from tests.world import World


@pytest.fixture(params=STORES)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    store = STORES[request.param](tmp_path)
    store.migrate()
    yield World(tmp_path, store)
    store.close()


def test_more_rows_than_a_document_holds_are_all_there(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roll_up_store, "ROWS_BYTES_MAX", 1)
    sold(world)
    for name in ("careful", "default"):
        pay(world, world.open(key=name, route=name, payment_method="card").payment)
    world.clock.forward(60)
    rolled(world)
    assert len(opened(world).roll_up.parts) > 1
    world.clock.forward(3600 + 600)
    rolled(world)
    assert counted(world, "captured_minor") == 3000
    (hour,) = roll_up_store.closed(world.store, "default", "2000", "3000")
    assert len(hour.rows) == 1 + len(hour.roll_up.parts)


def test_parts_that_are_replaced_are_deleted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roll_up_store, "ROWS_BYTES_MAX", 1)
    sold(world)
    world.clock.forward(60)
    rolled(world)
    was = opened(world).roll_up.parts
    sold(world, key="another", order_reference="another")
    world.clock.forward(60)
    rolled(world)
    assert was
    for name in was:
        assert roll_up_store.read(world.store, "default", name) is None


def test_a_writer_that_comes_second_leaves_no_parts_behind(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roll_up_store, "ROWS_BYTES_MAX", 1)
    sold(world)
    world.clock.forward(60)
    rolled(world)
    written: list[str] = []
    store = world.store

    class Noting:
        def put(self, kind: Any, value: Any, *, expect: Any) -> Any:
            written.append(value.name)
            return store.put(kind, value, expect=expect)

        def delete(self, kind: Any, id: str, *, expect: Any) -> None:
            store.delete(kind, id, expect=expect)

    made = RollUp("default", OPEN, NOW, NOW + HOUR, ())
    with pytest.raises(StaleVersion):
        roll_up_store.write(Noting(), made, opened(world).rows, NEW)  # type: ignore[arg-type]
    parts = [name for name in written if name != OPEN]
    assert [roll_up_store.read(world.store, "default", name) for name in parts] == [None] * len(parts)
    assert parts
