"""What an A/B test has come to: each arm by itself, and beside the control."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from chalicelib.domain.errors import NotFound
from chalicelib.domain.money import Money
from chalicelib.domain.view import text_of
from chalicelib.routing.interval import Tally
from chalicelib.routing.sequential import Comparison, Verdict, compare
from chalicelib.services.experiment_view import results_view, words_of
from chalicelib.services.experiments import ArmResult, Result, read_experiments
from chalicelib.services.kinds import PAYMENT
from tests.builders import NOW
from tests.services.histories import REFUND
from tests.services.splitting import GUARDRAIL, Shoppers, change_route, split
from tests.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def result(world: World, **asked: Any) -> Result:
    """Of the only split there is."""
    (found,) = read_experiments(world.ports, "default", "default", **asked).results
    return found


def arm(world: World, name: str, **asked: Any) -> ArmResult:
    return next(one for one in result(world, **asked).arms if one.arm == name)


def tallies(world: World, **asked: Any) -> dict[str, tuple[int, int]]:
    return {one.arm: (one.tally.successes, one.tally.trials) for one in result(world, **asked).arms}


def test_payments_that_ended_are_trials_and_those_ever_authorized_successes(world: World) -> None:
    change_route(world, {"split": split()})
    shoppers = Shoppers(world)
    shoppers.come("a", paid=3, declined=1)
    shoppers.come("b", paid=1, declined=2)
    assert tallies(world) == {"a": (3, 4), "b": (1, 3)}


def test_who_may_still_pay_is_undecided(world: World) -> None:
    change_route(world, {"split": split()})
    shoppers = Shoppers(world)
    shoppers.come("a", paid=1)
    shoppers.open("a")
    found = arm(world, "a")
    assert (found.payments, found.undecided, found.tally) == (2, 1, Tally(1, 1))


def test_what_is_refunded_later_was_authorized_all_the_same(world: World) -> None:
    change_route(world, {"split": split()})
    shoppers = Shoppers(world)
    shoppers.come("a", paid=1)
    (payment,) = (one.value for one in world.store.find(PAYMENT, "by_time", "default").items)
    world.do(REFUND, payment.id, "r")
    assert arm(world, "a").tally == Tally(1, 1)


def test_amounts_are_summed_by_currency_declines_by_class_and_pages_are_timed(world: World) -> None:
    world.offer("psp-1", currencies=frozenset({"EUR", "USD"}))
    change_route(world, {"split": split()})
    shoppers = Shoppers(world)
    shoppers.come("a", paid=2, declined=1)
    shoppers.come("a", paid=1, amount=Money(700, "USD"))
    found = arm(world, "a")
    assert found.captured == (Money(2000, "EUR"), Money(700, "USD"))
    assert dict(found.declines) == {"hard": 0, "soft": 1, "fraud": 0}
    assert (found.attempts, found.payments) == (4, 4)
    assert found.latency.count == 3


def test_each_arm_is_compared_with_the_control(world: World) -> None:
    change_route(world, {"split": split()})
    shoppers = Shoppers(world)
    shoppers.come("a", paid=3, declined=1)
    shoppers.come("b", paid=1, declined=2)
    assert arm(world, "a").comparison is None
    assert arm(world, "b").comparison == compare(Tally(3, 4), Tally(1, 3))


def test_several_arms_share_the_chance_of_an_error(world: World) -> None:
    arms = [*split()["arms"], {"arm": "c", "weight": 50, "use": ["psp-2"]}]
    change_route(world, {"split": {"by": "payment", "arms": arms}})
    Shoppers(world).come("b", paid=1)
    assert arm(world, "b").comparison == compare(Tally(0, 0), Tally(1, 1), error=0.025)


def test_the_guardrail_names_the_control(world: World) -> None:
    change_route(world, {"split": split(guardrail={"control": "b", "max_drop": 2})})
    assert [one.comparison is None for one in result(world).arms] == [False, True]
    assert results_view(read_experiments(world.ports, "default", "default"))["experiments"][0]["max_drop"] == 2


def test_it_counts_from_the_version_that_changed_the_split(world: World) -> None:
    change_route(world, {"split": split()})
    shoppers = Shoppers(world)
    shoppers.come("a", paid=2)
    world.clock.forward(10)
    assert change_route(world, {"split": split(60, 40)}) == 3
    shoppers.come("a", paid=1)
    assert tallies(world)["a"] == (1, 1)
    assert (result(world).running.first, result(world).running.since) == (3, NOW + timedelta(seconds=10))


def test_what_moves_nobody_does_not_begin_it_anew(world: World) -> None:
    change_route(world, {"split": split()})
    shoppers = Shoppers(world)
    shoppers.come("a", paid=2)
    change_route(world, {"split": split(guardrail=GUARDRAIL)}, late="refund")
    shoppers.come("a", declined=1)
    assert (tallies(world)["a"], result(world).running.first) == ((2, 3), 2)


def test_an_earlier_version_is_still_told_of(world: World) -> None:
    change_route(world, {"split": split()})
    Shoppers(world).come("a", paid=2)
    change_route(world, {"use": ["psp-1"]})
    assert read_experiments(world.ports, "default", "default").results == ()
    assert tallies(world, version=2)["a"] == (2, 2)


def test_only_what_happened_from_an_hour_on_counts_where_that_is_asked(world: World) -> None:
    change_route(world, {"split": split()})
    shoppers = Shoppers(world)
    shoppers.come("a", paid=2)
    world.clock.forward(3 * 3600)
    shoppers.come("a", declined=1)
    assert tallies(world)["a"] == (2, 3)
    assert tallies(world, since=world.clock.now())["a"] == (0, 1)
    assert tallies(world, since=world.clock.now() + timedelta(days=1))["a"] == (0, 1)  # the hour that it is
    assert tallies(world, since=NOW - timedelta(days=1))["a"] == (2, 3)


def test_a_payment_that_ended_before_and_is_paid_since_is_no_negative_trial(world: World) -> None:
    change_route(world, {"split": split()})
    payment = Shoppers(world).open("a", script="decline")
    world.clock.forward(3 * 3600)
    world.psps["psp-1"].script = lambda _: "answer"
    world.retry(payment.id, "again")
    retried = world.payment(payment.id)
    world.psps["psp-1"].pay(retried.attempts[-1].id)
    world.webhook("psp-1", retried.attempts[-1].id)
    world.settle()
    assert tallies(world, since=world.clock.now())["a"] == (1, 1)
    assert tallies(world)["a"] == (1, 1)


def test_rules_and_otherwise_are_experiments_of_their_own(world: World) -> None:
    rule = {
        "name": "Large",
        "when": {"field": "amount", "op": "gte", "value": 5_000},
        "then": {"split": split(100, 0)},
    }
    change_route(world, {"split": split()}, rules=[rule])
    world.open("large", amount=Money(6_000, "EUR"))
    Shoppers(world).come("a", declined=1)
    large, otherwise = read_experiments(world.ports, "default", "default").results
    assert (large.running.experiment.rule, otherwise.running.experiment.rule) == ("Large", "otherwise")
    assert (large.arms[0].payments, otherwise.arms[0].payments) == (1, 1)


def test_a_route_or_version_that_is_not_there_has_none(world: World) -> None:
    with pytest.raises(NotFound):
        read_experiments(world.ports, "default", "nowhere")
    with pytest.raises(NotFound):
        read_experiments(world.ports, "default", "default", version=9)


def test_it_is_shown_in_plain_values(world: World) -> None:
    change_route(world, {"split": split(30, 10, guardrail=GUARDRAIL)})
    Shoppers(world).come("a", paid=1, declined=1)
    shown = results_view(read_experiments(world.ports, "default", "default"))
    assert (shown["route"], shown["version"]) == ("default", 2)
    (experiment,) = shown["experiments"]
    assert {name: experiment[name] for name in experiment if name != "arms"} == {
        "rule": "otherwise",
        "since": text_of(NOW),
        "since_version": 2,
        "control": "a",
        "max_drop": 5,
    }
    first, second = experiment["arms"]
    assert (first["authorized"], first["unpaid"], first["weight"]) == (1, 1, 30)
    assert first["authorized_share"] == {"value": 0.5, "low": 0.0945, "high": 0.9055}
    assert second["authorized_share"] == {"value": None, "low": 0.0, "high": 1.0}
    assert second["comparison"]["verdict"] == "undecided"


@pytest.mark.parametrize(
    ("comparison", "words"),
    [
        (
            Comparison(None, -1, 1, 1, Verdict.UNDECIDED),
            "Nothing can be said yet: of b or a no payment has come to its end.",
        ),
        (
            Comparison(0.05, -0.012, 0.1123, 0.28, Verdict.UNDECIDED),
            "Nothing is certain yet: b may be anything from 1.2 points worse than a to 11.2 points better.",
        ),
        (Comparison(0.05, 0.0297, 0.0704, 0, Verdict.BETTER), "b is better than a, by 3.0 to 7.0 points."),
        (Comparison(-0.05, -0.0704, -0.0297, 0, Verdict.WORSE), "b is worse than a, by 3.0 to 7.0 points."),
    ],
)
def test_a_verdict_is_a_sentence(comparison: Comparison, words: str) -> None:
    assert words_of(comparison, "b", "a") == words
