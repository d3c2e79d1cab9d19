"""What differs between two versions of a route, rule by rule."""

from __future__ import annotations

from typing import Any

from hypothesis import given

from chalicelib.routing.compare import Difference, differences
from tests.routing.strategies import routes

NL = {"field": "country", "op": "eq", "value": "NL"}


def rule(name: str, *use: str) -> dict[str, Any]:
    return {"name": name, "when": NL, "then": {"use": list(use)}}


def route(*rules: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": "r", "rules": list(rules), "otherwise": {"use": ["psp-1"]}, **more}


def test_a_rule_that_was_added_or_taken_away_is_told_whole() -> None:
    assert differences(route(rule("a", "psp-1")), route(rule("b", "psp-1"))) == [
        Difference("b", "", None, rule("b", "psp-1")),
        Difference("a", "", rule("a", "psp-1"), None),
    ]


def test_within_a_rule_the_innermost_part_is_told() -> None:
    assert differences(route(rule("a", "psp-1")), route(rule("a", "psp-2"))) == [
        Difference("a", "/then/use", ["psp-1"], ["psp-2"])
    ]


def test_another_order_of_the_same_rules_is_told() -> None:
    one, other = rule("a", "psp-1"), rule("b", "psp-1")
    assert differences(route(one, other), route(other, one)) == [Difference(None, "/rules", ["a", "b"], ["b", "a"])]


def test_a_rule_put_in_front_does_not_move_the_others() -> None:
    one, other = rule("a", "psp-1"), rule("b", "psp-1")
    assert differences(route(one), route(other, one)) == [Difference("b", "", None, other)]


def test_what_belongs_to_no_rule_is_told_by_its_place_in_the_route() -> None:
    assert differences(route(unanswered="next"), route(unanswered="hold", attempts_max=2)) == [
        Difference(None, "/unanswered", "next", "hold"),
        Difference(None, "/attempts_max", None, 2),
    ]


def test_a_part_that_was_not_there_is_told_whole() -> None:
    fallback = {"hard_decline": "stop"}
    assert differences(route(), route(fallback=fallback)) == [Difference(None, "/fallback", None, fallback)]
    assert differences(route(fallback=fallback), route()) == [Difference(None, "/fallback", fallback, None)]


def test_a_route_that_had_no_rules_got_some() -> None:
    before = {"name": "r", "otherwise": {"use": ["psp-1"]}}
    assert differences(before, route(rule("a", "psp-1"))) == [Difference("a", "", None, rule("a", "psp-1"))]


@given(routes(), routes())
def test_only_a_route_and_itself_do_not_differ(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert differences(one, one) == []
    assert bool(differences(one, other)) is (one != other)
