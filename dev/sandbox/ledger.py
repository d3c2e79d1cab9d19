"""Sessions and what hangs on them in the database. Every function works inside the caller's transaction."""

from __future__ import annotations

import json
import sqlite3

from dev.sandbox import outbox
from dev.sandbox.clock import after_ms, now_ms
from dev.sandbox.errors import not_found
from dev.sandbox.misbehaviour import misbehaviour_of
from dev.sandbox.sessions import Json
from dev.sandbox.timing import Timing

LISTED_MAX = 100
WAITING = ("open", "approved")  # for the shopper, or for the merchant to complete it
CLOSING = ("session.expired", "session.cancelled")


def load(tx: sqlite3.Connection, account: str, session_id: str, timing: Timing) -> Json:
    """The session, expired by now if its time has come. Raises Refused 404."""
    row = tx.execute("SELECT document FROM sessions WHERE account = ? AND id = ?", (account, session_id)).fetchone()
    if row is None:
        raise not_found("session")
    return _expired_if_due(tx, json.loads(row["document"]), timing)


def find(tx: sqlite3.Connection, account: str, reference: str | None, timing: Timing) -> list[Json]:
    """Newest first, at most 100; all of the account's where no reference is given."""
    rows = tx.execute(
        "SELECT document FROM sessions WHERE account = ? AND (? IS NULL OR reference = ?)"
        " ORDER BY created_ms DESC, rowid DESC LIMIT ?",
        (account, reference, reference, LISTED_MAX),
    ).fetchall()
    return [_expired_if_due(tx, json.loads(row["document"]), timing) for row in rows]


def record(tx: sqlite3.Connection, session: Json, event: str | None, timing: Timing) -> str | None:
    """Stores a change, with the event that tells of it; the event's id."""
    session["version"] += 1
    if event in CLOSING and misbehaviour_of(session["account"], session["metadata"]).pays_late:
        plan(tx, "late_success", session["id"], session["id"], timing.soon_s)
    tx.execute(
        "INSERT INTO sessions (id, account, reference, status, created_ms, expires_ms, document)"
        " VALUES (:id, :account, :reference, :status, :created_ms, :expires_ms, :document)"
        " ON CONFLICT (id) DO UPDATE SET status = :status, document = :document",
        {name: session[name] for name in ("id", "account", "reference", "status", "created_ms", "expires_ms")}
        | {"document": json.dumps(session)},
    )
    return outbox.enqueue(tx, session, event, timing) if event else None


def expire_due(tx: sqlite3.Connection, timing: Timing) -> int:
    """Ends what nobody paid in time; how many that were."""
    rows = tx.execute(
        "SELECT document FROM sessions WHERE status IN ('open', 'approved') AND expires_ms <= ? LIMIT ?",
        (now_ms(), LISTED_MAX),
    ).fetchall()
    for row in rows:
        _expired_if_due(tx, json.loads(row["document"]), timing)
    return len(rows)


def end(tx: sqlite3.Connection, session: Json, timing: Timing) -> None:
    if session["status"] == "approved":
        session["payment"]["status"] = "cancelled"  # nothing was ever taken
    session["status"] = "expired"
    record(tx, session, "session.expired", timing)


def plan(tx: sqlite3.Connection, kind: str, session_id: str, subject: str, wait_s: float) -> None:
    """Something the PSP will do by itself, later."""
    tx.execute(
        "INSERT INTO chores (kind, session_id, subject, due_ms) VALUES (?, ?, ?, ?)",
        (kind, session_id, subject, after_ms(wait_s)),
    )


def take_chore(tx: sqlite3.Connection) -> tuple[str, str, Json] | None:
    """One that is due, and no longer planned: kind, subject, session."""
    row = tx.execute(
        "SELECT chores.*, document FROM chores JOIN sessions ON sessions.id = session_id"
        " WHERE due_ms <= ? ORDER BY due_ms LIMIT 1",
        (now_ms(),),
    ).fetchone()
    if row is None:
        return None
    tx.execute("DELETE FROM chores WHERE id = ?", (row["id"],))
    return row["kind"], row["subject"], json.loads(row["document"])


def _expired_if_due(tx: sqlite3.Connection, session: Json, timing: Timing) -> Json:
    if session["status"] in WAITING and session["expires_ms"] <= now_ms():
        end(tx, session, timing)
    return session
