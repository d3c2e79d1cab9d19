"""The servers that stand in for DynamoDB, each started once for all tests of a process; a test has tables of its own."""

from __future__ import annotations

import atexit
import os
import random
import secrets
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from chalicelib.contracts.store import Kind, Store
from chalicelib.storage import dynamodb_calls
from chalicelib.storage.dynamodb import DynamoStore
from tests.servers.dynamodb_front import THROTTLED, THROTTLING, WELL, front_of
from tests.servers.dynamodb_local import dynamodb_local
from tests.servers.ministack import CREDENTIALS, ministack

PATIENCE_S = 60.0
Server = Callable[[Path], AbstractContextManager[str]]


@cache
def endpoint_of(server: Server) -> str:
    """Where it listens until this process ends. Skips where it can not run here."""
    running = ExitStack()
    atexit.register(running.close)
    folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
    return running.enter_context(server(folder))


@contextmanager
def environment(changed: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in changed}
    os.environ.update(changed)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def aws_at(endpoint: str) -> AbstractContextManager[None]:
    """Where botocore looks for DynamoDB meanwhile."""
    return environment({**CREDENTIALS, "AWS_ENDPOINT_URL_DYNAMODB": endpoint})


@contextmanager
def patient(endpoint: str) -> Iterator[None]:
    """As `aws_at`, for tests with more processes than cores: here a slow answer is no trouble."""
    impatient = dynamodb_calls.READ_TIMEOUT_S
    dynamodb_calls.READ_TIMEOUT_S = PATIENCE_S
    try:
        with aws_at(endpoint):
            yield
    finally:
        dynamodb_calls.READ_TIMEOUT_S = impatient


def at_dynamodb_local() -> AbstractContextManager[None]:
    return patient(endpoint_of(dynamodb_local))


def at_ministack() -> AbstractContextManager[None]:
    return patient(endpoint_of(ministack))


@contextmanager
def at_throttled_dynamodb() -> Iterator[None]:
    """One call in five is throttled, whichever it is."""
    dice = random.Random(20)
    with front_of(endpoint_of(dynamodb_local)) as (front, endpoint), patient(endpoint):
        front.plan = lambda operation: dice.choice((THROTTLED, THROTTLING)) if dice.random() < 0.2 else WELL
        yield


def dynamo_at(kinds: Sequence[Kind[Any]], **options: Any) -> Callable[[Path], Callable[[], Store]]:
    def at(tmp_path: Path) -> Callable[[], Store]:
        prefix = f"test-{secrets.token_hex(6)}"
        return lambda: DynamoStore(
            prefix, kinds, create_tables=True, **{"shards": 3, "budget_s": PATIENCE_S, **options}
        )

    return at
