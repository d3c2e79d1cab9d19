"""Clients that many threads use at once, one for each target, kept between deliveries; what `Clients` is for the others.

A client belongs to a target's settings, so changed settings get another client; that of the old ones goes when it has been
idle for long. A client that failed takes no new users, and is closed when its last user has left.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

IDLE_MAX_S = 300.0
KEPT_MAX = 50


@dataclass(slots=True)
class _Kept(Generic[T]):
    client: T
    used_at: float
    users: int = 0
    is_leaving: bool = False


class Shared(Generic[T]):
    """Thread-safe, and so must `T` be; `close` must not raise."""

    def __init__(
        self,
        close: Callable[[T], None],
        *,
        kept_max: int = KEPT_MAX,
        idle_max_s: float = IDLE_MAX_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._close, self._kept_max, self._idle_max_s, self._clock = close, kept_max, idle_max_s, clock
        self._kept: OrderedDict[Hashable, _Kept[T]] = OrderedDict()  # the last used last
        self._lock = threading.Lock()

    @contextmanager
    def used(self, key: Hashable, make: Callable[[], T]) -> Iterator[T]:
        """The client of `key`, made if there is none; nobody else gets it any more if the block raises."""
        kept = self._entered(key) or self._added(key, make())
        try:
            yield kept.client
        except BaseException:
            self._drop(key, kept)
            raise
        finally:
            self._left(kept)

    def close(self) -> None:
        """Those in use are closed when their last user has left."""
        with self._lock:
            keys = list(self._kept)
            idle = [self._removed(key) for key in keys]
        self._closed(idle)

    def _entered(self, key: Hashable) -> _Kept[T] | None:
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None:
                kept.users += 1
                self._kept.move_to_end(key)
            return kept

    def _added(self, key: Hashable, made: T) -> _Kept[T]:
        """Two threads may make one at the same time: the first stays."""
        with self._lock:
            kept = self._kept.setdefault(key, _Kept(made, self._clock()))
            kept.users += 1
        if kept.client is not made:
            self._close(made)
        return kept

    def _drop(self, key: Hashable, kept: _Kept[T]) -> None:
        with self._lock:
            if self._kept.get(key) is kept:
                self._removed(key)

    def _left(self, kept: _Kept[T]) -> None:
        with self._lock:
            kept.users -= 1
            kept.used_at = self._clock()
            gone = [self._removed(key) for key in self._surplus()]
            if kept.is_leaving and kept.users == 0:
                gone.append(kept.client)
        self._closed(gone)

    def _removed(self, key: Hashable) -> T | None:
        """The client, if it can be closed at once; the lock is held."""
        kept = self._kept.pop(key)
        kept.is_leaving = True
        return kept.client if kept.users == 0 else None

    def _surplus(self) -> list[Hashable]:
        """What is idle for too long, and what is more than is kept; the lock is held."""
        oldest, over = self._clock() - self._idle_max_s, len(self._kept) - self._kept_max
        idle = [(place, key, one) for place, (key, one) in enumerate(self._kept.items()) if one.users == 0]
        return [key for place, key, one in idle if place < over or one.used_at < oldest]

    def _closed(self, clients: list[T | None]) -> None:
        for client in clients:
            if client is not None:
                self._close(client)
