"""Trouble at the n-th call of a port: a fault, a kill, or something else that happens in the middle of it.

Every call of the store, the queue and the PSPs passes through here twice, just before its effect and just after. A kill
is a BaseException: no handler of the product's may stop it, as none stops SIGKILL.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chalicelib.contracts.connector import Conversation, NotSent
from chalicelib.contracts.store import NEW
from chalicelib.domain.errors import QueueFault, StorageFault
from chalicelib.outbound.driver import Deadline
from chalicelib.services.kinds import DELIVERY, INBOX, PAYMENT
from chalicelib.services.notify import SWEEP_GRACE_S
from chalicelib.storage.memory import MemoryStore
from tests.faults.memory_queue import MemoryQueue

FAULT, KILL, MEANWHILE = "fault", "kill", "meanwhile"
STORE, QUEUE, PSP = "store", "queue", "psp"
NESTED_MAX = 2
CALL_MAX_S = 20.0


class Killed(BaseException):
    """The process is gone."""


@dataclass
class Armed:
    kind: str
    after: int  # calls that go well before it


class Trouble:
    """What is armed strikes once. `meanwhile` does something else, in another process, and comes back."""

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        self._meanwhile = meanwhile
        self._depth = 0
        self.armed: list[Armed] = []

    def point(self, port: str) -> None:
        if not self.armed:
            return
        due: list[Armed] = []
        for one in self.armed:
            fits = (port != PSP or one.kind != FAULT) and (one.kind != MEANWHILE or self._depth < NESTED_MAX)
            one.after -= fits
            if fits and one.after < 0:
                due.append(one)
        for one in due:
            if one in self.armed:
                self.armed.remove(one)
                self._strike(one.kind, port)

    def _strike(self, kind: str, port: str) -> None:
        if kind == KILL:
            raise Killed
        if kind == FAULT:
            raise StorageFault("the database is away") if port == STORE else QueueFault("the queue is away")
        self._depth += 1
        try:
            self._meanwhile()
        finally:
            self._depth -= 1


class TroubledStore(MemoryStore):
    """`committed` is told of every version of a payment that was written."""

    def __init__(self, trouble: Trouble, committed: Callable[[Any, Any], None]) -> None:
        super().__init__()
        self._trouble, self._committed = trouble, committed
        self.payments: dict[str, Any] = {}

    def get(self, kind: Any, id: str) -> Any:
        self._trouble.point(STORE)
        return super().get(kind, id)

    def put(self, kind: Any, value: Any, *, expect: Any) -> Any:
        self._trouble.point(STORE)
        version = super().put(kind, value, expect=expect)
        if kind is PAYMENT:
            before = self.payments.get(value.id) if expect != NEW else None
            self.payments[value.id] = value
            self._committed(before, value)
        self._trouble.point(STORE)
        return version

    def find(self, *arguments: Any, **named: Any) -> Any:
        self._trouble.point(STORE)
        return super().find(*arguments, **named)

    def due_s(self) -> list[float]:
        """The times in the due indexes, in seconds since 1970, as late as the sweeper acts on them."""
        times = []
        for kind, grace_s in ((PAYMENT, 0), (DELIVERY, SWEEP_GRACE_S), (INBOX, 0)):
            position = [index.name for index in kind.indexes].index("due")
            for _, row in self._rows.get(kind.name, {}).values():
                key = row.keys[position]
                if key is not None:
                    times.append(datetime.fromisoformat(key.sort.replace("Z", "+00:00")).timestamp() + grace_s)
        return times


class TroubledQueue(MemoryQueue):
    def __init__(self, trouble: Trouble, clock: Callable[[], float]) -> None:
        super().__init__(clock)
        self._trouble = trouble

    def send(self, topic: Any, body: bytes, *, delay_s: float = 0) -> None:
        self._trouble.point(QUEUE)
        super().send(topic, body, delay_s=delay_s)
        self._trouble.point(QUEUE)

    def done(self, message: Any) -> None:
        self._trouble.point(QUEUE)
        super().done(message)
        self._trouble.point(QUEUE)


class TroubledDriver:
    """Runs a conversation with a simulated PSP. As the real driver does, it sends nothing once the deadline is over."""

    def __init__(self, trouble: Trouble, now_s: Callable[[], float]) -> None:
        self._trouble, self._now_s = trouble, now_s

    def converse(self, conversation: Conversation[Any], deadline: Deadline, *, fresh: bool = False) -> Any:
        began = deadline.__dict__.setdefault("began_s", self._now_s())
        self._trouble.point(PSP)
        if self._now_s() - began > CALL_MAX_S:
            conversation.close()
            raise NotSent("no time was left")
        try:
            next(conversation)
        except StopIteration as stop:
            result = stop.value
        else:
            raise AssertionError("a simulated PSP makes no calls")
        self._trouble.point(PSP)
        return result
