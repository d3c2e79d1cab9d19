"""Events on their way to the merchant: written with the change they tell of, delivered until one is acknowledged."""

from __future__ import annotations

import hashlib
import hmac
import json
import sqlite3
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from dev.sandbox.clock import after_ms, now_ms
from dev.sandbox.misbehaviour import misbehaviour_of
from dev.sandbox.sessions import Json, new_id, shown
from dev.sandbox.timing import Timing


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery to be made; `attempts` were made before."""

    id: int
    account: str
    body: bytes
    signed: bool
    attempts: int


def enqueue(tx: sqlite3.Connection, session: Json, type_: str, timing: Timing) -> str:
    """The event's id; the event holds the session as it is now."""
    odd = misbehaviour_of(session["account"], session["metadata"])
    event_id = new_id("evt")
    event = {
        "id": event_id,
        "type": type_,
        "created": now_ms(),
        "version": session["version"],
        "data": shown(session),
    }
    row = (
        session["account"],
        event_id,
        type_,
        json.dumps(event, separators=(",", ":")),
        odd.webhooks_signed,
        after_ms(timing.late_webhook_s if odd.webhooks_late else 0),
    )
    for _ in range(odd.webhook_copies):
        tx.execute(
            "INSERT INTO deliveries (account, event_id, type, body, signed, state, attempts, due_ms)"
            " VALUES (?, ?, ?, ?, ?, 'pending', 0, ?)",
            row,
        )
    return event_id


def next_due(tx: sqlite3.Connection, in_flight: Collection[int], most: int) -> tuple[list[Due], int | None]:
    """Up to `most` deliveries that are due now and, where that is all of them, when the next one will be."""
    rows = tx.execute(
        "SELECT * FROM deliveries WHERE state = 'pending' ORDER BY due_ms LIMIT ?", (most + len(in_flight) + 1,)
    ).fetchall()
    waiting = [row for row in rows if row["id"] not in in_flight]
    due = [row for row in waiting if row["due_ms"] <= now_ms()][:most]
    later = waiting[len(due)]["due_ms"] if len(waiting) > len(due) else None
    return [
        Due(row["id"], row["account"], row["body"].encode(), bool(row["signed"]), row["attempts"]) for row in due
    ], later


def settle(tx: sqlite3.Connection, due: Due, acknowledged: bool, timing: Timing) -> None:
    """Notes how one attempt went: delivered, to be tried again, or given up."""
    attempts = due.attempts + 1
    if acknowledged:
        state, again_ms = "delivered", 0
    elif attempts > len(timing.retry_after_s):
        state, again_ms = "given_up", 0
    else:
        state, again_ms = "pending", after_ms(timing.retry_after_s[due.attempts])
    tx.execute(
        "UPDATE deliveries SET state = ?, attempts = ?, due_ms = ? WHERE id = ?", (state, attempts, again_ms, due.id)
    )


def is_delivered(tx: sqlite3.Connection, event_id: str) -> bool:
    return bool(
        tx.execute("SELECT 1 FROM deliveries WHERE event_id = ? AND state = 'delivered'", (event_id,)).fetchone()
    )


def signature(body: bytes, secrets: Iterable[str], now_s: int) -> str:
    """The Sandbox-Signature header; one `v1` for each secret that is live."""
    signed = f"{now_s}.".encode() + body
    parts = (hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets)
    return ",".join([f"t={now_s}", *(f"v1={part}" for part in parts)])
