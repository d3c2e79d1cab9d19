"""Simulates one payment: what a route, or a draft of it, would decide now. Nothing is stored, and no PSP is called."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from chalicelib.domain.configuration import Route
from chalicelib.domain.ids import payment_id_of
from chalicelib.domain.order import Order
from chalicelib.domain.payment import Decision
from chalicelib.routing.engine import engine_of
from chalicelib.routing.explain import DRAFT
from chalicelib.routing.fields import inputs_of
from chalicelib.routing.plan import Candidate, plan
from chalicelib.services.configure_routes import read_route
from chalicelib.services.ports import Ports

Candidates = Callable[[str, str], Candidate]  # of a merchant account, by connection id


def simulated_route(ports: Ports, merchant_id: str, name: str, draft: dict[str, Any] | None) -> Route:
    """The route as it stands, or the draft, whose route need not exist yet. Raises NotFound."""
    if draft is None:
        return read_route(ports, merchant_id, name)
    now = ports.clock.now()
    return Route(merchant_id, name, draft, DRAFT, created_at=now, updated_at=now)


def simulate(route: Route, candidate: Candidates, order: Order, at: datetime) -> Decision:
    """The decision as a payment would keep it; its chain is empty where no connection could take the order.

    A split by payment deals the order by its reference, since it has no payment's id.
    """
    merchant_id = route.merchant_id
    seen = inputs_of(order, at)
    payment_id = payment_id_of(merchant_id, f"simulated {order.order_reference}")
    winner = engine_of(merchant_id, route.name, route.document).decide(seen, payment_id)
    return plan(order, route, winner, seen, [candidate(merchant_id, one) for one in winner.chain.use])
