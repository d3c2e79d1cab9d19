"""Routes: which PSPs are tried in which order. Every version is kept, and each save is checked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from pydantic import ValidationError

from chalicelib.contracts.store import Page
from chalicelib.contracts.validation import pointer_of, words_of
from chalicelib.domain.configuration import Route, RouteVersion
from chalicelib.domain.errors import Conflict, Invalid, NotFound, Pointer, StaleVersion
from chalicelib.routing.lint import Finding, Severity, lint
from chalicelib.routing.plan import Candidate
from chalicelib.routing.rules import RouteBody, RouteChange, RouteDraft, document_of
from chalicelib.services.audit import Actor
from chalicelib.services.change import ROUTES, insert, keep_version, put_audited, read, update
from chalicelib.services.kinds import CONNECTION, ROUTE, ROUTE_VERSION, connection_key, route_key, route_version_key
from chalicelib.services.ports import Ports

ERRORS_MAX = 20  # that one answer names


@dataclass(frozen=True, slots=True)
class Saved:
    """A route as it was saved, and what the linter warns of."""

    route: Route
    warnings: tuple[Finding, ...]


def create_route(ports: Ports, actor: Actor, merchant_id: str, body: RouteBody) -> Saved:
    """Raises Invalid, Conflict where there is a route of that name. A deleted one comes back at its next version."""
    document = document_of(body.name, body)
    warnings = _checked(ports, merchant_id, document)
    now = ports.clock.now()
    route = Route(merchant_id, body.name, document, version=1, created_at=now, updated_at=now)
    try:
        return Saved(insert(ports, ROUTES, route, actor), warnings)
    except StaleVersion:
        pass
    stored = ports.store.get(ROUTE, route_key(merchant_id, body.name))
    taken = Conflict(f"There is a route {body.name!r} already; change it, or take another name.")
    if stored.value.deleted_at is None:
        raise taken
    again = replace(route, version=stored.value.version + 1, notices=stored.value.notices)
    try:
        return Saved(put_audited(ports, ROUTES, stored, again, actor, "create"), warnings)
    except StaleVersion:
        raise taken from None


def read_route(ports: Ports, merchant_id: str, name: str) -> Route:
    return read(ports, ROUTES, route_key(merchant_id, name)).value


def list_routes(ports: Ports, merchant_id: str, *, after: str | None, limit: int) -> Page[Route]:
    return ports.store.find(ROUTE, "by_merchant", merchant_id, after=after, limit=limit)


def update_route(ports: Ports, actor: Actor, merchant_id: str, name: str, body: RouteChange, expected: int) -> Saved:
    """Raises NotFound, PreconditionFailed, Invalid."""
    warnings: tuple[Finding, ...] = ()

    def decide(present: Route) -> Route:
        nonlocal warnings
        if body.name not in (None, name):
            raise Invalid("/name: a route's name never changes", (Pointer("/name", "a route's name never changes"),))
        document = document_of(name, body)
        warnings = _checked(ports, merchant_id, document)
        return replace(present, document=document)

    return Saved(update(ports, ROUTES, route_key(merchant_id, name), expected, decide, actor), warnings)


def delete_route(ports: Ports, actor: Actor, merchant_id: str, name: str, expected: int) -> None:
    """Raises NotFound, PreconditionFailed. Its versions stay."""
    key, now = route_key(merchant_id, name), ports.clock.now()
    update(ports, ROUTES, key, expected, lambda present: replace(present, deleted_at=now), actor, "delete")


def activate_version(ports: Ports, actor: Actor, merchant_id: str, name: str, version: int) -> Saved:
    """Makes a new version with the document of an earlier one. Raises NotFound, and Invalid where that document would not be
    taken today."""
    document = _as_today(name, read_version(ports, merchant_id, name, version).document)
    warnings = _checked(ports, merchant_id, document)
    key = route_key(merchant_id, name)
    made = update(ports, ROUTES, key, None, lambda present: replace(present, document=document), actor, "activate")
    return Saved(made, warnings)


def _as_today(name: str, document: dict[str, Any]) -> dict[str, Any]:
    """The document by today's rules, which may have been stricter since it was saved. Raises Invalid."""
    try:
        return document_of(name, RouteDraft.model_validate(document))
    except ValidationError as error:
        first = error.errors()[0]
        pointer = pointer_of(first["loc"])
        detail = f"this version would not be taken today: {words_of(first)}"
        raise Invalid(f"{pointer}: {detail}", (Pointer(pointer, detail),)) from None


def list_versions(ports: Ports, merchant_id: str, name: str, *, after: str | None, limit: int) -> Page[RouteVersion]:
    """The versions of a route that exists, the newest first."""
    keep_version(ports, read_route(ports, merchant_id, name))
    return ports.store.find(ROUTE_VERSION, "by_route", route_key(merchant_id, name), after=after, limit=limit)


def read_version(ports: Ports, merchant_id: str, name: str, version: int) -> RouteVersion:
    """Raises NotFound, where the route is deleted, too."""
    keep_version(ports, read_route(ports, merchant_id, name))
    try:
        return ports.store.get(ROUTE_VERSION, route_version_key(merchant_id, name, version)).value
    except NotFound:
        raise NotFound(f"The route {name!r} has no version {version}.") from None


def findings_of(ports: Ports, merchant_id: str, document: dict[str, Any]) -> list[Finding]:
    """What the linter says of a route, its connections as they are now."""
    return lint(document, lru_cache(maxsize=None)(lambda name: _candidate(ports, merchant_id, name)))


def _checked(ports: Ports, merchant_id: str, document: dict[str, Any]) -> tuple[Finding, ...]:
    """The warnings. Raises Invalid with the errors."""
    found = findings_of(ports, merchant_id, document)
    errors = [Pointer(one.pointer, one.detail) for one in found if one.severity is Severity.ERROR]
    if errors:
        raise Invalid(f"{errors[0].pointer}: {errors[0].detail}", tuple(errors[:ERRORS_MAX]))
    return tuple(found)


def _candidate(ports: Ports, merchant_id: str, connection_id: str) -> Candidate:
    try:
        connection = ports.store.get(CONNECTION, connection_key(merchant_id, connection_id)).value
    except NotFound:
        return Candidate(connection_id, usable=False, capabilities=None)
    connector = ports.connectors.get(connection.connector)
    if connection.deleted_at is not None or connector is None:
        return Candidate(connection_id, usable=False, capabilities=None)
    return Candidate(connection_id, usable=connection.enabled, capabilities=connector.capabilities)
