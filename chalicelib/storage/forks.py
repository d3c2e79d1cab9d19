"""A process must not fork while it has a SQLite file open.

SQLite remembers per process which locks it holds. A forked child inherits that memory but not the locks: even a
connection that the child opens itself then works unlocked, and another process may tidy the write-ahead log away under
it. So the connections are closed before each fork, and opened again on both sides when they are next needed.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from types import TracebackType
from weakref import WeakSet


class ForkGate:
    """`with gate:` around each use of a connection. A fork waits until nobody is inside, then calls `close`."""

    def __init__(self, close: Callable[[], None]) -> None:
        self._close = close
        self.renew()
        _GATES.add(self)

    def __enter__(self) -> None:
        with self._idle:
            while self._shut:
                self._idle.wait()
            self._inside += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._idle:
            self._inside -= 1
            if not self._inside:
                self._idle.notify_all()

    def shut(self) -> None:
        """Lets nobody in any more (or busy threads would keep a fork waiting for ever), and waits for the rest."""
        with self._idle:
            self._shut = True
            while self._inside:
                self._idle.wait()
        self._close()

    def reopen(self) -> None:
        with self._idle:
            self._shut = False
            self._idle.notify_all()

    def renew(self) -> None:
        """In the child other threads are gone; a lock they may have held is replaced rather than trusted."""
        self._idle = threading.Condition()
        self._inside = 0
        self._shut = False


_GATES: WeakSet[ForkGate] = WeakSet()
_SHUT: list[ForkGate] = []
_FORKING = [threading.Lock()]  # threads that fork at once take turns


def _before() -> None:
    _FORKING[0].acquire()
    _SHUT[:] = list(_GATES)
    for gate in _SHUT:
        gate.shut()


def _in_parent() -> None:
    for gate in _SHUT:
        gate.reopen()
    _SHUT.clear()
    _FORKING[0].release()


def _in_child() -> None:
    for gate in _SHUT:
        gate.renew()
    _SHUT.clear()
    _FORKING[0] = threading.Lock()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
