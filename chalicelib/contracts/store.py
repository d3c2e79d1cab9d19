"""The storage port: documents with a version, declared indexes, and nothing that only one kind of database can do.

A `Kind` says once how a value becomes a document, which indexes it has and which fields can be filtered. SQL stores make
real tables with real indexed columns of it; others filter while they page.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, NewType, Protocol, TypeVar

T = TypeVar("T")
Version = NewType("Version", int)  # rises with each put of one document; compared for equality alone

NEW = Version(0)  # `expect=NEW` inserts, and only inserts
DOCUMENT_BYTES_MAX = 380_000  # below DynamoDB's 400 kB item, with room for keys
KEY_BYTES_MAX = 512  # ids, partitions and sort keys, in UTF-8
PAGE_MAX = 200


@dataclass(frozen=True, slots=True)
class IndexKey:
    """Where a document stands in an index. Both are compared by their UTF-8 bytes."""

    partition: str
    sort: str


@dataclass(frozen=True, slots=True)
class Index(Generic[T]):
    """`key_of` gives a document's place, or None where it has none (a sparse index).

    `spread` says that a partition grows without bound or is written by everybody at once: DynamoDB spreads it over its
    shards. What is read is the same.
    """

    name: str
    key_of: Callable[[T], IndexKey | None]
    spread: bool = False


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """What a store must know of a document: name (a table's), id, codec, indexes, filterable fields.

    `filters` maps a field name to its value in a document (text of at most KEY_BYTES_MAX bytes, or None). `kept_s`
    says for how many seconds a document is kept after it was last put, None for good. DynamoDB alone acts on it, some days
    late, and until then the document is read as any other.
    """

    name: str
    id_of: Callable[[T], str]
    encode: Callable[[T], bytes]
    decode: Callable[[bytes], T]
    indexes: tuple[Index[T], ...] = ()
    filters: Mapping[str, Callable[[T], str | None]] = field(default_factory=dict)
    kept_s: Callable[[T], int | None] | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Which document stands where in an index."""

    id: str
    sort: str


@dataclass(frozen=True, slots=True)
class Stored(Generic[T]):
    value: T
    version: Version


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """`after` continues behind the last item; None at the end. A filtered page may be short while `after` is set."""

    items: tuple[Stored[T], ...]
    after: str | None


class Store(Protocol):
    """Raises StorageFault, StorageFull and StorageReadOnly besides what each method names; nothing is half written."""

    def get(self, kind: Kind[T], id: str) -> Stored[T]:
        """The newest committed document. Raises NotFound."""

    def put(self, kind: Kind[T], value: T, *, expect: Version) -> Version:
        """Writes document and index entries together.

        `expect=NEW` inserts; otherwise the stored version must be `expect`. Raises StaleVersion when it is not, TooLarge
        over DOCUMENT_BYTES_MAX or KEY_BYTES_MAX. Both mean that nothing was written; a StorageFault may leave it open, and
        says so.
        """

    def delete(self, kind: Kind[T], id: str, *, expect: Version) -> None:
        """Raises StaleVersion when the stored version is not `expect`, NotFound when there is none."""

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
        """Documents of one partition in the order of (sort, id); `since` is included, `until` is not.

        `where` asks for equality of declared filters. `after` is a former page's; a foreign one raises Unreadable.

        In DynamoDB an index lags behind `get`, as a rule for less than a second. What was just written may not be listed
        yet: nothing about money is decided by what is absent here. Documents are given as they stand now, where the index
        still has them, and only those that still belong to the list; with `lagging`, as they stood a moment ago, which costs
        half as much.

        Rows that are added while paging neither repeat nor hide others. Raises ValueError for an undeclared index or
        filter, and a limit outside 1 to PAGE_MAX.
        """

    def due(
        self, kind: Kind[T], index: str, partition: str, *, since: str | None = None, until: str, limit: int
    ) -> Sequence[Place]:
        """Where the first `limit` documents of a partition stand, by (sort, id), those from `since` and before `until` alone.
        The documents themselves are not read, so that one which can not be read hides no other."""

    def migrate(self) -> Sequence[str]:
        """Brings the schema up to date and names the steps applied. Safe to run twice and side by side, and to be killed.

        Raises StorageTooNew where a newer PaymentServer has written.
        """

    def close(self) -> None: ...
