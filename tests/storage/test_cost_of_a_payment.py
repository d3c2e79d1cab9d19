"""What one payment's life consumes, as DynamoDB Local counts it: a checkout that is paid, one notification, one refund, and
all that follows by itself until nothing is left to do, thirty days later."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.cloud import NOBODY, Cloud, cloud
from benchmarks.cost import own_units
from benchmarks.life import live
from chalicelib.services.kinds import KINDS
from chalicelib.storage.dynamodb import DynamoStore
from tests.conformance.dynamodb import at_dynamodb_local

WRITE_UNITS_MAX, READ_UNITS_MAX = 32, 16
SHARDS = 1  # a list asks each; what lists cost, all payments share
OF_A_PAYMENT = ("payments", "deliveries")
BY_THE_CLOCK = ("sweep", "measure")
READS = ("GetItem", "BatchGetItem", "Query")


class Counted:
    """Units by "write" and "read": of the tables that hold a payment's documents, but for lists that are made each minute
    whether there are payments or not."""

    def __init__(self) -> None:
        self.units: Counter[str] = Counter()
        self.running: Cloud | None = None

    def observe(self, operation: str, table: str, consumed: Any) -> None:
        if self.running is None or not table.endswith(OF_A_PAYMENT):
            return
        function = self.running.current.function
        if function == NOBODY or (operation == "Query" and function in BY_THE_CLOCK):
            return
        units = sum(one["CapacityUnits"] for one in (consumed if isinstance(consumed, list) else [consumed]))
        self.units["read" if operation in READS else "write"] += units


@pytest.fixture
def counted() -> Counted:
    return Counted()


@pytest.fixture
def running(tmp_path: Path, counted: Counted) -> Iterator[Cloud]:
    with at_dynamodb_local():
        prefix = f"test-{secrets.token_hex(6)}"
        store = DynamoStore(prefix, KINDS, shards=SHARDS, create_tables=True, observe=counted.observe)
        store.migrate()
        with cloud(tmp_path, store, shards=SHARDS) as made:
            counted.running = made
            yield made
        store.close()


def test_a_payments_life_stays_within_its_units_and_the_model_says_how_many(running: Cloud, counted: Counted) -> None:
    live(running, minutes=1)  # what follows finds configuration at hand
    counted.units.clear()
    begun = len(running.done)
    live(running)
    assert counted.units["write"] <= WRITE_UNITS_MAX
    assert counted.units["read"] <= READ_UNITS_MAX
    modelled = own_units(running.done[begun:])
    assert (counted.units["write"], counted.units["read"]) == (modelled.writes, modelled.reads)
