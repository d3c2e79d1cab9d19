"""Changes what operators configure: decide, put on condition with the draft of the audit entry, then settle the draft.

A crash anywhere leaves either nothing, or the change with its draft, which `sweep_audit` finds by the index of drafts. An
event that tells subscribers of the change rides along the same way, until all of them have it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Generic, TypeVar

from chalicelib.contracts.store import NEW, PAGE_MAX, Kind, Stored
from chalicelib.domain.configuration import Connection, Draft, Route, RouteVersion, Subscription
from chalicelib.domain.errors import Fault, NotFound, PreconditionFailed, StaleVersion
from chalicelib.domain.payment import Json
from chalicelib.domain.view import text_of
from chalicelib.services.audit import Actor, Change, append, draft_of
from chalicelib.services.configured_view import connection_view, route_view, subscription_view
from chalicelib.services.kinds import CONNECTION, DUE, ROUTE, ROUTE_VERSION, SUBSCRIPTION
from chalicelib.services.ports import Ports
from chalicelib.services.tell import untold

O = TypeVar("O", Connection, Route, Subscription)  # noqa: E741  # an object of the configuration
TRIES = 20
SWEEP_GRACE_S = 5  # whoever made the change is about to settle it
log = logging.getLogger("paymentserver.audit")


@dataclass(frozen=True, slots=True)
class Noun(Generic[O]):
    """One kind of object: what it is called, its slug or id, and how the API shows it."""

    name: str
    kind: Kind[O]
    id_of: Callable[[O], str]
    view: Callable[[O], dict[str, Json]]


CONNECTIONS = Noun("connection", CONNECTION, lambda one: one.id, connection_view)
ROUTES = Noun("route", ROUTE, lambda one: one.name, route_view)
SUBSCRIPTIONS = Noun("subscription", SUBSCRIPTION, lambda one: one.id, subscription_view)


def read(ports: Ports, noun: Noun[O], key: str) -> Stored[O]:
    """Raises NotFound for what is deleted, too."""
    try:
        stored = ports.store.get(noun.kind, key)
    except NotFound:
        stored = None
    if stored is None or stored.value.deleted_at is not None:
        raise NotFound(f"There is no such {noun.name}.")
    return stored


def insert(ports: Ports, noun: Noun[O], value: O, actor: Actor) -> O:
    """Raises StaleVersion where the id is taken, by a deleted object too."""
    change = Change("create", noun.name, noun.id_of(value), None, noun.view(value))
    value = replace(value, unaudited=(draft_of(ports, actor, value.merchant_id, change),))
    version = ports.store.put(noun.kind, value, expect=NEW)
    return settled(ports, noun.kind, Stored(value, version))


def check_version(noun: Noun[O], value: O, expected: int | None) -> None:
    if expected is not None and value.version != expected:
        raise PreconditionFailed(
            f"The {noun.name} is at version {value.version}, not {expected}: read it again and decide anew."
        )


def update(
    ports: Ports,
    noun: Noun[O],
    key: str,
    expected: int | None,
    decide: Callable[[O], O],
    actor: Actor,
    action: str = "update",
) -> O:
    """The object as `decide` changes it, at its next version. `decide` is called again when somebody else wrote first.

    Raises NotFound, PreconditionFailed where `expected` is not its version, what `decide` raises, and StaleVersion
    after 20 lost races.
    """
    for _ in range(TRIES):
        stored = read(ports, noun, key)
        check_version(noun, stored.value, expected)
        decided = decide(stored.value)
        changed = replace(decided, version=stored.value.version + 1, updated_at=ports.clock.now())
        try:
            return put_audited(ports, noun, stored, changed, actor, action)
        except StaleVersion:
            continue  # a change, or only a draft that was settled: the version tells
    raise StaleVersion(f"The {noun.name} is changed by too many calls at once; try again.")


def put_audited(ports: Ports, noun: Noun[O], stored: Stored[O], changed: O, actor: Actor, action: str) -> O:
    """Writes `changed` over `stored` with its draft. Raises StaleVersion when somebody else wrote first."""
    former: O = stored.value
    keep_version(ports, former)
    change = Change(
        action,
        noun.name,
        noun.id_of(changed),
        noun.view(former) if former.deleted_at is None else None,
        noun.view(changed) if changed.deleted_at is None else None,
    )
    draft = draft_of(ports, actor, former.merchant_id, change)
    changed = replace(changed, unaudited=(*former.unaudited, draft))
    version = ports.store.put(noun.kind, changed, expect=stored.version)
    return settled(ports, noun.kind, Stored(changed, version))


def keep_version(ports: Ports, route: Connection | Route | Subscription) -> None:
    """Stores a route as it stands as one of its versions, unless that was done; other objects keep none.

    It follows from the committed route alone, so whoever comes first may do it, and it is done before the route's draft
    is cleared and before the route changes again: no version is ever missing, and none is stored that never held.
    """
    if not isinstance(route, Route) or not route.unaudited or route.deleted_at is not None:
        return
    kept = RouteVersion(
        route.merchant_id, route.name, route.version, route.document, route.updated_at, route.unaudited[-1].actor
    )
    try:
        ports.store.put(ROUTE_VERSION, kept, expect=NEW)
    except StaleVersion:
        return


def settled(ports: Ports, kind: Kind[O], stored: Stored[O]) -> O:
    """Brings the drafts of a committed object into the chain and clears them. The change stands whatever fails here:
    the sweep does what is left."""
    try:
        return _settle(ports, kind, stored)
    except Fault as error:
        log.warning("an audit entry waits for the sweep", extra={"fields": {"detail": error.detail}})
        return stored.value


def _settle(ports: Ports, kind: Kind[O], stored: Stored[O]) -> O:
    value = stored.value
    keep_version(ports, value)
    for draft in value.unaudited:
        append(ports, value.merchant_id, draft)
    clear: tuple[Draft, ...] = ()
    value = replace(value, unaudited=clear)
    if isinstance(value, Route | Subscription):
        value = replace(value, notices=untold(ports, value.merchant_id, value.notices))
    if value != stored.value:
        with suppress(StaleVersion):  # changed again, or settled by another; a draft still there is known by its id
            ports.store.put(kind, value, expect=stored.version)
    return value


def sweep_audit(ports: Ports, grace_s: float = SWEEP_GRACE_S) -> int:
    """Settles the drafts that a crash or a fault left behind, looks after events, and says of how many objects."""
    until = text_of(ports.clock.now() - timedelta(seconds=grace_s))
    return _sweep(ports, CONNECTION, until) + _sweep(ports, ROUTE, until) + _sweep(ports, SUBSCRIPTION, until)


def _sweep(ports: Ports, kind: Kind[Any], until: str) -> int:
    settled_count, after = 0, None
    while True:
        page = ports.store.find(kind, "audit_due", DUE, until=until, newest_first=False, after=after, limit=PAGE_MAX)
        for stored in page.items:
            _settle(ports, kind, stored)
        settled_count += len(page.items)
        after = page.after
        if after is None:
            return settled_count
