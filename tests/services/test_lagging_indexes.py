"""What services do while an index does not list yet what was just written: see docs/dynamodb.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chalicelib.contracts.store import NEW, Page
from chalicelib.domain.configuration import Subscription
from chalicelib.services.kinds import DELIVERY, SUBSCRIPTION
from chalicelib.storage.memory import MemoryStore
from tests.builders import NOW
from tests.services.histories import pay
from tests.world import World


class Hiding(MemoryStore):
    """Lists nothing whose id is among `hidden`."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden: set[str] = set()

    def find(self, kind: Any, *arguments: Any, **named: Any) -> Any:
        page = super().find(kind, *arguments, **named)
        return Page(tuple(one for one in page.items if kind.id_of(one.value) not in self.hidden), page.after)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, Hiding())


def told(world: World, subscription_id: str) -> list[str]:
    deliveries = world.store.find(DELIVERY, "by_time", "default", newest_first=False).items
    return [one.value.event_type for one in deliveries if one.value.subscription_id == subscription_id]


def test_an_event_waits_for_a_subscription_that_no_list_shows_yet(world: World) -> None:
    """While an older event of the payment is due, and finds all its subscribers served."""
    payment = world.open().payment
    world.clock.forward(11)
    newer = Subscription("default", "sub_2", "two", "recorder", {}, {}, ("*",), True, 1, NOW, NOW)
    world.store.put(SUBSCRIPTION, newer, expect=NEW)
    world.store.hidden.add("default/sub_2")
    pay(world, payment)
    assert told(world, "sub_1") == ["payment.pending", "payment.captured"]
    assert told(world, "sub_2") == []
    world.store.hidden.clear()
    world.settle(11)
    assert told(world, "sub_2") == ["payment.captured"]


def test_a_delivery_that_no_list_shows_yet_is_not_sent_again(world: World) -> None:
    world.open()
    world.settle()
    assert told(world, "sub_1") == ["payment.pending"]
    (record,) = world.store.find(DELIVERY, "by_time", "default").items
    world.store.hidden.add(record.value.id)
    world.settle(11)
    assert len(world.recorder.published) == 1
    world.store.hidden.clear()
    world.settle(61)
    assert [len(one.outbox) for one in (world.payment(record.value.payment_id),)] == [0]
    assert len(world.recorder.published) == 1
