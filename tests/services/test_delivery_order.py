"""One payment's events reach one subscriber in their order, a subscriber that is silent is let alone, and one that stays
silent is switched off."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from chalicelib.contracts.publisher import DeliveryFailed, Publication, Receipt, Rejected, Retry, Target
from chalicelib.contracts.queue import Topic
from chalicelib.contracts.store import NEW
from chalicelib.domain.configuration import DeliveryRecord, Subscription
from chalicelib.domain.errors import NotFound
from chalicelib.domain.payment import Payment
from chalicelib.domain.view import text_of
from chalicelib.services.configure_subscriptions import SubscriptionChange, update_subscription
from chalicelib.services.endpoints import FAILING_MAX, LOOKED_AT_AGAIN, OPEN_S, SILENT_MAX
from chalicelib.services.kinds import DELIVERY, ENDPOINT_TROUBLE, SUBSCRIPTION, subscription_key
from chalicelib.services.lanes import LaneFull, Lanes
from chalicelib.services.notify import CONCURRENCY, Notify
from tests.builders import NOW
from tests.services.histories import pay
from tests.services.splitting import OPERATOR
from tests.world import AnyTarget, Recorder, World

SOON_S = 10


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def types(world: World) -> list[str]:
    return [one.event_type for one in world.recorder.published]


def records(world: World) -> list[DeliveryRecord]:
    """The oldest first."""
    page = world.store.find(DELIVERY, "by_time", "default", newest_first=False)
    return sorted((one.value for one in page.items), key=lambda one: one.event_id)


def failing_once(world: World, event_type: str) -> None:
    failed: list[str] = []

    def fail(publication: Publication) -> None:
        if publication.event_type == event_type and not failed:
            failed.append(publication.event_id)
            raise Retry("busy", 503)

    world.recorder.fails = fail


def failing(world: World, error: Callable[[], DeliveryFailed]) -> None:
    def fail(publication: Publication) -> None:
        raise error()

    world.recorder.fails = fail


def paid(world: World) -> Payment:
    payment = world.open().payment
    pay(world, payment)
    return payment


def test_an_event_waits_for_the_one_before_it(world: World) -> None:
    failing_once(world, "payment.pending")
    paid(world)
    assert types(world) == []
    assert [one.status for one in records(world)] == ["retrying", "pending"]
    for _ in range(12):
        world.settle(1)
    assert types(world) == ["payment.pending", "payment.captured"]


def test_an_event_waits_a_minute_at_most(world: World) -> None:
    failing(world, lambda: Retry("busy", 503))
    payment = world.open().payment
    world.settle()
    world.recorder.fails = lambda publication: (
        (_ for _ in ()).throw(Retry("busy", 503)) if _is_first(publication) else None
    )
    pay(world, payment)
    for _ in range(59):
        world.settle(1)
    assert types(world) == []
    world.settle(2)
    assert types(world) == ["payment.captured"]


def _is_first(publication: Publication) -> bool:
    return json.loads(publication.body)["sequence"] == 1


def test_events_that_another_worker_has_not_handled_yet_are_waited_for(world: World) -> None:
    """The second event's message is handled first, by another process."""
    payment = world.open().payment
    world.psps["psp-1"].pay(payment.attempts[0].id)
    world.webhook("psp-1", payment.attempts[0].id)
    (inbound,) = world.queue.receive(Topic.INBOUND)
    world.work.handle(inbound)
    world.queue.done(inbound)
    first, second = world.queue.receive(Topic.EVENTS)
    Notify(world.ports, world.configuration).message(second.body)
    assert types(world) == []
    world.notify.message(first.body)
    world.settle(2)
    assert types(world) == ["payment.pending", "payment.captured"]


def test_what_a_subscriber_does_not_want_is_not_waited_for(world: World) -> None:
    stored = world.store.get(SUBSCRIPTION, subscription_key("default", "sub_1"))
    world.store.put(SUBSCRIPTION, replace(stored.value, events=("payment.captured",)), expect=stored.version)
    paid(world)
    assert types(world) == ["payment.captured"]


def test_a_subscription_made_later_waits_for_nothing_from_before(world: World) -> None:
    payment = world.open().payment
    world.settle()
    world.clock.forward(5)
    later = Subscription("default", "sub_2", "two", "recorder", {}, {}, ("*",), True, 1, world.clock.at, world.clock.at)
    world.store.put(SUBSCRIPTION, later, expect=NEW)
    pay(world, payment)
    assert types(world) == ["payment.pending", "payment.captured", "payment.captured"]


def _stood(through: bool) -> None:
    assert through, "the test lets it through"


@pytest.fixture
def slow(world: World) -> Iterator[threading.Event]:
    """The endpoint answers only when the event is set."""
    answers = threading.Event()
    world.recorder.fails = lambda publication: _stood(answers.wait(SOON_S))
    yield answers
    answers.set()


