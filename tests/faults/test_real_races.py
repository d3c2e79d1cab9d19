"""64 threads, and 4 processes of 16, refund, capture and cancel one payment at once: never more than there is."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.faults.forked import scratch
from tests.faults.real_race import RealRace

SIDES = {"64 threads": (1, 64), "4 processes of 16 threads": (4, 16)}


@pytest.mark.parametrize("races", [10, pytest.param(500, marks=[pytest.mark.long, pytest.mark.timeout(3600)])])
@pytest.mark.parametrize("sides", SIDES)
def test_real_races_never_take_more_than_there_is(sides: str, races: int) -> None:
    processes, threads = SIDES[sides]
    said: Counter[str] = Counter()
    with scratch() as folder:
        race = RealRace(folder)
        for number in range(races):
            said += race.race(number, processes=processes, threads=threads)
    print(f"{races} races of {sides}: {dict(said)}")
    assert said["Conflict"] > said["201"] >= races
