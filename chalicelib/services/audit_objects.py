"""Holds the configuration against its audit log: every object stands as its newest entry says.

A chain can not show by itself that its end was cut off, nor that somebody changed an object behind PaymentServer's back. Both
leave an object that differs from what the log last said of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chalicelib.contracts.store import PAGE_MAX, Store
from chalicelib.domain.configuration import Connection, Route, Subscription
from chalicelib.domain.errors import NotFound
from chalicelib.domain.payment import Json
from chalicelib.services.audit import entries_of
from chalicelib.services.change import CONNECTIONS, ROUTES, SUBSCRIPTIONS, Noun

NOUNS: dict[str, Noun[Any]] = {noun.name: noun for noun in (CONNECTIONS, ROUTES, SUBSCRIPTIONS)}
LOOKS = 3  # a change between reading the log and reading the object is no contradiction


def contradiction_of(store: Store, merchant_id: str) -> str | None:
    """The first object that differs from its newest entry, in words; None where all agree."""
    found = None
    for _ in range(LOOKS):
        found = next(_contradictions(store, merchant_id), None)
        if found is None:
            break
    return found


def _contradictions(store: Store, merchant_id: str) -> Iterator[str]:
    told: dict[tuple[str, str], Json] = {}
    for entry in entries_of(store, merchant_id):
        if entry.draft.object_kind in NOUNS:
            told[entry.draft.object_kind, entry.draft.object_id] = entry.draft.after
    for (name, object_id), after in told.items():
        noun = NOUNS[name]
        try:
            present = store.get(noun.kind, f"{merchant_id}/{object_id}").value
        except NotFound:
            yield f"the {name} {object_id} is in the log, but not in the database"
            continue
        if not present.unaudited and not _agree(_shown(noun, present), after):
            yield f"the {name} {object_id} is not as its newest entry says"
    for noun in NOUNS.values():
        for present in _listed(store, noun, merchant_id):
            if not present.unaudited and (noun.name, noun.id_of(present)) not in told:
                yield f"the {noun.name} {noun.id_of(present)} is in the database, but not in the log"


def _shown(noun: Noun[Any], present: Connection | Route | Subscription) -> Json:
    return noun.view(present) if present.deleted_at is None else None


def _agree(shown: Json, after: Json) -> bool:
    """In what both tell: a later version of PaymentServer may show more of an object than an old entry does."""
    if isinstance(shown, dict) and isinstance(after, dict):
        return all(shown[name] == after[name] for name in shown.keys() & after.keys())
    return bool(shown == after)


def _listed(store: Store, noun: Noun[Any], merchant_id: str) -> Iterator[Any]:
    after: str | None = None
    while True:
        page = store.find(noun.kind, "by_merchant", merchant_id, after=after, limit=PAGE_MAX)
        yield from (stored.value for stored in page.items)
        after = page.after
        if after is None:
            return
