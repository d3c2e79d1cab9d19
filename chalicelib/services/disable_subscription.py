"""Switches a subscription off whose endpoint is gone or has failed for days, and tells the other subscribers."""

from __future__ import annotations

import json
import logging
from dataclasses import replace

from chalicelib import telemetry
from chalicelib.domain.configuration import Notice, Subscription
from chalicelib.domain.errors import NotFound
from chalicelib.domain.ids import notice_id_of
from chalicelib.domain.view import text_of
from chalicelib.services.audit import Actor
from chalicelib.services.change import SUBSCRIPTIONS, update
from chalicelib.services.kinds import subscription_key
from chalicelib.services.ports import Ports

log = logging.getLogger("paymentserver.deliver")
DELIVERY_ACTOR = Actor("delivery", "paymentserver")
DISABLED = "subscription.disabled"


def disable(ports: Ports, subscription: Subscription, reason: str) -> None:
    """Does nothing where it was changed, disabled or deleted since: whoever did that knew better."""

    def decide(present: Subscription) -> Subscription:
        if not present.enabled or present.target != subscription.target or present.secrets != subscription.secrets:
            raise NotFound("The subscription is another one by now.")
        return replace(present, enabled=False, notices=(*present.notices, _notice_of(ports, present, reason)))

    key = subscription_key(subscription.merchant_id, subscription.id)
    try:
        update(ports, SUBSCRIPTIONS, key, None, decide, DELIVERY_ACTOR, "disable")
    except NotFound:
        return
    telemetry.count("subscriptions_disabled_total", channel=subscription.channel)
    log.warning("a subscription was disabled", extra={"fields": {"subscription_id": subscription.id, "detail": reason}})


def _notice_of(ports: Ports, subscription: Subscription, reason: str) -> Notice:
    now = ports.clock.now()
    event_id = notice_id_of("subscription", subscription.merchant_id, subscription.id, subscription.version + 1)
    body = {
        "specversion": "1.0",
        "id": event_id,
        "source": f"/paymentserver/{subscription.merchant_id}",
        "type": DISABLED,
        "subject": subscription.id,
        "time": text_of(now),
        "datacontenttype": "application/json",
        "data": {
            "subscription": {"id": subscription.id, "name": subscription.name, "channel": subscription.channel},
            "reason": reason,
        },
    }
    return Notice(event_id, DISABLED, json.dumps(body, ensure_ascii=False, separators=(",", ":")), due_at=now)
