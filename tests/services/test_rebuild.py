"""Closed hours are recounted from the payments at an operator's word."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from chalicelib.contracts.store import NEW
from chalicelib.domain.statistics import HOUR, RollUp
from chalicelib.services import roll_up_store
from chalicelib.services.kinds import ROLL_UP
from chalicelib.services.roll_up import rebuild
from tests.builders import NOW
from tests.services.histories import sold
from tests.services.rolled import STORES, counted, rolled
from tests.world import World


@pytest.fixture(params=STORES)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    store = STORES[request.param](tmp_path)
    store.migrate()
    yield World(tmp_path, store)
    store.close()


def test_a_rebuild_counts_what_was_committed_long_after_its_hour_was_closed(world: World) -> None:
    payment = world.open().payment
    world.psps["psp-1"].pay(payment.attempts[0].id)
    world.webhook("psp-1", payment.attempts[0].id)
    world.clock.forward(3600 + 600)
    rolled(world)
    world.clock.forward(-3600)
    world.settle()
    world.clock.forward(3600)
    assert counted(world, "captured_minor") == 0
    done = rebuild(world.ports, "default", NOW, NOW + HOUR)
    assert (done.hours, done.changed) == (1, 1)
    assert counted(world, "captured_minor") == 1000


def test_a_rebuild_takes_back_what_should_not_be_there(world: World) -> None:
    sold(world)
    world.clock.forward(3600 + 600)
    rolled(world)
    hour = NOW - HOUR
    (right,) = roll_up_store.closed(world.store, "default", "2000", "3000")
    wrong = RollUp("default", f"{hour:%Y-%m-%dT%H}:00:00.000000Z", hour, NOW, right.rows, is_closed=True)
    world.store.put(ROLL_UP, wrong, expect=NEW)
    assert rebuild(world.ports, "default", hour, NOW + HOUR).changed == 1
    assert counted(world, "captured_minor") == 1000


def test_a_second_rebuild_changes_nothing(world: World) -> None:
    sold(world)
    world.clock.forward(7200)
    rebuild(world.ports, "default", NOW - timedelta(days=9), world.clock.now())
    assert rebuild(world.ports, "default", NOW - timedelta(days=9), world.clock.now()).changed == 0


def test_a_rebuild_before_the_first_payment_has_nothing_to_do(world: World) -> None:
    assert rebuild(world.ports, "default", NOW, NOW + HOUR).hours == 0
