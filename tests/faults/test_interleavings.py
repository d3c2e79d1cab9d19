"""Racing calls on one payment never take more than there is, whichever call of the store or the PSP comes first."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from tests.faults.interleave import at_random, exhaust
from tests.faults.race import STAGES, Race
from tests.faults.scheduler import Chosen, Scheduler, by_chance, every_schedule

PAIRS = (
    ("paid", "refund 600", "refund 500"),
    ("paid", "refund all", "refund all"),
    ("paid", "refund twin", "refund twin"),
    ("paid", "refund 600", "webhook"),
    ("held", "capture 600", "capture 600"),
    ("held", "capture 600", "cancel"),
    ("held", "capture all", "cancel"),
    ("held", "capture 300, the last", "capture 600"),
    ("held", "capture 300, the last", "cancel"),
    ("held", "cancel", "cancel"),
    ("partly captured", "refund 600", "refund 500"),
    ("partly captured", "refund 600", "webhook"),
    ("partly captured", "capture 300, the last", "capture all"),
)
RANDOM = 240  # for each stage


@pytest.mark.parametrize(("stage", "one", "other"), PAIRS, ids=[f"{a}, {b} | {c}" for a, b, c in PAIRS])
def test_every_interleaving_of_two_calls(tmp_path: Path, stage: str, one: str, other: str) -> None:
    assert exhaust(Race(tmp_path, stage), (one, other)) > 20


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("stage", STAGES)
def test_every_interleaving_of_any_two_calls(tmp_path: Path, stage: str) -> None:
    race = Race(tmp_path, stage)
    for names in itertools.combinations_with_replacement(race.names, 2):
        assert exhaust(race, names)


@pytest.mark.parametrize("stage", STAGES)
def test_random_interleavings_of_three_to_five_calls(tmp_path: Path, stage: str) -> None:
    race = Race(tmp_path, stage)
    for seed in range(RANDOM):
        at_random(race, seed)


def test_all_schedules_are_had_each_once() -> None:
    """Two threads with three gates each can be merged in 6!/(3!3!) ways, and so with the one step behind the last gate."""
    scheduler, seen = Scheduler(), []
    for chosen in every_schedule():
        order: list[int] = []

        def work(name: int, order: list[int] = order) -> None:
            for _ in range(2):
                order.append(name)
                scheduler.gate()
            order.append(name)

        scheduler.run([lambda: work(1), lambda: work(2)], chosen)
        seen.append(tuple(order))
    assert len(seen) == len(set(seen)) == 20


def test_a_schedule_can_be_repeated() -> None:
    def trace(seed: int) -> list[int]:
        scheduler, order = Scheduler(), []

        def work(name: int) -> None:
            for _ in range(5):
                scheduler.gate()
                order.append(name)

        scheduler.run([lambda name=name: work(name) for name in range(3)], by_chance(seed))  # type: ignore[misc]
        return order

    assert trace(7) == trace(7)
    assert len({tuple(trace(seed)) for seed in range(20)}) > 15


def test_what_a_thread_raises_is_its_result() -> None:
    def fail() -> None:
        raise ValueError("no")

    results = Scheduler().run([fail, lambda: 1], Chosen())
    assert isinstance(results[0], ValueError)
    assert results[1] == 1
