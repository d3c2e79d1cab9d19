"""A store that counts its calls, for metrics and for the test that holds each way through to its trips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from chalicelib import telemetry
from chalicelib.contracts.store import Kind, Page, Place, Store, Stored, Version

T = TypeVar("T")


class CountedStore:
    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, kind: Kind[T], id: str) -> Stored[T]:
        telemetry.count("store_calls_total", operation="get")
        return self._store.get(kind, id)

    def put(self, kind: Kind[T], value: T, *, expect: Version) -> Version:
        telemetry.count("store_calls_total", operation="put")
        return self._store.put(kind, value, expect=expect)

    def delete(self, kind: Kind[T], id: str, *, expect: Version) -> None:
        telemetry.count("store_calls_total", operation="delete")
        self._store.delete(kind, id, expect=expect)

    def find(
        self,
        kind: Kind[T],
        index: str,
        partition: str,
        *,
        since: str | None = None,
        until: str | None = None,
        where: Mapping[str, str] | None = None,
        newest_first: bool = True,
        after: str | None = None,
        limit: int = 50,
        lagging: bool = False,
    ) -> Page[T]:
        telemetry.count("store_calls_total", operation="find")
        return self._store.find(
            kind,
            index,
            partition,
            since=since,
            until=until,
            where=where,
            newest_first=newest_first,
            after=after,
            limit=limit,
            lagging=lagging,
        )

    def due(
        self, kind: Kind[T], index: str, partition: str, *, since: str | None = None, until: str, limit: int
    ) -> Sequence[Place]:
        telemetry.count("store_calls_total", operation="due")
        return self._store.due(kind, index, partition, since=since, until=until, limit=limit)

    def migrate(self) -> Sequence[str]:
        return self._store.migrate()

    def close(self) -> None:
        self._store.close()
