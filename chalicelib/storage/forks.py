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
        self._idle = threading.Condition()
        self._inside = 0
        _GATES.add(self)

    def __enter__(self) -> None:
        with self._idle:
            self._inside += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._idle:
            self._inside -= 1
            if not self._inside:
                self._idle.notify_all()

    def shut(self) -> None:
        """Keeps the condition's lock, and with it everybody out, until the fork is over."""
        self._idle.acquire()
        while self._inside:
            self._idle.wait()
        self._close()

    def reopen(self) -> None:
        self._idle.release()

    def renew(self) -> None:
        """In the child other threads are gone; a lock they were waiting for is replaced rather than trusted."""
        self._idle = threading.Condition()
        self._inside = 0


_GATES: WeakSet[ForkGate] = WeakSet()
_SHUT = threading.local()  # the gates that this thread shut for its fork


def _before() -> None:
    _SHUT.gates = list(_GATES)
    for gate in _SHUT.gates:
        gate.shut()


def _in_parent() -> None:
    for gate in _SHUT.gates:
        gate.reopen()


def _in_child() -> None:
    for gate in _SHUT.gates:
        gate.renew()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
