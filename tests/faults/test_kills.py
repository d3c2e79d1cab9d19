"""Kill -9 at the commits and calls of every life: what was answered is there, nobody is charged or paid back twice, nobody is
left untold. Here some points of each life; `make kills` goes through all of them, and then through random ones."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib.domain.payment import Status
from chalicelib.queues.embedded import EmbeddedQueue
from chalicelib.services.kinds import PAYMENT
from tests.faults.forked import scratch, world_on
from tests.faults.kill import Round, every_round, points_of, random_round, run, warm
from tests.faults.lives import LIVES, PAYMENT_ID

POINTS_EACH = 4
LONG_RANDOM_ROUNDS = 1000


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with scratch() as folder:
        warm(folder)
        yield folder


@pytest.mark.parametrize("life", LIVES)
def test_a_kill_loses_nothing(folder: Path, life: str) -> None:
    points = points_of(folder / "made", folder / life, life, forgetful=False)
    assert points >= 30
    chance = random.Random(life)
    for number, point in enumerate(chance.sample(range(1, points + 1), POINTS_EACH)):
        forgetful = not LIVES[life].keyed and bool(number % 2)
        assert run(folder / "made", folder / f"{life}-{point}", Round(life, forgetful, (point,))) == 1


@pytest.mark.parametrize("seed", range(8))
def test_kills_upon_kills_lose_nothing(folder: Path, seed: int) -> None:
    """Several starts that are each killed at a random point, and then one that is left alone."""
    run(folder / "made", folder / str(seed), random_round(random.Random(seed)))


def test_the_queue_and_store_survive_on_the_same_files(tmp_path: Path) -> None:
    """The tests above would prove nothing on stores that are made anew."""
    world_on(tmp_path, fresh=True).open()
    reopened = world_on(tmp_path)
    assert reopened.store.get(PAYMENT, PAYMENT_ID).value.status is Status.PENDING
    assert isinstance(reopened.queue, EmbeddedQueue)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("life", LIVES)
def test_a_kill_at_every_point_loses_nothing(folder: Path, life: str) -> None:
    for one in every_round(folder / "made", folder, [life]):
        assert run(folder / "made", folder / "round", one) == 1


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_a_thousand_random_kills_lose_nothing(folder: Path) -> None:
    chance = random.Random(0)
    assert sum(run(folder / "made", folder / "round", random_round(chance)) for _ in range(LONG_RANDOM_ROUNDS)) > 1000
