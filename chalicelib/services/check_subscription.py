"""Sends a test event to a subscription, now, and tells how it went."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass
from datetime import datetime

from chalicelib.contracts.publisher import DeliveryFailed, Publication
from chalicelib.domain.configuration import Subscription
from chalicelib.domain.errors import Conflict
from chalicelib.domain.view import text_of
from chalicelib.services.configure_subscriptions import read_subscription
from chalicelib.services.ports import Ports
from chalicelib.services.target import target_of


@dataclass(frozen=True, slots=True)
class SubscriptionTest:
    """`status` is the target's HTTP status, None where it gave none."""

    ok: bool
    status: int | None
    latency_ms: int
    detail: str


def check_subscription(ports: Ports, merchant_id: str, subscription_id: str) -> SubscriptionTest:
    """One try, not recorded as a delivery; disabled subscriptions too. Raises NotFound, Conflict, VaultFault."""
    subscription = read_subscription(ports, merchant_id, subscription_id)
    publisher = ports.publishers.get(subscription.channel)
    if publisher is None:
        raise Conflict(f"The channel {subscription.channel!r} is off here.")
    target = target_of(ports, subscription)
    publication = _publication(subscription, ports.clock.now())
    began = time.monotonic()
    try:
        receipt = publisher.publish(publication, target)
    except DeliveryFailed as error:
        return SubscriptionTest(False, error.status, _ms_since(began), error.detail)
    return SubscriptionTest(True, receipt.status, _ms_since(began), "The target took the test event.")


def _publication(subscription: Subscription, now: datetime) -> Publication:
    event_id = "evt_" + secrets.token_hex(12)
    event = {
        "specversion": "1.0",
        "id": event_id,
        "source": f"/paymentserver/{subscription.merchant_id}",
        "type": "test",
        "subject": subscription.id,
        "time": text_of(now),
        "datacontenttype": "application/json",
        "data": {"subscription": {"id": subscription.id, "name": subscription.name}},
    }
    body = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
    return Publication(event_id, "test", None, body)


def _ms_since(began: float) -> int:
    return int((time.monotonic() - began) * 1000)
