"""Tells subscribers: one try for each side by side, each recorded by one put; failures alone are tried again.

The delivery record is what proves that an event was handled. It is written after the first try, so a crash in between
sends the event again: subscribers drop repeats by the event's id.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from chalicelib import telemetry
from chalicelib.contracts.publisher import DeliveryFailed, Publication, Rejected, Retry
from chalicelib.contracts.queue import DELAY_MAX_S, Topic
from chalicelib.contracts.store import NEW
from chalicelib.domain.configuration import DeliveryRecord, DeliveryTry, Subscription
from chalicelib.domain.errors import Conflict, NotFound, PaymentServerError, QueueFault, StaleVersion
from chalicelib.domain.ids import delivery_id_of
from chalicelib.services.commit import chore
from chalicelib.services.configuration import Configuration
from chalicelib.services.kinds import DELIVERY, SUBSCRIPTION, subscription_key
from chalicelib.services.ports import Ports
from chalicelib.services.target import target_of

RETRY_AFTER_S = (5, 60, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
JITTER = 0.1
TRIES_KEPT = 20
SIDE_BY_SIDE = 16
SWEEP_GRACE_S = 15  # the delayed message comes first, the due index after it


class Notify:
    def __init__(self, ports: Ports, configuration: Configuration) -> None:
        self._ports = ports
        self._configuration = configuration
        self._pool = ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="notify")

    def message(self, body: bytes, *, again: bool = False) -> None:
        """Handles one message of the events queue; `again` when it came before. Raises faults of the store."""
        document = json.loads(body)
        telemetry.note(**{name: document[name] for name in ("merchant_id", "payment_id", "event_id", "event_type")})
        again = again or document["again"]
        wanted = [
            one
            for one in self._configuration.subscriptions(document["merchant_id"])
            if one.wants(document["event_type"]) and not (again and self._is_recorded(document["event_id"], one.id))
        ]
        fresh = [self._record_of(document, one) for one in wanted]
        self._all(fresh, wanted)

    def _all(self, records: Sequence[DeliveryRecord], subscriptions: Sequence[Subscription]) -> None:
        if len(records) == 1:
            self._first_try(records[0], subscriptions[0])
            return
        for future in [self._pool.submit(self._first_try, *pair) for pair in zip(records, subscriptions, strict=True)]:
            future.result()

    def _is_recorded(self, event_id: str, subscription_id: str) -> bool:
        try:
            self._ports.store.get(DELIVERY, delivery_id_of(event_id, subscription_id))
        except NotFound:
            return False
        return True

    def _record_of(self, document: dict[str, Any], subscription: Subscription) -> DeliveryRecord:
        return DeliveryRecord(
            id=delivery_id_of(document["event_id"], subscription.id),
            merchant_id=subscription.merchant_id,
            subscription_id=subscription.id,
            event_id=document["event_id"],
            event_type=document["event_type"],
            payment_id=document["payment_id"],
            body=document["body"],
            status="pending",
            created_at=self._ports.clock.now(),
        )

    def _first_try(self, record: DeliveryRecord, subscription: Subscription) -> None:
        record = self._tried(record, subscription)
        try:
            self._ports.store.put(DELIVERY, record, expect=NEW)
        except StaleVersion:
            return  # another worker had the same message; the subscriber drops the repeat
        self._remind(record)

    def redeliver(self, delivery_id: str, *, at_once: bool = False) -> DeliveryRecord:
        """Tries a recorded delivery once more when it is due, or at an operator's word. Raises NotFound, and Conflict for
        an operator whose subscription is gone or disabled."""
        stored = self._ports.store.get(DELIVERY, delivery_id)
        record, now = stored.value, self._ports.clock.now()
        telemetry.note(delivery_id=record.id, subscription_id=record.subscription_id, payment_id=record.payment_id)
        due = record.due_at is not None and record.due_at <= now + timedelta(seconds=1)
        if not (at_once or (record.status == "retrying" and due)):
            return record
        try:
            subscription = self._ports.store.get(
                SUBSCRIPTION, subscription_key(record.merchant_id, record.subscription_id)
            ).value
        except NotFound:
            subscription = None
        if subscription is None or subscription.deleted_at is not None or not subscription.enabled:
            if at_once:  # what became of it before stays told
                raise Conflict("The subscription is gone or disabled; nothing is sent there.")
            record = _dead(record, now, "the subscription is gone or disabled")
        else:
            record = self._tried(record, subscription)
        try:
            self._ports.store.put(DELIVERY, record, expect=stored.version)
        except StaleVersion:
            return self._ports.store.get(DELIVERY, delivery_id).value
        self._remind(record)
        return record

    def _tried(self, record: DeliveryRecord, subscription: Subscription) -> DeliveryRecord:
        """The record after one try."""
        now, began = self._ports.clock.now(), time.monotonic()
        outcome: DeliveryFailed | None = None
        status, answer, detail = None, "", "delivered"
        try:
            receipt = self._ports.publishers[subscription.channel].publish(
                _publication(record), target_of(self._ports, subscription)
            )
            status, answer = receipt.status, receipt.answer
        except DeliveryFailed as error:
            outcome, status, answer, detail = error, error.status, error.answer, error.detail
        except (PaymentServerError, KeyError) as error:
            outcome, detail = Retry(f"the subscription can not be used ({type(error).__name__})"), str(error)[:200]
        latency_ms = int((time.monotonic() - began) * 1000)
        tried = DeliveryTry(now, status, latency_ms, detail, answer)
        record = replace(record, tries=(*record.tries, tried)[-TRIES_KEPT:], tried=record.tried + 1)
        result = "succeeded" if outcome is None else "failed"
        telemetry.count("deliveries_total", channel=subscription.channel, result=result)
        telemetry.observe("delivery_seconds", latency_ms / 1000, channel=subscription.channel)
        if outcome is None:
            return replace(record, status="succeeded", due_at=None)
        if isinstance(outcome, Rejected) or record.tried > len(RETRY_AFTER_S):
            return replace(record, status="dead", due_at=None)
        return replace(record, status="retrying", due_at=now + timedelta(seconds=_wait_s(record, outcome)))

    def _remind(self, record: DeliveryRecord) -> None:
        """A short wait is a delayed message; a long one is the due index alone."""
        if record.due_at is None:
            return
        wait_s = (record.due_at - self._ports.clock.now()).total_seconds()
        if wait_s > DELAY_MAX_S:
            return
        try:
            self._ports.queue.send(Topic.CHORES, chore("deliver", record.id), delay_s=max(wait_s, 0))
        except QueueFault:
            return  # the sweeper finds it by its due index


def _publication(record: DeliveryRecord) -> Publication:
    return Publication(record.event_id, record.event_type, record.payment_id, record.body.encode())


def _wait_s(record: DeliveryRecord, outcome: DeliveryFailed) -> float:
    planned = RETRY_AFTER_S[record.tried - 1]
    asked = outcome.after_s if isinstance(outcome, Retry) and outcome.after_s is not None else 0.0
    spread = 1 + random.uniform(-JITTER, JITTER)  # noqa: S311  # jitter is no secret
    return max(planned * spread, min(asked, RETRY_AFTER_S[-1]))


def _dead(record: DeliveryRecord, now: datetime, why: str) -> DeliveryRecord:
    tried = DeliveryTry(now, None, 0, why, "")
    return replace(record, status="dead", due_at=None, tries=(*record.tries, tried)[-TRIES_KEPT:])
