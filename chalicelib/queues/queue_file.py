"""The embedded queue's SQLite file: one connection per process, every transaction a synced write."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from weakref import WeakSet

from chalicelib.domain.errors import QueueFault

BUSY_S = 10.0  # how long another process may hold the write lock
FORMAT = 1
WAL_BYTES_KEPT = 64 * 1024 * 1024

SCHEMA = (
    """CREATE TABLE messages (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        topic TEXT NOT NULL,
        body BLOB NOT NULL,
        sent_ms INTEGER NOT NULL,
        due_ms INTEGER NOT NULL,
        receives INTEGER NOT NULL DEFAULT 0,
        receipt TEXT,
        dead INTEGER NOT NULL DEFAULT 0
    )""",
    "CREATE INDEX messages_due ON messages (topic, due_ms, seq, sent_ms) WHERE dead = 0",
    "CREATE INDEX messages_dead ON messages (topic, seq) WHERE dead = 1",
    f"PRAGMA user_version = {FORMAT}",
)

MENDS = {
    sqlite3.SQLITE_FULL: "Free space on its disk, then repeat the call.",
    sqlite3.SQLITE_READONLY: "Let this process write to the file and its directory.",
    sqlite3.SQLITE_BUSY: "Another process keeps the write lock: look for an open sqlite3 shell or a copy under way.",
    sqlite3.SQLITE_CANTOPEN: "Create its directory, and let this process read and write there.",
    sqlite3.SQLITE_CORRUPT: "Stop every process that uses it, move it away and restore the newest backup.",
    sqlite3.SQLITE_NOTADB: "This is no SQLite file: correct the path, or restore the newest backup.",
}


class QueueFile:
    """The lock orders this process' threads; SQLite orders the processes.

    The connection is closed before a fork: SQLite's locks belong to the process that took them, and a child that
    inherits an open file believes it has locks that it has not, even for connections it opens itself.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        _FILES.add(self)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keeps this process' other threads out, without touching the file."""
        with self._lock:
            yield

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Durable when it ends without an exception, and undone otherwise. Raises QueueFault."""
        with self._lock:
            try:
                connection = self._connection or self._opened()
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
            except BaseException as error:
                self._drop()  # closing rolls back
                if isinstance(error, sqlite3.Error):
                    raise self._fault_of(error) from error
                raise

    def close(self) -> None:
        with self._lock:
            self._drop()

    def shut(self) -> None:
        self._lock.acquire()
        self._drop()

    def reopen(self) -> None:
        self._lock.release()

    def renew(self) -> None:
        """In the child other threads are gone; a lock they were waiting for is replaced rather than trusted."""
        self._lock = threading.RLock()

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _opened(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            _enter_wal(connection)
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA journal_size_limit = {WAL_BYTES_KEPT}")
            self._make_schema(connection)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return connection

    def _make_schema(self, connection: sqlite3.Connection) -> None:
        if _format_of(connection) == FORMAT:
            return
        connection.execute("BEGIN IMMEDIATE")
        present = _format_of(connection)  # again: another process may have been faster
        if present > FORMAT:
            raise QueueFault(
                f"The queue {self.path} has format {present}, which a newer PaymentServer wrote; this one knows "
                f"{FORMAT}. Start that version."
            )
        if present == 0:
            for statement in SCHEMA:
                connection.execute(statement)
        connection.execute("COMMIT")

    def _fault_of(self, error: sqlite3.Error) -> QueueFault:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte; the rest only narrows it down
        name = getattr(error, "sqlite_errorname", type(error).__name__)
        mend = MENDS.get(code, "Check the disk and the system log.")
        return QueueFault(f"The queue {self.path} answered {name}: {error}. Nothing was written. {mend}")


def _format_of(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _enter_wal(connection: sqlite3.Connection) -> None:
    """The file keeps the mode; processes that start together take turns, for which SQLite does not wait by itself."""
    give_up_at = time.monotonic() + BUSY_S
    while connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > give_up_at:
                raise
            time.sleep(0.01)


_FILES: WeakSet[QueueFile] = WeakSet()
_SHUT: list[QueueFile] = []
_FORKING = [threading.Lock()]  # threads that fork at once take turns


def _before() -> None:
    _FORKING[0].acquire()
    _SHUT[:] = list(_FILES)
    for file in _SHUT:
        file.shut()


def _in_parent() -> None:
    for file in _SHUT:
        file.reopen()
    _SHUT.clear()
    _FORKING[0].release()


def _in_child() -> None:
    for file in _SHUT:
        file.renew()
    _SHUT.clear()
    _FORKING[0] = threading.Lock()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
