"""Planning: an order and a route in, a chain and its trace out. Pure.

A candidate is eligible when it may take this very payment; the trace says of each why or why not, as it was at that time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.contracts.connector import Capabilities
from chalicelib.domain.configuration import Route
from chalicelib.domain.errors import Fault
from chalicelib.domain.payment import ATTEMPTS_MAX, Considered, Decision, Order


@dataclass(frozen=True, slots=True)
class Candidate:
    """A connection as planning sees it; `capabilities` are None for one that does not exist, or that could not be read
    (`fault` says why)."""

    connection_id: str
    usable: bool
    capabilities: Capabilities | None
    fault: Fault | None = None


def chain_of(route: Route) -> tuple[str, ...]:
    """The chain that the route's `otherwise` names."""
    return tuple(route.document["otherwise"]["use"])


def plan(order: Order, route: Route, candidates: Sequence[Candidate]) -> Decision:
    """The decision, its chain empty where no candidate is eligible."""
    reasons = {candidate.connection_id: ineligible(order, candidate) for candidate in candidates}
    chain = tuple(connection_id for connection_id, reason in reasons.items() if reason is None)
    return Decision(
        name=route.name,
        version=route.version,
        chain=chain[:ATTEMPTS_MAX],
        candidates=tuple(Considered(connection_id, reason) for connection_id, reason in reasons.items()),
        unanswered=route.document.get("unanswered", "next"),
        late=route.document.get("late", "accept"),
    )


def ineligible(order: Order, candidate: Candidate) -> str | None:
    """Why the candidate may not take this order, None where it may."""
    can = candidate.capabilities
    if candidate.fault is not None:
        return "the connection can not be read"
    if can is None:
        return "the connection does not exist"
    checks = (
        (candidate.usable, "the connection is disabled or deleted"),
        (order.amount.currency in can.currencies, f"it takes no {order.amount.currency}"),
        (
            order.payment_method is None or order.payment_method in can.payment_methods,
            f"it offers no {order.payment_method}",
        ),
        (order.capture in can.capture_modes, f"it offers no {order.capture} capture"),
    )
    return next((reason for holds, reason in checks if not holds), None)
