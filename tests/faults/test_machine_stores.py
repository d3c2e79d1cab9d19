"""The machine over stores that are not as exact as one in memory: the promises hold there, too."""

from __future__ import annotations

import pytest

from tests.faults.stores import STORES
from tests.faults.torture import STEPS, history


@pytest.mark.parametrize("seed", range(12))
def test_indexes_that_lag_lose_nothing_and_double_nothing(seed: int) -> None:
    with STORES["lagging"](seed) as store:
        done = history(seed, store=store)
    assert done.total() - done["kill"] == STEPS
    assert store.behind > 0, "some list was asked for while its index was behind"


@pytest.mark.parametrize("over", ["dynamodb", "dynamodb-troubled"])
@pytest.mark.parametrize("seed", range(2))
def test_a_history_over_dynamodb_keeps_every_promise(seed: int, over: str) -> None:
    with STORES[over](seed) as store:
        done = history(seed, 40, store=store)
    assert done.total() - done["kill"] == 40
