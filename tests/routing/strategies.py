"""Random routes and payments for property tests: few values, so that they meet.

A strategy is made once: hypothesis takes longer to look a new one through than to draw from it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

from hypothesis import strategies as st

from chalicelib.domain.money import Money
from chalicelib.domain.order import CaptureMode, Customer, Order
from chalicelib.routing.fields import FIELDS, OPERATORS, Field, Operator, Takes, Type, field_of

CONNECTIONS = [f"psp-{number}" for number in range(5)]
TEXTS: dict[str, list[str]] = {
    "currency": ["EUR", "USD", "JPY"],
    "country": ["NL", "BE", "NO"],
    "payment_method": ["card", "ideal"],
    "locale": ["nl-NL", "nl-BE", "en"],
    "customer.id": ["c-1", "c-2", "d-1"],
    "customer.email_domain": ["example.com", "example.nl", "shop.example"],
    "order_reference": ["order-1", "order-2", "x"],
    "metadata.channel": ["web", "app", "webview"],
}
NUMBERS = {"amount": (1, 12), "hour_of_day": (0, 23), "day_of_week": (1, 7)}
ASKED = [*FIELDS, "metadata.channel"]


@cache
def fields() -> st.SearchStrategy[Field]:
    return st.sampled_from([one for name in ASKED if (one := field_of(name))])


@cache
def operators(field: Field) -> st.SearchStrategy[Operator]:
    return st.sampled_from([one for one in OPERATORS.values() if field.type in one.types])


@cache
def actual(field: Field) -> st.SearchStrategy[Any]:
    return st.integers(*NUMBERS[field.name]) if field.type is Type.INTEGER else st.sampled_from(TEXTS[field.name])


@cache
def wanted(field: Field, operator: Operator) -> st.SearchStrategy[Any]:
    one = actual(field)
    return {
        Takes.ONE: one,
        Takes.LIST: st.lists(one, min_size=1, max_size=3),
        Takes.PAIR: st.tuples(one, one).map(lambda pair: sorted(pair, key=str if isinstance(pair[0], str) else int)),
        Takes.PREFIX: one.map(lambda text: str(text)[: 1 + len(str(text)) // 2]),
        Takes.FLAG: st.booleans(),
    }[operator.takes]


@cache
@st.composite
def single_tests(draw: st.DrawFn, of: str | None = None) -> dict[str, Any]:
    field = draw(fields()) if of is None else field_of(of)
    assert field is not None, "the field is of the table"
    operator = draw(operators(field))
    return {"field": field.name, "op": operator.name, "value": draw(wanted(field, operator))}


@cache
def conditions() -> st.SearchStrategy[dict[str, Any]]:
    return st.recursive(
        single_tests(),
        lambda inner: (
            st.fixed_dictionaries({"all": st.lists(inner, min_size=1, max_size=3)})
            | st.fixed_dictionaries({"any": st.lists(inner, min_size=1, max_size=3)})
            | st.fixed_dictionaries({"not": inner})
        ),
        max_leaves=6,
    )


@cache
def uses() -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(CONNECTIONS), min_size=1, max_size=4, unique=True)


@cache
@st.composite
def outcomes(draw: st.DrawFn) -> dict[str, Any]:
    if draw(st.booleans()):
        return {"use": draw(uses())}
    arms = [
        {"arm": name, "weight": draw(st.integers(1, 100)), "use": draw(uses())}
        for name in draw(st.lists(st.sampled_from("abcd"), min_size=2, max_size=3, unique=True))
    ]
    split: dict[str, Any] = {"by": draw(st.sampled_from(["payment", "customer"])), "arms": arms}
    if draw(st.booleans()):
        split["salt"] = draw(st.sampled_from(["spring", "autumn"]))
    return {"split": split}


@cache
@st.composite
def routes(draw: st.DrawFn) -> dict[str, Any]:
    count = draw(st.integers(0, 5))
    rules = [
        {"name": f"rule {number}", "when": draw(conditions()), "then": draw(outcomes())} for number in range(count)
    ]
    return {"name": "a-route", "rules": rules, "otherwise": draw(outcomes())}


@cache
def _maybe(name: str) -> st.SearchStrategy[Any]:
    return st.none() | st.sampled_from(TEXTS[name])


@cache
@st.composite
def orders(draw: st.DrawFn) -> Order:
    domain = draw(_maybe("customer.email_domain"))
    customer = Customer(id=draw(_maybe("customer.id")), email=f"a.shopper@{domain}" if domain else None)
    channel = draw(_maybe("metadata.channel"))
    return Order(
        amount=Money(draw(st.integers(*NUMBERS["amount"])), draw(st.sampled_from(TEXTS["currency"]))),
        order_reference=draw(st.sampled_from(TEXTS["order_reference"])),
        return_url="https://shop.example/r",
        cancel_url="https://shop.example/c",
        payment_method=draw(_maybe("payment_method")),
        capture=draw(st.sampled_from(CaptureMode)),
        locale=draw(_maybe("locale")),
        country=draw(_maybe("country")),
        customer=customer if draw(st.booleans()) else None,
        metadata={"channel": channel} if channel else None,
    )


@cache
def times() -> st.SearchStrategy[datetime]:
    return st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC))
