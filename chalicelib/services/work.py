"""What each message of a queue means. The worker and the cloud's queue functions call this alone."""

from __future__ import annotations

import json
from collections.abc import Callable

from chalicelib.contracts.queue import Message, Topic
from chalicelib.domain.errors import NotFound
from chalicelib.services.apply import Apply
from chalicelib.services.attend import Attend
from chalicelib.services.chores import is_chore
from chalicelib.services.notify import Notify


class Work:
    def __init__(self, apply: Apply, attend: Attend, notify: Notify) -> None:
        self._apply, self._notify = apply, notify
        self._chores: dict[str, Callable[[str], object]] = {
            "attend": attend.payment,
            "sync": attend.sync,
            "deliver": notify.due,
            "inbox": apply.again,
        }

    def handle(self, message: Message) -> None:
        """Does what the message asks. Any exception means: bring it again."""
        if message.topic is Topic.EVENTS:
            self._notify.message(message.body, again=message.receives > 1)
            return
        document = json.loads(message.body)
        if is_chore(document):  # of the inbound queue too: a returning shopper waits for her payment's sync
            self._chore(document)
        else:
            self._apply.message(document)

    def _chore(self, document: dict[str, str]) -> None:
        try:
            self._chores[document["do"]](document["id"])
        except NotFound:
            return  # what it was about is gone
