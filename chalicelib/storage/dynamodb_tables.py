"""The tables that kinds ask for, for the deployment's template and for a developer's machine; and whether they are there.

Production's tables are made by the deployment: `migrate` then only looks. What was looked at is noted in the table of
connections, under an id that no document can have, so that a start costs one read.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from typing import Any

from chalicelib.contracts.store import Kind
from chalicelib.domain.errors import StorageFault, StorageTooNew
from chalicelib.storage.dynamodb_calls import Calls, ConditionFailed, Rejected
from chalicelib.storage.dynamodb_item import LAPSES_AT, partition_attribute, place_attribute

FORMAT = 1  # of items; raised when an older PaymentServer could no longer read what is written
MARKED = "connections"  # every function may read this table
MARK = "\0format"
WAIT_S = 120.0  # for a table or index that is being created
_LOOK_AGAIN_S = 0.1
POINT_IN_TIME_RECOVERY = {"PointInTimeRecoveryEnabled": True}  # of every table that the deployment makes


def table_name(prefix: str, kind: Kind[Any]) -> str:
    return f"{prefix}-{kind.name}"


def table_of(prefix: str, kind: Kind[Any]) -> dict[str, Any]:
    """The CreateTable request: on demand, protected from deletion, an index of keys for each declared index."""
    keys = ["id"]
    indexes = []
    for index in kind.indexes:
        ends = (partition_attribute(index.name), place_attribute(index.name))
        keys += ends
        indexes.append(
            {"IndexName": index.name, "KeySchema": _schema(*ends), "Projection": {"ProjectionType": "KEYS_ONLY"}}
        )
    table: dict[str, Any] = {
        "TableName": table_name(prefix, kind),
        "BillingMode": "PAY_PER_REQUEST",
        "DeletionProtectionEnabled": True,
        "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"} for key in keys],
        "KeySchema": _schema("id"),
    }
    return {**table, "GlobalSecondaryIndexes": indexes} if indexes else table


def time_to_live_of(kind: Kind[Any]) -> dict[str, Any] | None:
    """The TimeToLiveSpecification of a kind whose documents lapse."""
    return None if kind.kept_s is None else {"AttributeName": LAPSES_AT, "Enabled": True}


def migrate(calls: Calls, prefix: str, kinds: Sequence[Kind[Any]], *, create_tables: bool) -> tuple[str, ...]:
    """What was created, in words. Any number of processes may do this at once, and be killed at it."""
    marked = table_name(prefix, next((kind for kind in kinds if kind.name == MARKED), kinds[0]))
    wanted = _digest_of(prefix, kinds)
    if _is_noted(calls, marked, wanted):
        return ()
    steps: list[str] = []
    try:
        for kind in kinds:
            steps += _missing(calls, prefix, kind, create_tables)
    except _MayNotLook:
        return ()
    _note(calls, marked, wanted)
    return tuple(steps)


def _schema(hash: str, range: str | None = None) -> list[dict[str, str]]:
    schema = [{"AttributeName": hash, "KeyType": "HASH"}]
    return schema if range is None else [*schema, {"AttributeName": range, "KeyType": "RANGE"}]


def _digest_of(prefix: str, kinds: Sequence[Kind[Any]]) -> str:
    """Names a whole set of tables, whatever their order."""
    described = sorted(json.dumps([table_of(prefix, kind), time_to_live_of(kind)]) for kind in kinds)
    return hashlib.blake2b("\n".join(described).encode(), digest_size=8).hexdigest()


def _is_noted(calls: Calls, table: str, wanted: str) -> bool:
    try:
        asked = {"TableName": table, "Key": {"id": {"S": MARK}}, "ConsistentRead": True}
        item = calls.send("GetItem", table, asked).get("Item")
    except Rejected as no:
        if no.code == "ResourceNotFoundException":
            return False
        raise StorageFault(f"DynamoDB refused to read {table}: {no.code}.") from no
    if item is None:
        return False
    if int(item["format"]["N"]) > FORMAT:
        raise _too_new(table)
    return wanted in item["seen"]["SS"]


def _note(calls: Calls, table: str, wanted: str) -> None:
    """A set of what was found complete, because an older and a newer version run side by side during an update."""
    asked = {
        "TableName": table,
        "Key": {"id": {"S": MARK}},
        "UpdateExpression": "SET #format = :format ADD seen :wanted",
        "ConditionExpression": "attribute_not_exists(#format) OR #format <= :format",
        "ExpressionAttributeNames": {"#format": "format"},
        "ExpressionAttributeValues": {":format": {"N": str(FORMAT)}, ":wanted": {"SS": [wanted]}},
    }
    try:
        calls.send("UpdateItem", table, asked)
    except ConditionFailed:
        raise _too_new(table) from None
    except Rejected as no:
        if no.code != "AccessDeniedException":  # a function that may only read leaves the note to the others
            raise StorageFault(f"DynamoDB refused to write {table}: {no.code}.") from no


def _too_new(table: str) -> StorageTooNew:
    return StorageTooNew(
        f"{table} was written by a newer PaymentServer, in a format above {FORMAT}. Start the version that wrote it, or "
        "restore the tables as they were before the update. Nothing was changed."
    )


# What is missing


class _MayNotLook(Exception):
    """A function's role describes no tables: whoever deployed it made them."""


