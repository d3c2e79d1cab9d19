"""What `find` asks, checked and reduced to at most one bound on either side: the same for every store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.contracts.store import PAGE_MAX, Kind
from chalicelib.domain.errors import Unreadable
from chalicelib.storage.cursor import cursor_of, place_of
from chalicelib.storage.row import is_storable


@dataclass(frozen=True, slots=True)
class Bound:
    """Without an id: `sort >=` as a lower bound, `sort <` as an upper. With one: strictly beyond (sort, id)."""

    sort: str
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """`position` is the index's place in the kind's declaration; `possible` is False where nothing can match."""

    index: str
    position: int
    partition: str
    lower: Bound | None
    upper: Bound | None
    where: Mapping[str, str]
    newest_first: bool
    limit: int
    listing: str
    possible: bool

    def cursor_at(self, sort: str, id: str) -> str:
        return cursor_of(self.listing, sort, id)

    def holds(self, sort: str, id: str) -> bool:
        """Whether a place lies between the bounds. Python orders text by code point, which is the order of UTF-8."""
        lower, upper = self.lower, self.upper
        if lower is not None and not (sort >= lower.sort if lower.id is None else (sort, id) > (lower.sort, lower.id)):
            return False
        return upper is None or (sort < upper.sort if upper.id is None else (sort, id) < (upper.sort, upper.id))


def query_of(
    kind: Kind[Any],
    index: str,
    partition: str,
    *,
    since: str | None,
    until: str | None,
    where: Mapping[str, str] | None,
    newest_first: bool,
    after: str | None,
    limit: int,
) -> Query:
    """Raises ValueError for an undeclared index or filter or a bad limit, Unreadable for a foreign cursor."""
    names = [declared.name for declared in kind.indexes]
    if index not in names:
        raise ValueError(f"{kind.name} has no index {index!r}; it declares {', '.join(names) or 'none'}")
    wanted = dict(where or {})
    unknown = sorted(set(wanted) - set(kind.filters))
    if unknown:
        raise ValueError(f"{kind.name} can not be filtered by {', '.join(unknown)}; only by {', '.join(kind.filters)}")
    if not 1 <= limit <= PAGE_MAX:
        raise ValueError(f"limit is {limit}; it goes from 1 to {PAGE_MAX}")
    possible = all(is_storable(text) for text in (partition, *wanted.values()))
    listing = "\0".join((kind.name, index, partition if possible else "", "newest" if newest_first else "oldest"))
    for name, text in (("since", since), ("until", until)):
        if text is not None and not is_storable(text):
            raise Unreadable(f"{name} is not a sort key that a document could have")
    lower = Bound(since) if since is not None else None
    upper = Bound(until) if until is not None else None
    if after is not None:
        sort, id = place_of(listing, after)
        if not (is_storable(sort) and is_storable(id)):
            raise Unreadable("The cursor names a place that no document could have.")
        # One bound a side, the tighter one, so that a database seeks straight to the page instead of walking to it.
        if newest_first and (upper is None or sort < upper.sort):
            upper = Bound(sort, id)
        elif not newest_first and (lower is None or sort >= lower.sort):
            lower = Bound(sort, id)
    return Query(index, names.index(index), partition, lower, upper, wanted, newest_first, limit, listing, possible)


def due_query_of(kind: Kind[Any], index: str, partition: str, *, since: str | None, until: str) -> Query:
    """What stands from `since` and before `until`, the first first. Raises ValueError for an undeclared index."""
    return query_of(
        kind, index, partition, since=since, until=until, where=None, newest_first=False, after=None, limit=PAGE_MAX
    )
