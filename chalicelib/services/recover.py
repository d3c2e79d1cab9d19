"""Recovery: everything since a time that a subscription wants and does not have is sent to it, in each payment's order.

What was recorded and did not arrive begins its schedule anew; what was never recorded, because the subscription was off or
younger, is recorded now. Safe to repeat: what arrived is left alone.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from chalicelib.contracts.queue import Topic
from chalicelib.contracts.store import NEW, PAGE_MAX, Stored
from chalicelib.domain.configuration import DeliveryRecord, Subscription
from chalicelib.domain.errors import Conflict, Invalid, NotFound, Pointer, StaleVersion, Unreadable
from chalicelib.domain.ids import delivery_id_of
from chalicelib.domain.payment import JournalEntry, Payment
from chalicelib.domain.retell import retold
from chalicelib.domain.view import text_of
from chalicelib.services.chores import chore
from chalicelib.services.kinds import DELIVERY, PAYMENT, SUBSCRIPTION, last_event, subscription_key
from chalicelib.services.moved import listings
from chalicelib.services.ports import Ports

DELIVERIES_MAX = 10_000  # that one call sends on their way
LOOKED_AT_S = 15.0  # then the rest is another call's; an API gateway ends a call at 29 s
_NOTICES, _MADE, _PAYMENTS = "n", "m", "p"
_PARTS = (_NOTICES, _MADE, _PAYMENTS)


@dataclass(frozen=True, slots=True)
class Recovered:
    """How many deliveries were sent on their way; `cursor` continues, None at the end."""

    deliveries: int
    cursor: str | None


class Recover:
    """One call: what is not of a payment first, then the payments with an event since then."""

    def __init__(self, ports: Ports, subscription: Subscription, since: datetime) -> None:
        self._ports, self._subscription, self._since = ports, subscription, since
        self._ends = time.monotonic() + LOOKED_AT_S
        self._count = 0
        self._begun: list[str] = []  # deliveries of this page, to be queued

    def run(self, cursor: str | None) -> Recovered:
        try:
            return self._run(cursor)
        except Unreadable:
            detail = "is none of this recovery's: send the cursor of the answer before"
            raise Invalid(f"/cursor: {detail}", (Pointer("/cursor", detail),)) from None

    def _run(self, cursor: str | None) -> Recovered:
        part, after = (cursor[0], cursor[1:] or None) if cursor else (_NOTICES, None)
        if part not in _PARTS:
            raise Unreadable("The cursor is none of this recovery's.")
        while True:
            after = self._page_of_notices(after) if part == _NOTICES else self._page_of_payments(part, after)
            self._send()
            if after is None and part == _PAYMENTS:
                return Recovered(self._count, None)
            if after is None:
                part = _PARTS[_PARTS.index(part) + 1]
            if self._count >= DELIVERIES_MAX or time.monotonic() >= self._ends:
                return Recovered(self._count, part + (after or ""))

    def _page_of_notices(self, after: str | None) -> str | None:
        """Recorded deliveries of events that belong to no payment."""
        mine = {"subscription_id": self._subscription.id}
        page = self._ports.store.find(
            DELIVERY,
            "by_time",
            self._subscription.merchant_id,
            since=text_of(self._since),
            where=mine,
            newest_first=False,
            after=after,
            limit=PAGE_MAX,
        )
        for stored in page.items:
            if stored.value.payment_id is None:
                self._again(stored, None)
        return page.after

    def _page_of_payments(self, part: str, after: str | None) -> str | None:
        """A payment may be in both lists, and is looked at in one."""
        listing = listings(self._since)[_PARTS.index(part) - 1]
        page = self._ports.store.find(
            PAYMENT,
            listing.index,
            self._subscription.merchant_id,
            since=listing.since,
            newest_first=False,
            after=after,
            limit=PAGE_MAX,
        )
        for stored in page.items:
            if (last_event(stored.value) is None) == (part == _MADE):
                self._payment(stored.value)
        return page.after

    def _payment(self, payment: Payment) -> None:
        wanted = [one for one in payment.journal if one.time >= self._since and self._subscription.wants(one.type)]
        if not wanted:
            return
        known = {one.value.id: one for one in self._recorded(payment.id)}
        behind: str | None = None
        for entry in wanted:
            delivery_id = delivery_id_of(entry.id, self._subscription.id)
            stored = known.get(delivery_id)
            sent = self._again(stored, behind) if stored else self._first(payment, entry, behind, known)
            behind = delivery_id if sent else None

    def _recorded(self, payment_id: str) -> Iterator[Stored[DeliveryRecord]]:
        after: str | None = None
        while True:
            page = self._ports.store.find(DELIVERY, "by_payment", payment_id, after=after, limit=PAGE_MAX)
            yield from page.items
            after = page.after
            if after is None:
                return

    def _again(self, stored: Stored[DeliveryRecord], behind: str | None) -> bool:
        """Whether it is on its way: one that did not arrive begins anew. Its tries stay told."""
        record, now = stored.value, self._ports.clock.now()
        if record.status == "succeeded":
            return False
        begun = replace(record, status="pending", tried=0, due_at=now, behind=behind, begun_at=now)
        try:
            self._ports.store.put(DELIVERY, begun, expect=stored.version)
        except StaleVersion:
            return True  # it is being tried at this moment
        self._begun.append(record.id)
        return True

    def _first(
        self, payment: Payment, entry: JournalEntry, behind: str | None, known: dict[str, Stored[DeliveryRecord]]
    ) -> bool:
        """An event that the subscription never had, in its own words where another subscription's record has them."""
        others = (one.value.body for one in known.values() if one.value.event_id == entry.id)
        now = self._ports.clock.now()
        record = DeliveryRecord(
            id=delivery_id_of(entry.id, self._subscription.id),
            merchant_id=payment.merchant_id,
            subscription_id=self._subscription.id,
            event_id=entry.id,
            event_type=entry.type,
            payment_id=payment.id,
            body=next(others, None) or retold(payment, entry),
            status="pending",
            created_at=now,
            due_at=now,
            behind=behind,
        )
        try:
            self._ports.store.put(DELIVERY, record, expect=NEW)
        except StaleVersion:
            return True  # its own message came just now
        self._begun.append(record.id)
        return True

    def _send(self) -> None:
        """What a page came to. What a crash or a fault of the queue leaves behind is due, and the sweep finds it."""
        self._ports.queue.send_all(Topic.CHORES, [chore("deliver", one) for one in self._begun])
        self._count += len(self._begun)
        self._begun.clear()


def recover(ports: Ports, merchant_id: str, subscription_id: str, since: datetime, cursor: str | None) -> Recovered:
    """Raises NotFound, Conflict for a subscription that is disabled, Invalid for a foreign cursor."""
    try:
        subscription = ports.store.get(SUBSCRIPTION, subscription_key(merchant_id, subscription_id)).value
    except NotFound:
        subscription = None
    if subscription is None or subscription.deleted_at is not None:
        raise NotFound("There is no such subscription.")
    if not subscription.enabled:
        raise Conflict("The subscription is disabled; enable it, then recover.")
    return Recover(ports, subscription, since).run(cursor)
