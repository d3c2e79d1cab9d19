"""Trips: how often each way through goes to the database and the queue, once configuration is cached."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chalicelib.contracts.publisher import Publication, Retry
from chalicelib.contracts.queue import Message, Topic
from chalicelib.contracts.store import NEW
from chalicelib.domain.configuration import Subscription
from chalicelib.domain.money import Money
from chalicelib.domain.order import Order
from chalicelib.services.apply import Apply
from chalicelib.services.checkout import Checkout
from chalicelib.services.configuration import Configuration
from chalicelib.services.health import Health
from chalicelib.services.intake import Intake
from chalicelib.services.kinds import SUBSCRIPTION
from chalicelib.services.notify import Notify
from chalicelib.services.try_chain import TryChain
from chalicelib.services.turns import Answer
from tests.builders import NOW
from tests.world import World, render

ORDER = Order(Money(1000, "EUR"), "order-1", "https://shop.example/return", "https://shop.example/cancel")


class Counting:
    """Hands every call on, and notes it as ``store.put payments`` or ``queue.send events``."""

    def __init__(self, name: str, wrapped: Any, made: list[str]) -> None:
        self._name, self._wrapped, self._made = name, wrapped, made

    def __getattr__(self, method: str) -> Callable[..., Any]:
        def call(what: Any, *arguments: Any, **named: Any) -> Any:
            self._made.append(f"{self._name}.{method} {getattr(what, 'name', what).lower()}")
            return getattr(self._wrapped, method)(what, *arguments, **named)

        return call


class CountedWorld:
    """The services of a World on counting ports, with a configuration cache that is warm and stays so."""

    def __init__(self, folder: Path) -> None:
        self.made: list[str] = []
        self.world = World(folder)
        store, queue = Counting("store", self.world.store, self.made), Counting("queue", self.world.queue, self.made)
        self.ports = replace(self.world.ports, store=store, queue=queue)
        configuration = Configuration(self.ports, monotonic=lambda: 0.0)
        self.health = Health(self.ports, monotonic=lambda: 0.0)
        self.health.wake = lambda: None  # its keeper tells and reads outside of requests
        self.checkout = Checkout(self.ports, configuration, TryChain(self.ports, configuration, self.health))
        self.intake = Intake(self.ports, configuration)
        self.apply = Apply(self.ports, configuration)
        self.notify = Notify(self.ports, configuration)
        for name in self.world.psps:
            self.health.state(configuration.connection("default", name).connection)
        for name in ("default", "careful"):
            configuration.route("default", name)
        self.made.clear()

    def open(self, key: str = "a-key", order: Order = ORDER) -> Answer:
        return self.checkout.open("default", key, "f", order, render)

    def waiting(self, topic: Topic) -> Message:
        (message,) = self.world.queue.receive(topic)
        return message

    def paid(self) -> Message:
        """The queued webhook that says a fresh checkout was paid."""
        attempt_id = self.open().payment.attempts[0].id
        self.world.psps["psp-1"].pay(attempt_id)
        self.intake.take("default", "psp-1", {}, attempt_id.encode())
        return self.waiting(Topic.INBOUND)

    def subscribe(self, id: str) -> None:
        value = Subscription("default", id, id, "recorder", {}, {}, ("*",), True, 1, NOW, NOW)
        self.world.store.put(SUBSCRIPTION, value, expect=NEW)


@pytest.fixture
def counted(tmp_path: Path) -> CountedWorld:
    return CountedWorld(tmp_path)


def test_a_checkout_puts_twice_and_queues_its_event(counted: CountedWorld) -> None:
    answer = counted.open()
    assert answer.rendered.status == 201
    assert counted.made == ["store.put payments", "store.put payments", "queue.send_all events"]


def test_each_further_attempt_puts_once_more(counted: CountedWorld) -> None:
    counted.world.psps["psp-1"].script = lambda order: "not_sent"
    answer = counted.open()
    assert [attempt.connection_id for attempt in answer.payment.attempts] == ["psp-1", "psp-2"]
    assert counted.made == ["store.put payments"] * 3 + ["queue.send_all events"]


def test_sealing_an_attempt_queues_a_question_about_it_and_puts_no_more_often(counted: CountedWorld) -> None:
    counted.world.psps["psp-1"].script = lambda order: "silent"
    counted.open()
    assert sorted(counted.made) == ["queue.send chores", "queue.send_all events"] + ["store.put payments"] * 3


def test_a_checkout_whose_outcome_is_held_in_doubt_takes_as_few_trips(counted: CountedWorld) -> None:
    counted.world.psps["psp-1"].script = lambda order: "silent"
    answer = counted.open(order=replace(ORDER, route="careful"))
    assert answer.rendered.status == 202
    assert counted.made == ["store.put payments", "store.put payments", "queue.send_all events"]


def test_without_a_keeper_a_failed_call_is_told_in_one_put_more(counted: CountedWorld) -> None:
    """As on Lambda, where nothing runs beside a request."""
    counted.health.wake = None
    counted.world.psps["psp-1"].script = lambda order: "not_sent"
    counted.open()
    assert sorted(counted.made) == ["queue.send_all events", "store.put health"] + ["store.put payments"] * 3
    counted.made.clear()
    counted.world.psps["psp-1"].script = lambda order: "answer"
    counted.open("another")
    counted.open("a third")
    assert counted.made.count("store.put health") == 1, "what ends a row of failures, but no further success"


def test_a_repeated_checkout_tries_to_put_and_reads_what_is_there(counted: CountedWorld) -> None:
    counted.open()
    counted.made.clear()
    assert counted.open().replayed
    assert counted.made == ["store.put payments", "store.get payments"]


def test_taking_a_webhook_in_goes_to_no_database(counted: CountedWorld) -> None:
    attempt_id = counted.open().payment.attempts[0].id
    counted.made.clear()
    counted.intake.take("default", "psp-1", {}, attempt_id.encode())
    assert counted.made == ["queue.send inbound"]


def test_applying_a_webhook_gets_and_puts_the_payment(counted: CountedWorld) -> None:
    message = counted.paid()
    counted.made.clear()
    counted.apply.message(json.loads(message.body))
    assert counted.made == ["store.get payments", "store.put payments", "queue.send_all events"]


def test_a_webhook_that_says_nothing_new_is_not_written(counted: CountedWorld) -> None:
    message = counted.paid()
    counted.apply.message(json.loads(message.body))
    counted.made.clear()
    counted.apply.message(json.loads(message.body))
    assert counted.made == ["store.get payments"]


def test_notifying_reads_the_subscriptions_once_and_records_each_try(counted: CountedWorld) -> None:
    counted.subscribe("sub_2")
    counted.subscribe("sub_3")
    counted.open("the first")
    counted.notify.message(
        counted.waiting(Topic.EVENTS).body
    )  # after a start, old trouble of each endpoint is looked for
    counted.open("another")
    message = counted.waiting(Topic.EVENTS)
    counted.made.clear()
    counted.notify.message(message.body)
    assert len(counted.world.recorder.published) == 6
    assert counted.made == ["store.find subscriptions"] + ["store.put deliveries"] * 3


def test_a_try_that_fails_is_recorded_alike_and_reminds_of_itself(counted: CountedWorld) -> None:
    def fail(publication: Publication) -> None:
        raise Retry("nobody listens")

    counted.world.recorder.fails = fail
    counted.open()
    message = counted.waiting(Topic.EVENTS)
    counted.made.clear()
    counted.notify.message(message.body)
    noted = ["store.get endpoint_troubles", "store.put endpoint_troubles"]  # with the first failure alone
    assert counted.made == ["store.find subscriptions", *noted, "store.put deliveries", "queue.send chores"]
