"""Clients of brokers, kept between deliveries: a connection costs several round trips, and a handshake more.

A client belongs to a target's settings, so changed settings get another client; those of the old ones go when they have
been idle for long. A client that failed is closed and never lent again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

IDLE_MAX_S = 300.0
KEPT_MAX = 100


@dataclass(frozen=True, slots=True)
class _Idle(Generic[T]):
    key: Hashable
    client: T
    since: float


class Clients(Generic[T]):
    """Thread-safe. A client is lent to one thread at a time, so `T` need not be thread-safe."""

    def __init__(
        self,
        close: Callable[[T], None],
        *,
        kept_max: int = KEPT_MAX,
        idle_max_s: float = IDLE_MAX_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._close, self._kept_max, self._idle_max_s, self._clock = close, kept_max, idle_max_s, clock
        self._idle: list[_Idle[T]] = []  # the longest idle first
        self._lock = threading.Lock()

    @contextmanager
    def lent(self, key: Hashable, make: Callable[[], T]) -> Iterator[T]:
        """An idle client of `key`, the last used first, otherwise a new one; closed if the block raises."""
        client = self._taken(key)
        if client is None:
            client = make()
        try:
            yield client
        except BaseException:
            self._quietly_closed([client])
            raise
        with self._lock:
            self._idle.append(_Idle(key, client, self._clock()))
        self._quietly_closed(self._surplus())

    def drop(self, key: Hashable) -> None:
        """Closes the idle clients of `key`: when one lost its connection, so have the others."""
        with self._lock:
            dropped = [one.client for one in self._idle if one.key == key]
            self._idle = [one for one in self._idle if one.key != key]
        self._quietly_closed(dropped)

    def close(self) -> None:
        with self._lock:
            dropped, self._idle = [one.client for one in self._idle], []
        self._quietly_closed(dropped)

    def _taken(self, key: Hashable) -> T | None:
        self._quietly_closed(self._surplus())
        with self._lock:
            for position in range(len(self._idle) - 1, -1, -1):
                if self._idle[position].key == key:
                    return self._idle.pop(position).client
        return None

    def _surplus(self) -> list[T]:
        """What is idle for too long, and what is more than is kept."""
        with self._lock:
            oldest = self._clock() - self._idle_max_s
            over = len(self._idle) - self._kept_max
            gone = [one for place, one in enumerate(self._idle) if place < over or one.since < oldest]
            self._idle = [one for place, one in enumerate(self._idle) if place >= over and one.since >= oldest]
        return [one.client for one in gone]

    def _quietly_closed(self, clients: list[T]) -> None:
        for client in clients:
            _quietly(self._close, client)


class SharedClients(Generic[T]):
    """Thread-safe. A client is used by all threads at once, so `T` must be thread-safe, and closing it harm no call."""

    def __init__(
        self, close: Callable[[T], None], is_good: Callable[[T], bool] = lambda _: True, *, kept_max: int = KEPT_MAX
    ) -> None:
        self._close, self._is_good, self._kept_max = close, is_good, kept_max
        self._clients: dict[Hashable, T] = {}  # the longest unused first
        self._lock = threading.Lock()

    def of(self, key: Hashable, make: Callable[[], T]) -> T:
        """The client of `key`, made when there is none that is good. Of two made at once the one that was never lent goes."""
        client = self._kept(key)
        if client is not None:
            return client
        made = make()
        with self._lock:
            client = self._clients.setdefault(key, made)
            gone = [self._clients.pop(one) for one in list(self._clients)[: -self._kept_max]]
        for one in gone if client is made else (*gone, made):
            _quietly(self._close, one)
        return client

    def _kept(self, key: Hashable) -> T | None:
        with self._lock:
            client = self._clients.pop(key, None)
            if client is None:
                return None
            if self._is_good(client):
                self._clients[key] = client
                return client
        _quietly(self._close, client)
        return None

    def drop(self, key: Hashable) -> None:
        with self._lock:
            client = self._clients.pop(key, None)
        if client is not None:
            _quietly(self._close, client)

    def close(self) -> None:
        with self._lock:
            clients = list(self._clients.values())
            self._clients.clear()
        for client in clients:
            _quietly(self._close, client)


def _quietly(close: Callable[[T], None], client: T) -> None:
    try:
        close(client)
    except Exception:  # noqa: S110  # what can not be closed is broken already
        pass
