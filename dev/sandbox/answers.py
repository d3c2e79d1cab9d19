"""Idempotency: a POST's answer is stored in the same transaction as what it did, and given again to the same key."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from dev.sandbox.clock import after_ms, now_ms
from dev.sandbox.errors import Refused
from dev.sandbox.sessions import Json

Work = Callable[[sqlite3.Connection], tuple[int, Json]]


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    text: str
    replayed: bool


def once(tx: sqlite3.Connection, account: str, key: str, path: str, body: Json, life_s: float, work: Work) -> Answer:
    """Runs `work`, or gives the answer it gave before. Raises Refused 409 where the key came with another request.

    What `work` raises is not remembered: it rolls back with everything else, so nothing was done.
    """
    asked = json.dumps([path, body], sort_keys=True, separators=(",", ":"))
    fingerprint = hashlib.sha256(asked.encode()).hexdigest()
    tx.execute("DELETE FROM answers WHERE account = ? AND created_ms <= ?", (account, after_ms(-life_s)))
    known = tx.execute("SELECT * FROM answers WHERE account = ? AND key = ?", (account, key)).fetchone()
    if known is not None:
        if known["fingerprint"] != fingerprint:
            raise Refused(409, "idempotency_mismatch", "This Idempotency-Key was used for another request.")
        return Answer(known["status"], known["body"], True)
    status, document = work(tx)
    text = json.dumps(document, separators=(",", ":"))
    tx.execute(
        "INSERT INTO answers (account, key, fingerprint, status, body, created_ms) VALUES (?, ?, ?, ?, ?, ?)",
        (account, key, fingerprint, status, text, now_ms()),
    )
    return Answer(status, text, False)
