"""A store whose indexes lag, as DynamoDB's do: an entry comes and goes some calls after the document it belongs to.

A document that moves in an index may for a while stand there at its old place, at both, or nowhere. `get` and the versions
of puts are exact, and a document that a list gives is as it stands now. Calls are the clock: each brings what is pending
nearer, so that whoever keeps asking sees everything in the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from random import Random
from typing import Any

from chalicelib.contracts.store import IndexKey, Page, Place, Stored, Version
from chalicelib.storage.query import Query, due_query_of, query_of

LAGS = (0, 1, 5, 30, 200)  # calls; DynamoDB's own lag is some milliseconds as a rule


@dataclass(frozen=True, slots=True)
class _Pending:
    """`number` orders what is told of one place: whatever arrives first, the newest holds."""

    at: int
    number: int
    entry: tuple[str, str, str, str, str]  # kind, index, partition, sort, id
    is_there: bool


class LaggingStore:
    """In front of a store in memory that is asked by id alone."""

    def __init__(self, inner: Any, chance: Random) -> None:
        self._inner, self._chance = inner, chance
        self._now = 0
        self._pending: list[_Pending] = []
        self._shown: dict[tuple[str, str, str, str, str], tuple[int, bool]] = {}
        self._keys: dict[tuple[str, str], dict[str, IndexKey | None]] = {}
        self._numbers = count()
        self.behind = 0  # lists that would have been others without the lag

    def get(self, kind: Any, id: str) -> Any:
        self._tick()
        return self._inner.get(kind, id)

    def put(self, kind: Any, value: Any, *, expect: Any) -> Any:
        self._tick()
        version = self._inner.put(kind, value, expect=expect)
        self._index(kind, kind.id_of(value), {index.name: index.key_of(value) for index in kind.indexes})
        return version

    def delete(self, kind: Any, id: str, *, expect: Any) -> None:
        self._tick()
        self._inner.delete(kind, id, expect=expect)
        self._index(kind, id, {})

    def find(
        self, kind: Any, index: str, partition: str, *, since: str | None = None, until: str | None = None,
        where: Any = None, newest_first: bool = True, after: str | None = None, limit: int = 50,
    ) -> Any:  # fmt: skip
        self._tick()
        query = query_of(
            kind, index, partition, since=since, until=until, where=where, newest_first=newest_first, after=after, limit=limit
        )  # fmt: skip
        places = self._places(kind, query)
        items: dict[str, Stored[Any]] = {}
        for number, (sort, id) in enumerate(places):
            stored = self._belonging(kind, id, query)
            if stored is not None and id not in items:
                items[id] = stored
            if len(items) == limit:
                more = number + 1 < len(places)
                return Page(tuple(items.values()), query.cursor_at(sort, id) if more else None)
        return Page(tuple(items.values()), None)

    def due(self, kind: Any, index: str, partition: str, *, since: Any = None, until: str, limit: int) -> Any:
        self._tick()
        places = self._places(kind, due_query_of(kind, index, partition, since=since, until=until))
        return tuple(Place(id, sort) for sort, id in places[:limit])

    def catch_up(self) -> None:
        """A while passes, and nothing is behind."""
        self._now = max([self._now, *(one.at for one in self._pending)])
        self._tick()

    def _tick(self) -> None:
        self._now += 1
        for one in [one for one in self._pending if one.at < self._now]:
            self._pending.remove(one)
            if self._shown.get(one.entry, (-1, False))[0] < one.number:
                self._shown[one.entry] = (one.number, one.is_there)

    def _index(self, kind: Any, id: str, keys: dict[str, IndexKey | None]) -> None:
        before = self._keys.get((kind.name, id), {})
        self._keys[kind.name, id] = keys
        for index in dict.fromkeys((*before, *keys)):
            was, becomes = before.get(index), keys.get(index)
            if was == becomes:
                continue
            for key, is_there in ((was, False), (becomes, True)):
                if key is not None:
                    at = self._now + self._chance.choice(LAGS)
                    entry = (kind.name, index, key.partition, key.sort, id)
                    self._pending.append(_Pending(at, next(self._numbers), entry, is_there))

    def _places(self, kind: Any, query: Query) -> list[tuple[str, str]]:
        here = (kind.name, query.index, query.partition)
        shown = [entry[3:] for entry, (_, is_there) in self._shown.items() if is_there and entry[:3] == here]
        self.behind += any(one.entry[:3] == here for one in self._pending)
        return sorted((place for place in shown if query.holds(*place)), reverse=query.newest_first)

    def _belonging(self, kind: Any, id: str, query: Query) -> Stored[Any] | None:
        key = self._keys[kind.name, id].get(query.index)
        if key is None or key.partition != query.partition or not query.holds(key.sort, id):
            return None
        stored: Stored[Any] = self._inner.get(kind, id)
        if any(kind.filters[name](stored.value) != text for name, text in query.where.items()):
            return None
        return Stored(stored.value, Version(stored.version))
