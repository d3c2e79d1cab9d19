"""The DynamoDB tables, one for each kind of document, as the store itself would make them."""

from __future__ import annotations

from typing import Any

from chalicelib.contracts.store import Kind
from chalicelib.services.kinds import KINDS
from chalicelib.storage.dynamodb_tables import POINT_IN_TIME_RECOVERY, table_of, time_to_live_of
from infra.cloudformation import Json, sub
from infra.names import table_id

PREFIX = "PREFIX"  # in a table's name, until the stack's name takes its place


def tables() -> dict[str, Json]:
    """Retained and protected: no mistake with the stack deletes money's records."""
    return {table_id(kind.name): _resource(kind) for kind in KINDS}


def _resource(kind: Kind[Any]) -> Json:
    """A CreateTable request as the properties of a resource: the same words, but for time to live and recovery."""
    request, lapsing = table_of(PREFIX, kind), time_to_live_of(kind)
    properties = {
        **request,
        **({} if lapsing is None else {"TimeToLiveSpecification": lapsing}),
        "TableName": sub("${AWS::StackName}" + request["TableName"].removeprefix(PREFIX)),
        "DeletionProtectionEnabled": True,
        "PointInTimeRecoverySpecification": POINT_IN_TIME_RECOVERY,
    }
    return {
        "Type": "AWS::DynamoDB::Table",
        "DeletionPolicy": "Retain",
        "UpdateReplacePolicy": "Retain",
        "Properties": properties,
    }
