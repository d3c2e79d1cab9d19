"""Walks along the refunds that were made: each is passed at its times, whatever becomes of who walks."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from chalicelib.contracts.queue import Topic
from chalicelib.services import look_again as walks
from chalicelib.services.kinds import WALK
from chalicelib.services.look_again import look_again
from tests.builders import NOW
from tests.services.histories import REFUND, pay
from tests.world import World

HOUR_S, DAY_S = 3600, 86_400


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def refunded(world: World, key: str) -> str:
    payment = world.open(key).payment
    pay(world, payment)
    world.do(REFUND, payment.id, f"refund of {key}", 400)
    world.settle()
    return payment.id


def passed(world: World, seconds: float = 0) -> list[str]:
    """The payments that one round of the walks passes, after so many seconds."""
    world.clock.forward(seconds)
    look_again(world.ports)
    found = []
    for message in world.queue.receive(Topic.CHORES, count=1_000):
        document = json.loads(message.body)
        assert document["do"] == "look_again"
        found.append(document["id"])
        world.queue.done(message)
    return found


def walked_until(world: World, after_s: int) -> Any:
    return world.store.get(WALK, f"refunds-{after_s}").value.until


def test_each_refund_is_passed_once_by_each_walk(world: World) -> None:
    first = refunded(world, "a")
    world.clock.forward(60)
    second = refunded(world, "b")
    assert passed(world) == []
    assert passed(world, HOUR_S - 30) == [first]
    assert passed(world, 60) == [second]
    assert passed(world, HOUR_S) == []
    assert sorted(passed(world, 40 * DAY_S)) == sorted([first, second] * 3)
    assert passed(world, 40 * DAY_S) == []


def test_a_walk_that_was_cut_off_before_it_was_noted_passes_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment_id = refunded(world, "a")
    world.clock.forward(HOUR_S + 1)
    put = world.store.put

    def killed(*arguments: Any, **named: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(world.store, "put", killed)
    with pytest.raises(KeyboardInterrupt):
        look_again(world.ports)
    monkeypatch.setattr(world.store, "put", put)
    assert passed(world) == [payment_id, payment_id]


def test_two_sweeps_at_once_do_no_harm(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    payment_id = refunded(world, "a")
    world.clock.forward(HOUR_S + 1)
    put = world.store.put

    def slower(kind: Any, value: Any, *, expect: Any) -> Any:
        monkeypatch.setattr(world.store, "put", put)
        assert look_again(world.ports) == 1
        return put(kind, value, expect=expect)

    monkeypatch.setattr(world.store, "put", slower)
    assert look_again(world.ports) == 0
    assert walked_until(world, HOUR_S) == world.clock.at - timedelta(seconds=HOUR_S)
    assert passed(world) == [payment_id, payment_id]


def test_more_refunds_than_one_step_takes_are_all_passed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walks, "AT_ONCE", 3)
    made = []
    for number in range(7):
        world.clock.forward(1)
        made.append(refunded(world, f"key {number}"))
    world.clock.forward(HOUR_S + 1)
    found: list[str] = []
    for _ in range(5):
        found += passed(world)
    assert list(dict.fromkeys(found)) == made


def test_a_walk_that_meets_nobody_is_noted_once_an_hour(world: World) -> None:
    assert passed(world) == []
    assert walked_until(world, HOUR_S) == NOW - timedelta(seconds=HOUR_S)
    passed(world, HOUR_S - 1)
    assert walked_until(world, HOUR_S) == NOW - timedelta(seconds=HOUR_S)
    passed(world, 1)
    assert walked_until(world, HOUR_S) == NOW


def test_a_refund_that_failed_is_passed_no_more(world: World) -> None:
    payment_id = refunded(world, "a")
    attempt_id = world.payment(payment_id).attempts[0].id
    world.psps["psp-1"].settle(attempt_id, "refunds", "failed")
    world.webhook("psp-1", attempt_id)
    world.settle()
    assert passed(world, 40 * DAY_S) == []
