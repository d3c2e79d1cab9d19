"""What processes tell each other of the health of connections: a document for each, put on condition."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from chalicelib import telemetry
from chalicelib.contracts.store import NEW, PAGE_MAX, Stored
from chalicelib.domain.errors import Fault, NotFound, StaleVersion
from chalicelib.routing.health import ConnectionHealth, Outcome, merged, probing
from chalicelib.services.kinds import HEALTH, connection_key
from chalicelib.services.ports import Ports

log = logging.getLogger("paymentserver.health")
TRIES = 5
SEEN_MAX = 10_000
NEVER = float("-inf")


@dataclass(slots=True)
class Seen:
    """One connection: its document as last read or put, and `view`, which is that with `untold` recorded on top."""

    stored: Stored[ConnectionHealth]
    view: ConnectionHealth
    untold: list[Outcome] = field(default_factory=list)
    untold_at: float = 0.0  # when the first of them came
    urgent: bool = False
    calling: int = 0  # payments that are at the PSP now
    asked_at: float = NEVER
    offered_at: float = NEVER

    def stands_as(self, stored: Stored[ConnectionHealth]) -> None:
        self.stored, self.view = stored, merged(stored.value, self.untold)


class Exchange:
    """`lock` is held for moments, whenever a Seen changes; `io` while documents are read or put, so that no reader counts
    twice what is just being told. Call `read`, `tell` and `take_probe` with `io` held."""

    def __init__(self, ports: Ports, name: str, monotonic: Callable[[], float]) -> None:
        self.lock, self.io = threading.Lock(), threading.Lock()
        self.seen: dict[str, Seen] = {}
        self.read_at: dict[str, float] = {}
        self._ports, self._name, self._monotonic = ports, name, monotonic

    def of(self, merchant_id: str, connection_id: str) -> Seen:
        key = connection_key(merchant_id, connection_id)
        seen = self.seen.get(key)
        if seen is None:
            with self.lock:
                if len(self.seen) >= SEEN_MAX:
                    self.seen = {known: one for known, one in self.seen.items() if one.untold or one.calling}
                    self.read_at.clear()
                unknown = ConnectionHealth(merchant_id, connection_id)
                seen = self.seen.setdefault(key, Seen(Stored(unknown, NEW), unknown))
        return seen

    def read(self, merchant_id: str) -> None:
        """One trip for all connections of a merchant account. A fault leaves everything as it was."""
        self.read_at[merchant_id] = self._monotonic()
        after: str | None = None
        try:
            while True:
                page = self._ports.store.find(HEALTH, "by_merchant", merchant_id, after=after, limit=PAGE_MAX)
                for stored in page.items:
                    seen = self.of(merchant_id, stored.value.connection_id)
                    with self.lock:
                        if stored.version != seen.stored.version:
                            seen.stands_as(stored)
                after = page.after
                if after is None:
                    return
        except Fault as error:
            log.warning("health not read", extra={"fields": {"detail": error.detail}})

    def tell(self, seen: Seen) -> None:
        """Puts what is untold, on top of what others put meanwhile. What can not be told now is kept."""
        try:
            for _ in range(TRIES):
                with self.lock:
                    value, count = seen.view, len(seen.untold)
                if self._put(seen, value, count):
                    return
        except Fault as error:
            log.warning("health not told", extra={"fields": {"detail": error.detail}})
        with self.lock:  # and again in a while
            seen.untold_at, seen.urgent = self._monotonic(), False

    def take_probe(self, seen: Seen, at_s: float) -> None:
        """The lease for the next probe, unless somebody else was faster. Without a database each process takes its own."""
        with self.lock:
            value, count = probing(seen.view, self._name, at_s), len(seen.untold)
        try:
            self._put(seen, value, count)
        except Fault:
            with self.lock:
                seen.view = value

    def _put(self, seen: Seen, value: ConnectionHealth, told: int) -> bool:
        """Whether it was put, with the first `told` outcomes in it; otherwise somebody else's was, and is read."""
        before = seen.stored
        try:
            version = self._ports.store.put(HEALTH, value, expect=before.version)
        except StaleVersion:
            newest = self._newest(value.merchant_id, value.connection_id)
            with self.lock:
                seen.stands_as(newest)
            return False
        with self.lock:
            del seen.untold[:told]
            seen.urgent, seen.untold_at = seen.urgent and bool(seen.untold), self._monotonic()
            seen.stands_as(Stored(value, version))
        _announce(before.value, value)
        return True

    def _newest(self, merchant_id: str, connection_id: str) -> Stored[ConnectionHealth]:
        try:
            return self._ports.store.get(HEALTH, connection_key(merchant_id, connection_id))
        except NotFound:
            return Stored(ConnectionHealth(merchant_id, connection_id), NEW)


def _announce(before: ConnectionHealth, after: ConnectionHealth) -> None:
    """Each change of a circuit is put by one process alone, which tells of it."""
    circuit = after.circuit
    if circuit.until_s == before.circuit.until_s:
        return
    named = {"merchant_id": after.merchant_id, "connection_id": after.connection_id}
    if circuit.until_s is None:
        log.warning("circuit closed", extra={"fields": named})
    else:
        more = {"reason": circuit.reason, "count": circuit.opened}
        log.warning("circuit opened", extra={"fields": {**named, **more}})
    telemetry.count(
        "circuit_changes_total",
        connection=connection_key(after.merchant_id, after.connection_id),
        state="closed" if circuit.until_s is None else "open",
    )
