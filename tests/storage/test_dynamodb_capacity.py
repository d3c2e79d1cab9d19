"""What puts, reads and lists consume, as DynamoDB Local counts it, beside what benchmarks/capacity.py says they should."""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from benchmarks.capacity import entry_of, get_units, put_units, query_units, size_of
from chalicelib.contracts.store import NEW, Kind, Version
from chalicelib.domain.errors import StaleVersion
from chalicelib.storage.dynamodb import DynamoStore
from chalicelib.storage.dynamodb_item import item_of
from chalicelib.storage.row import row_of
from tests.conformance.dynamodb import aws_at, endpoint_of
from tests.conformance.stores import NOTE, RAW, Note
from tests.servers.dynamodb_local import dynamodb_local

SHARDS = 3


@dataclass
class Meter:
    """`observe` of a store: what was consumed since `read` was asked last, by table ("") and index."""

    units: dict[str, float] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)

    def observe(self, operation: str, table: str, consumed: Any) -> None:
        self.calls.append(operation)
        for one in consumed if isinstance(consumed, list) else [consumed]:
            self._add("", one.get("Table", {}).get("CapacityUnits", 0))
            for index, more in one.get("GlobalSecondaryIndexes", {}).items():
                self._add(index, more["CapacityUnits"])

    def _add(self, name: str, units: float) -> None:
        if units:
            self.units[name] = self.units.get(name, 0) + units

    def read(self) -> dict[str, float]:
        units, self.units = self.units, {}
        self.calls.clear()
        return units


@pytest.fixture
def meter() -> Meter:
    return Meter()


@pytest.fixture
def store(meter: Meter) -> Iterator[DynamoStore]:
    with aws_at(endpoint_of(dynamodb_local)):
        prefix = f"test-{secrets.token_hex(6)}"
        store = DynamoStore(prefix, (NOTE,), shards=SHARDS, create_tables=True, observe=meter.observe)
        store.migrate()
        meter.read()
        yield store
        store.close()


def item(note: Note, version: int, kind: Kind[Note] = RAW) -> Any:
    return item_of(kind, note, row_of(kind, note), Version(version), b"t" * 12, SHARDS)


def note_of(dice: random.Random) -> Note:
    return Note(
        "n",
        at=f"2026-01-0{dice.randint(1, 2)}",
        due=dice.choice([None, "2026-02-01", "2026-02-02"]),
        attention=dice.random() < 0.5,
        text=dice.randbytes(dice.choice((10, 600, 900, 5000))).decode("latin-1"),
    )


@pytest.mark.parametrize("seed", range(4))
def test_puts_consume_what_the_model_says(store: DynamoStore, meter: Meter, seed: int) -> None:
    dice, version, before = random.Random(seed), NEW, None
    for _ in range(15):
        note = note_of(dice)
        version = store.put(RAW, note, expect=version)
        after = item(note, version)
        assert meter.read() == put_units(before, after, [index.name for index in RAW.indexes])
        store.get(RAW, "n")
        assert meter.read() == {"": get_units(after)}
        before = after
    store.delete(RAW, "n", expect=version)
    units = put_units(before, None, [index.name for index in RAW.indexes])
    assert meter.read()[""] == 2 * units[""], "a transaction costs twice"


def test_an_item_at_a_border_of_the_price_list_is_sized_to_the_byte(store: DynamoStore, meter: Meter) -> None:
    for bytes in (1023, 1024, 1025, 2048, 2049):
        id = f"n{bytes}"
        empty = size_of(item(Note(id, text="x"), 1_800_000_000_123_456)) - 1
        text = random.Random(1).randbytes(bytes - empty).decode("latin-1")
        version = store.put(RAW, Note(id, text=text), expect=NEW)
        assert meter.read()[""] == -(-size_of(item(Note(id, text=text), version)) // 1024)


def test_a_put_that_comes_too_late_costs_nothing_in_the_indexes(store: DynamoStore, meter: Meter) -> None:
    store.put(NOTE, Note("n"), expect=NEW)
    meter.read()
    with pytest.raises(StaleVersion):
        store.put(NOTE, Note("n", due="1"), expect=NEW)
    assert set(meter.read()) <= {""}


def test_a_list_costs_a_query_of_each_shard_and_its_documents(store: DynamoStore, meter: Meter) -> None:
    notes = [Note(f"n{number}", f"2026-01-{number + 1:02}") for number in range(12)]
    for note in notes:
        store.put(NOTE, note, expect=NEW)
    meter.read()
    page = store.find(NOTE, "by_time", "shop", limit=20)
    items = [item(one.value, one.version, NOTE) for one in page.items]
    entries = [entry_of(one, "by_time") for one in items]
    assert meter.read() == {
        "by_time": SHARDS * query_units(entries[:4]),
        "": sum(map(get_units, items)),
    }


def test_what_is_due_costs_no_documents(store: DynamoStore, meter: Meter) -> None:
    for number in range(12):
        store.put(NOTE, Note(f"n{number}", due="1"), expect=NEW)
    meter.read()
    assert len(store.due(NOTE, "due", "due", until="2", limit=20)) == 12
    assert meter.read() == {"due": SHARDS * 0.5}


def test_a_page_reads_about_as_many_keys_as_it_gives(store: DynamoStore, meter: Meter) -> None:
    for number in range(60):
        store.put(NOTE, Note(f"n{number}", f"2026-01-{number % 28 + 1:02}"), expect=NEW)
    meter.calls.clear()
    page = store.find(NOTE, "by_time", "shop", limit=10)
    assert len(page.items) == 10
    assert meter.calls.count("Query") <= SHARDS + 1
    assert meter.calls.count("BatchGetItem") == 1


def test_nothing_is_counted_where_nobody_asks(meter: Meter) -> None:
    with aws_at(endpoint_of(dynamodb_local)):
        store = DynamoStore(f"test-{secrets.token_hex(6)}", (NOTE,), create_tables=True)
        store.migrate()
        store.put(NOTE, Note("n"), expect=NEW)
        store.close()
    assert meter.calls == []
