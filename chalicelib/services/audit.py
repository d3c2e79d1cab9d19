"""The audit log: one chain of hashes for each merchant account, append-only, each entry exactly once.

A change and its audit entry can not be one write, because the chain is shared. So the change carries a draft of its
entry in its own put; then the draft is appended to the chain, and then it is cleared. Whoever finds a draft may append
it: the draft's id names the head of the chain at the time it was drafted, so its entry can only stand behind that, and
looking there, entry by entry up to the free place, tells for certain whether it is there already.

The installation has a chain of its own, `INSTALLATION`. It names the merchant accounts, each before its first entry.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from chalicelib.contracts.store import NEW, PAGE_MAX, Store
from chalicelib.domain.configuration import AuditEntry, Draft
from chalicelib.domain.errors import NotFound, StaleVersion
from chalicelib.domain.payment import Json
from chalicelib.domain.view import text_of
from chalicelib.services.kinds import AUDIT, audit_key
from chalicelib.services.ports import Ports

FIRST_PREVIOUS_HASH = "0" * 64
INSTALLATION = "-"  # no merchant account can be called that


@dataclass(frozen=True, slots=True)
class Actor:
    """Who makes a change: the token's subject and client, and the request it came with."""

    subject: str
    client: str
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What is done to one object; `before` and `after` as the API shows it, None where there is none."""

    action: str
    object_kind: str
    object_id: str
    before: Json
    after: Json


@dataclass(frozen=True, slots=True)
class Verification:
    """`problem` says where the chain breaks, None where it holds. `head` is the newest good entry's hash."""

    merchant_id: str
    entries: int
    head: str
    problem: str | None = None


def draft_of(ports: Ports, actor: Actor, merchant_id: str, change: Change) -> Draft:
    """A draft to commit with its change."""
    return Draft(
        change_id=f"{_head_sequence(ports.store, merchant_id):012d}-{secrets.token_hex(8)}",
        at=ports.clock.now(),
        actor=actor.subject,
        client=actor.client,
        action=change.action,
        object_kind=change.object_kind,
        object_id=change.object_id,
        before=change.before,
        after=change.after,
        request_id=actor.request_id,
    )


def append(ports: Ports, merchant_id: str, draft: Draft) -> AuditEntry:
    """Appends `draft` to the chain, unless it stands there; the entry either way. Safe side by side."""
    sequence, previous_hash = _start_of(ports.store, merchant_id, draft)
    if sequence == 0 and merchant_id != INSTALLATION:
        _enrol(ports, merchant_id, draft)
    while True:  # each turn passes an entry that somebody appended: there is an end to them
        sequence += 1
        entry = entry_of(merchant_id, sequence, draft, previous_hash)
        try:
            ports.store.put(AUDIT, entry, expect=NEW)
            return entry
        except StaleVersion:
            present = ports.store.get(AUDIT, audit_key(merchant_id, sequence)).value
        if present.draft.change_id == draft.change_id:
            return present
        previous_hash = present.hash


def _start_of(store: Store, merchant_id: str, draft: Draft) -> tuple[int, str]:
    """The last place and hash that certainly stood there before the draft was made."""
    number = draft.change_id.partition("-")[0]
    sequence = int(number) if number.isascii() and number.isdigit() else 0
    if sequence == 0:
        return 0, FIRST_PREVIOUS_HASH
    try:
        return sequence, store.get(AUDIT, audit_key(merchant_id, sequence)).value.hash
    except NotFound:  # somebody removed entries: the chain goes on, and `verify` tells
        return 0, FIRST_PREVIOUS_HASH


def _enrol(ports: Ports, merchant_id: str, draft: Draft) -> None:
    """Names a merchant account in the installation's chain, once: its draft's id is always the same."""
    enrolment = Draft(
        change_id=f"0-{merchant_id}",
        at=draft.at,
        actor=draft.actor,
        client=draft.client,
        action="create",
        object_kind="merchant",
        object_id=merchant_id,
        before=None,
        after={"id": merchant_id},
        request_id=draft.request_id,
    )
    append(ports, INSTALLATION, enrolment)


def entry_of(merchant_id: str, sequence: int, draft: Draft, previous_hash: str) -> AuditEntry:
    return AuditEntry(merchant_id, sequence, draft, previous_hash, hash_of(merchant_id, sequence, draft, previous_hash))


def hash_of(merchant_id: str, sequence: int, draft: Draft, previous_hash: str) -> str:
    """SHA-256 in hex over the whole entry but the hash itself: JSON with sorted keys, no spaces, times as text."""
    covered: dict[str, Any] = {
        "merchant_id": merchant_id,
        "sequence": sequence,
        "draft": {**asdict(draft), "at": text_of(draft.at)},
        "previous_hash": previous_hash,
    }
    canonical = json.dumps(covered, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def entries_of(store: Store, merchant_id: str) -> Iterator[AuditEntry]:
    """The whole chain, oldest first."""
    after: str | None = None
    while True:
        page = store.find(AUDIT, "by_merchant", merchant_id, newest_first=False, after=after, limit=PAGE_MAX)
        yield from (stored.value for stored in page.items)
        after = page.after
        if after is None:
            return


def merchants_of(store: Store) -> list[str]:
    """Every merchant account with an audit chain, oldest first."""
    chain = entries_of(store, INSTALLATION)
    return [entry.draft.object_id for entry in chain if entry.draft.object_kind == "merchant"]


def verify(store: Store, merchant_id: str, expect_head: str | None = None) -> Verification:
    """Walks the chain. `expect_head` is a head noted earlier: it must still be in the chain, which proves that nothing
    was cut off the end since."""
    count, head, met = 0, FIRST_PREVIOUS_HASH, expect_head in (None, FIRST_PREVIOUS_HASH)
    for entry in entries_of(store, merchant_id):
        problem = _problem_of(entry, merchant_id, count + 1, head)
        if problem is not None:
            return Verification(merchant_id, count, head, problem)
        count, head = count + 1, entry.hash
        met = met or head == expect_head
    if not met:
        return Verification(merchant_id, count, head, f"the expected head {expect_head} is not in the chain")
    return Verification(merchant_id, count, head)


def _problem_of(entry: AuditEntry, merchant_id: str, sequence: int, previous_hash: str) -> str | None:
    if entry.sequence != sequence:
        return f"entry {sequence} is missing; {entry.sequence} comes next"
    if entry.previous_hash != previous_hash:
        return f"entry {sequence} does not follow from the one before it"
    if entry.hash != hash_of(merchant_id, sequence, entry.draft, entry.previous_hash):
        return f"entry {sequence} was changed"
    return None


def _head_sequence(store: Store, merchant_id: str) -> int:
    page = store.find(AUDIT, "by_merchant", merchant_id, limit=1)
    return page.items[0].value.sequence if page.items else 0
