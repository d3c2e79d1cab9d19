"""SQLite for `SqlStore`: write-ahead log, every commit synced to the disk, one writer at a time."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.pool import PoolProxiedConnection

from chalicelib.domain.errors import Fault, StorageFault, StorageFull, StorageReadOnly
from chalicelib.storage.forks import ForkGate
from chalicelib.storage.shared_commit import SharedCommit

BUSY_S = 10.0  # how long another process may hold the write lock
MIGRATION_BUSY_S = 120.0
WAL_BYTES_KEPT = 64 * 1024 * 1024  # a log that grew past this is cut back at the next checkpoint
IDLE_CONNECTIONS = 16

FAULTS: Mapping[int, tuple[type[Fault], str]] = {
    sqlite3.SQLITE_FULL: (StorageFull, "Free space on its disk or raise its size limit, then repeat the call."),
    sqlite3.SQLITE_READONLY: (
        StorageReadOnly,
        "Let this process write to the file and its directory, and take mode=ro out of the URL.",
    ),
    sqlite3.SQLITE_BUSY: (
        StorageFault,
        "Another process keeps the write lock: look for an open sqlite3 shell or a copy under way.",
    ),
    sqlite3.SQLITE_CANTOPEN: (StorageFault, "Create its directory, and let this process read and write there."),
    sqlite3.SQLITE_CORRUPT: (StorageFault, "Stop every process that uses it and restore the newest backup."),
    sqlite3.SQLITE_NOTADB: (StorageFault, "This is no SQLite file: correct the URL, or restore the newest backup."),
    sqlite3.SQLITE_IOERR: (StorageFault, "Check the disk and the system log."),
    sqlite3.SQLITE_ERROR: (StorageFault, "If a table or column is missing, the migrations have not run: start again."),
}
_OTHERWISE = (StorageFault, "Look the code up at sqlite.org/rescode.html.")


class SqliteDatabase:
    """Safe across threads, processes and forks.

    Each reader borrows a connection of its own, so readers never wait. Writers of one process queue at a lock, which is
    fair, where SQLite's own waiting (for other processes) is by polling; so they share one connection, whose page cache
    then stays warm, and the syncs of its commits.
    """

    duplicate: type[Exception] = sqlite3.IntegrityError

    def __init__(self, url: sa.URL) -> None:
        if not url.database or ":memory:" in url.database or "mode=memory" in str(url):
            raise ValueError("SQLite needs a file, for example sqlite:////var/lib/payments.db; MemoryStore needs none")
        self.place = url.database.removeprefix("file:").partition("?")[0]
        self._engine = sa.create_engine(
            url,
            poolclass=sa.QueuePool,
            pool_size=IDLE_CONNECTIONS,
            max_overflow=-1,
            pool_use_lifo=True,
            # Transactions begin where this file says so: the driver's own would begin too late and without IMMEDIATE.
            connect_args={"isolation_level": None, "timeout": BUSY_S, "check_same_thread": False},
        )
        sa.event.listen(self._engine, "connect", _prepare)
        self.dialect: sa.Dialect = self._engine.dialect
        self._gate = ForkGate(self._let_go)
        # Its turn is always taken inside the gate, so never held while forking.
        self._shared = SharedCommit(self._kept, self._drop_writing)
        self._writing: sqlite3.Connection | None = None  # touched by who has the turn, or has the gate shut

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Cursor]:
        with self._gate, self._borrowed() as connection:
            yield cast(sqlite3.Cursor, connection.cursor())

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Cursor]:
        with self._gate:
            try:
                with self._shared.writing() as cursor:
                    yield cursor
            except sqlite3.Error as error:
                raise self._fault_of(error) from error

    @contextmanager
    def inspecting(self) -> Iterator[sa.Connection]:
        with self._gate, self._told(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def migrating(self) -> Iterator[sa.Connection]:
        """SQLite's schema changes are transactional: a migration that is killed leaves nothing behind."""
        with self._gate, self._shared.alone(), self._told(), self._engine.connect() as connection:
            connection.detach()  # its patience is its own, and it is closed afterwards
            connection.exec_driver_sql(f"PRAGMA busy_timeout = {MIGRATION_BUSY_S * 1000:.0f}")
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection
            connection.commit()

    def close(self) -> None:
        with self._shared.alone():
            self._let_go()

    def _let_go(self) -> None:
        self._drop_writing()
        self._engine.dispose()

    def _kept(self) -> sqlite3.Connection:
        """The writers' connection. The one of the pool that it was is parted from it: it is not borrowed and given back."""
        if self._writing is None:
            opened = self._engine.raw_connection()
            opened.detach()
            self._writing = cast(sqlite3.Connection, opened.dbapi_connection)
        return self._writing

    def _drop_writing(self) -> None:
        """Closing rolls back; the next use starts from a fresh connection."""
        connection, self._writing = self._writing, None
        if connection is not None:
            connection.close()

    @contextmanager
    def _borrowed(self) -> Iterator[PoolProxiedConnection]:
        try:
            connection = self._engine.raw_connection()
        except sqlite3.Error as error:
            raise self._fault_of(error) from error
        try:
            yield connection
        except sqlite3.Error as error:
            connection.invalidate()  # closing rolls back; the next use starts from a fresh connection
            raise self._fault_of(error) from error
        finally:
            connection.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sa.exc.DBAPIError as error:
            raise self._fault_of(error.orig) from error
        except sqlite3.Error as error:
            raise self._fault_of(error) from error

    def _fault_of(self, error: BaseException | None) -> Fault:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte; the rest only narrows it down
        fault, mend = FAULTS.get(code, _OTHERWISE)
        name = getattr(error, "sqlite_errorname", type(error).__name__)
        # A commit whose sync fails may be in the log all the same, and come to light at the next start.
        written = "It may have been written all the same." if code == sqlite3.SQLITE_IOERR else "Nothing was written."
        return fault(f"The database {self.place} answered {name}: {error}. {written} {mend}")


def _prepare(connection: Any, record: object) -> None:
    try:
        _enter_wal(connection)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA journal_size_limit = {WAL_BYTES_KEPT}")
    except BaseException:
        connection.close()
        raise


def _enter_wal(connection: sqlite3.Connection) -> None:
    """The file keeps the mode, so this writes once in its life; processes that start together take turns."""
    give_up_at = time.monotonic() + BUSY_S
    while connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            code = error.sqlite_errorcode & 0xFF
            if code == sqlite3.SQLITE_READONLY:
                return  # a reader of a file in another mode; what is written will be refused by name
            # Here SQLite does not wait by itself: two that switch at once would wait for each other.
            if code != sqlite3.SQLITE_BUSY or time.monotonic() > give_up_at:
                raise
            time.sleep(0.01)
