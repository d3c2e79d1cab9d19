"""The stores that histories of the machine run over, by name: `make torture STORE=dynamodb`."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from random import Random
from typing import Any

from chalicelib.services.kinds import KINDS
from chalicelib.storage.dynamodb import DynamoStore
from chalicelib.storage.dynamodb_calls import Calls
from chalicelib.storage.dynamodb_tables import table_name
from tests.conformance.dynamodb import at_dynamodb_local, aws_at, endpoint_of
from tests.faults.lagging import LaggingStore
from tests.faults.trouble import ValueStore
from tests.servers.dynamodb_front import (
    BROKEN,
    BROKEN_AFTER,
    GATEWAY_PAGE,
    RESET,
    RESET_AFTER,
    THROTTLED,
    WELL,
    front_of,
)
from tests.servers.dynamodb_local import dynamodb_local


@contextmanager
def _values(seed: int) -> Iterator[Any]:
    yield ValueStore()


@contextmanager
def _lagging(seed: int) -> Iterator[Any]:
    yield LaggingStore(ValueStore(), Random(seed))


@contextmanager
def _dynamodb(seed: int) -> Iterator[Any]:
    """Tables of its own in DynamoDB Local, which keeps them in memory until they are deleted."""
    prefix = f"history-{secrets.token_hex(6)}"
    with at_dynamodb_local():
        store = DynamoStore(prefix, KINDS, shards=2, create_tables=True)
        store.migrate()
        try:
            yield store
        finally:
            store.close()
            _drop(prefix)


@contextmanager
def _troubled(seed: int) -> Iterator[Any]:
    """The same behind a front that loses one call or answer in eight."""
    dice = Random(seed)
    faults = (THROTTLED, BROKEN, BROKEN_AFTER, RESET, RESET_AFTER, GATEWAY_PAGE)
    with _dynamodb(seed) as store, front_of(endpoint_of(dynamodb_local)) as (front, endpoint), aws_at(endpoint):
        store.close()  # the client that it makes next goes to the front
        front.plan = lambda operation: dice.choice(faults) if dice.random() < 0.125 else WELL
        yield store
        store.close()


def _drop(prefix: str) -> None:
    calls = Calls()
    for kind in KINDS:
        table = table_name(prefix, kind)
        calls.send("UpdateTable", table, {"TableName": table, "DeletionProtectionEnabled": False})
        calls.send("DeleteTable", table, {"TableName": table})
    calls.close()


STORES: Mapping[str, Callable[[int], AbstractContextManager[Any]]] = {
    "values": _values,
    "lagging": _lagging,
    "dynamodb": _dynamodb,
    "dynamodb-troubled": _troubled,
}
