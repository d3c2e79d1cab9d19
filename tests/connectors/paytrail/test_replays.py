"""A shopper has what a callback of her payment has, by her redirect: sending it again and again is a few looks, and no more."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from chalicelib.connectors.paytrail import PaytrailConnector
from chalicelib.contracts.queue import Topic
from chalicelib.domain.configuration import Connection
from chalicelib.domain.ids import attempt_id_of, operation_id_of, payment_id_of
from chalicelib.services.configuration import Configuration
from chalicelib.services.intake import Intake
from chalicelib.services.kinds import CONNECTION
from chalicelib.services.looks import LOOK_EVERY_S
from tests.builders import NOW
from tests.connectors.paytrail.profile import MERCHANT, SECRET, sign
from tests.world import HandClock, World

PAYMENT_ID = payment_id_of("default", "a-key")
ATTEMPT_ID = attempt_id_of(PAYMENT_ID, 1)


@dataclass
class Door:
    world: World
    intake: Intake
    clock: HandClock

    def takes(self, connection: str = "paytrail-fi", **said: str) -> None:
        callback = {
            "checkout-amount": "1050",
            "checkout-stamp": ATTEMPT_ID,
            "checkout-reference": ATTEMPT_ID,
            "checkout-transaction-id": "93ee8d18-10db-410b-92ac-7d6e49369ce3",
            "checkout-status": "ok",
            **{f"checkout-{name}": text for name, text in said.items()},
        }
        delivery = sign(json.dumps(callback).encode(), SECRET, self.clock.now())
        self.intake.take("default", connection, {}, b"", method="GET", query=delivery.query)

    def queued(self) -> int:
        count = 0
        self.clock.forward(LOOK_EVERY_S)
        while messages := self.world.queue.receive(Topic.INBOUND):
            for message in messages:
                self.world.queue.done(message)
            count += len(messages)
        return count


@pytest.fixture
def door(tmp_path: Path) -> Door:
    clock = HandClock()
    world = World(tmp_path, clock=clock, connectors={"paytrail": PaytrailConnector}, configure=False)
    for name in ("paytrail-fi", "paytrail-se"):
        secrets = {"secret_key": f"default/{name}/secret_key|{SECRET}"}
        settings: dict[str, Any] = {"merchant_id": MERCHANT}
        world._put(CONNECTION, Connection("default", name, "paytrail", True, settings, secrets, 1, NOW, NOW))
    intake = Intake(world.ports, Configuration(world.ports), lambda: clock.at.timestamp())
    return Door(world, intake, clock)


def test_replays_are_one_look_at_once_and_one_a_little_later(door: Door) -> None:
    for _ in range(100):
        door.takes()
    assert door.queued() == 2


def test_one_each_ten_seconds_is_all_that_a_replay_without_end_comes_to(door: Door) -> None:
    for _ in range(60):
        for _ in range(5):
            door.takes()
        door.clock.forward(1)
    assert door.queued() <= 60 / LOOK_EVERY_S + 2


def test_the_last_word_is_never_left_to_a_look_that_was_before_it(door: Door) -> None:
    door.takes(status="pending")
    assert door.queued() == 1
    door.takes()
    assert door.queued() == 1


def test_what_says_more_than_look_is_never_left_to_another(door: Door) -> None:
    refund = operation_id_of(PAYMENT_ID, "r1")
    for status in ("pending", "ok", "ok"):
        door.takes(stamp=refund, status=status)
    assert door.queued() == 3


@pytest.mark.parametrize(
    "other",
    [
        lambda door: door.takes("paytrail-se"),
        lambda door: door.takes(stamp=attempt_id_of(PAYMENT_ID, 2), reference=attempt_id_of(PAYMENT_ID, 2)),
    ],
)
def test_another_connections_or_attempts_look_is_none_of_this(door: Door, other: Callable[[Door], None]) -> None:
    other(door)
    door.takes()
    assert door.queued() == 2


def test_what_is_about_nothing_of_ours_is_queued_as_it_came(door: Door) -> None:
    for _ in range(3):
        door.takes(stamp="somebody else's", reference="somebody else's")
    assert door.queued() == 3
