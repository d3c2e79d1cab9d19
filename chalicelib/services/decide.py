"""Decides which PSPs a new payment goes to: the route as it is now, asked about this order."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime

from chalicelib.domain.configuration import Route
from chalicelib.domain.errors import Invalid, NotFound, Pointer
from chalicelib.domain.order import Order
from chalicelib.domain.payment import Decision
from chalicelib.routing.engine import Engine, engine_of
from chalicelib.routing.fields import inputs_of
from chalicelib.routing.plan import Candidate, plan
from chalicelib.services.configuration import Configuration

ENGINES_MAX = 1_000  # routes that a process keeps ready


class Decide:
    """Thread-safe; keeps the engines of the routes that were asked lately."""

    def __init__(self, configuration: Configuration, candidate: Callable[[str, str], Candidate]) -> None:
        self._configuration = configuration
        self._candidate = candidate
        self._lock = threading.Lock()
        self._engines: dict[tuple[str, str, int], Engine] = {}

    def decide(self, merchant_id: str, payment_id: str, order: Order, now: datetime) -> Decision:
        """Raises Invalid where the route is unknown or no connection can take the order, and the Fault that keeps the
        connections from being read."""
        try:
            route = self._configuration.route(merchant_id, order.route)
        except NotFound:
            detail = f"There is no route {order.route!r}; name one that is configured."
            raise Invalid(detail, (Pointer("/route", detail),)) from None
        seen = inputs_of(order, now)
        winner = self._engine(route).decide(seen, payment_id)
        candidates = [self._candidate(merchant_id, connection_id) for connection_id in winner.chain.use]
        decision = plan(order, route, winner, seen, candidates)
        if not decision.chain:
            raise _no_taker(decision, candidates)
        return decision

    def _engine(self, route: Route) -> Engine:
        """A version's number is never given to another document, not even after the route was deleted."""
        key = (route.merchant_id, route.name, route.version)
        engine = self._engines.get(key)
        if engine is None:
            engine = engine_of(route.merchant_id, route.name, route.document)
            with self._lock:
                if len(self._engines) >= ENGINES_MAX:
                    self._engines.clear()
                self._engines[key] = engine
        return engine


def _no_taker(decision: Decision, candidates: list[Candidate]) -> Exception:
    for candidate in candidates:
        if candidate.fault is not None:  # ours to mend, and for the caller to try again
            return candidate.fault
    reasons = "; ".join(f"{one.connection_id}: {one.reason}" for one in decision.candidates)
    where = "" if decision.rule == "otherwise" else f", rule {decision.rule!r},"
    return Invalid(
        f"No connection of route {decision.name!r}{where} can take this payment ({reasons}).",
        slug="no-eligible-connection",
    )
