"""A receiver that comes back gets everything since a time, in each payment's order, and nothing twice."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from chalicelib.contracts.publisher import Publication, Retry
from chalicelib.contracts.store import NEW
from chalicelib.domain.configuration import Subscription
from chalicelib.domain.errors import Conflict, Invalid, NotFound
from chalicelib.services import recover as recovery
from chalicelib.services.kinds import SUBSCRIPTION, subscription_key
from chalicelib.services.recover import Recovered, recover
from tests.builders import NOW
from tests.services.histories import pay
from tests.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def change(world: World, **changes: object) -> None:
    stored = world.store.get(SUBSCRIPTION, subscription_key("default", "sub_1"))
    changed = replace(stored.value, version=stored.value.version + 1, **changes)
    world.store.put(SUBSCRIPTION, changed, expect=stored.version)


def recovered(world: World, since_s: float = 0, subscription_id: str = "sub_1") -> Recovered:
    done = recover(world.ports, "default", subscription_id, NOW + timedelta(seconds=since_s), None)
    for _ in range(20):
        world.settle(2)
    return done


def told(world: World) -> list[tuple[str, int]]:
    """(payment, sequence) of all that arrived."""
    bodies = [json.loads(one.body) for one in world.recorder.published]
    return [(one["subject"], one["sequence"]) for one in bodies]


def paid(world: World, key: str) -> str:
    payment = world.open(key).payment
    pay(world, payment)
    return payment.id


def down(world: World) -> None:
    def fail(publication: Publication) -> None:
        raise Retry("oops", 500)

    world.recorder.fails = fail


def test_what_failed_is_sent_again_in_each_payments_order(world: World) -> None:
    down(world)
    payments = [paid(world, f"key-{number}") for number in range(3)]
    world.recorder.fails = lambda publication: None
    assert recovered(world) == Recovered(6, None)
    assert sorted(told(world)) == sorted((payment, number) for payment in payments for number in (1, 2))
    for payment in payments:
        assert [number for subject, number in told(world) if subject == payment] == [1, 2]


def test_what_arrived_is_not_sent_again(world: World) -> None:
    paid(world, "a-key")
    assert recovered(world) == Recovered(0, None)
    assert len(told(world)) == 2


def test_what_happened_while_it_was_off_is_told_from_the_journal(world: World) -> None:
    change(world, enabled=False)
    payment = paid(world, "a-key")
    for _ in range(3):
        world.settle(30)  # nobody wanted the events: they are gone from the payment
    change(world, enabled=True)
    assert recovered(world).deliveries == 2
    assert told(world) == [(payment, 1), (payment, 2)]
    event = json.loads(world.recorder.published[-1].body)
    assert (event["type"], event["data"]["previous_status"], event["data"]["thin"]) == (
        "payment.captured",
        "pending",
        True,
    )
    assert event["data"]["payment"]["amounts"]["captured"] == 1000


def test_what_another_subscription_had_is_sent_in_the_same_words(world: World) -> None:
    paid(world, "a-key")
    before = [one.body for one in world.recorder.published]
    later = Subscription("default", "sub_2", "two", "recorder", {}, {}, ("*",), True, 1, NOW, NOW)
    world.store.put(SUBSCRIPTION, later, expect=NEW)
    assert recovered(world, subscription_id="sub_2").deliveries == 2
    assert [one.body for one in world.recorder.published][2:] == before


def test_only_what_the_subscription_wants_is_sent(world: World) -> None:
    down(world)
    paid(world, "a-key")
    change(world, events=("payment.captured",))
    assert recover(world.ports, "default", "sub_1", NOW, None) == Recovered(1, None)


def test_what_is_older_is_left_alone(world: World) -> None:
    down(world)
    paid(world, "a-key")
    world.recorder.fails = lambda publication: None
    assert recover(world.ports, "default", "sub_1", world.clock.at.replace(hour=23), None) == Recovered(0, None)


def test_a_recovery_goes_on_where_the_call_before_ended(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    down(world)
    for number in range(3):
        paid(world, f"key-{number}")
    monkeypatch.setattr(recovery, "DELIVERIES_MAX", 2)
    monkeypatch.setattr(recovery, "PAGE_MAX", 1)
    total, cursor = 0, None
    for _ in range(30):
        done = recover(world.ports, "default", "sub_1", NOW, cursor)
        total, cursor = total + done.deliveries, done.cursor
        if cursor is None:
            break
    assert (total, cursor) == (6, None)


@pytest.mark.parametrize("cursor", ["x-nobodys", "n-nobodys", "p-nobodys"])
def test_a_foreign_cursor_is_refused(world: World, cursor: str) -> None:
    with pytest.raises(Invalid) as refused:
        recover(world.ports, "default", "sub_1", NOW, cursor)
    assert refused.value.errors[0].pointer == "/cursor"


def test_a_disabled_subscription_recovers_nothing(world: World) -> None:
    change(world, enabled=False)
    with pytest.raises(Conflict, match="disabled"):
        recover(world.ports, "default", "sub_1", NOW, None)


@pytest.mark.parametrize("merchant_id", ["default", "other"])
def test_a_subscription_that_is_not_there_recovers_nothing(world: World, merchant_id: str) -> None:
    name = "sub_9" if merchant_id == "default" else "sub_1"
    with pytest.raises(NotFound):
        recover(world.ports, merchant_id, name, NOW, None)
