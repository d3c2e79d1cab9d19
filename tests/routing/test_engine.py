"""The engine decides as the rules read: held against a reference that says it as simply as it can be said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.order import Customer, Order
from chalicelib.routing.engine import connections_in, engine_of
from chalicelib.routing.engine import test_of as ready
from chalicelib.routing.fields import FIELDS, OPERATORS, Takes, Type, field_of, inputs_of
from chalicelib.routing.rules import RouteBody, document_of
from tests.builders import NOW, money
from tests.routing import reference
from tests.routing.strategies import TEXTS, conditions, orders, routes, times

FULL = Order(
    money(1050),
    "order-1001",
    "https://shop.example/r",
    "https://shop.example/c",
    payment_method="ideal",
    locale="nl-NL",
    country="NL",
    customer=Customer(id="c-17", email="Shopper@Example.com"),
    metadata={"channel": "web"},
)
WEDNESDAY = datetime(2026, 3, 4, 12, tzinfo=UTC)
BARE = Order(money(1050), "order-1001", "https://shop.example/r", "https://shop.example/c")
ASKED = {
    (field.name, operator.name): (field, operator)
    for field in (*FIELDS.values(), field_of("metadata.channel"))
    for operator in OPERATORS.values()
    if field is not None and field.type in operator.types
}


def asked(name: str, op: str, value: Any) -> bool:
    """What a whole route decides that has the test as its only rule, from the JSON on."""
    rule = {"name": "a rule", "when": {"field": name, "op": op, "value": value}, "then": {"use": ["psp-2"]}}
    body = RouteBody.model_validate({"name": "r", "rules": [rule], "otherwise": {"use": ["psp-1"]}})
    return (
        engine_of("default", "r", document_of("r", body)).decide(inputs_of(FULL, WEDNESDAY), "pay_1").rule == "a rule"
    )


@pytest.mark.parametrize(("name", "op"), ASKED)
def test_every_field_reaches_the_engine_by_every_operator_it_is_offered_with(name: str, op: str) -> None:
    """The payment's own value, and one that it does not have: the two must be told apart."""
    field, operator = ASKED[name, op]
    has = inputs_of(FULL, WEDNESDAY)[name]
    other: Any = int(has) + 1 if field.type is Type.INTEGER else {"EUR": "USD", "NL": "BE"}.get(str(has), "other")
    below, above = {
        "lt": (has, other),
        "gt": (has, int(has) - 1 if isinstance(has, int) else has),
        "lte": (int(has) - 1 if isinstance(has, int) else has, has),
        "gte": (other, has),
    }.get(op, (None, None))
    if below is not None:
        wrong, right = below, above
    elif operator.takes is Takes.PAIR:
        wrong, right = [other, other], [has, has]
    elif operator.takes is Takes.LIST:
        wrong, right = [other], [has]
    elif operator.takes is Takes.FLAG:
        wrong, right = False, True
    else:
        wrong, right = other, has
    if op in ("ne", "not_in"):
        wrong, right = right, wrong
    assert (asked(name, op, right), asked(name, op, wrong)) == (True, False)


def test_what_rules_see_of_a_payment() -> None:
    assert inputs_of(FULL, NOW) == {
        "amount": 1050,
        "currency": "EUR",
        "country": "NL",
        "payment_method": "ideal",
        "locale": "nl-NL",
        "customer.id": "c-17",
        "customer.email_domain": "example.com",
        "order_reference": "order-1001",
        "hour_of_day": 12,
        "day_of_week": 7,
        "metadata.channel": "web",
    }


def test_what_is_missing_or_empty_is_not_seen() -> None:
    order = Order(**{**{name: getattr(BARE, name) for name in Order.__dataclass_fields__}, "metadata": {"channel": ""}})
    assert set(inputs_of(order, NOW)) == {name for name, field in FIELDS.items() if field.always}


def test_hours_and_days_are_those_of_utc() -> None:
    monday_early = datetime(2026, 3, 2, 0, 30, tzinfo=timezone(timedelta(hours=1)))
    seen = inputs_of(BARE, monday_early)
    assert (seen["hour_of_day"], seen["day_of_week"]) == (23, 7)


MISSING = {"eq": False, "ne": True, "in": False, "not_in": True, "starts_with": False}


@pytest.mark.parametrize(("op", "passes"), MISSING.items())
def test_a_missing_value_passes_only_what_says_not(op: str, passes: bool) -> None:
    when = {"field": "country", "op": op, "value": ["NL"] if op in ("in", "not_in") else "NL"}
    assert ready(when)(inputs_of(BARE, NOW)) is passes


@pytest.mark.parametrize("exists", [True, False])
def test_exists_asks_whether_there_is_a_value(exists: bool) -> None:
    when = {"field": "country", "op": "exists", "value": exists}
    assert (ready(when)({"country": "NL"}), ready(when)({})) == (exists, not exists)


@given(conditions(), orders(), times())
def test_a_condition_holds_exactly_where_the_reference_says(when: dict[str, Any], order: Order, at: datetime) -> None:
    seen = inputs_of(order, at)
    assert ready(when)(seen) is reference.holds(when, seen)


@given(routes(), orders(), times(), st.text(min_size=1, max_size=8))
def test_a_route_decides_exactly_as_the_reference(route: dict[str, Any], order: Order, at: datetime, id: str) -> None:
    RouteBody.model_validate(route)
    seen = inputs_of(order, at)
    winner = engine_of("default", "a-route", route).decide(seen, id)
    assert (winner.rule, winner.chain.arm, list(winner.chain.use)) == reference.winner(route, seen, id)


def test_a_customers_payments_stay_on_one_arm_and_one_without_goes_by_itself() -> None:
    arms = [{"arm": name, "weight": 50, "use": ["psp-1"]} for name in "ab"]
    engine = engine_of("default", "r", {"otherwise": {"split": {"by": "customer", "arms": arms}}})
    known = {engine.decide({"customer.id": "c-17"}, f"pay_{number}").chain.arm for number in range(50)}
    alone = {engine.decide({}, f"pay_{number}").chain.arm for number in range(50)}
    assert (len(known), alone) == (1, {"a", "b"})


def test_every_connection_that_a_route_names_is_known_once() -> None:
    split = {"split": {"by": "payment", "arms": [{"arm": "a", "weight": 1, "use": ["psp-2", "psp-3"]}]}}
    rules = [{"name": "r", "when": {}, "then": split}, {"name": "s", "when": {}, "then": {"use": ["psp-3"]}}]
    document = {"rules": rules, "otherwise": {"use": ["psp-1", "psp-2"]}}
    assert connections_in(document) == ["psp-2", "psp-3", "psp-1"]


def test_an_engine_knows_every_connection_that_it_may_lead_to() -> None:
    rules = [{"name": "r", "when": {"field": "country", "op": "exists", "value": True}, "then": {"use": ["psp-2"]}}]
    engine = engine_of("default", "r", {"rules": rules, "otherwise": {"use": ["psp-1"]}})
    assert engine.connection_ids == {"psp-1", "psp-2"}


def test_the_strategies_know_every_text_field() -> None:
    """A field that is added is drawn in the property tests, too."""
    texts = {name for name, field in FIELDS.items() if field.type is Type.TEXT}
    assert texts < set(TEXTS)
