"""The health of connections as this process knows it: what others told, and what it saw itself.

An outcome counts here at once. Others are told by a document for each connection: what bears on a circuit at once, the rest
every 5 s. Where a keeper runs (server/health_keeper.py), it does all telling and reading outside of requests; elsewhere, as
on Lambda, the calls below do what is due.

A database that fails never fails a checkout here: the process goes by what it saw.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable

from chalicelib.domain.configuration import Connection
from chalicelib.routing.health import CircuitState, ConnectionHealth, Outcome, overridden, recorded
from chalicelib.services.health_exchange import NEVER, Exchange, Seen
from chalicelib.services.open_attempt import Tried
from chalicelib.services.ports import Ports

ANSWERED = frozenset({"opened", "declined"})  # outcomes of an opening call that show the PSP at work
FAIR_S = 2.0  # a call that had less time than this and failed says nothing of the PSP
TELL_EVERY_S = 5.0
FRESH_S = 1.0  # how old what others told may be when a payment is planned
KEPT_FRESH_S = 3.0  # with a keeper: so a payment waits for reading only after a pause without payments
OFFER_EVERY_S = 0.5  # a payment that was to probe may come to nothing before it calls
UNTOLD_MAX = 1_000


class Health:
    """Thread-safe. A keeper sets `wake`, and calls `tick` twice a second and whenever it is woken."""

    def __init__(self, ports: Ports, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.wake: Callable[[], None] | None = None
        self._ports, self._monotonic = ports, monotonic
        self._name = secrets.token_hex(6)
        self._exchange = Exchange(ports, self._name, monotonic)
        self._asked_at: dict[str, float] = {}

    def state(self, connection: Connection) -> CircuitState:
        """For the plan of a payment. Of a half open circuit one payment at a time is told so, and is the probe; all others
        hear that it is open. An operator's override wins."""
        if connection.override is not None:
            return CircuitState(connection.override)
        self._keep_fresh(connection.merchant_id)
        seen = self._exchange.of(connection.merchant_id, connection.id)
        seen.asked_at = self._monotonic()
        state = seen.view.circuit.state(self._now_s())
        if state is not CircuitState.HALF_OPEN:
            return state
        if self.wake is None:
            self._take_probe(seen)
        return CircuitState.HALF_OPEN if self._is_offered(seen) else CircuitState.OPEN

    def states(self, connections: Iterable[Connection]) -> dict[str, CircuitState]:
        """For showing a merchant account's connections, by their ids; nobody becomes a probe."""
        shown: dict[str, CircuitState] = {}
        for one in connections:
            self._keep_fresh(one.merchant_id)
            circuit = self._exchange.of(one.merchant_id, one.id).view.circuit
            shown[one.id] = overridden(one.override, circuit.state(self._now_s()))
        return shown

    def look(self, merchant_id: str, connection_id: str) -> ConnectionHealth:
        """Everything, read afresh."""
        with self._exchange.io:
            self._exchange.read(merchant_id)
        return self._exchange.of(merchant_id, connection_id).view

    def watch(self, merchant_id: str, connection_id: str, left_s: float, call: Callable[[], Tried]) -> Tried:
        """Makes an opening call that has `left_s`, and records what it came to."""
        seen, began = self._exchange.of(merchant_id, connection_id), self._monotonic()
        self._count_calling(seen, 1)
        try:
            tried = call()
        finally:
            self._count_calling(seen, -1)
        answered = tried.entry.data["outcome"] in ANSWERED
        if answered or left_s >= FAIR_S:
            ended_at_s = self._now_s()
            began_at_s = ended_at_s - (self._monotonic() - began)
            self.record(merchant_id, connection_id, Outcome(began_at_s, ended_at_s, answered))
        return tried

    def record(self, merchant_id: str, connection_id: str, outcome: Outcome) -> None:
        seen, now = self._exchange.of(merchant_id, connection_id), self._monotonic()
        with self._exchange.lock:
            before, seen.view = seen.view, recorded(seen.view, outcome)
            if not seen.untold:
                seen.untold_at = now
            seen.untold.append(outcome)
            del seen.untold[:-UNTOLD_MAX]
            seen.urgent = seen.urgent or _bears_on_circuit(before, seen.view, outcome)
            due = _is_due(seen, now)
        if due and self.wake is not None:
            self.wake()
        elif due:
            self.tell()

    def tick(self) -> None:
        """Tells what is due, reads what payments asked for, and takes the probes that are free."""
        self.tell()
        now, exchange = self._monotonic(), self._exchange
        for merchant_id, asked_at in list(self._asked_at.items()):
            read_at = exchange.read_at.get(merchant_id, NEVER)
            if asked_at > read_at and now - read_at >= FRESH_S:
                with exchange.io:
                    exchange.read(merchant_id)
            elif now - asked_at > KEPT_FRESH_S:
                self._asked_at.pop(merchant_id, None)
        for seen in list(exchange.seen.values()):
            if now - seen.asked_at < KEPT_FRESH_S:
                self._take_probe(seen)

    def tell(self, *, everything: bool = False) -> None:
        """Puts what is due. Outside of a keeper, somebody else who is at it is not waited for."""
        exchange = self._exchange
        if not exchange.io.acquire(blocking=everything or self.wake is not None):
            return
        try:
            for seen in list(exchange.seen.values()):
                if seen.untold and (everything or _is_due(seen, self._monotonic())):
                    exchange.tell(seen)
        finally:
            exchange.io.release()

    def _keep_fresh(self, merchant_id: str) -> None:
        """Reads here and now what is too old, unless somebody is reading or telling already."""
        exchange, now = self._exchange, self._monotonic()
        self._asked_at[merchant_id] = now
        fresh_s = FRESH_S if self.wake is None else KEPT_FRESH_S
        if now - exchange.read_at.get(merchant_id, NEVER) >= fresh_s and exchange.io.acquire(blocking=False):
            try:
                exchange.read(merchant_id)
            finally:
                exchange.io.release()

    def _take_probe(self, seen: Seen) -> None:
        now_s = self._now_s()
        if seen.view.circuit.may_probe(now_s) and self._exchange.io.acquire(blocking=False):
            try:
                self._exchange.take_probe(seen, now_s)
            finally:
                self._exchange.io.release()

    def _is_offered(self, seen: Seen) -> bool:
        """Whether the payment that asks is the one that probes."""
        now, now_s = self._monotonic(), self._now_s()
        with self._exchange.lock:
            probe = seen.view.circuit.probe
            ours = probe is not None and probe.by == self._name and now_s < probe.until_s
            if not ours or seen.calling or now - seen.offered_at < OFFER_EVERY_S:
                return False
            seen.offered_at = now
            return True

    def _count_calling(self, seen: Seen, change: int) -> None:
        with self._exchange.lock:
            seen.calling += change

    def _now_s(self) -> float:
        return self._ports.clock.now().timestamp()


def _is_due(seen: Seen, now: float) -> bool:
    return seen.urgent or now - seen.untold_at >= TELL_EVERY_S


def _bears_on_circuit(before: ConnectionHealth, after: ConnectionHealth, outcome: Outcome) -> bool:
    """Whether others should hear of it at once: a failure, what ends a row of them, and what changed the circuit."""
    closed = before.circuit.until_s is None
    return after.circuit != before.circuit or (closed and (not outcome.worked or before.window.failures_in_a_row > 0))
