"""Documents in DynamoDB: a table per kind, an index of keys per declared index. docs/dynamodb.md says why it is made so."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

from chalicelib.contracts.store import NEW, Kind, Page, Place, Stored, Version
from chalicelib.domain.errors import NotFound, StaleVersion, StorageFault
from chalicelib.storage.dynamodb_calls import BUDGET_S, Calls, ConditionFailed, Observe
from chalicelib.storage.dynamodb_item import document_in, item_of, new_token, token_in, version_in
from chalicelib.storage.dynamodb_pages import BATCH_MAX, belongs, documents, is_empty, places
from chalicelib.storage.dynamodb_tables import migrate, table_name
from chalicelib.storage.query import due_query_of, query_of
from chalicelib.storage.row import first_version, is_storable, row_of, stored_of

T = TypeVar("T")
SCAN_MAX = 500  # documents looked at for one filtered page, which may then be short


class DynamoStore:
    """Tables are called `prefix`-`kind`. Region, credentials and endpoint are botocore's to find; nothing is called before
    the first use.

    `shards` may rise, never fall: what stands in a shard that is not read any more is hidden. `observe` is told what each
    call consumed: (operation, table, ConsumedCapacity). Raises ValueError for a prefix that can not name a table.
    """

    def __init__(
        self,
        prefix: str,
        kinds: Sequence[Kind[Any]],
        *,
        shards: int = 8,
        create_tables: bool = False,
        observe: Observe | None = None,
        budget_s: float = BUDGET_S,
    ) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_.-]{1,200}", prefix):
            raise ValueError(f"{prefix!r} can not begin a DynamoDB table's name: use letters, digits, '_', '-' and '.'")
        self._prefix = prefix
        self._kinds = tuple(kinds)
        self._tables = {kind.name: table_name(prefix, kind) for kind in kinds}
        self._shards = shards
        self._create_tables = create_tables
        self._calls = Calls(observe=observe, budget_s=budget_s)

    def connect(self) -> None:
        """Makes the client of DynamoDB, which the first call does else. It calls nobody."""
        self._calls.connect()

    def get(self, kind: Kind[T], id: str) -> Stored[T]:
        table = self._of(kind)
        if is_storable(id) and id:
            asked = {"TableName": table, "Key": {"id": {"S": id}}, "ConsistentRead": True}
            item = self._calls.call("GetItem", table, asked).get("Item")
            if item is not None:
                return stored_of(kind, id, version_in(item), document_in(item))
        raise NotFound(f"There is no {id!r} in {kind.name}.")

    def put(self, kind: Kind[T], value: T, *, expect: Version) -> Version:
        """A put whose answer is lost is tried again, and knows its own earlier try by the token that it wrote."""
        table, row = self._of(kind), row_of(kind, value)
        version, token = first_version() if expect == NEW else Version(expect + 1), new_token()
        asked: dict[str, Any] = {
            "TableName": table,
            "Item": item_of(kind, value, row, version, token, self._shards),
            **_only_if(expect),
        }
        try:
            self._calls.call("PutItem", table, asked)
        except ConditionFailed as failed:
            there = failed.item
            if there is not None and token_in(there) == token:
                return version
            if failed.in_doubt and (there is None or version_in(there) > version):
                raise StorageFault(
                    f"The answer to a put of {row.id!r} in {kind.name} was lost, and others have written since. It may have "
                    "been written all the same: read it."
                ) from None
            raise _stale(kind, row.id) from None
        return version

    def delete(self, kind: Kind[T], id: str, *, expect: Version) -> None:
        """As a transaction, whose own token makes a second try of it none: a deleted item keeps no token of ours."""
        table = self._of(kind)
        if not is_storable(id) or not id:
            raise NotFound(f"There is no {id!r} in {kind.name}.")
        asked = {"TableName": table, "Key": {"id": {"S": id}}, **_only_if(expect)}
        try:
            self._calls.call(
                "TransactWriteItems",
                table,
                {"ClientRequestToken": new_token().hex(), "TransactItems": [{"Delete": asked}]},
            )
        except ConditionFailed as failed:
            if failed.item is None:
                raise NotFound(f"There is no {id!r} in {kind.name}.") from None
            raise _stale(kind, id) from None

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
        table = self._of(kind)
        if is_empty(query):
            return Page((), None)
        at_once = min(limit, BATCH_MAX) if not query.where else BATCH_MAX
        ahead = places(self._calls, table, kind, query, at_once + 1, self._shards)
        found: dict[str, Stored[T]] = {}
        scanned = 0
        last = None
        while scanned < SCAN_MAX and (batch := list(islice(ahead, at_once))):
            items = documents(self._calls, table, [place.id for place in batch], consistent=not lagging)
            for place in batch:
                last, scanned = place, scanned + 1
                item = items.get(place.id)
                if item is None or place.id in found or not belongs(item, query):
                    continue
                stored = stored_of(kind, place.id, version_in(item), document_in(item))
                if any(kind.filters[name](stored.value) != text for name, text in query.where.items()):
                    continue
                found[place.id] = stored
                if len(found) == limit:
                    more = place is not batch[-1] or next(ahead, None) is not None
                    return Page(tuple(found.values()), query.cursor_at(place.sort, place.id) if more else None)
        if last is None or next(ahead, None) is None:
            return Page(tuple(found.values()), None)
        return Page(tuple(found.values()), query.cursor_at(last.sort, last.id))

    def due(
        self, kind: Kind[T], index: str, partition: str, *, since: str | None = None, until: str, limit: int
    ) -> Sequence[Place]:
        """What the index says, which may be a moment old: whoever looks after a document looks whether it is due."""
        query = due_query_of(kind, index, partition, since=since, until=until)
        if is_empty(query):
            return ()
        return tuple(islice(places(self._calls, self._of(kind), kind, query, limit, self._shards), limit))

    def migrate(self) -> Sequence[str]:
        """Raises StorageTooNew for tables that a newer PaymentServer has written, StorageFault where one is missing and may
        not be created."""
        return migrate(self._calls, self._prefix, self._kinds, create_tables=self._create_tables)

    def close(self) -> None:
        self._calls.close()

    def _of(self, kind: Kind[Any]) -> str:
        if kind.name not in self._tables:
            raise ValueError(f"This store was not told of {kind.name}; it knows {', '.join(self._tables)}")
        return self._tables[kind.name]


def _only_if(expect: Version) -> dict[str, Any]:
    if expect == NEW:
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(id)"}
    else:
        condition = {
            "ConditionExpression": "version = :expected",
            "ExpressionAttributeValues": {":expected": {"N": str(expect)}},
        }
    return {**condition, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}


def _stale(kind: Kind[Any], id: str) -> StaleVersion:
    return StaleVersion(f"{id!r} in {kind.name} was written by somebody else meanwhile: read it again.")
