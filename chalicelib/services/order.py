"""The order of a payment's events at one subscriber: each waits for the one before it, for a minute at most.

What was delivered lately is remembered, so that only a delivery whose predecessor another process had costs a reading.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from chalicelib.domain.configuration import DeliveryRecord, Subscription
from chalicelib.domain.errors import NotFound
from chalicelib.domain.ids import delivery_id_of
from chalicelib.domain.view import text_of
from chalicelib.services.kinds import DELIVERY
from chalicelib.services.ports import Ports

WAITS_MAX = timedelta(seconds=60)
REMEMBERED = 20_000
SETTLED = frozenset({"succeeded", "dead"})


class InOrder:
    """Thread-safe."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._lock = threading.Lock()
        self._settled: OrderedDict[str, None] = OrderedDict()

    def note(self, record: DeliveryRecord) -> None:
        if record.status in SETTLED:
            with self._lock:
                self._settled[record.id] = None
                while len(self._settled) > REMEMBERED:
                    self._settled.popitem(last=False)

    def must_wait(self, record: DeliveryRecord, now: datetime) -> bool:
        """Whether the delivery before it is still to come, and may be waited for."""
        if record.behind is None or now - begun_at_of(record) >= WAITS_MAX:
            return False
        with self._lock:
            if record.behind in self._settled:
                return False
        try:
            before = self._ports.store.get(DELIVERY, record.behind).value
        except NotFound:
            return True  # its message has not been handled yet
        self.note(before)
        return before.status not in SETTLED


def before(document: Mapping[str, Any], subscription: Subscription) -> str | None:
    """The delivery that goes before an event's to the subscription: that of the payment's last earlier event that the
    subscription wants and was there for. `document` is the event's message."""
    for event_id, event_type, at in reversed(document.get("before", ())):
        if at < text_of(subscription.created_at):
            return None
        if subscription.wants(event_type):
            return delivery_id_of(event_id, subscription.id)
    return None


def looked_at_again(record: DeliveryRecord, now: datetime) -> datetime:
    """When a delivery that must wait looks again: soon at first, then less often, and at last when its minute is over."""
    waited = now - begun_at_of(record)
    return min(begun_at_of(record) + WAITS_MAX, now + max(timedelta(seconds=1), waited / 2))


def begun_at_of(record: DeliveryRecord) -> datetime:
    return record.begun_at or record.created_at
