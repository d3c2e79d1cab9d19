"""How an account works, as its contract with the PSP would say: set from outside the API, kept until it is set anew."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """`capture_on_return`: what the shopper does only approves; the merchant completes. `key_life_s`: None is 24 hours."""

    capture_on_return: bool = False
    key_life_s: int | None = None


def options_of(tx: sqlite3.Connection, account: str) -> Options:
    row = tx.execute("SELECT capture_on_return, key_life_s FROM options WHERE account = ?", (account,)).fetchone()
    return Options(bool(row["capture_on_return"]), row["key_life_s"]) if row else Options()


def set_options(tx: sqlite3.Connection, account: str, new: Options) -> None:
    tx.execute(
        "INSERT OR REPLACE INTO options (account, capture_on_return, key_life_s) VALUES (?, ?, ?)",
        (account, new.capture_on_return, new.key_life_s),
    )
