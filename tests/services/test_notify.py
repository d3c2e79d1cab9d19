"""Notification: recorded for each subscriber, tried again on schedule, and never lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from chalicelib.contracts.publisher import DeliveryFailed, Publication, Receipt, Rejected, Retry, Target
from chalicelib.contracts.store import NEW
from chalicelib.domain.configuration import DeliveryRecord, Requested, Subscription
from chalicelib.domain.errors import Conflict
from chalicelib.services.deliver import JITTER, RETRY_AFTER_S
from chalicelib.services.kinds import DELIVERY, SUBSCRIPTION, subscription_key
from tests.builders import NOW
from tests.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def failing(with_what: Callable[[], DeliveryFailed]) -> Callable[[Publication], None]:
    def fail(publication: Publication) -> None:
        raise with_what()

    return fail


def records(world: World) -> list[DeliveryRecord]:
    return [one.value for one in world.store.find(DELIVERY, "by_time", "default").items]


def test_each_try_is_recorded_with_its_answer(world: World) -> None:
    world.open()
    world.settle()
    (record,) = records(world)
    assert (record.status, record.tried, record.tries[0].status) == ("succeeded", 1, 200)


ASKED = Requested("POST", "https://shop.example/hook", ("webhook-id",))


def told(receipt: Receipt) -> Callable[[Publication, Target], Receipt]:
    return lambda publication, target: receipt


def test_each_try_is_recorded_with_what_was_asked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.recorder, "publish", told(Receipt(200, "", ASKED)))
    world.open()
    world.settle()
    assert records(world)[0].tries[0].request == ASKED


def test_a_failed_try_is_recorded_with_what_was_asked(world: World) -> None:
    failed = Retry("no")
    failed.request = ASKED
    world.recorder.fails = failing(lambda: failed)
    world.open()
    world.settle()
    assert records(world)[0].tries[0].request == ASKED


def wanting(world: World, *events: str) -> None:
    """The subscription wants these alone."""
    stored = world.store.get(SUBSCRIPTION, subscription_key("default", "sub_1"))
    world.store.put(SUBSCRIPTION, replace(stored.value, events=events), expect=stored.version)


def test_failures_follow_the_whole_schedule_and_then_stop(world: World) -> None:
    wanting(world, "payment.pending")  # another event's try would be the probe of the endpoint in this one's place
    world.recorder.fails = failing(lambda: Retry("no"))
    world.open()
    world.settle()
    waits = []
    while (record := records(world)[-1]).due_at is not None:
        waits.append((record.due_at - record.tries[-1].at).total_seconds())
        world.clock.at = record.due_at + timedelta(seconds=16)
        world.settle()
    planned = (5, 60, 300, 1800, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600)
    assert planned == RETRY_AFTER_S
    for wait, middle in zip(waits, planned, strict=True):
        assert middle * (1 - JITTER) <= wait <= middle * (1 + JITTER)
    assert (record.status, record.tried) == ("dead", 11)
    assert sum(waits) >= 75 * 3600 * (1 - JITTER)
    assert sum(planned) >= 75 * 3600


def test_a_channels_own_mistake_loses_nothing(world: World) -> None:
    def fail(publication: Publication) -> None:
        raise ZeroDivisionError("with a secret in its words")

    world.recorder.fails = fail
    world.open()
    world.settle()
    (record,) = records(world)
    assert (record.status, record.tries[0].detail) == ("retrying", "the channel failed (ZeroDivisionError)")


def test_a_subscriber_that_comes_back_gets_it(world: World) -> None:
    world.recorder.fails = failing(lambda: Retry("no"))
    world.open()
    world.settle()
    world.recorder.fails = lambda publication: None
    world.settle(7)
    assert records(world)[0].status == "succeeded"
    assert [one.event_type for one in world.recorder.published] == ["payment.pending"]


def test_every_try_has_the_same_bytes(world: World) -> None:
    bodies: list[bytes] = []

    def fail(publication: Publication) -> None:
        bodies.append(publication.body)
        raise Retry("no")

    world.recorder.fails = fail
    world.open()
    for seconds in (0, 7, 70):
        world.settle(seconds)
    assert len(bodies) == 3
    assert len(set(bodies)) == 1


def test_retry_after_is_waited_for(world: World) -> None:
    world.recorder.fails = failing(lambda: Retry("busy", 429, after_s=600))
    world.open()
    world.settle()
    record = records(world)[0]
    assert record.due_at is not None
    assert record.due_at - record.tries[-1].at >= timedelta(seconds=600)


def test_a_target_that_is_gone_is_tried_once(world: World) -> None:
    world.recorder.fails = failing(lambda: Rejected("gone", 410))
    world.open()
    for seconds in (0, 10, 70, 400):
        world.settle(seconds)
    record = records(world)[0]
    assert (record.status, record.tried) == ("dead", 1)


def test_an_operator_can_deliver_a_dead_one_again(world: World) -> None:
    world.recorder.fails = failing(lambda: Rejected("not allowed"))
    world.open()
    world.settle()
    world.recorder.fails = lambda publication: None
    assert world.notify.redeliver(records(world)[0].id).status == "succeeded"


def test_a_delivery_stays_as_it_is_where_its_subscription_takes_no_more(world: World) -> None:
    world.open()
    world.settle()
    stored = world.store.get(SUBSCRIPTION, subscription_key("default", "sub_1"))
    world.store.put(SUBSCRIPTION, replace(stored.value, enabled=False), expect=stored.version)
    with pytest.raises(Conflict):
        world.notify.redeliver(records(world)[0].id)
    assert records(world)[0].status == "succeeded"


def test_a_disabled_subscription_is_tried_no_more(world: World) -> None:
    world.recorder.fails = failing(lambda: Retry("no"))
    world.open()
    world.settle()
    stored = world.store.get(SUBSCRIPTION, subscription_key("default", "sub_1"))
    world.store.put(SUBSCRIPTION, replace(stored.value, enabled=False), expect=stored.version)
    world.settle(30)
    assert records(world)[0].status == "dead"


def test_a_dead_subscriber_keeps_no_other_waiting(world: World) -> None:
    other = Subscription("default", "sub_2", "two", "recorder", {"url": "x"}, {}, ("*",), True, 1, NOW, NOW)
    world.store.put(SUBSCRIPTION, other, expect=NEW)
    failed: list[str] = []

    def fail(publication: Publication) -> None:
        if not failed:
            failed.append(publication.event_id)
            raise Retry("no")

    world.recorder.fails = fail
    world.open()
    world.settle()
    assert sorted(record.status for record in records(world)) == ["retrying", "succeeded"]


def test_only_wanted_events_are_sent(world: World) -> None:
    stored = world.store.get(SUBSCRIPTION, subscription_key("default", "sub_1"))
    world.store.put(SUBSCRIPTION, replace(stored.value, events=("payment.captured",)), expect=stored.version)
    answer = world.open()
    world.psps["psp-1"].pay(answer.payment.attempts[0].id)
    world.webhook("psp-1", answer.payment.attempts[0].id)
    world.settle()
    assert [one.event_type for one in world.recorder.published] == ["payment.captured"]


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [("*", True), ("payment.*", True), ("payment.captured", True), ("operation.*", False), ("payment.cap", False)],
)
def test_patterns(pattern: str, wanted: bool) -> None:
    one = Subscription("default", "sub_2", "two", "recorder", {}, {}, (pattern,), True, 1, NOW, NOW)
    assert one.wants("payment.captured") is wanted
