"""Calls of DynamoDB: each retried inside one time budget, and what comes back told apart.

botocore's own retries are off, because what a failed try may have done is decided here:

    certainly not applied   no connection was made, or DynamoDB throttled the call
    in doubt                a time-out, a connection that broke, an answer of 500 or one that can not be read

Both are tried again; but after a doubt, a condition that fails may have failed because of one's own earlier try.
"""

from __future__ import annotations

import os
import random
import threading
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any
from weakref import WeakSet

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    ProxyConnectionError,
)
from botocore.exceptions import (
    ConnectionError as BotoConnectionError,
)
from pynamodb.connection import Connection

from chalicelib import telemetry
from chalicelib.domain.errors import StorageFault, TooLarge
from chalicelib.outbound import aws
from chalicelib.storage.dynamodb_item import Item

BUDGET_S = 4.0  # after it no further try begins
CONNECT_TIMEOUT_S = 1.0
READ_TIMEOUT_S = 2.0
PAUSE_S, PAUSE_MAX_S = 0.025, 0.8  # doubled each time; drawn between 0 and that
CONNECTIONS_MAX = 32
THREADS = 16  # that ask shards side by side

THROTTLED = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "RequestLimitExceeded",
        "LimitExceededException",  # too many tables are created at once
        "TransactionConflictException",
        "TransactionInProgressException",
        "ReplicatedWriteConflictException",
        # as reasons of a cancelled transaction
        "ThrottlingError",
        "ProvisionedThroughputExceeded",
        "TransactionConflict",
    }
)
_NOT_SENT = (ConnectTimeoutError, EndpointConnectionError, ProxyConnectionError)

Observe = Callable[[str, str, Any], None]


class ConditionFailed(Exception):
    """`item` is what stands there instead, None where nothing does; `in_doubt` that an earlier try may have been applied."""

    def __init__(self, item: Item | None, in_doubt: bool) -> None:
        super().__init__("the condition failed")
        self.item = item
        self.in_doubt = in_doubt


class Rejected(Exception):
    """DynamoDB's own no, with its code: asking again would not help. `in_doubt` as above."""

    def __init__(self, code: str, message: str, in_doubt: bool) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.in_doubt = in_doubt


class _Connection(Connection):
    """Shares the process' session: one of its own costs a start on Lambda 50 ms."""

    @property
    def session(self) -> Any:
        return aws.session()


