"""A document as an item: keys in the clear for the indexes, the document itself compressed.

| attribute | type | what |
| --- | --- | --- |
| `id` | S | the table's key |
| `version` | N | see `row.first_version` |
| `token` | B | drawn anew by each put, so that a writer whose answer was lost knows its own write |
| `document` | B | a byte that names the codec, then the document, deflated where that makes it smaller |
| `X_partition`, `X_place` | S | the place in index X; absent where a document has none |
| `lapses_at` | N | the second after which DynamoDB may delete the item |
"""

from __future__ import annotations

import os
import time
import zlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from chalicelib.contracts.store import KEY_BYTES_MAX, Index, Kind, Place, Version
from chalicelib.domain.errors import StorageFault
from chalicelib.storage.row import Row

T = TypeVar("T")
Item = Mapping[str, Mapping[str, Any]]  # as the wire has it: {"id": {"S": "pay_1"}}
PLAIN, DEFLATED = b"\0", b"\1"
DICTIONARY = Path(__file__).parent / "dictionary_1.txt"
LEVEL = 6  # of a payment of 9.5 kB: 1,262 bytes in 143 µs; 9 saves 40 of them for 28 % more time, 4 costs 258 more
TOKEN_BYTES = 12
_APART = "\0"  # keys hold no NUL, and it sorts before everything else


def item_of(
    kind: Kind[T], value: T, row: Row, version: Version, token: bytes, shards: int
) -> dict[str, dict[str, Any]]:
    item: dict[str, dict[str, Any]] = {
        "id": {"S": row.id},
        "version": {"N": str(version)},
        "token": {"B": token},
        "document": {"B": packed(row.document)},
    }
    for index, key in zip(kind.indexes, row.keys, strict=True):
        if key is not None:
            shard = shard_of(row.id, shards) if index.spread else 0
            item[partition_attribute(index.name)] = {"S": shard_key(shard, key.partition)}
            item[place_attribute(index.name)] = {"S": place_text(key.sort, row.id)}
    kept_s = None if kind.kept_s is None else kind.kept_s(value)
    if kept_s is not None:
        item[LAPSES_AT] = {"N": str(int(time.time()) + kept_s)}
    return item


def new_token() -> bytes:
    return os.urandom(TOKEN_BYTES)


def version_in(item: Item) -> Version:
    return Version(int(item["version"]["N"]))


def token_in(item: Item) -> bytes:
    return bytes(item["token"]["B"])


# Documents


def packed(document: bytes) -> bytes:
    """Never more than one byte longer than the document, however little of it repeats."""
    deflating = zlib.compressobj(
        LEVEL, zlib.DEFLATED, zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, zlib.Z_DEFAULT_STRATEGY, _common()
    )
    deflated = deflating.compress(document) + deflating.flush()
    return DEFLATED + deflated if len(deflated) < len(document) else PLAIN + document


def document_in(item: Item) -> bytes:
    """Raises StorageFault for a codec of a newer PaymentServer, or damage."""
    content = bytes(item["document"]["B"])
    codec, content = content[:1], content[1:]
    if codec == PLAIN:
        return content
    if codec == DEFLATED:
        inflating = zlib.decompressobj(zlib.MAX_WBITS, _common())
        try:
            document = inflating.decompress(content)
        except zlib.error:
            document = b""
        if inflating.eof:
            return document
        raise StorageFault(f"The item {item['id']['S']!r} is damaged; restore it from a backup.")
    raise StorageFault(f"The item {item['id']['S']!r} was written by a newer PaymentServer: update.")


@cache
def _common() -> bytes:
    """What documents have in common, so that a small one need not spell it out. It is frozen: see make_dictionary in tests."""
    return DICTIONARY.read_bytes()


# Places in an index

LAPSES_AT = "lapses_at"


def partition_attribute(index: str) -> str:
    return f"{index}_partition"


def place_attribute(index: str) -> str:
    return f"{index}_place"


def shard_of(id: str, shards: int) -> int:
    return zlib.crc32(id.encode()) % shards


def shards_of(index: Index[Any], shards: int) -> int:
    """How many shards are read. An index that is not spread is shard 0 alone: it may be spread one day."""
    return shards if index.spread else 1


def shard_key(shard: int, partition: str) -> str:
    """Never empty, which DynamoDB would refuse."""
    return f"{shard}/{partition}"


def partition_in(item: Item, index: str) -> str | None:
    """Whatever the shard: there may have been fewer when the item was written."""
    key = item.get(partition_attribute(index))
    return None if key is None else str(key["S"]).partition("/")[2]


def place_text(sort: str, id: str) -> str:
    """Sorts by its bytes as (sort, id) does.

    Behind the longest sort key there is no room for a mark: with the longest id it would be one byte over DynamoDB's 1,024.
    It needs none, for no sort key is longer.
    """
    longest = len(sort) * 4 >= KEY_BYTES_MAX and len(sort.encode()) == KEY_BYTES_MAX
    return sort + id if longest else f"{sort}{_APART}{id}"


def place_in(entry: Item, index: str) -> Place:
    """Of an index entry, or of an item that stands in the index."""
    id, place = entry["id"]["S"], entry[place_attribute(index)]["S"]
    return Place(id, place.removesuffix(id).removesuffix(_APART))
