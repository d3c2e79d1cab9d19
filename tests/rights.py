"""Holds what each function does with documents and queues to its policy in infra/policies, wherever a test makes it work.

A function's work is known by its entrance: a message by its queue, the sweep, the measuring, a request of the API. What is done
inside one, in the threads that it starts too, is looked up in the policy; outside of all (a test that prepares or looks)
everything is allowed.
"""

from __future__ import annotations

import contextvars
import functools
import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from chalicelib.api import application
from chalicelib.contracts.queue import Topic
from chalicelib.queues.embedded import EmbeddedQueue
from chalicelib.services import change, roll_up
from chalicelib.services.apply import Apply
from chalicelib.services.attend import Attend
from chalicelib.services.guardrail import Guardrail
from chalicelib.services.intake import Intake
from chalicelib.services.notify import Notify
from chalicelib.services.sweep import Sweep
from chalicelib.services.work import Work
from chalicelib.storage.memory import MemoryStore
from chalicelib.storage.sql import SqlStore
from infra import grants
from infra.names import CONSUMER_OF, queue_id

Right = tuple[str, str]  # an action, and a table, a table's index, or a topic
TABLE = ":table/${TablePrefix}-"
_function: contextvars.ContextVar[str | None] = contextvars.ContextVar("function", default=None)
_lock = threading.Lock()
used: set[tuple[str, Right]] = set()
refused: list[str] = []


def granted(function: str) -> set[Right]:
    """What a function's policy allows of tables and queues."""
    topics = {queue_id(topic): str(topic) for topic in Topic}
    found: set[Right] = set()
    for statement in grants.statements_of(function):
        for text in grants.texts_in(statement["Resource"]):
            name = text.partition(TABLE)[2] if TABLE in text else topics.get(text)
            if name is not None and statement["Sid"] != "Consume":
                found |= {(action, name) for action in statement["Action"]}
    return found


_GRANTED = {function: granted(function) for function in grants.functions()}


def _needs(*rights: Right) -> None:
    function = _function.get()
    if function is None:
        return
    with _lock:
        used.update((function, right) for right in rights)
        refused.extend(f"{function} may not {right}" for right in rights if right not in _GRANTED[function])


@contextmanager
def working(function: str) -> Iterator[None]:
    """Inside another function's work, the work is still that one's."""
    token = _function.set(_function.get() or function)
    try:
        yield
    finally:
        _function.reset(token)


def watch() -> None:
    """From now on, for this whole process."""
    for store in (MemoryStore, SqlStore):
        _before(store, "get", lambda kind, *_, **__: [("dynamodb:GetItem", kind.name)])
        _before(store, "put", lambda kind, *_, **__: [("dynamodb:PutItem", kind.name)])
        _before(store, "delete", lambda kind, *_, **__: [("dynamodb:DeleteItem", kind.name)])
        _before(store, "due", lambda kind, index, *_, **__: [("dynamodb:Query", f"{kind.name}/index/{index}")])
        _before(store, "find", _of_find)
    for send in ("send", "send_all"):
        _before(EmbeddedQueue, send, lambda topic, *_, **__: [("sqs:SendMessage", str(topic))])
    for look in ("ready", "depth"):
        _before(EmbeddedQueue, look, lambda topic, *_, **__: [("sqs:GetQueueAttributes", str(topic))])
    _around(Work, "handle", lambda message: CONSUMER_OF[message.topic])
    for cls, method, function in (
        (Apply, "message", "apply"),
        (Notify, "message", "notify"),
        (Notify, "due", "attend"),
        (Attend, "payment", "attend"),
    ):
        _around(cls, method, lambda *_, function=function: function)
    _around(Sweep, "round", lambda: "sweep")
    _around(Guardrail, "round", lambda *_: "measure")
    _around(Intake, "take", lambda *_: "webhooks")
    for module, name, function in (
        (change, "sweep_audit", "sweep"),
        (roll_up, "roll_up_all", "measure"),
        (application, "_respond", "api"),
    ):
        setattr(module, name, _within(getattr(module, name), lambda *_, function=function, **__: function))


def _of_find(kind: Any, index: str, *_: Any, **__: Any) -> list[Right]:
    return [("dynamodb:Query", f"{kind.name}/index/{index}"), ("dynamodb:BatchGetItem", kind.name)]


def _before(cls: type, method: str, rights_of: Callable[..., list[Right]]) -> None:
    original = getattr(cls, method)

    @functools.wraps(original)
    def watched(self: Any, *given: Any, **named: Any) -> Any:
        _needs(*rights_of(*given, **named))
        return original(self, *given, **named)

    setattr(cls, method, watched)


def _around(cls: type, method: str, function_of: Callable[..., str]) -> None:
    setattr(cls, method, _within(getattr(cls, method), lambda self, *given, **_: function_of(*given)))


def _within(original: Callable[..., Any], function_of: Callable[..., str]) -> Callable[..., Any]:
    @functools.wraps(original)
    def watched(*given: Any, **named: Any) -> Any:
        with working(function_of(*given, **named)):
            return original(*given, **named)

    return watched


@pytest.fixture(autouse=True)
def within_rights() -> Iterator[None]:
    """A conftest imports it, and calls `watch` before test modules are imported."""
    before = len(refused)
    yield
    assert not refused[before:], sorted(set(refused[before:]))


def write_used(path: Path) -> None:
    """Adds to what other processes wrote; each has a file of its own in the folder."""
    path.mkdir(parents=True, exist_ok=True)
    (path / f"{os.getpid()}.json").write_text(json.dumps(sorted([function, *right] for function, right in used)))


def used_in(path: Path) -> set[tuple[str, Right]]:
    found: set[tuple[str, Right]] = set()
    for file in path.glob("*.json"):
        found |= {(function, (action, name)) for function, action, name in json.loads(file.read_text())}
    return found