class Calls:
    """One client for all threads of a process, made when it is first needed, and made anew after a fork.

    `observe` is told (operation, table, ConsumedCapacity) of each call, table and indexes apart.
    """

    def __init__(self, *, observe: Observe | None = None, budget_s: float = BUDGET_S) -> None:
        self._observe = observe
        self._budget_s = budget_s
        self._inherited: list[object] = []
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._threads: ThreadPoolExecutor | None = None
        _ALL.add(self)

    def call(self, operation: str, table: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Raises StorageFault, TooLarge and ConditionFailed."""
        try:
            return self.send(operation, table, request)
        except Rejected as no:
            raise _error_of(no, operation, table) from no

    def side_by_side(
        self, operation: str, table: str, requests: Sequence[Mapping[str, Any]]
    ) -> list[Callable[[], dict[str, Any]]]:
        """The answers, each waited for where it is asked for. One request alone is not sent before that."""
        if len(requests) == 1:
            return [partial(self.call, operation, table, requests[0])]
        with self._lock:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(THREADS, "dynamodb")
            threads = self._threads
        return [threads.submit(self.call, operation, table, request).result for request in requests]

    def send(self, operation: str, table: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Raises Rejected instead of what `call` makes of it; a StorageFault says whether it may have been applied."""
        budget, in_doubt = Budget(self._budget_s), False
        while True:
            try:
                return self._try(operation, table, request)
            except ClientError as error:
                response = getattr(error.__cause__, "response", error.response)
                codes = _codes_of(response)
                if "ConditionalCheckFailedException" in codes or "ConditionalCheckFailed" in codes:
                    raise ConditionFailed(_item_in(response), in_doubt) from None
                throttled = bool(THROTTLED.intersection(codes))
                if not throttled:
                    if _is_a_no(response):
                        raise Rejected(codes[0], response["Error"].get("Message", ""), in_doubt) from None
                    in_doubt = True
                reason = "throttled" if throttled else "broken"
                last: Exception = error
            except BotoCoreError as error:
                if not isinstance(error, (HTTPClientError, BotoConnectionError)):
                    no = f"DynamoDB can not be called: {type(error).__name__}. {_outcome(in_doubt)}"
                    raise StorageFault(no) from error
                in_doubt = in_doubt or not isinstance(error, _NOT_SENT)
                reason, last = "unreachable" if isinstance(error, _NOT_SENT) else "broken", error
            except Exception as error:  # what is no answer of DynamoDB's raises whatever the parser stumbles over
                in_doubt, reason, last = True, "broken", error
            telemetry.count("store_retries_total", reason=reason)
            if not budget.wait():
                raise StorageFault(
                    f"DynamoDB did not serve {operation} of {table} within {self._budget_s:g} s ({reason}). "
                    + _outcome(in_doubt)
                ) from last

    def budget(self) -> Budget:
        return Budget(self._budget_s)

    def close(self) -> None:
        with self._lock:
            connection, self._connection = self._connection, None
            threads, self._threads = self._threads, None
        if threads is not None:
            threads.shutdown()
        if connection is not None:
            connection.client.close()

    def _try(self, operation: str, table: str, request: Mapping[str, Any]) -> dict[str, Any]:
        asked = dict(request)
        if operation in _COUNTED:
            asked["ReturnConsumedCapacity"] = "NONE" if self._observe is None else "INDEXES"
        answer: dict[str, Any] = self._connected().dispatch(operation, asked)
        if self._observe is not None and "ConsumedCapacity" in answer:
            self._observe(operation, table, answer["ConsumedCapacity"])
        return answer

    def connect(self) -> None:
        """Makes the client, which the first call does else."""
        self._connected()

    def _connected(self) -> Connection:
        connection = self._connection
        if connection is None:
            with self._lock:
                connection = self._connection
                if connection is None:
                    connection = _Connection(
                        connect_timeout_seconds=CONNECT_TIMEOUT_S,
                        read_timeout_seconds=READ_TIMEOUT_S,
                        max_pool_connections=CONNECTIONS_MAX,
                        retry_configuration={"total_max_attempts": 1, "mode": "standard"},
                    )
                    with aws.held_session():
                        client = connection.client  # made here, where no other thread makes another
                    client.meta.events.register("before-parse.dynamodb", _must_be_whole)
                    self._connection = connection
        return connection

    def _after_fork(self) -> None:
        """The parent's sockets and threads are not ours. They are kept unused: closing them could wait for a lock that a
        thread of the parent held, and that nobody here will ever release."""
        self._inherited += [self._connection, self._threads]
        self._lock = threading.Lock()
        self._connection = self._threads = None


class Budget:
    """The time for all tries of one call. `wait` pauses before the next; False when none is left."""

    def __init__(self, seconds: float) -> None:
        self._ends = time.monotonic() + seconds
        self._pause_s = PAUSE_S

    def wait(self) -> bool:
        pause_s = random.uniform(0, self._pause_s)  # noqa: S311  # jitter
        if time.monotonic() + pause_s >= self._ends:
            return False
        time.sleep(pause_s)
        self._pause_s = min(self._pause_s * 2, PAUSE_MAX_S)
        return True


_ALL: WeakSet[Calls] = WeakSet()
_COUNTED = frozenset({"GetItem", "PutItem", "UpdateItem", "Query", "BatchGetItem", "TransactWriteItems"})


def _renew() -> None:
    for calls in list(_ALL):
        calls._after_fork()


os.register_at_fork(after_in_child=_renew)


def _must_be_whole(response_dict: Mapping[str, Any], **_: Any) -> None:
    """Raises StorageFault for an answer that DynamoDB did not write.

    botocore takes a 200 with the page of some gateway for an answer without members: "there is no such item". Of a payment
    that would be a lie with consequences.
    """
    headers = response_dict["headers"]
    if response_dict["status_code"] != 200:
        return
    told = headers.get("x-amz-crc32")
    if told is None and "x-amzn-requestid" not in headers:
        raise StorageFault("This is no answer of DynamoDB's.")
    if told is not None and int(told) != zlib.crc32(response_dict["body"]):
        raise StorageFault("The answer was changed on its way.")


def _is_a_no(response: Mapping[str, Any]) -> bool:
    """Whether it is DynamoDB that refuses: a gateway's page has a status, but no code by name."""
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
    return 400 <= status < 500 and str(response.get("Error", {}).get("Code", "")).isalpha()


def _outcome(in_doubt: bool) -> str:
    return "It may have been applied all the same." if in_doubt else "Nothing was applied."


def _codes_of(response: Mapping[str, Any]) -> list[str]:
    """The error's code, and those of what cancelled a transaction."""
    reasons = [reason["Code"] for reason in response.get("CancellationReasons", ()) if reason.get("Code")]
    return [*(code for code in reasons if code != "None"), response.get("Error", {}).get("Code", "")]


def _item_in(response: Mapping[str, Any]) -> Item | None:
    for reason in response.get("CancellationReasons", ()):
        if "Item" in reason:
            return reason["Item"]  # type: ignore[no-any-return]
    return response.get("Item")


def _error_of(no: Rejected, operation: str, table: str) -> StorageFault | TooLarge:
    if no.code == "ValidationException" and "size has exceeded" in no.message:
        return TooLarge(f"The item would exceed what DynamoDB holds (400 kB) in {table}. Nothing was written.")
    if no.code == "ResourceNotFoundException":
        return StorageFault(f"There is no DynamoDB table {table}: deploy the tables, or set create_tables.")
    return StorageFault(f"DynamoDB refused {operation} of {table}: {no.code}. {_outcome(no.in_doubt)}")
