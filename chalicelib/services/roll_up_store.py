"""Roll-ups in the store: one document, and further parts where the rows are too many for one.

The document that lists the parts commits them all: a part has a name of its own, is written before it, and is never changed,
so that a reader sees either all rows of one writer or all of another.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from pydantic import TypeAdapter

from chalicelib.contracts.store import NEW, PAGE_MAX, Store, Stored, Version
from chalicelib.domain.errors import NotFound, StaleVersion
from chalicelib.domain.statistics import RollUp, Row
from chalicelib.services.kinds import ROLL_UP, roll_up_key

ROWS_BYTES_MAX = 250_000  # of one document, whose names of parts need room too
READS_MAX = 5
_ROW = TypeAdapter(Row)


@dataclass(frozen=True, slots=True)
class Whole:
    """A roll-up with the rows of its parts."""

    roll_up: RollUp
    rows: tuple[Row, ...]
    version: Version


def write(store: Store, roll_up: RollUp, rows: Iterable[Row], expect: Version) -> Whole:
    """Raises StaleVersion where somebody else wrote it first; then nothing is left of this one."""
    rows = tuple(rows)
    first, *others = list(_chunks(rows)) or [()]
    parts: list[tuple[str, Version]] = []
    for chunk in others:
        name = f"part-{secrets.token_hex(8)}"
        part = replace(roll_up, name=name, rows=chunk, parts=(), is_closed=False)
        parts.append((name, store.put(ROLL_UP, part, expect=NEW)))
    made = replace(roll_up, rows=first, parts=tuple(name for name, _ in parts))
    try:
        version = store.put(ROLL_UP, made, expect=expect)
    except StaleVersion:
        for name, part_version in parts:
            store.delete(ROLL_UP, roll_up_key(roll_up.merchant_id, name), expect=part_version)
        raise
    return Whole(made, rows, version)


def drop_parts(store: Store, replaced: RollUp) -> None:
    """Those of a document that was written anew. A crash before it leaves them behind, where nobody looks."""
    for name in replaced.parts:
        key = roll_up_key(replaced.merchant_id, name)
        try:
            store.delete(ROLL_UP, key, expect=store.get(ROLL_UP, key).version)
        except (NotFound, StaleVersion):
            continue


def read(store: Store, merchant_id: str, name: str) -> Whole | None:
    """None where there is no such roll-up."""
    for _ in range(READS_MAX):
        try:
            stored = store.get(ROLL_UP, roll_up_key(merchant_id, name))
        except NotFound:
            return None
        try:
            return _whole(store, stored)
        except NotFound:  # it was written anew, and its old parts are gone
            continue
    raise StaleVersion("A roll-up of the statistics is written anew too often to be read; try again.")


def closed(store: Store, merchant_id: str, since: str, until: str) -> Iterator[Whole]:
    """The closed hours from `since` until `until`, not included, the oldest first; those without rows are not there."""
    after = None
    while True:
        page = store.find(
            ROLL_UP, "by_hour", merchant_id, since=since, until=until, newest_first=False, after=after, limit=PAGE_MAX
        )
        for stored in page.items:
            try:
                yield _whole(store, stored)
            except NotFound:
                again = read(store, merchant_id, stored.value.name)
                if again is not None:
                    yield again
        after = page.after
        if after is None:
            return


def _whole(store: Store, stored: Stored[RollUp]) -> Whole:
    """Raises NotFound where a part is gone."""
    head = stored.value
    rows = head.rows
    for name in head.parts:
        rows += store.get(ROLL_UP, roll_up_key(head.merchant_id, name)).value.rows
    return Whole(head, rows, stored.version)


def _chunks(rows: Iterable[Row]) -> Iterator[tuple[Row, ...]]:
    chunk: list[Row] = []
    size = 0
    for row in rows:
        row_bytes = len(_ROW.dump_json(row)) + 1
        if chunk and size + row_bytes > ROWS_BYTES_MAX:
            yield tuple(chunk)
            chunk, size = [], 0
        chunk.append(row)
        size += row_bytes
    if chunk:
        yield tuple(chunk)