def test_a_slow_endpoint_is_recorded_and_not_waited_for(world: World, slow: threading.Event) -> None:
    world.open()
    (message,) = world.queue.receive(Topic.EVENTS)
    world.notify.message(message.body)
    (record,) = records(world)
    assert (record.status, record.tried, record.due_at) == ("pending", 0, NOW + timedelta(seconds=60))


def test_what_a_slow_endpoint_takes_at_last_is_recorded_once(world: World, slow: threading.Event) -> None:
    world.open()
    (message,) = world.queue.receive(Topic.EVENTS)
    world.notify.message(message.body)
    slow.set()
    world.notify.message(message.body, again=True)
    world.notify.close()
    (record,) = records(world)
    assert (record.status, record.tried, len(world.recorder.published)) == ("succeeded", 1, 1)


class Tarpits(Recorder):
    """Takes what is sent to `tarpit` and answers only when it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = threading.Event()

    def publish(self, publication: Publication, target: Target) -> Receipt:
        assert isinstance(target.settings, AnyTarget)
        if target.settings.url == "tarpit":
            _stood(self.let_go.wait(SOON_S))
        return super().publish(publication, target)


def test_endpoints_that_hang_by_the_dozen_keep_no_other_waiting(tmp_path: Path) -> None:
    tarpits = Tarpits()
    world = World(tmp_path, recorder=tarpits)
    for number in range(40):
        made = Subscription(
            "default", f"sub_t{number}", "t", "recorder", {"url": "tarpit"}, {}, ("*",), True, 1, NOW, NOW
        )
        world.store.put(SUBSCRIPTION, made, expect=NEW)
    try:
        for number in range(6):
            world.open(f"key-{number}")
            (message,) = world.queue.receive(Topic.EVENTS)
            world.notify.message(message.body)
        assert len(tarpits.published) == 6
    finally:
        tarpits.let_go.set()
        world.notify.close()


def test_what_finds_its_lane_full_makes_room_in_the_due_index(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    failing(world, lambda: Retry("busy", 503))
    opened(world, 1)

    def full(*_: object, **__: object) -> None:
        raise LaneFull

    monkeypatch.setattr(Lanes, "submit", full)
    world.clock.forward(10)
    before = world.clock.at
    world.notify.due(records(world)[0].id)
    (record,) = records(world)
    assert record.due_at is not None
    assert record.due_at >= before + timedelta(minutes=2)
    assert record.tried == 1


def opened(world: World, count: int) -> None:
    for number in range(count):
        world.open(f"key-{number}")
    world.settle()


def tries(world: World) -> int:
    return sum(one.tried for one in records(world))


def test_an_endpoint_that_does_not_answer_is_let_alone_for_a_while(world: World) -> None:
    failing(world, lambda: Retry("no answer"))
    opened(world, SILENT_MAX + 5)
    assert tries(world) == SILENT_MAX
    world.settle(OPEN_S[0] + 3)
    assert tries(world) == SILENT_MAX + 1


def test_an_endpoint_that_answers_errors_is_not_silent(world: World) -> None:
    failing(world, lambda: Retry("oops", 500))
    opened(world, SILENT_MAX + 5)
    assert tries(world) == SILENT_MAX + 5


def test_an_endpoint_that_is_back_gets_everything(world: World) -> None:
    failing(world, lambda: Retry("no answer"))
    opened(world, 20)
    world.recorder.fails = lambda publication: None
    for seconds in (20, 5, 5, 60, 60):
        world.settle(seconds)
    assert {one.status for one in records(world)} == {"succeeded"}
    assert len(world.recorder.published) == 20


def test_what_waits_for_a_dead_endpoint_is_looked_at_less_the_older_it_is(world: World) -> None:
    failing(world, lambda: Retry("no answer"))
    opened(world, 20)
    world.settle(86_400)
    now = world.clock.now()
    put_off = [one for one in records(world) if one.due_at and one.due_at >= now + timedelta(seconds=86_400 / 4)]
    assert len(put_off) >= 19  # all but a probe
    assert len({one.due_at for one in put_off}) == len(put_off)


def test_a_delivery_that_is_due_waits_for_no_long_lane(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    failing(world, lambda: Retry("oops", 500))
    opened(world, 1)
    world.clock.forward(6)
    monkeypatch.setattr("chalicelib.services.notify.PATIENCE_S", 2 * SOON_S)
    lanes, go = Lanes(), threading.Event()
    for number in range(2 * CONCURRENCY):
        lanes.submit("sub_1", CONCURRENCY, str(number), lambda: _stood(go.wait(2 * SOON_S)))
    with ThreadPoolExecutor(1) as pool:
        try:
            pool.submit(Notify(world.ports, world.configuration, lanes).due, records(world)[0].id).result(SOON_S)
            tried = tries(world)
        finally:
            go.set()
    lanes.close()
    assert tried == 1  # it came back before its turn did


def subscription(world: World) -> Subscription:
    found: Subscription = world.store.get(SUBSCRIPTION, subscription_key("default", "sub_1")).value
    return found


def other(world: World) -> None:
    """Somebody else who hears of what becomes of the first subscription."""
    made = Subscription("default", "sub_2", "two", "recorder", {}, {}, ("subscription.disabled",), True, 1, NOW, NOW)
    world.store.put(SUBSCRIPTION, made, expect=NEW)


def told_others(world: World) -> list[str]:
    return [one.event_type for one in world.recorder.published if one.event_type == "subscription.disabled"]


def test_an_endpoint_that_says_it_is_gone_is_switched_off_and_the_others_are_told(world: World) -> None:
    other(world)
    world.recorder.fails = lambda publication: (
        _raise(Rejected("gone", 410)) if "payment" in publication.event_type else None
    )
    world.open()
    world.settle()
    world.settle()
    assert not subscription(world).enabled
    assert told_others(world) == ["subscription.disabled"]
    event = json.loads(world.recorder.published[-1].body)
    assert event["data"]["subscription"] == {"id": "sub_1", "name": "one", "channel": "recorder"}


def _raise(error: Exception) -> None:
    raise error


def test_an_endpoint_that_fails_for_five_days_is_switched_off(world: World) -> None:
    failing(world, lambda: Retry("oops", 500))
    opened(world, 1)
    world.clock.forward(FAILING_MAX.total_seconds() - 60)
    world.open("a day")
    world.settle()
    assert subscription(world).enabled
    world.clock.forward(60)
    world.open("another day")
    world.settle()
    assert not subscription(world).enabled


def test_one_delivery_that_arrives_begins_the_five_days_anew(world: World) -> None:
    failing(world, lambda: Retry("oops", 500))
    opened(world, 1)
    world.recorder.fails = lambda publication: None
    world.clock.forward(86_400)
    world.open("a good day")
    world.settle()
    with pytest.raises(NotFound):
        world.store.get(ENDPOINT_TROUBLE, subscription_key("default", "sub_1"))
    failing(world, lambda: Retry("oops", 500))
    world.clock.forward(FAILING_MAX.total_seconds() - 86_400)
    world.open("a bad day")
    world.settle()
    assert subscription(world).enabled


def test_a_subscription_that_is_switched_on_again_has_five_days_anew(world: World) -> None:
    failing(world, lambda: Retry("oops", 500))
    opened(world, 1)
    world.clock.forward(FAILING_MAX.total_seconds())
    world.open("the last day")
    world.settle()
    body = SubscriptionChange(enabled=True)
    update_subscription(world.ports, OPERATOR, "default", "sub_1", body, subscription(world).version)
    world.open("the first day")
    world.settle()
    assert subscription(world).enabled


def test_the_first_delivery_after_a_start_ends_the_trouble_from_before(world: World) -> None:
    failing(world, lambda: Retry("oops", 500))
    opened(world, 1)
    world.recorder.fails = lambda publication: None
    world.open("a good day")
    (message,) = world.queue.receive(Topic.EVENTS)
    started = Notify(world.ports, world.configuration)
    started.message(message.body)
    started.close()
    with pytest.raises(NotFound):
        world.store.get(ENDPOINT_TROUBLE, subscription_key("default", "sub_1"))


def test_what_another_process_delivered_meanwhile_keeps_an_endpoint_on(world: World) -> None:
    failing(world, lambda: Retry("oops", 500))
    opened(world, 1)
    world.clock.forward(3_000)  # an hour later the other process would have found the trouble, and ended it
    arrived = replace(records(world)[0], id="dlv_other", created_at=world.clock.at, status="succeeded", due_at=None)
    world.store.put(DELIVERY, arrived, expect=NEW)
    world.clock.forward(FAILING_MAX.total_seconds())
    world.open("a bad day")
    world.settle()
    assert subscription(world).enabled


def test_looking_for_what_arrived_reads_no_five_days_of_a_busy_account(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They may be millions of deliveries, most of them other subscriptions', and each failed delivery would read them."""
    failing(world, lambda: Retry("oops", 500))
    opened(world, 1)
    since, asked = world.clock.at, list[Any]()
    find = world.store.find

    def noting(kind: Any, index: str, partition: str, **how: Any) -> Any:
        if kind is DELIVERY and "where" in how:
            asked.append(how)
        return find(kind, index, partition, **how)

    monkeypatch.setattr(world.store, "find", noting)
    world.clock.forward(FAILING_MAX.total_seconds())
    world.open("a bad day")
    world.settle()
    assert not subscription(world).enabled
    assert asked
    assert all(how["until"] <= text_of(since + 3 * LOOKED_AT_AGAIN) for how in asked)


def test_a_subscription_that_was_changed_meanwhile_is_not_switched_off(world: World) -> None:
    """The failing target is not its target any more."""

    def fail(publication: Publication) -> None:
        stored = world.store.get(SUBSCRIPTION, subscription_key("default", "sub_1"))
        changed = replace(stored.value, target={"url": "another"}, version=stored.value.version + 1)
        world.store.put(SUBSCRIPTION, changed, expect=stored.version)
        raise Rejected("gone", 410)

    world.recorder.fails = fail
    world.open()
    world.settle()
    assert subscription(world).enabled
