"""What is not decided yet breaches nothing: PSPs differ in how soon they tell of a payment that it will never be paid."""

from __future__ import annotations

from pathlib import Path

import pytest

from chalicelib.services.guardrail import Guardrail
from tests.services.splitting import GUARDRAIL, Shoppers, change_route, split
from tests.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    change_route(world, {"split": split(guardrail=GUARDRAIL)})
    return world


def test_a_control_arm_whose_unpaid_pages_stay_open_is_not_taken_for_a_better_one(world: World) -> None:
    shoppers = Shoppers(world)
    shoppers.come("a", paid=20)
    shoppers.come("b", paid=20, declined=20)
    for _ in range(20):
        shoppers.open("a")
    assert Guardrail(world.ports).round() == 0


def test_an_arm_whose_shoppers_take_their_time_is_not_taken_for_a_worse_one(world: World) -> None:
    shoppers = Shoppers(world)
    shoppers.come("a", paid=20)
    shoppers.come("b", declined=15)
    for _ in range(60):
        shoppers.open("b")
    assert Guardrail(world.ports).round() == 0
