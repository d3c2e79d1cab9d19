"""What a route may say, and what is refused with a reason."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from chalicelib.routing.rules import RouteBody, RouteChange, document_of

OTHERWISE = {"use": ["psp-1"]}
TEST = {"field": "country", "op": "eq", "value": "NL"}


def body(**more: Any) -> RouteBody:
    return RouteBody.model_validate_json(json.dumps({"name": "default", "otherwise": OTHERWISE, **more}))


def with_test(when: dict[str, Any]) -> RouteBody:
    return body(rules=[{"name": "a rule", "when": when, "then": {"use": ["psp-2"]}}])


@pytest.mark.parametrize(
    ("op", "good", "bad", "wanted"),
    [
        ("eq", ["NL", 5, True], [None, ["NL"]], "one value"),
        ("ne", ["NL", 5, False], [None, ["NL"]], "one value"),
        ("in", [["NL", "BE"], [5]], [None, "NL"], "a list"),
        ("not_in", [["NL"]], [None, "NL"], "a list"),
        ("lt", [5], [None, "5", True, [5]], "an integer"),
        ("lte", [5], [None, "5", True, [5]], "an integer"),
        ("gt", [5], [None, "5", True, [5]], "an integer"),
        ("gte", [5], [None, "5", True, [5]], "an integer"),
        ("between", [[1, 5]], [None, 5, [1], [1, 2, 3], ["1", "2"], [1, True]], "two integers"),
        ("starts_with", ["N"], [None, 5, ["N"]], "text"),
        ("exists", [True, False], [None, 1, "true"], "true or false"),
    ],
)
def test_each_operator_takes_values_of_its_own(op: str, good: list[Any], bad: list[Any], wanted: str) -> None:
    for value in good:
        assert with_test({"field": "country", "op": op, "value": value}).rules[0].when.value == value
    for value in bad:
        with pytest.raises(ValidationError, match=f"{op} takes {wanted}"):
            with_test({"field": "country", "op": op, "value": value})


@pytest.mark.parametrize("when", [TEST, {"all": [TEST, TEST]}, {"any": [TEST]}, {"not": TEST}])
def test_a_condition_is_a_test_or_conditions_joined(when: dict[str, Any]) -> None:
    assert document_of("default", with_test(when))["rules"][0]["when"] == when


@pytest.mark.parametrize(
    ("when", "why"),
    [
        ({}, "must be one of: a test of a field, all, any, not"),
        ({"all": [TEST], "any": [TEST]}, "must be one of: a test of a field, all, any, not"),
        ({**TEST, "not": TEST}, "must be one of: a test of a field, all, any, not"),
        ({"field": "country"}, "a test has a field and an op, and nothing else has"),
        ({"any": [TEST], "op": "eq"}, "a test has a field and an op, and nothing else has"),
        ({"any": [TEST], "value": "NL"}, "a test has a field and an op, and nothing else has"),
    ],
)
def test_a_condition_has_one_form(when: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=f"Value error, {why}"):
        with_test(when)


def test_a_connection_is_used_once_in_a_chain() -> None:
    with pytest.raises(ValidationError, match="Value error, names a connection twice"):
        body(otherwise={"use": ["psp-1", "psp-1"]})


def arms(*weights: int, names: str = "ab") -> dict[str, Any]:
    pairs = zip(names, weights, strict=True)
    return {
        "split": {
            "by": "payment",
            "arms": [{"arm": name, "weight": weight, "use": ["psp-1"]} for name, weight in pairs],
        }
    }


@pytest.mark.parametrize(
    ("then", "why"),
    [
        (arms(0, 0), "at least one arm needs a weight above 0"),
        (arms(1, 2, names="aa"), "names an arm twice"),
        ({}, "must be either use or split"),
        ({"use": ["psp-1"], **arms(1, 2)}, "must be either use or split"),
    ],
)
def test_what_a_rule_does_is_one_thing(then: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=f"Value error, {why}"):
        body(rules=[{"name": "a rule", "when": TEST, "then": then}])


@pytest.mark.parametrize("then", [arms(1, 0), {"use": ["psp-1"]}])
def test_a_rule_uses_a_chain_or_splits(then: dict[str, Any]) -> None:
    document = document_of("default", body(rules=[{"name": "a rule", "when": TEST, "then": then}]))
    assert document["rules"][0]["then"] == then


def test_a_route_is_stored_with_its_defaults_and_without_what_is_read_only() -> None:
    change = {"name": "other", "version": 3, "created_at": "…", "updated_at": "…", "otherwise": OTHERWISE}
    assert document_of("default", RouteChange.model_validate_json(json.dumps(change))) == {
        "name": "default",
        "rules": [],
        "otherwise": OTHERWISE,
        "unanswered": "next",
        "late": "accept",
    }
