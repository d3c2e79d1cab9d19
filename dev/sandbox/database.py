"""One SQLite file with everything the sandbox knows."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SCHEMA = """
CREATE TABLE IF NOT EXISTS sessions (
    id TEXT PRIMARY KEY, account TEXT NOT NULL, reference TEXT NOT NULL, status TEXT NOT NULL,
    created_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL, document TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS sessions_by_reference ON sessions (account, reference);
CREATE INDEX IF NOT EXISTS sessions_by_time ON sessions (account, created_ms);
CREATE INDEX IF NOT EXISTS sessions_waiting ON sessions (expires_ms) WHERE status IN ('open', 'approved');
CREATE TABLE IF NOT EXISTS answers (
    account TEXT NOT NULL, key TEXT NOT NULL, fingerprint TEXT NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL,
    created_ms INTEGER NOT NULL, PRIMARY KEY (account, key));
CREATE INDEX IF NOT EXISTS answers_by_age ON answers (account, created_ms);
CREATE TABLE IF NOT EXISTS deliveries (
    id INTEGER PRIMARY KEY, account TEXT NOT NULL, event_id TEXT NOT NULL, type TEXT NOT NULL, body TEXT NOT NULL,
    signed INTEGER NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL, due_ms INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (due_ms) WHERE state = 'pending';
CREATE INDEX IF NOT EXISTS deliveries_by_event ON deliveries (event_id);
CREATE TABLE IF NOT EXISTS chores (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, session_id TEXT NOT NULL, subject TEXT NOT NULL,
    due_ms INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS chores_due ON chores (due_ms);
CREATE TABLE IF NOT EXISTS calls (
    account TEXT NOT NULL, operation TEXT NOT NULL, key TEXT NOT NULL, count INTEGER NOT NULL,
    PRIMARY KEY (account, operation, key));
CREATE TABLE IF NOT EXISTS switches (
    account TEXT PRIMARY KEY, mode TEXT, webhook_url TEXT, second_secret TEXT);
CREATE TABLE IF NOT EXISTS faults (
    account TEXT NOT NULL, operation TEXT NOT NULL, mode TEXT NOT NULL, times INTEGER,
    PRIMARY KEY (account, operation));
CREATE TABLE IF NOT EXISTS options (
    account TEXT PRIMARY KEY, capture_on_return INTEGER NOT NULL, key_life_s INTEGER);
"""


class Database:
    """One connection under one lock: a development PSP is never so busy that more would pay."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")  # survives kill -9; loses the newest on power loss
        self._connection.executescript(SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, and alone; never nested."""
        with self._lock:
            assert not self._connection.in_transaction
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def close(self) -> None:
        with self._lock:
            self._connection.close()
