"""A document as every store keeps it: bytes beside the keys its kind declares, held to the contract's limits."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from chalicelib.contracts.store import DOCUMENT_BYTES_MAX, KEY_BYTES_MAX, IndexKey, Kind, Stored, Version
from chalicelib.domain.errors import StorageFault, TooLarge, Unreadable

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Row:
    """`keys` stand in the order of the kind's indexes, `filters` in that of its filters."""

    id: str
    document: bytes
    keys: tuple[IndexKey | None, ...]
    filters: tuple[str | None, ...]


def row_of(kind: Kind[T], value: T) -> Row:
    """What `put` writes. Raises TooLarge over a limit, Unreadable for a key that no database could keep."""
    id = kind.id_of(value)
    document = kind.encode(value)
    if len(document) > DOCUMENT_BYTES_MAX:
        raise TooLarge(
            f"A document in {kind.name} would take {len(document)} bytes; {DOCUMENT_BYTES_MAX} are allowed. "
            "Nothing was written: shorten its texts or lists."
        )
    keys = tuple(index.key_of(value) for index in kind.indexes)
    filters = tuple(_plain(filter_of(value)) for filter_of in kind.filters.values())
    row = Row(id, document, keys, filters)
    for text in _texts_of(row):
        if not is_storable(text):
            _refuse(kind, row)
    return row


def _texts_of(row: Row) -> Iterator[str]:
    yield row.id
    for key in row.keys:
        if key is not None:
            yield key.partition
            yield key.sort
    yield from filter(None, row.filters)


def _refuse(kind: Kind[Any], row: Row) -> None:
    """Names the text that no database could keep; apart, because naming every one costs more than checking it."""
    check_key(row.id, f"The id of a document in {kind.name}")
    for index, key in zip(kind.indexes, row.keys, strict=True):
        if key is not None:
            check_key(key.partition, f"The partition in {kind.name}.{index.name}")
            check_key(key.sort, f"The sort key in {kind.name}.{index.name}")
    for name, text in zip(kind.filters, row.filters, strict=True):
        if text is not None:
            check_key(text, f"The field {name} in {kind.name}")


def stored_of(kind: Kind[T], id: str, version: int, document: bytes) -> Stored[T]:
    """Raises StorageFault when the bytes are not what the kind once wrote."""
    try:
        return Stored(kind.decode(document), Version(version))
    except Exception as error:
        raise StorageFault(
            f"The document {id!r} in {kind.name} can not be decoded ({type(error).__name__}). "
            "Either a newer PaymentServer wrote it, or it was damaged: update, or restore it from a backup."
        ) from error


def first_version() -> Version:
    """The version of an inserted document: the present in microseconds, and puts count on from there.

    A document that is deleted and inserted again never gets a former version back, so that a writer who still holds one
    is told it is stale. Microseconds stay exact in JSON's doubles until the year 2255.
    """
    return Version(time.time_ns() // 1000)


def is_storable(text: str) -> bool:
    """Whether `text` could be a key: encodable, without NUL (which PostgreSQL refuses), within KEY_BYTES_MAX."""
    return not _flaw_of(text)


def check_key(text: str, what: str) -> None:
    flaw = _flaw_of(text)
    if flaw is not None:
        error, words = flaw
        raise error(f"{what} {words}. Nothing was written.")


def _plain(text: str | None) -> str | None:
    """Enumerations of text become text: drivers disagree about them."""
    return text if text is None or type(text) is str else str.__str__(text)


def _flaw_of(text: str) -> tuple[Any, str] | None:
    if "\0" in text:
        return Unreadable, "holds a NUL character, which databases refuse"
    if text.isascii():
        size = len(text)
    else:
        try:
            size = len(text.encode())
        except UnicodeEncodeError:
            return Unreadable, "holds half of a surrogate pair, which UTF-8 can not encode"
    if size > KEY_BYTES_MAX:
        return TooLarge, f"would take {size} bytes; {KEY_BYTES_MAX} are allowed"
    return None
