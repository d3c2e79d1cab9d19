"""Configuration as services read it: cached in the process for less than 5 s, looked up afresh before it is refused.

A connector object is made once for each version of its connection, so that secrets are opened once and not for each
payment.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from chalicelib.contracts.connector import Connector, Verifying
from chalicelib.contracts.store import PAGE_MAX, Kind
from chalicelib.domain.configuration import Connection, Route, Subscription
from chalicelib.domain.errors import Fault, NotFound
from chalicelib.services.kinds import CONNECTION, ROUTE, SUBSCRIPTION, connection_key, route_key
from chalicelib.services.ports import InboundPorts
from chalicelib.services.secrets import opened_settings, secret_texts, webhook_fields

T = TypeVar("T")
CACHED_MAX = 10_000


@dataclass(frozen=True, slots=True)
class LiveConnection:
    """A connection with its connector, ready for conversations. `usable` says whether new payments may go there."""

    connection: Connection
    connector: Connector
    secrets: tuple[str, ...] = field(default=(), repr=False)  # in clear, to conceal them in what the PSP says

    @property
    def usable(self) -> bool:
        return self.connection.enabled and self.connection.deleted_at is None


@dataclass(frozen=True, slots=True)
class ReceivingConnection:
    """A connection that takes webhooks in, and can do nothing else: its API credentials were never opened."""

    connection: Connection
    connector: Verifying


class Configuration:
    """Thread-safe. Raises NotFound for what does not exist; store errors pass through."""

    def __init__(self, ports: InboundPorts, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._ports = ports
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._cached: dict[tuple[str, str], tuple[float, Any]] = {}
        self._live: dict[tuple[str, int], LiveConnection] = {}
        self._receiving: dict[tuple[str, int], ReceivingConnection] = {}

    def connection(self, merchant_id: str, connection_id: str) -> LiveConnection:
        """Deleted and disabled connections too: their credentials stay for what is under way."""
        key = connection_key(merchant_id, connection_id)
        return self._live_of(self._read(CONNECTION, key))

    def receiving(self, merchant_id: str, connection_id: str) -> ReceivingConnection:
        """Deleted and disabled connections too: their PSPs still tell what becomes of payments."""
        connection = self._read(CONNECTION, connection_key(merchant_id, connection_id))
        return self._made(self._receiving, connection, self._new_receiving)

    def route(self, merchant_id: str, name: str) -> Route:
        route = self._read(ROUTE, route_key(merchant_id, name))
        if route.deleted_at is not None:
            route = self._read(ROUTE, route_key(merchant_id, name), fresh=True)
        if route.deleted_at is not None:
            raise NotFound(f"There is no route {name!r}.")
        return route

    def subscriptions(self, merchant_id: str) -> Sequence[Subscription]:
        """All enabled subscriptions; afresh, but where a list of the last moment may be used."""
        now, slot = self._monotonic(), (SUBSCRIPTION.name, merchant_id)
        cached = self._cached.get(slot)
        if cached is not None and now < cached[0]:
            return cached[1]  # type: ignore[no-any-return]  # the slot holds a list
        found: list[Subscription] = []
        after: str | None = None
        while True:
            page = self._ports.store.find(SUBSCRIPTION, "by_merchant", merchant_id, after=after, limit=PAGE_MAX)
            found += [stored.value for stored in page.items if stored.value.enabled]
            after = page.after
            if after is None:
                break
        if self._ports.subscriptions_ttl_s:
            self._keep(slot, now + self._ports.subscriptions_ttl_s, found)
        return found

    def is_wanted(self, merchant_id: str, event_type: str) -> bool:
        """Whether any subscription wants such an event; yes where they can not be read."""
        try:
            return any(one.wants(event_type) for one in self.subscriptions(merchant_id))
        except Fault:
            return True

    def forget(self) -> None:
        """Empties the cache: what this process changes, it sees at once."""
        with self._lock:
            self._cached.clear()

    def _read(self, kind: Kind[T], key: str, *, fresh: bool = False) -> T:
        now = self._monotonic()
        slot = (kind.name, key)
        cached = self._cached.get(slot)
        if cached is not None and not fresh and now < cached[0]:
            return cached[1]  # type: ignore[no-any-return]  # the slot holds what its kind decodes to
        value = self._ports.store.get(kind, key).value
        self._keep(slot, now + self._ports.configuration_ttl_s, value)
        return value

    def _keep(self, slot: tuple[str, str], until: float, value: object) -> None:
        with self._lock:
            if len(self._cached) >= CACHED_MAX:
                self._cached.clear()
            self._cached[slot] = (until, value)

    def _live_of(self, connection: Connection) -> LiveConnection:
        return self._made(self._live, connection, self._new_live)

    def _made(self, made: dict[tuple[str, int], T], connection: Connection, make: Callable[[Connection], T]) -> T:
        """What was made of this version of the connection, or is made now."""
        key = (connection_key(connection.merchant_id, connection.id), connection.version)
        found = made.get(key)
        if found is None:
            found = make(connection)
            with self._lock:
                if len(made) >= CACHED_MAX:
                    made.clear()
                made[key] = found
        return found

    def _new_live(self, connection: Connection) -> LiveConnection:
        connector = self._connector_of(connection)
        settings = opened_settings(self._ports.vault, connection, connector.settings)
        return LiveConnection(connection, connector(settings), secret_texts(settings))  # type: ignore[call-arg]

    def _new_receiving(self, connection: Connection) -> ReceivingConnection:
        connector = self._connector_of(connection)
        only = webhook_fields(connector.settings)
        settings = opened_settings(self._ports.vault, connection, connector.settings, only=only)
        return ReceivingConnection(connection, connector(settings))  # type: ignore[call-arg]

    def _connector_of(self, connection: Connection) -> type[Connector]:
        connector = self._ports.connectors.get(connection.connector)
        if connector is None:
            raise NotFound(f"Connection {connection.id!r} uses the connector {connection.connector!r}, which is off.")
        return connector
