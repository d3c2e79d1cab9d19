"""What each message of a queue means. The worker and the cloud's queue functions call this alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from chalicelib.contracts.queue import Message, Topic
from chalicelib.domain.errors import NotFound
from chalicelib.services.chores import is_chore

if TYPE_CHECKING:
    from chalicelib.services.apply import Apply
    from chalicelib.services.attend import Attend
    from chalicelib.services.notify import Notify


# The sweep queues these for as long as their documents are due; a walk or a shopper's return comes but once.
_SWEPT = frozenset({"attend", "deliver", "inbox"})


class Parts(Protocol):
    """Who does the work. A process may make each when its first message comes: a queue's function needs one or two."""

    @property
    def apply(self) -> Apply: ...

    @property
    def attend(self) -> Attend: ...

    @property
    def notify(self) -> Notify: ...


class Work:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._chores: Mapping[str, Callable[[str], object]] = {
            "attend": lambda id: parts.attend.payment(id),
            "sync": lambda id: parts.attend.sync(id),
            "look_again": lambda id: parts.attend.look_again(id),
            "deliver": lambda id: parts.notify.due(id),
            "inbox": lambda id: parts.apply.again(id),
        }

    def handle(self, message: Message) -> None:
        """Does what the message asks. Any exception means: bring it again."""
        if message.topic is Topic.EVENTS:
            self._parts.notify.message(message.body, again=message.receives > 1)
            return
        document = json.loads(message.body)
        if is_chore(document):  # of the inbound queue too: a returning shopper waits for her payment's sync
            self._chore(document)
        else:
            self._parts.apply.message(document)

    def _chore(self, document: Mapping[str, str]) -> None:
        try:
            self._chores[document["do"]](document["id"])
        except NotFound:
            return  # what it was about is gone


def is_queued_anew(message: Message) -> bool:
    """Whether a message that is lost, or not done, comes again by itself, within the hour: swept chores, and events that were
    queued from an outbox before. The first message of an event would come too, but a good deal later."""
    document = json.loads(message.body)
    return bool(document["again"] if message.topic is Topic.EVENTS else document.get("do") in _SWEPT)
