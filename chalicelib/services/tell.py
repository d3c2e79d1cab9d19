"""Events about the configuration: they ride along with what they tell of until every subscriber's delivery record is there.

As with payments, a message is only a shortcut: whatever becomes of it, the event is found by its index and queued again.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from pydantic_core import to_json

from chalicelib.contracts.queue import Topic
from chalicelib.contracts.store import PAGE_MAX
from chalicelib.domain.configuration import Notice
from chalicelib.domain.errors import NotFound
from chalicelib.domain.ids import delivery_id_of
from chalicelib.services.kinds import DELIVERY, SUBSCRIPTION
from chalicelib.services.ports import Ports

QUEUED_AGAIN_S = 60


def untold(ports: Ports, merchant_id: str, notices: tuple[Notice, ...]) -> tuple[Notice, ...]:
    """Those that not every subscriber has yet; what is due of them is queued. Raises faults of store and queue."""
    now = ports.clock.now()
    kept = []
    for notice in notices:
        if notice.due_at > now:
            kept.append(notice)
        elif not _is_told(ports, merchant_id, notice):
            ports.queue.send(Topic.EVENTS, _message(merchant_id, notice))
            kept.append(replace(notice, due_at=now + timedelta(seconds=QUEUED_AGAIN_S)))
    return tuple(kept)


def _is_told(ports: Ports, merchant_id: str, notice: Notice) -> bool:
    """Whether each subscription that wants it has tried it once: from there on its delivery record sees to it."""
    after: str | None = None
    while True:
        page = ports.store.find(SUBSCRIPTION, "by_merchant", merchant_id, after=after, limit=PAGE_MAX)
        wanted = [stored.value.id for stored in page.items if stored.value.enabled and stored.value.wants(notice.type)]
        if not all(_is_recorded(ports, delivery_id_of(notice.id, subscription_id)) for subscription_id in wanted):
            return False
        after = page.after
        if after is None:
            return True


def _is_recorded(ports: Ports, delivery_id: str) -> bool:
    try:
        ports.store.get(DELIVERY, delivery_id)
    except NotFound:
        return False
    return True


def _message(merchant_id: str, notice: Notice) -> bytes:
    """Whoever finds a notice queues it, so a delivery record may always exist already."""
    document = {
        "merchant_id": merchant_id,
        "payment_id": None,
        "event_id": notice.id,
        "event_type": notice.type,
        "body": notice.body,
        "again": True,
    }
    return to_json(document)
