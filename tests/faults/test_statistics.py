"""Whatever happens, and whenever workers roll up and are killed at it, the statistics equal a recount of the payments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from random import Random
from typing import Any

import pytest

from chalicelib.domain.errors import StaleVersion
from chalicelib.domain.fold import fold
from chalicelib.domain.payment import Payment
from chalicelib.services.ports import Ports
from chalicelib.services.roll_up import rebuild, roll_up
from chalicelib.services.roll_up_store import closed
from chalicelib.services.statistics import GROUPS, Interval, statistics, totals
from chalicelib.storage.memory import MemoryStore
from tests.builders import NOW
from tests.faults.machine import Machine, Process
from tests.faults.recount import figures
from tests.faults.rules import anything

STEPS = 150
SEEDS = range(12)


class Rolled:
    """A history of the state machine whose workers roll up at any moment. `recounted` is what each payment counts for as of
    its newest event."""

    def __init__(self, seed: int) -> None:
        self.chance, self.machine = Random(seed), Machine(MemoryStore(scan_max=1 + seed % 3))  # many pages
        self.machine.chance = self.chance
        self.recounted: dict[str, Counter[str]] = {}
        self.statuses: dict[str, str] = {}
        self.closed: dict[str, Any] = {}
        self.machine.store._committed = self._committed

    def _committed(self, before: Payment | None, after: Payment) -> None:
        self.machine.promises.committed(before, after)
        if after.sequence > (before.sequence if before is not None else 0):
            self.recounted[after.id] = figures(after, fold(after))
            self.statuses[after.id] = after.status

    def run(self, meanwhile: Callable[[], Any]) -> None:
        self.machine.meanwhile = meanwhile
        for _ in range(STEPS):
            anything(self.machine, self.chance)
            if self.chance.random() < 0.4:
                self.roll_up()
                self._closed_hours_are_as_they_were()
        self.machine.trouble.armed.clear()

    def roll_up(self) -> None:
        def do(world: Process) -> None:
            try:
                roll_up(world.ports, "default")
            except StaleVersion:
                return

        self.machine.call(do)

    def _closed_hours_are_as_they_were(self) -> None:
        found = {one.roll_up.name: one for one in closed(self.machine.store._inner, "default", "2000", "3000")}
        assert {name: found.get(name) for name in self.closed} == self.closed
        self.closed = found

    def summed(self) -> Counter[str]:
        """By the statistics, over all time."""
        names = {name for one in self.recounted.values() for name in one}
        found = totals(*self.asked(), ())
        return Counter({name: one.figures[name] for one in found for name in names if one.figures.get(name)})

    def asked(self) -> tuple[Ports, str, datetime, datetime]:
        """All of it: what is not over yet too."""
        return (
            self.machine.world.ports,
            "default",
            NOW - timedelta(days=1),
            self.machine.clock.now() + timedelta(hours=1),
        )

    def expected(self) -> Counter[str]:
        return sum(self.recounted.values(), Counter())


@cache
def history(seed: int) -> Rolled:
    """Faults and kills strike workers too, and two of them meet; no process is stopped for long in the middle of a commit."""
    rolled = Rolled(seed)
    rolled.run(meanwhile=rolled.roll_up)
    return rolled


def test_these_histories_have_closed_hours_and_an_open_one() -> None:
    assert sum(len(history(seed).closed) for seed in SEEDS) > len(SEEDS)


@pytest.mark.parametrize("seed", SEEDS)
def test_totals_equal_a_recount_at_any_moment(seed: int) -> None:
    assert history(seed).expected()["payments"] > 0
    assert history(seed).summed() == history(seed).expected()


@pytest.mark.parametrize("seed", SEEDS)
def test_payments_by_status_are_those_that_have_it_now(seed: int) -> None:
    found = totals(*history(seed).asked(), ("status",))
    counted = {one.group["status"]: one.figures["payments"] for one in found if one.figures.get("payments")}
    assert counted == Counter(history(seed).statuses.values())


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("interval", [Interval.HOUR, Interval.DAY])
@pytest.mark.parametrize("groups", [GROUPS, ("route",), ()], ids=str)
def test_however_they_are_cut_the_figures_add_up_to_the_same(
    seed: int, interval: Interval, groups: tuple[str, ...]
) -> None:
    cut: Counter[str] = Counter()
    for total in statistics(*history(seed).asked(), groups, interval).totals:
        cut.update(total.figures)
    (whole,) = totals(*history(seed).asked(), ())
    assert {name: value for name, value in cut.items() if value} == {
        name: value for name, value in whole.figures.items() if value
    }


@pytest.mark.parametrize("seed", SEEDS)
def test_a_rebuild_changes_nothing_where_nothing_was_late(seed: int) -> None:
    ports, merchant_id, since, until = history(seed).asked()
    assert rebuild(ports, merchant_id, since, until).changed == 0
    assert history(seed).summed() == history(seed).expected()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_rebuild_finds_what_was_committed_long_after_its_time(seed: int) -> None:
    """Here a process may be stopped for days in the middle of a commit; closing can not wait for it."""
    rolled = Rolled(seed)
    rolled.run(meanwhile=lambda: anything(rolled.machine, rolled.chance))
    rebuild(*rolled.asked())
    rolled.machine.forward(3600 + 601)  # what is open is recounted as it is closed
    rolled.roll_up()
    assert rolled.summed() == rolled.expected()
