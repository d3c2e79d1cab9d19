"""How the endpoints of subscriptions are, as this process sees it, and since when one fails.

An endpoint that does not answer several times in a row is let alone for a while, rather than holding workers on time-outs;
then one delivery finds out. One that has failed for five days is switched off, and the others are told.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from chalicelib.contracts.store import NEW, PAGE_MAX
from chalicelib.domain.configuration import EndpointTrouble, Subscription
from chalicelib.domain.errors import NotFound, StaleVersion
from chalicelib.domain.view import text_of
from chalicelib.services.kinds import DELIVERY, ENDPOINT_TROUBLE, subscription_key
from chalicelib.services.ports import Ports

SILENT_MAX = 5  # tries in a row without an answer, then the circuit opens
OPEN_S = (15, 30, 60, 120, 300)  # how long, the first time and every further one in a row
SLOW_S = 0.25
FAILING_MAX = timedelta(days=5)
LOOKED_AT_AGAIN = timedelta(hours=1)  # another process may have found trouble that is over now
ENDPOINTS_MAX = 10_000  # that a process remembers


@dataclass
class _Endpoint:
    silent: int = 0
    slow: bool = False
    opened: int = 0  # times in a row
    open_until: datetime | None = None
    probing: bool = False
    troubled: bool = False  # as far as this process knows
    looked_at: datetime | None = None


class Endpoints:
    """Thread-safe."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._lock = threading.Lock()
        self._known: dict[str, _Endpoint] = {}

    def is_well(self, subscription: Subscription) -> bool:
        """Whether its last try was answered soon, so that the next one likely is, too."""
        one = self._of(subscription)
        return not one.silent and not one.slow and one.open_until is None

    def slow(self, subscription: Subscription) -> None:
        """A try takes longer than anybody waits."""
        self._of(subscription).slow = True

    def closed_until(self, subscription: Subscription) -> datetime | None:
        """Until when nothing should be sent; None where something may be, which may be the one probe."""
        now = self._ports.clock.now()
        with self._lock:
            one = self._of_locked(subscription)
            if one.open_until is None:
                return None
            if now < one.open_until:
                return one.open_until
            if one.probing:
                return now + timedelta(seconds=OPEN_S[0])
            one.probing = True
            return None

    def answered(self, subscription: Subscription, *, delivered: bool, latency_s: float) -> None:
        with self._lock:
            one = self._of_locked(subscription)
            one.silent, one.opened, one.open_until, one.probing = 0, 0, None, False
            one.slow = latency_s > SLOW_S
        if delivered:
            self._over(subscription, one)

    def silent(self, subscription: Subscription) -> None:
        now = self._ports.clock.now()
        with self._lock:
            one = self._of_locked(subscription)
            one.silent += 1
            if one.probing or (one.silent >= SILENT_MAX and one.open_until is None):
                one.open_until = now + timedelta(seconds=OPEN_S[min(one.opened, len(OPEN_S) - 1)])
                one.opened += 1
                one.probing = False

    def has_failed_too_long(self, subscription: Subscription) -> bool:
        """Notes that a delivery failed, and says whether all have for five days, counted from the subscription's last change
        at the earliest: whoever switches it on again is given the five days anew."""
        one, now = self._of(subscription), self._ports.clock.now()
        key = subscription_key(subscription.merchant_id, subscription.id)
        one.troubled = True
        try:
            since = self._ports.store.get(ENDPOINT_TROUBLE, key).value.since
        except NotFound:
            since = now
            with suppress(StaleVersion):  # another process noted it
                trouble = EndpointTrouble(subscription.merchant_id, subscription.id, now)
                self._ports.store.put(ENDPOINT_TROUBLE, trouble, expect=NEW)
        if now - max(since, subscription.updated_at) < FAILING_MAX:
            return False
        if self._has_arrived(subscription, since):  # another process saw it, and did not know of the trouble
            self._end_trouble(subscription)
            return False
        return True

    def _has_arrived(self, subscription: Subscription, since: datetime) -> bool:
        """Whether the log has a delivery that arrived before the trouble was known to whoever delivered: a process whose last
        look was before `since` looks again within LOOKED_AT_AGAIN, at its next delivery that arrives, and ends the trouble.
        So a short time is looked through, and not five days of all that the account was told."""
        after: str | None = None
        while True:
            page = self._ports.store.find(
                DELIVERY,
                "by_time",
                subscription.merchant_id,
                since=text_of(since),
                until=text_of(since + 2 * LOOKED_AT_AGAIN),
                where={"subscription_id": subscription.id, "status": "succeeded"},
                after=after,
                limit=PAGE_MAX,
            )
            after = page.after
            if page.items or after is None:
                return bool(page.items)

    def _over(self, subscription: Subscription, one: _Endpoint) -> None:
        """A delivery arrived: whatever trouble there was is over."""
        now = self._ports.clock.now()
        looked_lately = one.looked_at is not None and now - one.looked_at < LOOKED_AT_AGAIN
        if looked_lately and not one.troubled:
            return
        one.troubled, one.looked_at = False, now
        self._end_trouble(subscription)

    def _end_trouble(self, subscription: Subscription) -> None:
        key = subscription_key(subscription.merchant_id, subscription.id)
        with suppress(NotFound, StaleVersion):
            stored = self._ports.store.get(ENDPOINT_TROUBLE, key)
            self._ports.store.delete(ENDPOINT_TROUBLE, key, expect=stored.version)

    def _of(self, subscription: Subscription) -> _Endpoint:
        with self._lock:
            return self._of_locked(subscription)

    def _of_locked(self, subscription: Subscription) -> _Endpoint:
        if len(self._known) > ENDPOINTS_MAX:
            self._known.clear()
        return self._known.setdefault(f"{subscription.id}/{subscription.version}", _Endpoint())
