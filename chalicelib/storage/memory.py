"""A store in this process' memory: for tests and try-outs. It forgets everything when the process ends."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from chalicelib.contracts.store import NEW, Kind, Page, Place, Stored, Version
from chalicelib.domain.errors import NotFound, StaleVersion
from chalicelib.storage.query import Query, due_query_of, query_of
from chalicelib.storage.row import Row, first_version, row_of, stored_of

T = TypeVar("T")


class MemoryStore:
    """Keeps documents encoded, as a database would, so that nobody shares a value with the store by accident.

    `scan_max` makes it filter while it pages, like stores that can not push a filter down: at most so many documents
    are looked at for one page, which may then be short, or even empty, while `after` is set.
    """

    def __init__(self, *, scan_max: int | None = None) -> None:
        self._scan_max = scan_max
        self._lock = threading.Lock()
        self._rows: dict[str, dict[str, tuple[Version, Row]]] = {}

    def get(self, kind: Kind[T], id: str) -> Stored[T]:
        with self._lock:
            found = self._rows.get(kind.name, {}).get(id)
        if found is None:
            raise NotFound(f"There is no {id!r} in {kind.name}.")
        version, row = found
        return stored_of(kind, row.id, version, row.document)

    def put(self, kind: Kind[T], value: T, *, expect: Version) -> Version:
        row = row_of(kind, value)
        with self._lock:
            rows = self._rows.setdefault(kind.name, {})
            present = rows[row.id][0] if row.id in rows else NEW
            if present != expect:
                raise StaleVersion(f"{row.id!r} in {kind.name} was written by somebody else meanwhile: read it again.")
            version = first_version() if expect == NEW else Version(expect + 1)
            rows[row.id] = (version, row)
        return version

    def delete(self, kind: Kind[T], id: str, *, expect: Version) -> None:
        with self._lock:
            rows = self._rows.get(kind.name, {})
            if id not in rows:
                raise NotFound(f"There is no {id!r} in {kind.name}.")
            if rows[id][0] != expect:
                raise StaleVersion(f"{id!r} in {kind.name} was written by somebody else meanwhile: read it again.")
            del rows[id]

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
        query = query_of(
            kind,
            index,
            partition,
            since=since,
            until=until,
            where=where,
            newest_first=newest_first,
            after=after,
            limit=limit,
        )
        places = self._places(kind, query)
        scanned = places[: self._scan_max]
        names = list(kind.filters)
        matching = [
            place
            for place in scanned
            if all(place[3].filters[names.index(name)] == text for name, text in query.where.items())
        ]
        items = tuple(stored_of(kind, id, version, row.document) for _, id, version, row in matching[:limit])
        if len(matching) > limit:
            return Page(items, query.cursor_at(*matching[limit - 1][:2]))
        if len(places) > len(scanned):
            return Page(items, query.cursor_at(*scanned[-1][:2]))
        return Page(items, None)

    def due(
        self, kind: Kind[T], index: str, partition: str, *, since: str | None = None, until: str, limit: int
    ) -> Sequence[Place]:
        query = due_query_of(kind, index, partition, since=since, until=until)
        return tuple(Place(id, sort) for sort, id, _, _ in self._places(kind, query)[:limit])

    def _places(self, kind: Kind[Any], query: Query) -> list[tuple[str, str, Version, Row]]:
        with self._lock:
            rows = list(self._rows.get(kind.name, {}).values())
        places = []
        for version, row in rows:
            key = row.keys[query.position]
            if key is not None and key.partition == query.partition and query.holds(key.sort, row.id):
                places.append((key.sort, row.id, version, row))
        return sorted(places, key=lambda place: place[:2], reverse=query.newest_first)

    def migrate(self) -> Sequence[str]:
        return ()

    def close(self) -> None:
        """Keeps the documents: what a test reopens is this same object."""
