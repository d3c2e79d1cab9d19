"""Tells subscribers of an event: each in its endpoint's lane, in the order of the payment's events, failures on a schedule.

An endpoint that is well is tried first and recorded after, by one put; a crash in between sends the event again, and
subscribers drop repeats by its id. One that is slow, busy or silent gets a record first, and nobody waits for it.
"""

from __future__ import annotations

import json
import random
import threading
import time
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from chalicelib import telemetry
from chalicelib.contracts.store import NEW, Version
from chalicelib.domain.configuration import DeliveryRecord, Subscription
from chalicelib.domain.errors import Conflict, NotFound, StaleVersion
from chalicelib.domain.ids import delivery_id_of
from chalicelib.services.configuration import Configuration
from chalicelib.services.deliver import Deliver, dead
from chalicelib.services.endpoints import Endpoints
from chalicelib.services.kinds import DELIVERY, SUBSCRIPTION, subscription_key
from chalicelib.services.lanes import BURST_MAX, WAITING_MAX, LaneFull, Lanes
from chalicelib.services.order import InOrder, before, looked_at_again
from chalicelib.services.ports import Ports

PATIENCE_S = 0.25  # what takes longer is not waited for
CONCURRENCY = 4  # tries side by side to one endpoint, where its target does not say otherwise
FULL_AGAIN = timedelta(minutes=2)  # at the earliest, what finds its lane full is due again
LOOKED_AFTER = timedelta(seconds=60)  # the sweep takes up a record whose first try has not ended by then
SWEEP_GRACE_S = 15  # the delayed message comes first, the due index after it


@dataclass
class _FirstTry:
    """`version` is the record's once it is stored; the lock decides who stores it first."""

    record: DeliveryRecord
    subscription: Subscription
    version: Version = NEW
    ended: bool = False
    began_s: float | None = None  # when its turn came; before, it is not the endpoint that takes long
    lock: threading.Lock = field(default_factory=threading.Lock)


