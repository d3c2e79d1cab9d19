"""Every store the conformance suite runs for, and the document it runs with. A new store is one entry in STORES."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from chalicelib.contracts.store import NEW, Index, IndexKey, Kind, Store
from chalicelib.storage.memory import MemoryStore
from chalicelib.storage.sql import SqlStore
from tests.conformance.dynamodb import at_dynamodb_local, at_ministack, at_throttled_dynamodb, dynamo_at


@dataclass(frozen=True, slots=True)
class Note:
    """A document with the indexes and filters of a payment, so that it fits the tables that migrations make."""

    id: str
    at: str = "2026-01-01"
    partition: str = "shop"
    order: str = "order"
    due: str | None = None
    attention: bool = False
    status: str | None = "captured"
    currency: str | None = "EUR"
    text: str = ""


def _encoded(note: Note) -> bytes:
    return json.dumps(asdict(note)).encode()


def _decoded(document: bytes) -> Note:
    return Note(**json.loads(document))


NOTE: Kind[Note] = Kind(
    "payments",
    lambda note: note.id,
    _encoded,
    _decoded,
    indexes=(
        Index("by_time", lambda note: IndexKey(note.partition, note.at), spread=True),
        Index("by_order", lambda note: IndexKey(note.order, note.at)),
        Index("due", lambda note: None if note.due is None else IndexKey("due", note.due), spread=True),
        Index("attention", lambda note: IndexKey(note.partition, note.at) if note.attention else None),
    ),
    filters={
        "status": lambda note: note.status,
        "connection_id": lambda note: None,
        "currency": lambda note: note.currency,
    },
)
OTHER: Kind[Note] = Kind(
    "audit",
    lambda note: note.id,
    _encoded,
    _decoded,
    indexes=(Index("by_merchant", lambda note: IndexKey(note.partition, note.at)),),
)


def _raw(id: str, text: str) -> Note:
    return Note(id, text=text)


RAW: Kind[Note] = replace(
    NOTE,
    encode=lambda note: f"{note.id}\n".encode() + note.text.encode("latin-1"),
    decode=lambda document: _raw(*document.decode("latin-1").split("\n", 1)),
)
KINDS = (NOTE, OTHER)


def fill(store: Store, *notes: Note) -> None:
    for note in notes:
        store.put(NOTE, note, expect=NEW)


def listed(store: Store, index: str = "by_time", partition: str = "shop", **asked: Any) -> list[str]:
    """The ids of all pages."""
    ids: list[str] = []
    after = None
    while True:
        page = store.find(NOTE, index, partition, after=after, **asked)
        ids += [item.value.id for item in page.items]
        after = page.after
        if after is None:
            return ids


@dataclass(frozen=True, slots=True)
class OpenStore:
    """A migrated store, and `reopen`, which gives another one over the same data."""

    store: Store
    reopen: Callable[[], Store]


@dataclass(frozen=True, slots=True)
class StoreHarness:
    """`shared` says that several processes can use the same data; `around` has the server running meanwhile."""

    name: str
    shared: bool
    at: Callable[[Path], Callable[[], Store]]
    around: Callable[[], AbstractContextManager[Any]] = nullcontext

    @contextmanager
    def open_for_test(self, tmp_path: Path) -> Iterator[OpenStore]:
        opened: list[Store] = []

        def reopen() -> Store:
            opened.append(make())
            return opened[-1]

        with self.around():
            make = self.at(tmp_path)
            try:
                store = reopen()
                store.migrate()
                yield OpenStore(store, reopen)
            finally:
                for each in opened:
                    each.close()

    def __str__(self) -> str:
        return self.name


def _memory(scan_max: int | None) -> Callable[[Path], Callable[[], Store]]:
    def at(tmp_path: Path) -> Callable[[], Store]:
        store = MemoryStore(scan_max=scan_max)
        return lambda: store

    return at


def sqlite_url(path: Path) -> str:
    return f"sqlite:///{path}"


STORES = (
    StoreHarness("memory", False, _memory(None)),
    StoreHarness("memory-filtering-while-paging", False, _memory(3)),
    StoreHarness("sqlite", True, lambda path: lambda: SqlStore(sqlite_url(path / "store.db"), KINDS)),
    StoreHarness("dynamodb-local", True, dynamo_at(KINDS), at_dynamodb_local),
    StoreHarness("dynamodb-local-throttled", True, dynamo_at(KINDS), at_throttled_dynamodb),
    StoreHarness("ministack", True, dynamo_at(KINDS), at_ministack),
)
SHARED_STORES = tuple(harness for harness in STORES if harness.shared)
