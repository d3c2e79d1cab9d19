"""The linter's time is bounded: whoever may save a route must not be able to keep a process busy with one."""

from __future__ import annotations

from time import process_time
from typing import Any

import pytest

from chalicelib.routing.boxes import SIZE_MAX, TooMany, boxes_of
from chalicelib.routing.lint import lint
from chalicelib.routing.plan import Candidate
from chalicelib.routing.sets import Numbers

USE = {"use": ["psp-1", "psp-2"]}
COUNTRIES = [chr(65 + number // 26) + chr(65 + number % 26) for number in range(64)]
LINTED_S = 5.0  # far above what it takes, far below the minutes that it would take without a bound


def test_rules_of_many_parts_each_are_linted_in_seconds() -> None:
    """Each has 64 boxes of 64 countries; held against each other, all are 300 million pairs."""

    def rule(number: int) -> dict[str, Any]:
        names = [{"field": "metadata.a", "op": "eq", "value": f"{number}-{one}"} for one in range(8)]
        others = [{"field": "metadata.b", "op": "eq", "value": str(one)} for one in range(8)]
        country = {"field": "country", "op": "in", "value": COUNTRIES}
        return {"name": f"r{number}", "when": {"all": [{"any": names}, {"any": others}, country]}, "then": USE}

    began_s = process_time()
    lint({"rules": [rule(number) for number in range(50)], "otherwise": USE}, _usable)
    assert process_time() - began_s < LINTED_S


def test_an_ordinary_long_route_is_checked_to_its_last_rule() -> None:
    rules: list[dict[str, Any]] = [
        {"name": f"r{number}", "when": {"field": "metadata.shop", "op": "in", "value": [f"{number}", "x"]}, "then": USE}
        for number in range(199)
    ]
    rules.append({**rules[0], "name": "the same again"})
    found = lint({"rules": rules, "otherwise": USE}, _usable)
    assert [one.pointer for one in found if one.code == "unreachable"] == ["/rules/199/when"]


def test_a_condition_with_too_many_values_is_not_looked_through() -> None:
    parts = [
        {"field": "amount", "op": "not_in", "value": [200 * number + 2 * one + 1 for one in range(100)]}
        for number in range(SIZE_MAX // 100 + 1)
    ]
    with pytest.raises(TooMany):
        boxes_of({"all": parts})


@pytest.mark.parametrize(
    ("ours", "theirs", "common"),
    [
        ([(1, 9)], [(2, 3), (5, 6)], [(2, 3), (5, 6)]),
        ([(1, 3), (5, 9)], [(2, 5), (7, 12)], [(2, 3), (5, 5), (7, 9)]),
        ([(1, 2)], [(3, 4)], []),
        ([(1, 5), (6, 8)], [(4, 6), (8, 9)], [(4, 5), (6, 6), (8, 8)]),
    ],
)
def test_the_common_numbers_are_those_of_both(ours: list[Any], theirs: list[Any], common: list[Any]) -> None:
    first, second = Numbers(tuple(ours), False), Numbers(tuple(theirs), False)
    assert (first & second).spans == (second & first).spans == tuple(common)


@pytest.mark.parametrize(("span", "covered"), [((1, 3), True), ((2, 2), True), ((3, 5), False), ((4, 4), False)])
def test_a_span_lies_within_another_or_not(span: tuple[int, int], covered: bool) -> None:
    assert Numbers((span,), False).within(Numbers(((1, 3), (5, 9)), False)) is covered


def _usable(connection_id: str) -> Candidate:
    return Candidate(connection_id, usable=True, capabilities=None)
