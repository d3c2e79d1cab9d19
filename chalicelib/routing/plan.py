"""Planning: a payment and a route in, a chain and all it was decided from out. Pure.

A candidate is eligible when it may take this very payment. One whose circuit is open stands behind the others, in the same
order; the last one is never taken away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.contracts.connector import Capabilities
from chalicelib.domain.configuration import Route
from chalicelib.domain.errors import Fault
from chalicelib.domain.order import Order
from chalicelib.domain.payment import ATTEMPTS_MAX, Considered, Decision
from chalicelib.routing.engine import Winner
from chalicelib.routing.fields import Inputs

OPEN = "open"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A connection as planning sees it; `capabilities` are None for one that does not exist, or that could not be read
    (`fault` says why). `health` is its circuit: closed, open or half_open."""

    connection_id: str
    usable: bool
    capabilities: Capabilities | None
    fault: Fault | None = None
    health: str = "closed"


def plan(order: Order, route: Route, winner: Winner, seen: Inputs, candidates: Sequence[Candidate]) -> Decision:
    """The decision, its chain empty where no candidate is eligible. `candidates` are those of the winner's chain, in its
    order."""
    considered = tuple(
        Considered(candidate.connection_id, ineligible(order, candidate), candidate.health) for candidate in candidates
    )
    document = route.document
    return Decision(
        name=route.name,
        version=route.version,
        chain=chain_of(considered),
        rule=winner.rule,
        arm=winner.chain.arm,
        inputs=dict(seen),
        candidates=considered,
        unanswered=document.get("unanswered", "next"),
        late=document.get("late", "accept"),
        fallback=document.get("fallback", {}),
        attempts_max=document.get("attempts_max", ATTEMPTS_MAX),
        budget_s=document.get("budget_s"),
    )


def chain_of(considered: Sequence[Considered]) -> tuple[str, ...]:
    """The eligible ones, those whose circuit is open behind the others."""
    eligible = [one for one in considered if one.reason is None]
    eligible.sort(key=lambda one: one.health == OPEN)
    return tuple(one.connection_id for one in eligible)


def ineligible(order: Order, candidate: Candidate) -> str | None:
    """Why the candidate may not take this order, None where it may."""
    can = candidate.capabilities
    if candidate.fault is not None:
        return "the connection can not be read"
    if can is None:
        return "the connection does not exist"
    amount, method = order.amount, order.payment_method
    if not candidate.usable:
        return "the connection is disabled or deleted"
    if amount.currency not in can.currencies:
        return f"it takes no {amount.currency}"
    if method is not None and method not in can.payment_methods:
        return f"it offers no {method}"
    if order.capture not in can.capture_modes:
        return f"it offers no {order.capture} capture"
    least, most = can.amount_limits.get(amount.currency, (None, None))
    if least is not None and amount.value < least:
        return f"it takes {least} {amount.currency} minor units or more"
    if most is not None and amount.value > most:
        return f"it takes {most} {amount.currency} minor units or less"
    return None
