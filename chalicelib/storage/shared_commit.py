"""Writers of one process that queue for the same connection share its commits: a commit is a sync of the disk, and one sync
can make many of them durable.

Whoever writes while others wait leaves the transaction open to the next one; the last one commits for all. Nobody returns
before what he wrote is durable, nor learns that somebody else was faster before that one's write is.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

MEMBERS_MAX = 32  # of one commit
LEFT_ALONE_S = 0.05  # a member whose successor did not come looks after the commit himself


class _Shared:
    """One transaction and those whose writes are in it."""

    def __init__(self) -> None:
        self.members = 0
        self.done = threading.Event()
        self.error: BaseException | None = None


class SharedCommit:
    """`connection` gives the writers' connection, `drop` closes one that failed; both are called by whoever has the turn.
    Thread-safe."""

    def __init__(self, connection: Callable[[], sqlite3.Connection], drop: Callable[[], None]) -> None:
        self._connection, self._drop = connection, drop
        self._turn = threading.Lock()
        self._waiting = 0
        self._counting = threading.Lock()
        self._open: _Shared | None = None

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Cursor]:
        """Durable when it ends without an exception, and undone otherwise. sqlite3's errors pass through."""
        with self._my_turn():
            connection, shared = self._joined()
            error: BaseException | None = None
            try:
                with _part_of(connection, alone=not shared.members):
                    yield connection.cursor()
            except BaseException as raised:
                error = raised
                if not connection.in_transaction:  # SQLite gave all of it up, as it does when the disk is full
                    self._end(shared, raised)
            else:
                shared.members += 1
            if self._open is shared and not self._is_left_open(shared):
                self._commit(shared, connection)
        self._wait(shared)
        if shared.error is not None and (error is None or isinstance(error, Exception)):
            raise shared.error  # before an error of its own, which may tell of a winner whose write is lost now
        if error is not None:
            raise error

    def _joined(self) -> tuple[sqlite3.Connection, _Shared]:
        if self._open is not None:
            return self._connection(), self._open
        try:
            connection = self._connection()
            # A transaction that begins by reading and then writes fails at once when it meets another writer.
            connection.execute("BEGIN IMMEDIATE")
        except BaseException:
            self._drop()
            raise
        self._open = _Shared()
        return connection, self._open

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keeps all writers out, none of them in the middle of a commit."""
        with self._turn:
            self._finish()
            yield

    def _is_left_open(self, shared: _Shared) -> bool:
        with self._counting:
            return self._waiting > 0 and 0 < shared.members < MEMBERS_MAX

    @contextmanager
    def _my_turn(self) -> Iterator[None]:
        with self._counting:
            self._waiting += 1
        try:
            self._turn.acquire()
        finally:
            with self._counting:
                self._waiting -= 1
        try:
            yield
        finally:
            self._turn.release()

    def _wait(self, shared: _Shared) -> None:
        while not shared.done.wait(LEFT_ALONE_S):
            with self._turn:
                if self._open is shared:
                    self._finish()

    def _finish(self) -> None:
        if self._open is not None:
            self._commit(self._open, self._connection())

    def _commit(self, shared: _Shared, connection: sqlite3.Connection) -> None:
        try:
            if shared.members:
                connection.execute("COMMIT")
            else:
                connection.execute("ROLLBACK")
        except BaseException as error:
            self._end(shared, error)
        else:
            self._end(shared, None)

    def _end(self, shared: _Shared, error: BaseException | None) -> None:
        self._open = None
        shared.error = error
        try:
            if error is not None:
                self._drop()
        finally:
            shared.done.set()


@contextmanager
def _part_of(connection: sqlite3.Connection, *, alone: bool) -> Iterator[None]:
    """What fails in here is undone without the others' writes, where there are others."""
    if alone:
        yield
        return
    connection.execute("SAVEPOINT part")
    try:
        yield
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK TO part")
            connection.execute("RELEASE part")
        raise
    connection.execute("RELEASE part")
