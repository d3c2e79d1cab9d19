"""One try of one delivery: publish, judge, record, and say when the next one is.

The delivery record is what proves that an event was handled.
"""

from __future__ import annotations

import logging
import random
import time
from dataclasses import replace
from datetime import datetime, timedelta

from chalicelib import telemetry
from chalicelib.contracts.publisher import DeliveryFailed, Publication, Rejected, Retry
from chalicelib.contracts.queue import DELAY_MAX_S, Topic
from chalicelib.domain.configuration import DeliveryRecord, DeliveryTry, Subscription
from chalicelib.domain.errors import PaymentServerError, QueueFault
from chalicelib.services.chores import chore
from chalicelib.services.disable_subscription import disable
from chalicelib.services.endpoints import Endpoints
from chalicelib.services.order import begun_at_of
from chalicelib.services.ports import Ports
from chalicelib.services.target import target_of

log = logging.getLogger("paymentserver.deliver")
RETRY_AFTER_S = (5, 60, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
JITTER = 0.1
TRIES_KEPT = 20
GONE = 410
PUT_OFF_BY = 4  # a delivery is put off for this part of its age at least


class Deliver:
    def __init__(self, ports: Ports, endpoints: Endpoints) -> None:
        self._ports = ports
        self._endpoints = endpoints

    def tried(self, record: DeliveryRecord, subscription: Subscription, *, at_once: bool = False) -> DeliveryRecord:
        """The record after one try, or put off without one while the endpoint's circuit is open; `at_once` tries anyway."""
        closed_until = None if at_once else self._endpoints.closed_until(subscription)
        if closed_until is not None:
            return _put_off(record, self._ports.clock.now(), closed_until)
        now, began = self._ports.clock.now(), time.monotonic()
        outcome: DeliveryFailed | None = None
        status, answer, detail, request = None, "", "delivered", None
        try:
            receipt = self._ports.publishers[subscription.channel].publish(
                _publication(record), target_of(self._ports, subscription)
            )
            status, answer, request = receipt.status, receipt.answer, receipt.request
        except DeliveryFailed as error:
            outcome, status, answer, detail, request = error, error.status, error.answer, error.detail, error.request
        except (PaymentServerError, KeyError) as error:
            outcome, detail = Retry(f"the subscription can not be used ({type(error).__name__})"), str(error)[:200]
        except Exception as error:  # a channel's mistake; its words may hold anything
            log.exception("a channel failed")
            outcome = Retry(f"the channel failed ({type(error).__name__})")
            detail = outcome.detail
        latency_ms = int((time.monotonic() - began) * 1000)
        tried = DeliveryTry(now, status, latency_ms, detail, answer, request)
        record = replace(record, tries=(*record.tries, tried)[-TRIES_KEPT:], tried=record.tried + 1, behind=None)
        result = "succeeded" if outcome is None else "failed"
        telemetry.count("deliveries_total", channel=subscription.channel, result=result)
        telemetry.observe("delivery_seconds", latency_ms / 1000, channel=subscription.channel)
        self._note(subscription, outcome, latency_ms / 1000)
        if outcome is None:
            return replace(record, status="succeeded", due_at=None)
        if isinstance(outcome, Rejected) or record.tried > len(RETRY_AFTER_S):
            return replace(record, status="dead", due_at=None)
        return replace(record, status="retrying", due_at=now + timedelta(seconds=_wait_s(record, outcome)))

    def _note(self, subscription: Subscription, outcome: DeliveryFailed | None, latency_s: float) -> None:
        """What the try says of the endpoint, whatever became of the event. A fault of the store costs the note alone."""
        silent = isinstance(outcome, Retry) and outcome.status is None
        try:
            if silent:
                self._endpoints.silent(subscription)
            else:
                self._endpoints.answered(subscription, delivered=outcome is None, latency_s=latency_s)
            if outcome is None:
                return
            if outcome.status == GONE:
                disable(self._ports, subscription, f"the endpoint said that it is gone ({GONE})")
            elif self._endpoints.has_failed_too_long(subscription):
                disable(self._ports, subscription, "every delivery of five days failed")
        except PaymentServerError as error:
            telemetry.note(endpoint_fault=type(error).__name__)

    def remind(self, record: DeliveryRecord) -> None:
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


def _put_off(record: DeliveryRecord, now: datetime, closed_until: datetime) -> DeliveryRecord:
    """The older, the longer and the more spread: what waits for an endpoint that is dead for days is not all looked at
    whenever its circuit closes for one probe."""
    age_s = (now - begun_at_of(record)).total_seconds()
    wait_s = max((closed_until - now).total_seconds(), min(age_s / PUT_OFF_BY, RETRY_AFTER_S[-1]))
    wait_s += random.uniform(0, max(2, wait_s * JITTER))  # noqa: S311  # jitter is no secret
    return replace(record, status="retrying", due_at=now + timedelta(seconds=wait_s), behind=None)


def _wait_s(record: DeliveryRecord, outcome: DeliveryFailed) -> float:
    planned = RETRY_AFTER_S[record.tried - 1]
    asked = outcome.after_s if isinstance(outcome, Retry) and outcome.after_s is not None else 0.0
    spread = 1 + random.uniform(-JITTER, JITTER)  # noqa: S311  # jitter is no secret
    return max(planned * spread, min(asked, RETRY_AFTER_S[-1]))


def dead(record: DeliveryRecord, now: datetime, why: str) -> DeliveryRecord:
    tried = DeliveryTry(now, None, 0, why, "")
    return replace(record, status="dead", due_at=None, behind=None, tries=(*record.tries, tried)[-TRIES_KEPT:])
