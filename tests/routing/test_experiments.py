"""Which A/B tests a route has, whether two versions deal alike, and what is left when one ends."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from chalicelib.routing.experiments import Experiment, experiments_of, given_all, is_dealt_alike

ARMS = [{"arm": "a", "weight": 80, "use": ["psp-1"]}, {"arm": "b", "weight": 20, "use": ["psp-2"]}]
SPLIT: dict[str, Any] = {"by": "customer", "arms": ARMS}
WHEN = {"field": "country", "op": "eq", "value": "NL"}


def document(split: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    rules = [
        {"name": "plain", "when": WHEN, "then": {"use": ["psp-1"]}},
        {"name": "A/B", "when": WHEN, "then": {"split": deepcopy(split or SPLIT)}},
    ]
    return {"name": "default", "rules": rules, "otherwise": {"use": ["psp-1"]}, **more}


def test_every_split_is_an_experiment_whose_first_arm_is_the_control() -> None:
    assert experiments_of(document(otherwise={"split": {**SPLIT, "arms": ARMS[::-1]}})) == [
        Experiment("A/B", {"a": 80, "b": 20}, "a", None),
        Experiment("otherwise", {"b": 20, "a": 80}, "b", None),
    ]


def test_a_route_without_rules_has_none() -> None:
    assert experiments_of({"name": "default", "otherwise": {"use": ["psp-1"]}}) == []


def test_a_guardrail_names_the_control_and_how_much_worse_the_others_may_be() -> None:
    guarded = document({**SPLIT, "guardrail": {"control": "b", "max_drop": 3}})
    assert experiments_of(guarded) == [Experiment("A/B", {"a": 80, "b": 20}, "b", 3)]
    assert experiments_of(guarded)[0].others == ["a"]


@pytest.mark.parametrize(
    "change",
    [
        {"guardrail": {"control": "a", "max_drop": 1}},
        {"arms": ARMS[::-1]},
        {"salt": None},
    ],
)
def test_what_moves_nobody_leaves_an_experiment_as_it_was(change: dict[str, Any]) -> None:
    assert is_dealt_alike("A/B", document({**SPLIT, **change}), document())


@pytest.mark.parametrize(
    "change",
    [
        {"by": "payment"},
        {"salt": "again"},
        {"arms": [{**ARMS[0], "weight": 70}, {**ARMS[1], "weight": 30}]},
        {"arms": [{**ARMS[0], "use": ["psp-1", "psp-2"]}, ARMS[1]]},
        {"arms": [*ARMS, {"arm": "c", "weight": 0, "use": ["psp-1"]}]},
        {"arms": [ARMS[0], {**ARMS[1], "arm": "c"}]},
    ],
)
def test_another_deal_is_another_experiment(change: dict[str, Any]) -> None:
    assert not is_dealt_alike("A/B", document({**SPLIT, **change}), document())


def test_what_was_no_split_before_is_dealt_otherwise() -> None:
    assert not is_dealt_alike("A/B", document(), document(rules=[]))
    assert not is_dealt_alike("otherwise", document(otherwise={"split": SPLIT}), document())


def test_an_arm_that_is_given_all_has_the_weight_of_all_and_nothing_else_changes() -> None:
    before = document(otherwise={"split": SPLIT})
    after = given_all(before, "A/B", "a")
    assert [(one["arm"], one["weight"]) for one in after["rules"][1]["then"]["split"]["arms"]] == [("a", 100), ("b", 0)]
    assert after["otherwise"] == before["otherwise"]
    assert before == document(otherwise={"split": SPLIT})


def test_otherwise_can_be_given_to_one_arm_too() -> None:
    after = given_all(document(otherwise={"split": SPLIT}), "otherwise", "b")
    assert [one["weight"] for one in after["otherwise"]["split"]["arms"]] == [0, 100]
