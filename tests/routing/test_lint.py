"""What the linter finds, and that it never calls a rule unreachable that a payment can reach."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from chalicelib.domain.errors import VaultFault
from chalicelib.domain.order import Order
from chalicelib.routing.fields import inputs_of
from chalicelib.routing.lint import Finding, Severity, lint
from chalicelib.routing.plan import Candidate
from tests.routing import reference
from tests.routing.strategies import orders, routes, times
from tests.routing.test_plan import CAN

KNOWN = {
    "cards": Candidate("cards", True, CAN),
    "more-cards": Candidate("more-cards", True, CAN),
    "ideal": Candidate("ideal", True, replace(CAN, payment_methods=frozenset({"ideal"}))),
    "dollars": Candidate("dollars", True, replace(CAN, currencies=frozenset({"USD"}))),
    "small": Candidate("small", True, replace(CAN, amount_limits={"EUR": (None, 5000)})),
    "bounded": Candidate("bounded", True, replace(CAN, amount_limits={"EUR": (100, 5000)})),
    "two": Candidate(
        "two", True, replace(CAN, currencies=frozenset({"EUR", "USD"}), amount_limits={"USD": (100, 5000)})
    ),
    "off": Candidate("off", False, CAN),
    "sealed": Candidate("sealed", False, None, VaultFault("no key")),
}
NL = {"field": "country", "op": "eq", "value": "NL"}
BE = {"field": "country", "op": "eq", "value": "BE"}
EUR = {"field": "currency", "op": "eq", "value": "EUR"}


def known(name: str) -> Candidate:
    return KNOWN.get(name, Candidate(name, False, None))


def of(field: str, op: str, value: Any) -> dict[str, Any]:
    return {"field": field, "op": op, "value": value}


def found(*rules: dict[str, Any], use: tuple[str, ...] = ("cards", "more-cards"), **more: Any) -> list[Finding]:
    """Of a route whose rules are called by their numbers and use two PSPs, where they do not say otherwise."""
    named = [
        {"name": str(number), "when": NL, "then": {"use": ["cards", "more-cards"]}, **rule}
        for number, rule in enumerate(rules)
    ]
    return lint({"name": "r", "rules": named, "otherwise": {"use": list(use)}, **more}, known)


def told(findings: list[Finding]) -> list[tuple[str, str, str]]:
    return [(one.severity, one.code, one.pointer) for one in findings]


def test_a_route_that_is_right_gives_nothing_to_say() -> None:
    assert found({"when": NL}, {"when": BE}) == []


def test_a_route_without_rules_is_looked_through_too() -> None:
    assert told(lint({"name": "r", "otherwise": {"use": ["cards", "off"]}}, known)) == [
        ("warning", "disabled-connection", "/otherwise/use/1"),
        ("warning", "no-fallback", "/otherwise/use"),
    ]


CONTRADICTIONS = [
    [NL, BE],
    [NL, {"not": NL}],
    [NL, of("country", "in", ["BE", "DE"])],
    [NL, of("country", "ne", "NL")],
    [NL, of("country", "exists", False)],
    [NL, of("country", "starts_with", "B")],
    [of("order_reference", "starts_with", "a"), of("order_reference", "starts_with", "b")],
    [of("order_reference", "starts_with", "ab"), {"not": of("order_reference", "starts_with", "a")}],
    [of("amount", "gt", 10), of("amount", "lt", 11), EUR],
    [of("amount", "between", [1, 5]), of("amount", "between", [6, 9]), EUR],
    [of("hour_of_day", "lt", 0)],
    [of("currency", "exists", False)],
    [{"any": [NL, BE]}, of("country", "eq", "DE")],
]


@pytest.mark.parametrize("conditions", CONTRADICTIONS[:10] + CONTRADICTIONS[11:])
def test_a_rule_that_can_never_match_is_an_error(conditions: list[dict[str, Any]]) -> None:
    assert told(found({"when": {"all": conditions}})) == [("error", "contradiction", "/rules/0/when")]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (NL, NL),
        (NL, {"all": [NL, of("amount", "gt", 5), EUR]}),
        (of("country", "in", ["NL", "BE"]), BE),
        ({"any": [NL, BE]}, of("country", "in", ["NL", "BE"])),
        (of("country", "exists", True), NL),
        (of("hour_of_day", "gte", 8), of("hour_of_day", "between", [9, 17])),
        (of("metadata.channel", "starts_with", "web"), of("metadata.channel", "starts_with", "webview")),
        (of("metadata.channel", "ne", "app"), of("metadata.channel", "exists", False)),
        ({"not": NL}, BE),
        ({"not": of("metadata.channel", "starts_with", "web")}, of("metadata.channel", "starts_with", "app")),
        (
            {"not": of("metadata.channel", "starts_with", "webview")},
            {"not": of("metadata.channel", "starts_with", "web")},
        ),
    ],
)
def test_a_rule_behind_one_that_takes_all_of_its_payments_is_told_of(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    assert told(found({"when": first}, {"when": second})) == [("warning", "unreachable", "/rules/1/when")]


def test_a_rule_may_stand_in_the_shadow_of_several() -> None:
    both = found({"when": NL}, {"when": BE}, {"when": {"any": [BE, NL]}})
    assert [(one.pointer, one.detail) for one in both] == [
        ("/rules/2/when", "it is never reached: all that matches it matches '1', '0' before")
    ]


def test_a_rule_that_matches_everything_leaves_nothing_for_otherwise() -> None:
    assert told(found({"when": of("day_of_week", "gte", 1)})) == [("warning", "unreachable", "/otherwise")]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (NL, BE),
        (BE, of("country", "in", ["NL", "BE"])),
        (of("metadata.channel", "ne", "app"), of("metadata.channel", "exists", True)),
        (of("hour_of_day", "between", [9, 17]), of("hour_of_day", "gte", 9)),
        ({"not": of("metadata.channel", "starts_with", "webview")}, of("metadata.channel", "starts_with", "web")),
        ({"not": of("metadata.channel", "starts_with", "web")}, of("metadata.channel", "starts_with", "we")),
    ],
)
def test_a_rule_that_some_payment_reaches_is_left_alone(first: dict[str, Any], second: dict[str, Any]) -> None:
    assert found({"when": first}, {"when": second}) == []


PAIRS = [{"any": [of(f"metadata.{name}", "eq", value) for value in "ab"]} for name in "abcdefgh"]
INTRICATE = {"all": [*PAIRS, NL]}


def test_a_condition_too_intricate_to_look_through_is_left_alone() -> None:
    assert found({"when": INTRICATE}, {"when": NL}) == []


@pytest.mark.parametrize("first", [{"all": [NL, BE]}, INTRICATE])
def test_what_stands_behind_a_rule_that_can_not_be_judged_is_judged_all_the_same(first: dict[str, Any]) -> None:
    assert told(found({"when": first}, {}, {}))[-1] == ("warning", "unreachable", "/rules/2/when")


def test_an_unknown_connection_is_an_error_where_it_stands() -> None:
    assert told(found(use=("cards", "nobody", "more-cards"))) == [("error", "unknown-connection", "/otherwise/use/1")]


@pytest.mark.parametrize(("name", "code"), [("off", "disabled-connection"), ("sealed", "unreadable-connection")])
def test_a_connection_that_is_not_used_now_is_a_warning(name: str, code: str) -> None:
    assert told(found(use=("cards", name, "more-cards"))) == [("warning", code, "/otherwise/use/1")]


@pytest.mark.parametrize("use", [("cards",), ("cards", "off")])
def test_a_chain_without_a_second_psp_has_no_fallback(use: tuple[str, ...]) -> None:
    assert ("warning", "no-fallback", "/otherwise/use") in told(found(use=use))


@pytest.mark.parametrize(
    ("conditions", "use"),
    [
        ([of("payment_method", "eq", "ideal")], "cards"),
        ([of("currency", "eq", "USD")], "cards"),
        ([of("amount", "gt", 5000), EUR], "small"),
    ],
)
def test_a_psp_that_can_take_nothing_of_a_rule_is_told_of(conditions: list[dict[str, Any]], use: str) -> None:
    can = {"ideal": "ideal", "USD": "dollars"}.get(conditions[0]["value"], "cards")
    first = {"when": {"all": conditions}, "then": {"use": [use, can]}}
    assert ("warning", "impossible-connection", "/rules/0/then/use/0") in told(found(first))
    alone = {"when": {"all": conditions}, "then": {"use": [use]}}
    assert ("error", "impossible-connection", "/rules/0/then/use/0") in told(found(alone))


@pytest.mark.parametrize(
    ("amount", "able"),
    [
        (of("amount", "lt", 100), False),
        (of("amount", "lte", 100), True),
        (of("amount", "gt", 5000), False),
        (of("amount", "gte", 5000), True),
        (of("amount", "not_in", [100, 5000]), True),
        (of("amount", "in", [99, 5001]), False),
        (of("amount", "in", [5001, 200]), True),
        ({"any": [of("amount", "lt", 100), of("amount", "gt", 5000)]}, False),
        ({"any": [of("amount", "lt", 100), of("amount", "gt", 4999)]}, True),
    ],
)
def test_a_psps_limits_are_held_against_the_amounts_that_match(amount: dict[str, Any], able: bool) -> None:
    first = {"when": {"all": [amount, EUR]}, "then": {"use": ["bounded", "cards"]}}
    assert ("impossible-connection" in {one.code for one in found(first)}) is not able


@pytest.mark.parametrize(
    ("currencies", "able"), [(["EUR", "USD"], True), (["EUR"], True), (["USD"], False), (["JPY"], False)]
)
def test_a_psps_limits_are_those_of_the_currency(currencies: list[str], able: bool) -> None:
    when = {"all": [of("amount", "gt", 5000), of("currency", "in", currencies)]}
    findings = found({"when": when, "then": {"use": ["two", "cards", "dollars"]}})
    assert ("/rules/0/then/use/0" in {one.pointer for one in findings}) is not able


def test_where_no_psp_of_a_chain_can_take_what_matches_it_is_an_error_for_each() -> None:
    yen = {"when": of("currency", "eq", "JPY"), "then": {"use": ["cards", "ideal"]}}
    assert told(found(yen)) == [("error", "impossible-connection", f"/rules/0/then/use/{place}") for place in (0, 1)]


def test_a_psp_that_can_take_some_of_a_rule_is_left_alone() -> None:
    either = of("payment_method", "in", ["card", "ideal"])
    assert found({"when": either, "then": {"use": ["cards", "ideal"]}}) == []


def test_a_payment_without_a_method_may_go_to_any_psp() -> None:
    assert found({"when": of("payment_method", "ne", "card"), "then": {"use": ["cards", "ideal"]}}) == []


def test_an_amount_is_compared_in_one_currency() -> None:
    amount = of("amount", "gt", 5000)
    assert told(found({"when": amount})) == [("warning", "amount-without-currency", "/rules/0/when")]
    assert found({"when": {"all": [amount, EUR]}}) == []


def split(*weights: int, **more: Any) -> dict[str, Any]:
    arms = [
        {"arm": name, "weight": weight, "use": ["cards", "more-cards"]}
        for name, weight in zip("abc", weights, strict=False)
    ]
    return {"then": {"split": {"by": "payment", "arms": arms, **more}}}


def test_weights_that_do_not_add_up_to_a_hundred_are_told_with_their_shares() -> None:
    (one,) = found(split(80, 10))
    assert (one.severity, one.code, one.pointer) == (Severity.WARNING, "weights", "/rules/0/then/split/arms")
    assert one.detail == "the weights add up to 90, not to 100: the shares are a 88.9%, b 11.1%"


def test_arms_are_checked_as_chains_are() -> None:
    arms = split(50, 50)
    arms["then"]["split"]["arms"][1]["use"] = ["cards", "nobody"]
    assert ("error", "unknown-connection", "/rules/0/then/split/arms/1/use/1") in told(found(arms))


def test_a_control_arm_without_weight_compares_nothing() -> None:
    guarded = split(0, 100, guardrail={"control": "a", "max_drop": 5})
    assert told(found(guarded)) == [("warning", "control-without-weight", "/rules/0/then/split/guardrail/control")]


PAIR = ("cards", "more-cards")
IDEAL = of("payment_method", "eq", "ideal")
NO_WEIGHT = {
    "split": {
        "by": "payment",
        "arms": [{"arm": name, "weight": weight, "use": list(PAIR)} for name, weight in (("a", 0), ("b", 100))],
        "guardrail": {"control": "a", "max_drop": 5},
    }
}


@pytest.mark.parametrize(
    ("rules", "use", "detail"),
    [
        ([{"when": {"all": [NL, BE]}}], PAIR, "no payment can ever match: its conditions contradict each other"),
        ([{}, {}], PAIR, "it is never reached: all that matches it matches '0' before"),
        ([], ("cards",), "there is no fallback: where its only usable PSP declines or is down, no other is tried"),
        ([], ("cards", "more-cards", "nobody"), "there is no connection 'nobody'"),
        ([], ("cards", "more-cards", "off"), "the connection 'off' is disabled; it is passed over until it is enabled"),
        (
            [],
            ("cards", "more-cards", "sealed"),
            "the connection 'sealed' can not be read at present, so it was not checked",
        ),
        ([{"when": of("hour_of_day", "gte", 0)}], PAIR, "it is never reached: everything matches '0'"),
        (
            [{"when": of("amount", "gt", 5000)}],
            PAIR,
            "it compares the amount in any currency: 1000 is 10.00 EUR and 1000 JPY; ask for the currency, too",
        ),
        (
            [{"when": IDEAL, "then": {"use": ["ideal", "cards"]}}],
            PAIR,
            "'cards' takes none of the payments that match: not their currency, payment method or amount",
        ),
        ([{"then": NO_WEIGHT}], PAIR, "the control arm 'a' has no weight, so nothing can be compared with it"),
    ],
)
def test_what_is_found_is_said_in_words(rules: list[dict[str, Any]], use: tuple[str, ...], detail: str) -> None:
    assert [one.detail for one in found(*rules, use=use)] == [detail]


def test_errors_stand_before_warnings() -> None:
    findings = found({"when": of("amount", "gt", 5000)}, {"when": {"all": [NL, BE]}})
    assert [one.severity for one in findings] == ["error", "warning"]


@given(routes(), orders(), times())
def test_no_payment_reaches_what_is_called_unreachable(route: dict[str, Any], order: Order, at: Any) -> None:
    seen = inputs_of(order, at)
    name, _, _ = reference.winner(route, seen, "pay_1")
    dead = {one.pointer for one in lint(route, known) if one.code in ("contradiction", "unreachable")}
    place = [rule["name"] for rule in route["rules"]].index(name) if name != "otherwise" else None
    assert ("/otherwise" if place is None else f"/rules/{place}/when") not in dead
