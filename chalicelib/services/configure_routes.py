"""Routes: which PSPs are tried in which order. Every version is kept."""

from __future__ import annotations

from dataclasses import replace

from chalicelib.contracts.store import Page
from chalicelib.domain.configuration import Connection, Route, RouteVersion
from chalicelib.domain.errors import Conflict, Invalid, NotFound, Pointer, StaleVersion
from chalicelib.routing.rules import RouteBody, RouteChange, document_of
from chalicelib.services.audit import Actor
from chalicelib.services.change import ROUTES, insert, keep_version, put_audited, read, update
from chalicelib.services.kinds import (
    CONNECTION,
    ROUTE,
    ROUTE_VERSION,
    connection_key,
    route_key,
    route_version_key,
)
from chalicelib.services.ports import Ports


def create_route(ports: Ports, actor: Actor, merchant_id: str, body: RouteBody) -> Route:
    """Raises Invalid, Conflict where there is a route of that name. A deleted one comes back at its next version."""
    _check(ports, merchant_id, body)
    now = ports.clock.now()
    route = Route(merchant_id, body.name, document_of(body.name, body), version=1, created_at=now, updated_at=now)
    try:
        return insert(ports, ROUTES, route, actor)
    except StaleVersion:
        pass
    stored = ports.store.get(ROUTE, route_key(merchant_id, body.name))
    taken = Conflict(f"There is a route {body.name!r} already; change it, or take another name.")
    if stored.value.deleted_at is None:
        raise taken
    try:
        return put_audited(ports, ROUTES, stored, replace(route, version=stored.value.version + 1), actor, "create")
    except StaleVersion:
        raise taken from None


def read_route(ports: Ports, merchant_id: str, name: str) -> Route:
    return read(ports, ROUTES, route_key(merchant_id, name)).value


def list_routes(ports: Ports, merchant_id: str, *, after: str | None, limit: int) -> Page[Route]:
    return ports.store.find(ROUTE, "by_merchant", merchant_id, after=after, limit=limit)


def update_route(ports: Ports, actor: Actor, merchant_id: str, name: str, body: RouteChange, expected: int) -> Route:
    """Raises NotFound, PreconditionFailed, Invalid."""

    def decide(present: Route) -> Route:
        if body.name not in (None, name):
            raise Invalid("/name: a route's name never changes", (Pointer("/name", "a route's name never changes"),))
        _check(ports, merchant_id, body)
        return replace(present, document=document_of(name, body))

    return update(ports, ROUTES, route_key(merchant_id, name), expected, decide, actor)


def delete_route(ports: Ports, actor: Actor, merchant_id: str, name: str, expected: int) -> None:
    """Raises NotFound, PreconditionFailed. Its versions stay."""
    key, now = route_key(merchant_id, name), ports.clock.now()
    update(ports, ROUTES, key, expected, lambda present: replace(present, deleted_at=now), actor, "delete")


def list_versions(ports: Ports, merchant_id: str, name: str, *, after: str | None, limit: int) -> Page[RouteVersion]:
    """The versions of a route that exists, the newest first."""
    keep_version(ports, read_route(ports, merchant_id, name))
    return ports.store.find(ROUTE_VERSION, "by_route", route_key(merchant_id, name), after=after, limit=limit)


def read_version(ports: Ports, merchant_id: str, name: str, version: int) -> RouteVersion:
    keep_version(ports, read_route(ports, merchant_id, name))
    try:
        return ports.store.get(ROUTE_VERSION, route_version_key(merchant_id, name, version)).value
    except NotFound:
        raise NotFound(f"The route {name!r} has no version {version}.") from None


def _check(ports: Ports, merchant_id: str, body: RouteBody | RouteChange) -> None:
    if body.rules:
        detail = "rules are not offered yet: send an empty list, and the chain under otherwise"
        raise Invalid(f"/rules: {detail}", (Pointer("/rules", detail),))
    errors = tuple(
        Pointer(f"/otherwise/use/{position}", f"there is no connection {connection_id!r}")
        for position, connection_id in enumerate(body.otherwise.use)
        if _connection(ports, merchant_id, connection_id) is None
    )
    if errors:
        raise Invalid(f"{errors[0].pointer}: {errors[0].detail}", errors)


def _connection(ports: Ports, merchant_id: str, connection_id: str) -> Connection | None:
    """A disabled one may be named: it is passed over until it is enabled."""
    try:
        connection = ports.store.get(CONNECTION, connection_key(merchant_id, connection_id)).value
    except NotFound:
        return None
    return connection if connection.deleted_at is None else None
