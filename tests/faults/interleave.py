"""Interleavings of calls on one payment, by the hundred thousand: every one of two calls, and random ones of three to five
at a PSP in trouble.

    python -m tests.faults.interleave --schedules 100000 --seed 1
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.race import STAGES, Race
from tests.faults.scheduler import by_chance, every_schedule


def exhaust(race: Race, names: tuple[str, ...]) -> int:
    """Runs every schedule of these calls, and says how many there were."""
    count = 0
    for chosen in every_schedule():
        try:
            race.run(names, chosen)
        except AssertionError as error:
            raise AssertionError(f"{' | '.join(names)}, schedule {chosen.taken}: {error}") from error
        count += 1
    return count


def at_random(race: Race, seed: int) -> None:
    """Three to five calls by one random schedule; every other seed at a PSP in trouble."""
    chance = random.Random(seed)
    names = tuple(chance.choice(race.names) for _ in range(chance.randint(3, 5)))
    try:
        race.run(names, by_chance(seed), trouble=seed if seed % 4 > 1 else None)
    except AssertionError as error:
        raise AssertionError(f"{' | '.join(names)}, seed {seed}: {error}") from error


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--schedules", type=int, default=100_000)
    asked.add_argument("--seed", type=int, default=1)
    given = asked.parse_args()
    began, count = time.monotonic(), 0

    def tell(what: str) -> None:
        seconds = time.monotonic() - began
        print(f"{count:8,} interleavings, {count / seconds:5.0f}/s: {what}", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        races = {stage: Race(Path(folder) / str(number), stage) for number, stage in enumerate(STAGES)}
        for stage, race in races.items():
            for names in itertools.combinations_with_replacement(race.names, 2):
                if count < given.schedules:
                    count += exhaust(race, names)
            tell(f"every one of two calls on a payment that is {stage}")
        for seed in itertools.count(given.seed):
            if count >= given.schedules:
                break
            at_random(list(races.values())[seed % len(races)], seed)
            count += 1
            if count % 10_000 == 0:
                tell(f"random ones of three to five calls, up to seed {seed}")
    tell("no answer and no book was wrong")
    return 0


if __name__ == "__main__":
    sys.exit(main())
