"""A store that tells what each call would cost on DynamoDB, whatever it keeps documents in.

The items are those that `storage.dynamodb_item` makes, the units those of `benchmarks.capacity`, which tests hold to what
DynamoDB Local counts.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from benchmarks.assumptions import ENTRY_BYTES
from benchmarks.capacity import entry_of, get_units, put_units, query_units, size_of
from chalicelib.contracts.store import Kind, Page, Place, Store, Stored, Version
from chalicelib.domain.errors import StaleVersion
from chalicelib.storage.dynamodb_item import Item, item_of, new_token, shard_of, shards_of
from chalicelib.storage.row import row_of

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Used:
    """One call. `parts` are the write units of the table ("") and of each index that changed, `listed` those read units that
    a list costs however many documents it gives."""

    operation: str
    kind: str
    id: str
    write_units: float = 0
    read_units: float = 0
    listed: float = 0
    item_bytes: int = 0
    parts: Mapping[str, float] = field(default_factory=dict)


class MeteredStore:
    """Hands every call on, and tells `note` what it used."""

    def __init__(self, store: Store, note: Callable[[Used], None], *, shards: int = 8) -> None:
        self._store, self._note, self._shards = store, note, shards
        self._lock = threading.Lock()
        self._items: dict[tuple[str, str], Item] = {}

    def get(self, kind: Kind[T], id: str) -> Stored[T]:
        self._note(Used("get", kind.name, id, read_units=get_units(self._item(kind, id))))
        return self._store.get(kind, id)

    def put(self, kind: Kind[T], value: T, *, expect: Version) -> Version:
        id = kind.id_of(value)
        before = self._item(kind, id)
        try:
            version = self._store.put(kind, value, expect=expect)
        except StaleVersion:
            units = put_units(before, before, ())
            self._note(Used("put refused", kind.name, id, sum(units.values()), parts=units))
            raise
        after = item_of(kind, value, row_of(kind, value), version, new_token(), self._shards)
        with self._lock:
            self._items[kind.name, id] = after
        units = put_units(before, after, [index.name for index in kind.indexes])
        self._note(Used("put", kind.name, id, sum(units.values()), item_bytes=size_of(after), parts=units))
        return version

    def delete(self, kind: Kind[T], id: str, *, expect: Version) -> None:
        self._store.delete(kind, id, expect=expect)
        with self._lock:
            before = self._items.pop((kind.name, id))
        once = put_units(before, None, [index.name for index in kind.indexes])
        units = {name: 2 * count for name, count in once.items()}  # in a transaction
        self._note(Used("delete", kind.name, id, sum(units.values()), parts=units))

    def find(self, kind: Kind[T], index: str, partition: str, **named: Any) -> Page[T]:
        page = self._store.find(kind, index, partition, **named)
        ids = [kind.id_of(one.value) for one in page.items]
        share = 0.5 if named.get("lagging") else 1
        listed = self._listed(kind, index, ids)
        units = listed + share * sum(get_units(self._item(kind, id)) for id in ids)
        self._note(Used(f"find {index}", kind.name, partition, read_units=units, listed=listed))
        return page

    def due(self, kind: Kind[T], index: str, partition: str, **named: Any) -> Sequence[Place]:
        places = self._store.due(kind, index, partition, **named)
        units = self._listed(kind, index, [place.id for place in places])
        self._note(Used(f"due {index}", kind.name, partition, read_units=units, listed=units))
        return places

    def _listed(self, kind: Kind[Any], index: str, ids: Iterable[str]) -> float:
        """Of the queries: one for each shard."""
        declared = next(one for one in kind.indexes if one.name == index)
        by_shard: dict[int, list[Item]] = {shard: [] for shard in range(shards_of(declared, self._shards))}
        for id in ids:
            shard = shard_of(id, self._shards) if declared.spread else 0
            by_shard[shard].append(entry_of(self._item(kind, id), index))
        return sum(query_units(entries) for entries in by_shard.values())

    def _item(self, kind: Kind[Any], id: str) -> Item | None:
        with self._lock:
            return self._items.get((kind.name, id))

    def stored_bytes(self, kinds: Sequence[str]) -> tuple[int, int]:
        """Of the items of these kinds, and of their index entries, with what DynamoDB adds to each."""
        tables = entries = 0
        with self._lock:
            for (kind, _), item in self._items.items():
                if kind in kinds:
                    places = [name.removesuffix("_place") for name in item if name.endswith("_place")]
                    tables += size_of(item) + ENTRY_BYTES
                    entries += sum(size_of(entry_of(item, index)) + ENTRY_BYTES for index in places)
        return tables, entries

    def migrate(self) -> Sequence[str]:
        return self._store.migrate()

    def close(self) -> None:
        self._store.close()
