"""Trouble at the n-th call of a port: a fault, a kill, or something else that happens in the middle of it.

Every call of the store, the queue and the PSPs passes through here twice, just before its effect and just after. A kill
is a BaseException: no handler of the product's may stop it, as none stops SIGKILL.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from chalicelib.contracts.conversation import Conversation, NotSent
from chalicelib.contracts.store import NEW, Page, Place, Stored, Version
from chalicelib.domain.errors import NotFound, QueueFault, StaleVersion, StorageFault
from chalicelib.domain.view import text_of
from chalicelib.domain.watch import LOOKED_AGAIN_AFTER_S
from chalicelib.outbound.driver import Deadline
from chalicelib.services.kinds import DELIVERY, DUE, INBOX, PAYMENT, WALK
from chalicelib.services.notify import SWEEP_GRACE_S
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


class TroubledStore:
    """A store in front of `inner`; `committed` is told of every version of a payment that was written."""

    def __init__(self, inner: Any, trouble: Trouble, committed: Callable[[Any, Any], None]) -> None:
        self._inner, self._trouble, self._committed = inner, trouble, committed
        self.payments: dict[str, Any] = {}

    def get(self, kind: Any, id: str) -> Any:
        self._trouble.point(STORE)
        return self._inner.get(kind, id)

    def put(self, kind: Any, value: Any, *, expect: Any) -> Any:
        self._trouble.point(STORE)
        version = self._inner.put(kind, value, expect=expect)
        if kind is PAYMENT:
            before = self.payments.get(value.id)
            self.payments[value.id] = value
            self._committed(before, value)
        self._trouble.point(STORE)
        return version

    def delete(self, kind: Any, id: str, *, expect: Any) -> None:
        self._trouble.point(STORE)
        self._inner.delete(kind, id, expect=expect)
        self._trouble.point(STORE)

    def find(self, *arguments: Any, **named: Any) -> Any:
        self._trouble.point(STORE)
        return self._inner.find(*arguments, **named)

    def due(self, *arguments: Any, **named: Any) -> Any:
        self._trouble.point(STORE)
        return self._inner.due(*arguments, **named)

    def catch_up(self) -> None:
        """Enough time passes for indexes that lag."""
        getattr(self._inner, "catch_up", lambda: None)()

    def due_s(self) -> list[float]:
        """The times in the due indexes, in seconds since 1970, as late as the sweeper acts on them."""
        times = []
        self.catch_up()
        for kind, grace_s in ((PAYMENT, 0), (DELIVERY, SWEEP_GRACE_S), (INBOX, 0)):
            page = self._inner.find(kind, "due", DUE, newest_first=False, limit=1)
            times += [stored.value.due_at.timestamp() + grace_s for stored in page.items]
        return times + self._looked_again_s()

    def _looked_again_s(self) -> list[float]:
        """When the next refund is looked at again, on each walk."""
        times = []
        for after_s in LOOKED_AGAIN_AFTER_S:
            since = None
            with suppress(NotFound):
                since = text_of(self._inner.get(WALK, f"refunds-{after_s}").value.until)
            page = self._inner.find(PAYMENT, "refunded", DUE, since=since, newest_first=False, limit=1)
            made = [one.made_at for stored in page.items for one in stored.value.operations if one.made_at is not None]
            times += [max(made).timestamp() + after_s] if made else []
        return times


class ValueStore:
    """A store in memory that keeps the very objects it is given: they are frozen, and turning them into JSON and back would
    be a third of a step. What a codec could lose is what the stores' own suites look for."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[str, tuple[int, Any]]] = {}

    def get(self, kind: Any, id: str) -> Any:
        found = self._rows.get(kind.name, {}).get(id)
        if found is None:
            raise NotFound(f"There is no {id!r} in {kind.name}.")
        return Stored(found[1], Version(found[0]))

    def put(self, kind: Any, value: Any, *, expect: Any) -> Any:
        rows, id = self._rows.setdefault(kind.name, {}), kind.id_of(value)
        if rows.get(id, (NEW,))[0] != expect:
            raise StaleVersion(f"{id!r} was written by somebody else meanwhile.")
        rows[id] = (expect + 1, value)
        return Version(expect + 1)

    def delete(self, kind: Any, id: str, *, expect: Any) -> None:
        rows = self._rows.get(kind.name, {})
        if rows.get(id, (NEW,))[0] != expect:
            raise StaleVersion(f"{id!r} was written by somebody else meanwhile.")
        del rows[id]

    def find(
        self, kind: Any, index: str, partition: str, *, until: str | None = None, newest_first: bool = True,
        after: str | None = None, limit: int = 50, since: str | None = None, where: Any = None, lagging: bool = False,
    ) -> Any:  # fmt: skip
        found = self._places(kind, index, partition, since, until)
        found.sort(key=lambda one: one[:2], reverse=newest_first)
        return Page(tuple(one[2] for one in found[:limit]), None)

    def due(self, kind: Any, index: str, partition: str, *, since: str | None = None, until: str, limit: int) -> Any:
        found = sorted(self._places(kind, index, partition, since, until), key=lambda one: one[:2])
        return [Place(id, sort) for sort, id, _ in found[:limit]]

    def _places(
        self, kind: Any, index: str, partition: str, since: str | None, until: str | None
    ) -> list[tuple[str, str, Any]]:
        key_of = next(one.key_of for one in kind.indexes if one.name == index)
        found = []
        for id, (version, value) in self._rows.get(kind.name, {}).items():
            key = key_of(value)
            if key is None or key.partition != partition or key.sort < (since or ""):
                continue
            if until is None or key.sort < until:
                found.append((key.sort, id, Stored(value, Version(version))))
        return found


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
        if conversation.gi_code.co_name == "verify":  # asks nobody
            return self._run(conversation)
        began = deadline.__dict__.setdefault("began_s", self._now_s())
        self._trouble.point(PSP)
        if self._now_s() - began > CALL_MAX_S:
            conversation.close()
            raise NotSent("no time was left")
        result = self._run(conversation)
        self._trouble.point(PSP)
        return result

    def _run(self, conversation: Conversation[Any]) -> Any:
        try:
            next(conversation)
        except StopIteration as stop:
            return stop.value
        raise AssertionError("a simulated PSP makes no calls")
