"""What a route may say, and what is refused with a reason."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema_rs import Draft202012Validator
from pydantic import ValidationError

from chalicelib.routing.fields import FIELDS, OPERATORS
from chalicelib.routing.rules import RouteBody, RouteChange, document_of
from tests.routing.strategies import conditions

ASKED = [*FIELDS, "metadata.channel", "nothing"]
VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-1, 30)
    | st.sampled_from(["EUR", "NL", "card", "web", "", "é"])
    | st.lists(st.integers(0, 30) | st.sampled_from(["EUR", "NL"]), max_size=3)
)
_SCHEMA = RouteBody.model_json_schema()
SCHEMA = Draft202012Validator({"$ref": "#/$defs/Condition", "$defs": _SCHEMA["$defs"]})

OTHERWISE = {"use": ["psp-1"]}
TEST = {"field": "country", "op": "eq", "value": "NL"}


def body(**more: Any) -> RouteBody:
    return RouteBody.model_validate_json(json.dumps({"name": "default", "otherwise": OTHERWISE, **more}))


def with_test(when: dict[str, Any]) -> RouteBody:
    return body(rules=[{"name": "a rule", "when": when, "then": {"use": ["psp-2"]}}])


@pytest.mark.parametrize(
    ("field", "op", "good", "bad", "why"),
    [
        ("country", "eq", ["NL"], [None, ["NL"]], "eq takes one value"),
        ("country", "ne", ["NL"], [None, ["NL"]], "ne takes one value"),
        ("country", "in", [["NL", "BE"]], [None, "NL"], "in takes a list"),
        ("country", "not_in", [["NL"]], [None, "NL"], "not_in takes a list"),
        (
            "amount",
            "between",
            [[1, 5], [5, 5]],
            [None, 5, [1], [1, 2, 3], ["1", "2"], [1, True], [5, 1]],
            "between takes",
        ),
        ("amount", "between", [], [[0, 5]], "amount is 1 to 1000000000000"),
        (
            "country",
            "starts_with",
            ["N"],
            [None, 5, ["N"], "", "x" * 501],
            "starts_with takes text of 1 to 500 characters",
        ),
        ("country", "exists", [True, False], [None, 1, "true"], "exists takes true or false"),
        ("country", "eq", [], [5, True], "country is compared with text"),
        ("amount", "lt", [5], [[5]], "lt takes one value"),
        ("amount", "gte", [5], ["5", True], "amount is compared with an integer"),
        ("amount", "in", [[5]], [["5"], [True]], "amount is compared with an integer"),
        ("amount", "eq", [1, 10**12], [0, 10**12 + 1], "amount is 1 to 1000000000000"),
        ("hour_of_day", "eq", [0, 23], [-1, 24], "hour_of_day is 0 to 23"),
        ("day_of_week", "in", [[1, 7]], [[0], [1, 8]], "day_of_week is 1 to 7"),
        ("currency", "eq", ["EUR"], ["eur", "EURO", "XXX"], "currency is a currency of ISO 4217, upper case"),
        ("country", "in", [["NL"]], [["nl"], ["NLD"]], "country is two letters of ISO 3166-1, upper case"),
        ("payment_method", "eq", ["card"], ["Card"], "payment_method is lower case"),
        ("customer.email_domain", "eq", ["a.example"], ["A.example", "me@a.example"], "what stands behind the @"),
        ("metadata.x", "eq", ["y", "é 🎈"], ["", "y" * 501], "a value has 1 to 500 characters"),
    ],
)
def test_a_test_is_of_a_value_that_a_payment_may_have(
    field: str, op: str, good: list[Any], bad: list[Any], why: str
) -> None:
    for value in good:
        when = {"field": field, "op": op, "value": value}
        assert with_test(when).rules[0].when.value == value
    for value in bad:
        with pytest.raises(ValidationError, match=re.escape(why)):
            with_test({"field": field, "op": op, "value": value})


@pytest.mark.parametrize("op", ["lt", "lte", "gt", "gte", "between"])
def test_texts_have_no_order(op: str) -> None:
    with pytest.raises(ValidationError, match=f"{op} does not work on country, which is text"):
        with_test({"field": "country", "op": op, "value": 5})


@pytest.mark.parametrize("field", ["amounts", "metadata.", "metadata." + "x" * 41, "customer", "Amount", ""])
def test_a_field_that_is_not_there_is_refused(field: str) -> None:
    with pytest.raises(ValidationError, match="is no field that a rule can ask for"):
        with_test({"field": field, "op": "exists", "value": True})


def test_an_operator_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(ValidationError, match="'like' is no operator; there are eq, ne, in"):
        with_test({"field": "country", "op": "like", "value": "N"})


def test_conditions_are_nested_to_a_limit() -> None:
    deep: dict[str, Any] = TEST
    for _ in range(5):
        deep = {"not": deep}
    assert with_test(deep)
    with pytest.raises(ValidationError, match="nested at most 6 deep"):
        with_test({"not": deep})


@pytest.mark.parametrize("name", ["a rule", "otherwise"])
def test_rules_are_told_apart_by_their_names(name: str) -> None:
    rules = [{"name": one, "when": TEST, "then": {"use": ["psp-2"]}} for one in ("a rule", name)]
    with pytest.raises(ValidationError, match=f"'{name}' is taken"):
        body(rules=rules)


@given(conditions())
def test_what_the_models_take_fits_the_schema_that_is_served(when: dict[str, Any]) -> None:
    with_test(when)
    assert SCHEMA.is_valid(when)


@given(st.sampled_from(ASKED), st.sampled_from([*OPERATORS, "like"]), VALUES)
def test_the_schema_that_is_served_takes_a_test_only_if_the_models_do(field: str, op: str, value: object) -> None:
    when = {"field": field, "op": op, "value": value}
    if SCHEMA.is_valid(when):
        with_test(when) if op != "between" or value == sorted(value) else None  # type: ignore[call-overload]
    else:
        with pytest.raises(ValidationError):
            with_test(when)


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