class Notify:
    def __init__(self, ports: Ports, configuration: Configuration, lanes: Lanes | None = None) -> None:
        self._ports = ports
        self._configuration = configuration
        self._lanes = lanes or Lanes()
        self._endpoints = Endpoints(ports)
        self._deliver = Deliver(ports, self._endpoints)
        self._order = InOrder(ports)

    def rest(self, timeout_s: float, *, begin_s: float | None = None) -> bool:
        """Waits until no delivery is under way, and says whether it came to that. What has not begun after `begin_s` is left to
        the sweep."""
        return self._lanes.rest(timeout_s, begin_s=begin_s)

    def close(self) -> None:
        """Ends when the tries that run have ended; what waits is brought back by its record or message."""
        self._lanes.close()

    def message(self, body: bytes, *, again: bool = False) -> None:
        """Handles one message of the events queue; `again` when it came before. Raises faults of the store."""
        document = json.loads(body)
        telemetry.note(**{name: document[name] for name in ("merchant_id", "payment_id", "event_id", "event_type")})
        again = again or document["again"]
        started = []
        for one in self._configuration.subscriptions(document["merchant_id"]):
            if one.wants(document["event_type"]) and not (again and self._is_recorded(document["event_id"], one.id)):
                first_try = _FirstTry(self._record_of(document, one), one)
                started.append((first_try, self._start(first_try)))
        wait([future for _, future in started if future is not None], timeout=PATIENCE_S * 1.01)
        for first_try, future in started:
            if future is not None and future.done():
                future.result()
            elif future is not None:
                if first_try.began_s is not None and time.monotonic() - first_try.began_s >= PATIENCE_S:
                    self._endpoints.slow(first_try.subscription)
                self._record(first_try)

    def _start(self, first_try: _FirstTry) -> Future[None] | None:
        """The try's future where it is waited for; where not, its record is stored."""
        subscription = first_try.subscription
        quick = self._endpoints.is_well(subscription) and self._lanes.is_short(subscription.id, _limit(subscription))
        if not quick:
            self._record(first_try)
        try:
            future = self._in_lane(first_try.record, subscription, lambda: self._first_try(first_try))
        except LaneFull:
            self._record(first_try)
            return None
        return future if quick else None

    def _in_lane(self, record: DeliveryRecord, subscription: Subscription, run: Any) -> Future[None]:
        key = record.payment_id or record.event_id
        well = self._endpoints.is_well(subscription)
        # Side by side: one alone at an endpoint that is slow or silent, or those of some would take all threads.
        width, room = (_limit(subscription), BURST_MAX) if well else (1, WAITING_MAX)
        return self._lanes.submit(subscription.id, width, key, run, room=room)

    def _is_recorded(self, event_id: str, subscription_id: str) -> bool:
        try:
            self._ports.store.get(DELIVERY, delivery_id_of(event_id, subscription_id))
        except NotFound:
            return False
        return True

    def _record_of(self, document: dict[str, Any], subscription: Subscription) -> DeliveryRecord:
        now = self._ports.clock.now()
        return DeliveryRecord(
            id=delivery_id_of(document["event_id"], subscription.id),
            merchant_id=subscription.merchant_id,
            subscription_id=subscription.id,
            event_id=document["event_id"],
            event_type=document["event_type"],
            payment_id=document["payment_id"],
            body=document["body"],
            status="pending",
            created_at=now,
            due_at=now + LOOKED_AFTER,
            behind=before(document, subscription),
        )

    def _record(self, first_try: _FirstTry) -> None:
        """Stores the record before its try has ended, so that the event's message need not wait for it."""
        with first_try.lock:
            if first_try.ended or first_try.version != NEW:
                return
            try:
                first_try.version = self._ports.store.put(DELIVERY, first_try.record, expect=NEW)
            except StaleVersion:
                first_try.ended = True  # another worker had the same message

    def _first_try(self, first_try: _FirstTry) -> None:
        record, now = first_try.record, self._ports.clock.now()
        first_try.began_s = time.monotonic()
        if first_try.ended or (record.due_at is not None and now >= record.due_at):
            return  # it stood in the lane for so long that the sweep has it
        if self._order.must_wait(record, now):
            record = replace(record, due_at=looked_at_again(record, now))
        else:
            record = self._deliver.tried(record, first_try.subscription)
        with first_try.lock:
            first_try.ended = True
            try:
                self._ports.store.put(DELIVERY, record, expect=first_try.version)
            except StaleVersion:
                return  # another worker had the same message; the subscriber drops the repeat
        self._order.note(record)
        self._deliver.remind(record)

    def due(self, delivery_id: str) -> None:
        """Tries a recorded delivery that is due, in its lane; a slow endpoint is not waited for: while its record is due, the
        sweep brings it again. Raises NotFound."""
        record = self._ports.store.get(DELIVERY, delivery_id).value
        if not self._is_due(record):
            return
        try:
            subscription = self._subscription_of(record)
            if subscription is None:
                self._again(record.id)
                return
            short = self._lanes.is_short(subscription.id, _limit(subscription))
            future = self._in_lane(record, subscription, lambda: self._again(record.id))
        except LaneFull:
            self._put_off(delivery_id)
            return
        if short:  # where many wait before it, it takes long in any case
            wait([future], timeout=PATIENCE_S)
        if future.done():
            future.result()

    def _put_off(self, delivery_id: str) -> None:
        """What finds its lane full makes room in the due index, where it would hide what is due at other endpoints."""
        stored = self._ports.store.get(DELIVERY, delivery_id)
        later = self._ports.clock.now() + FULL_AGAIN * random.uniform(1, 2)  # noqa: S311  # jitter is no secret
        with suppress(StaleVersion):
            self._ports.store.put(DELIVERY, replace(stored.value, due_at=later), expect=stored.version)

    def redeliver(self, delivery_id: str) -> DeliveryRecord:
        """Tries a recorded delivery once more at an operator's word. Raises NotFound, and Conflict where the subscription is
        gone or disabled."""
        return self._again(delivery_id, at_once=True)

    def _again(self, delivery_id: str, *, at_once: bool = False) -> DeliveryRecord:
        stored = self._ports.store.get(DELIVERY, delivery_id)
        record, now = stored.value, self._ports.clock.now()
        telemetry.note(delivery_id=record.id, subscription_id=record.subscription_id, payment_id=record.payment_id)
        if not (at_once or self._is_due(record)):
            return record
        subscription = self._subscription_of(record)
        if subscription is None:
            if at_once:  # what became of it before stays told
                raise Conflict("The subscription is gone or disabled; nothing is sent there.")
            record = dead(record, now, "the subscription is gone or disabled")
        elif not at_once and self._order.must_wait(record, now):
            record = replace(record, due_at=looked_at_again(record, now))
        else:
            record = self._deliver.tried(record, subscription, at_once=at_once)
        try:
            self._ports.store.put(DELIVERY, record, expect=stored.version)
        except StaleVersion:
            return self._ports.store.get(DELIVERY, delivery_id).value
        self._order.note(record)
        self._deliver.remind(record)
        return record

    def _is_due(self, record: DeliveryRecord) -> bool:
        soon = self._ports.clock.now() + timedelta(seconds=1)
        return record.status in ("retrying", "pending") and record.due_at is not None and record.due_at <= soon

    def _subscription_of(self, record: DeliveryRecord) -> Subscription | None:
        """None where nothing is sent there any more."""
        try:
            found = self._ports.store.get(
                SUBSCRIPTION, subscription_key(record.merchant_id, record.subscription_id)
            ).value
        except NotFound:
            return None
        return found if found.enabled and found.deleted_at is None else None


def _limit(subscription: Subscription) -> int:
    limit = subscription.target.get("concurrency")
    return limit if isinstance(limit, int) else CONCURRENCY