def _missing(calls: Calls, prefix: str, kind: Kind[Any], create: bool) -> Iterator[str]:
    """Creates it, and names it; or raises StorageFault."""
    wanted = table_of(prefix, kind)
    table = wanted["TableName"]
    there = _described(calls, table)
    if there is None:
        if not create:
            raise StorageFault(f"There is no DynamoDB table {table}: deploy the tables, or set create_tables.")
        if _asked(calls, "CreateTable", wanted):
            yield f"table {table}"
        there = _active(calls, table)
    ends = time.monotonic() + WAIT_S
    while absent := _absent(wanted, there):
        if not create:
            raise StorageFault(f"The DynamoDB table {table} has no index {absent['IndexName']}: deploy the tables.")
        if time.monotonic() > ends:
            raise StorageFault(f"The index {absent['IndexName']} of {table} could not be created in {WAIT_S:g} s.")
        if _asked(calls, "UpdateTable", _with_index(table, absent)):  # one at a time is DynamoDB's rule
            yield f"index {absent['IndexName']} of {table}"
        there = _active(calls, table)
    if create and kind.kept_s is not None:
        _asked(calls, "UpdateTimeToLive", {"TableName": table, "TimeToLiveSpecification": time_to_live_of(kind)})


def _absent(wanted: dict[str, Any], there: dict[str, Any]) -> dict[str, Any] | None:
    """The first index that is wanted and not there."""
    here = {index["IndexName"] for index in there.get("GlobalSecondaryIndexes", ())}
    indexes = wanted.get("GlobalSecondaryIndexes", ())
    return next((index for index in indexes if index["IndexName"] not in here), None)


def _with_index(table: str, index: dict[str, Any]) -> dict[str, Any]:
    keys = [{"AttributeName": key["AttributeName"], "AttributeType": "S"} for key in index["KeySchema"]]
    return {"TableName": table, "AttributeDefinitions": keys, "GlobalSecondaryIndexUpdates": [{"Create": index}]}


def _asked(calls: Calls, operation: str, request: dict[str, Any]) -> bool:
    """False where another process was faster: DynamoDB then says that it is there, or being made."""
    try:
        calls.send(operation, request["TableName"], request)
    except Rejected as no:
        if no.code in ("ResourceInUseException", "ValidationException"):
            return False
        raise StorageFault(f"DynamoDB refused {operation} of {request['TableName']}: {no.code}.") from no
    return True


def _described(calls: Calls, table: str) -> dict[str, Any] | None:
    try:
        described: dict[str, Any] = calls.send("DescribeTable", table, {"TableName": table})["Table"]
    except Rejected as no:
        if no.code == "ResourceNotFoundException":
            return None
        if no.code == "AccessDeniedException":
            raise _MayNotLook from no
        raise StorageFault(f"DynamoDB refused to describe {table}: {no.code}.") from no
    return described


def _active(calls: Calls, table: str) -> dict[str, Any]:
    ends = time.monotonic() + WAIT_S
    while time.monotonic() < ends:
        there = _described(calls, table)
        if there is not None:
            states = [there["TableStatus"], *(one["IndexStatus"] for one in there.get("GlobalSecondaryIndexes", ()))]
            if set(states) == {"ACTIVE"}:
                return there
        time.sleep(_LOOK_AGAIN_S)
    raise StorageFault(f"The DynamoDB table {table} was not ready after {WAIT_S:g} s.")
