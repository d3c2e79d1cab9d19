"""What was asked of an account and what it sent out, counted: so that a test can prove that something happened once."""

from __future__ import annotations

import sqlite3

from dev.sandbox.sessions import Json

LOGGED_MAX = 500


def count(tx: sqlite3.Connection, account: str, operation: str, key: str) -> None:
    """`key` is the call's idempotency key, or nothing where it has none."""
    tx.execute(
        "INSERT INTO calls (account, operation, key, count) VALUES (?, ?, ?, 1)"
        " ON CONFLICT (account, operation, key) DO UPDATE SET count = count + 1",
        (account, operation, key[:255]),
    )


def log_of(tx: sqlite3.Connection, account: str, reference: str | None) -> Json:
    """Sessions and calls, the newest 500 of each; `reference` narrows the sessions."""
    sessions = tx.execute(
        "SELECT id, reference, status FROM sessions WHERE account = ? AND (? IS NULL OR reference = ?)"
        " ORDER BY created_ms DESC, rowid DESC LIMIT ?",
        (account, reference, reference, LOGGED_MAX),
    )
    counted = tx.execute(
        "SELECT operation, key AS idempotency_key, count FROM calls WHERE account = ? ORDER BY rowid DESC LIMIT ?",
        (account, LOGGED_MAX),
    )
    sent = tx.execute(
        "SELECT type, COUNT(*) AS deliveries, SUM(attempts) AS attempts, SUM(state = 'delivered') AS delivered,"
        " SUM(state = 'pending') AS pending, SUM(state = 'given_up') AS given_up"
        " FROM deliveries WHERE account = ? GROUP BY type ORDER BY type",
        (account,),
    )
    by_type = {row["type"]: {name: row[name] for name in row.keys()[1:]} for row in sent}
    totals = {
        name: sum(one[name] for one in by_type.values())
        for name in ("deliveries", "attempts", "delivered", "pending", "given_up")
    }
    return {
        "account": account,
        "sessions": [dict(row) for row in sessions],
        "calls": [dict(row) for row in counted],
        "webhooks": totals | {"by_type": by_type},
    }
