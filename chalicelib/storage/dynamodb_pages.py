"""Lists: places from an index, its shards merged into one order, then the documents in batches.

An index has keys alone and lags behind its table. The documents are read consistently, so that what is given is what
stands now; what no longer belongs to the list is left out.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from chalicelib.contracts.store import Kind, Place
from chalicelib.domain.errors import StorageFault
from chalicelib.storage.dynamodb_calls import Calls
from chalicelib.storage.dynamodb_item import (
    Item,
    partition_attribute,
    partition_in,
    place_attribute,
    place_in,
    place_text,
    shard_key,
    shards_of,
)
from chalicelib.storage.query import Bound, Query

BATCH_MAX = 100  # BatchGetItem's limit
SPARE = 3  # asked of each shard beyond its even share, so that most pages need one query of each


def places(
    calls: Calls,
    table: str,
    kind: Kind[Any],
    query: Query,
    wanted: int,
    shards: int,
) -> Iterator[Place]:
    """In the order that is asked for; read on as far as it is consumed, about `wanted` at once."""
    index = kind.indexes[query.position]
    requests = [
        _request(table, query, shard, wanted, shards_of(index, shards)) for shard in range(shards_of(index, shards))
    ]
    first = calls.side_by_side("Query", table, requests)
    walks = [_walk(calls, table, query, request, answer) for request, answer in zip(requests, first, strict=True)]
    return heapq.merge(*walks, key=lambda place: (place.sort, place.id), reverse=query.newest_first)


def is_empty(query: Query) -> bool:
    """Whether the bounds leave nothing, which DynamoDB would call a mistake."""
    lower, upper = query.lower, query.upper
    if not query.possible or (upper is not None and upper == Bound("")):
        return True
    return lower is not None and upper is not None and _text(lower) > _text(upper)


def documents(calls: Calls, table: str, ids: Sequence[str], *, consistent: bool) -> dict[str, Item]:
    """By id; those that are gone are missing. Raises StorageFault where DynamoDB does not give all within the budget."""
    found: dict[str, Item] = {}
    left = list(dict.fromkeys(ids))
    budget = calls.budget()
    while left:
        batch, left = left[:BATCH_MAX], left[BATCH_MAX:]
        keys = [{"id": {"S": id}} for id in batch]
        asked = {"RequestItems": {table: {"Keys": keys, "ConsistentRead": consistent}}}
        answer = calls.call("BatchGetItem", table, asked)
        given = answer.get("Responses", {}).get(table, ())
        found.update((item["id"]["S"], item) for item in given)
        undone = answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys", ())
        left += [key["id"]["S"] for key in undone]
        if undone and not budget.wait():
            raise StorageFault(f"DynamoDB gave only some of the documents of {table} that were asked for (throttled).")
    return found


def belongs(item: Item, query: Query) -> bool:
    """Whether the document still stands in the partition and between the bounds, wherever the index had it.

    One that has moved on inside them is given where the index had it, and may come again at its new place: leaving it out
    would hide it from whoever has passed that place already.
    """
    if partition_in(item, query.index) != query.partition:
        return False
    place = place_in(item, query.index)
    return query.holds(place.sort, place.id)


def _walk(
    calls: Calls, table: str, query: Query, request: dict[str, Any], first: Callable[[], dict[str, Any]]
) -> Iterator[Place]:
    answer = first()
    while True:
        for entry in answer["Items"]:
            place = place_in(entry, query.index)
            if query.holds(place.sort, place.id):  # BETWEEN includes both ends
                yield place
        if "LastEvaluatedKey" not in answer:
            return
        answer = calls.call("Query", table, {**request, "ExclusiveStartKey": answer["LastEvaluatedKey"]})


def _request(table: str, query: Query, shard: int, wanted: int, shards: int) -> dict[str, Any]:
    values = {":partition": {"S": shard_key(shard, query.partition)}}
    condition = "#partition = :partition"
    lower = None if query.lower in (None, Bound("")) else query.lower  # an empty text is no key
    names = {"#partition": partition_attribute(query.index)}
    if lower is not None or query.upper is not None:
        names["#place"] = place_attribute(query.index)
    if lower is not None:
        values[":lower"] = {"S": _text(lower)}
    if query.upper is not None:
        values[":upper"] = {"S": _text(query.upper)}
    if lower is not None and query.upper is not None:
        condition += " AND #place BETWEEN :lower AND :upper"
    elif lower is not None:
        condition += " AND #place " + (">=" if lower.id is None else ">") + " :lower"
    elif query.upper is not None:
        condition += " AND #place < :upper"
    return {
        "TableName": table,
        "IndexName": query.index,
        "KeyConditionExpression": condition,
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
        "ScanIndexForward": not query.newest_first,
        "Limit": wanted if shards == 1 else wanted // shards + SPARE,
    }


def _text(bound: Bound) -> str:
    """A sort key alone sorts before every place that begins with it, and after those of lesser sort keys."""
    return bound.sort if bound.id is None else place_text(bound.sort, bound.id)
