"""What DynamoDB charges for a call, from the items alone: the price list's rules as a few pure functions.

| call | units |
| --- | --- |
| put, delete | a write unit for each kilobyte of the larger of the item before and after |
| each index entry that comes or goes by it | a write unit for each kilobyte |
| the same in a transaction | twice that |
| a put whose condition fails | a write unit for each kilobyte of the item that is there |
| get, and each item of a batch, consistently | a read unit for each four kilobytes |
| query of an index | half a read unit for each four kilobytes of entries, half a unit at least |

Tests hold this to what DynamoDB Local says it consumed. An entry whose key changes goes and comes: two units. Sizes follow
DynamoDB's guide: names and texts by their UTF-8 bytes, numbers by two digits a byte and one more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from chalicelib.storage.dynamodb_item import Item, partition_attribute, place_attribute

WRITE_UNIT_BYTES, READ_UNIT_BYTES = 1024, 4096


def size_of(item: Item) -> int:
    """Bytes of an item or an index entry."""
    return sum(len(name.encode()) + _size_of(value) for name, value in item.items())


def put_units(before: Item | None, after: Item | None, indexes: Iterable[str]) -> dict[str, int]:
    """Write units, of the table under "" and of each index that changes; no item `after` is a delete."""
    units = {"": _write_units(max(size_of(before or {}), size_of(after or {})))}
    for index in indexes:
        was, becomes = entry_of(before, index), entry_of(after, index)
        if was != becomes:
            units[index] = sum(_write_units(size_of(entry)) for entry in (was, becomes) if entry)
    return units


def get_units(item: Item | None) -> int:
    """Read units of a consistent read; one where there is nothing."""
    return max(1, -(-size_of(item or {}) // READ_UNIT_BYTES))


def query_units(entries: Iterable[Item]) -> float:
    """Read units of one query of an index that gave these entries."""
    return 0.5 * max(1, -(-sum(map(size_of, entries)) // READ_UNIT_BYTES))


def entry_of(item: Item | None, index: str) -> dict[str, Mapping[str, Any]]:
    """An item's entry in an index of keys; empty where it has none."""
    keys = ("id", partition_attribute(index), place_attribute(index))
    return {key: item[key] for key in keys} if item and all(key in item for key in keys) else {}


def _write_units(size: int) -> int:
    return max(1, -(-size // WRITE_UNIT_BYTES))


def _size_of(value: Mapping[str, Any]) -> int:
    ((type, content),) = value.items()
    if type == "S":
        return len(content.encode())
    if type == "B":
        return len(content)
    assert type == "N", f"items of ours hold no {type}"
    return -(-len(content.lstrip("-").strip("0")) // 2) + 1
