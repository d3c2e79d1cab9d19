"""A guardrail that is breached gives all weight back to the control arm: once, audited, and told to subscribers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chalicelib.services.audit import entries_of, verify
from chalicelib.services.change import sweep_audit
from chalicelib.services.configure_routes import delete_route
from chalicelib.services.experiment_view import results_view
from chalicelib.services.experiments import read_experiments
from chalicelib.services.guardrail import BREACHED, Guardrail
from tests.services.configured import Killed, MortalStore
from tests.services.splitting import GUARDRAIL, OPERATOR, Shoppers, change_route, route, split, weights
from tests.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, MortalStore())


def breach(world: World, **more: Any) -> None:
    """Arm b fails altogether. The version is 2 then."""
    change_route(world, {"split": split(guardrail=GUARDRAIL, **more)})
    shoppers = Shoppers(world)
    shoppers.come("a", paid=14, declined=1)
    shoppers.come("b", declined=15)


def told(world: World) -> list[dict[str, Any]]:
    world.settle()
    return [json.loads(one.body) for one in world.recorder.published if one.event_type == BREACHED]


def audited(world: World) -> list[tuple[str, str]]:
    return [(one.draft.actor, one.draft.action) for one in entries_of(world.store, "default")]


def test_a_breach_makes_a_version_in_which_the_control_arm_has_all_weight(world: World) -> None:
    breach(world)
    assert Guardrail(world.ports).round() == 1
    assert (route(world).version, weights(world)) == (3, {"a": 100, "b": 0})


def test_it_is_audited_as_the_guardrail_s_doing(world: World) -> None:
    breach(world)
    Guardrail(world.ports).round()
    assert audited(world) == [("operator", "update"), ("guardrail", "update")]
    assert verify(world.store, "default").problem is None


def test_subscribers_are_told_once_with_the_results_that_led_to_it(world: World) -> None:
    breach(world)
    led_to_it = results_view(read_experiments(world.ports, "default", "default"))["experiments"][0]
    Guardrail(world.ports).round()
    (event,) = told(world)
    assert (event["type"], event["subject"], event["source"]) == (BREACHED, "default", "/paymentserver/default")
    assert "sequence" not in event
    assert event["data"] == {
        "route": {"name": "default", "version": 3, "previous_version": 2},
        "breached": ["b"],
        "experiment": led_to_it,
    }


def test_a_guardrail_that_was_breached_rests(world: World) -> None:
    breach(world)
    guardrail = Guardrail(world.ports)
    guardrail.round()
    assert guardrail.round() == 0
    assert (route(world).version, len(told(world))) == (3, 1)


@pytest.mark.parametrize("worse", [0, 2])
def test_an_arm_that_may_be_as_good_goes_on(world: World, worse: int) -> None:
    change_route(world, {"split": split(guardrail=GUARDRAIL)})
    shoppers = Shoppers(world)
    shoppers.come("a", paid=10)
    shoppers.come("b", paid=10 - worse, declined=worse)
    assert Guardrail(world.ports).round() == 0
    assert route(world).version == 2


def test_an_arm_goes_on_however_bad_where_there_is_no_guardrail(world: World) -> None:
    change_route(world, {"split": split()})
    shoppers = Shoppers(world)
    shoppers.come("a", paid=15)
    shoppers.come("b", declined=15)
    assert Guardrail(world.ports).round() == 0


def test_the_control_arm_is_never_given_up_for_a_better_one(world: World) -> None:
    change_route(world, {"split": split(guardrail={"control": "b", "max_drop": 5})})
    shoppers = Shoppers(world)
    shoppers.come("a", paid=15)
    shoppers.come("b", declined=15)
    assert Guardrail(world.ports).round() == 0


def test_no_more_is_allowed_than_max_drop_says(world: World) -> None:
    breach(world)
    change_route(world, {"split": split(guardrail={**GUARDRAIL, "max_drop": 50})})
    assert Guardrail(world.ports).round() == 0
    change_route(world, {"split": split(guardrail={**GUARDRAIL, "max_drop": 20})})
    assert Guardrail(world.ports).round() == 1


def test_payments_before_the_split_was_changed_breach_nothing(world: World) -> None:
    breach(world)
    change_route(world, {"split": split(60, 40, guardrail=GUARDRAIL)})
    assert Guardrail(world.ports).round() == 0


def test_of_two_workers_one_switches(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    breach(world)
    late, early = Guardrail(world.ports), Guardrail(world.ports)
    counted = late._counted
    monkeypatch.setattr(late, "_counted", lambda *of: (counted(*of), early.round())[0])
    assert late.round() == 0
    assert (route(world).version, len(told(world))) == (3, 1)


def test_a_route_that_is_deleted_meanwhile_is_left_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    breach(world)
    guardrail = Guardrail(world.ports)
    counted = guardrail._counted
    delete = lambda: delete_route(world.ports, OPERATOR, "default", "default", 2)  # noqa: E731
    monkeypatch.setattr(guardrail, "_counted", lambda *of: (counted(*of), delete())[0])
    assert (guardrail.round(), told(world)) == (0, [])


def test_a_second_split_of_the_route_is_stopped_in_the_next_round(world: World) -> None:
    rule = {
        "name": "Cards",
        "when": {"field": "payment_method", "op": "eq", "value": "card"},
        "then": {"split": split(guardrail=GUARDRAIL)},
    }
    change_route(world, {"split": split(guardrail=GUARDRAIL)}, rules=[rule])
    shoppers = Shoppers(world)
    for method in (None, "card"):
        for arm, paid, declined in (("a", 15, 0), ("b", 0, 15)):
            shoppers.come(arm, paid, declined, payment_method=method)
    guardrail = Guardrail(world.ports)
    assert [guardrail.round() for _ in range(3)] == [1, 1, 0]
    assert sorted(one["data"]["experiment"]["rule"] for one in told(world)) == ["Cards", "otherwise"]


def test_a_watch_over_many_hours_counts_each_payment_once(world: World) -> None:
    """It keeps the sums of hours that are closed."""
    change_route(world, {"split": split(guardrail=GUARDRAIL)})
    guardrail, shoppers = Guardrail(world.ports), Shoppers(world)
    for _ in range(9):
        shoppers.come("a", paid=1)
        shoppers.come("b", paid=1)
        assert guardrail.round() == 0
        world.clock.forward(3600)
    shoppers.come("b", declined=40)
    shoppers.come("a", paid=30)
    asked = results_view(read_experiments(world.ports, "default", "default"))["experiments"][0]
    assert guardrail.round() == 1
    (event,) = told(world)
    assert event["data"]["experiment"] == asked
    assert [(one["authorized"], one["unpaid"]) for one in asked["arms"]] == [(39, 0), (9, 40)]


@pytest.mark.parametrize("moment", ["dies_before", "dies_after"])
@pytest.mark.parametrize("put", [1, 2, 3, 4])
def test_a_crash_anywhere_switches_and_tells_once_or_not_at_all_until_the_next_round(
    world: World, moment: str, put: int
) -> None:
    breach(world)
    setattr(world.store, moment, world.store.puts + put)
    with pytest.raises(Killed):
        Guardrail(world.ports).round()
    world.store.dies_before = world.store.dies_after = None
    world.clock.forward(60)
    sweep_audit(world.ports)
    Guardrail(world.ports).round()
    assert (route(world).version, weights(world)["b"], len(told(world))) == (3, 0, 1)
    assert audited(world) == [("operator", "update"), ("guardrail", "update")]
