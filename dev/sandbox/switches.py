"""What is set for an account from outside the API: how it behaves, where its webhooks go, which secrets are live."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field

MODES = ("refuse", "error_500", "slow")


@dataclass(frozen=True, slots=True)
class Switches:
    """None is as the account came."""

    mode: str | None = None
    webhook_url: str | None = None
    second_secret: str | None = field(default=None, repr=False)


def switches_of(tx: sqlite3.Connection, account: str) -> Switches:
    row = tx.execute("SELECT mode, webhook_url, second_secret FROM switches WHERE account = ?", (account,)).fetchone()
    return Switches(*row) if row else Switches()


def set_switches(tx: sqlite3.Connection, account: str, new: Switches) -> None:
    tx.execute(
        "INSERT OR REPLACE INTO switches (account, mode, webhook_url, second_secret) VALUES (?, ?, ?, ?)",
        (account, new.mode, new.webhook_url, new.second_secret),
    )
