"""Explains a payment's routing: by the version of the route that decided, whatever the route is now."""

from __future__ import annotations

from typing import Any

from chalicelib.domain.errors import NotFound
from chalicelib.domain.payment import Payment
from chalicelib.routing.explain import explanation_of
from chalicelib.services.kinds import ROUTE, ROUTE_VERSION, route_key, route_version_key
from chalicelib.services.ports import Ports


def explain(ports: Ports, payment: Payment) -> dict[str, Any]:
    """Shapes as `routing.explain.explanation_of`."""
    return explanation_of(
        payment.route, document_at(ports, payment.merchant_id, payment.route.name, payment.route.version)
    )


def document_at(ports: Ports, merchant_id: str, name: str, version: int) -> dict[str, Any] | None:
    """A route as it was at a version. A deleted route's versions are there, too; a version that stands is kept only once it
    is read or changed. None for what never was."""
    try:
        return ports.store.get(ROUTE_VERSION, route_version_key(merchant_id, name, version)).value.document
    except NotFound:
        pass
    try:
        route = ports.store.get(ROUTE, route_key(merchant_id, name)).value
    except NotFound:
        return None
    return route.document if route.version == version else None
