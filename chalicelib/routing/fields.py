"""What rules may ask for: one table of fields, one of operators. The engine, the schema, the linter and the documentation
are all made from them, so that a field that is offered always reaches the engine.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from chalicelib.domain.money import EXPONENT, VALUE_MAX
from chalicelib.domain.order import Order

Value = str | int
Inputs = dict[str, Value]  # what is missing is absent
METADATA = "metadata."
VALUES_MAX = 100
TEXT_MAX = 500  # characters of a value


class Type(StrEnum):
    INTEGER = "integer"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Field:
    """`least` and `most` bound an integer, `pattern` a text that it may be compared with in full, `beginning` (the pattern,
    where there is none) one that it may begin with. A field that is not `always` there may be missing from a payment."""

    name: str
    type: Type
    meaning: str
    value_of: Callable[[Order, datetime], Value | None]
    always: bool = False
    least: int = 0
    most: int = VALUE_MAX
    pattern: str = ""
    beginning: str = ""
    wanted: str = ""
    known: frozenset[str] = frozenset()

    def problem(self, value: Any) -> str | None:
        """Why no payment ever has this value, None where one may."""
        if self.type is Type.INTEGER:
            if not is_integer(value):
                return f"{self.name} is compared with an integer"
            return None if self.least <= value <= self.most else f"{self.name} is {self.least} to {self.most}"
        if not isinstance(value, str):
            return f"{self.name} is compared with text"
        if not 1 <= len(value) <= TEXT_MAX:
            return f"a value has 1 to {TEXT_MAX} characters; ask for a missing one with exists"
        if (self.known and value not in self.known) or not re.fullmatch(self.pattern or ".*", value, re.DOTALL):
            return f"{self.name} is {self.wanted}"
        return None

    def beginning_problem(self, value: str) -> str | None:
        """Why no payment ever has a value that begins so, None where one may."""
        pattern = self.beginning or self.pattern
        good = (
            any(one.startswith(value) for one in self.known)
            if self.known
            else re.fullmatch(pattern or ".*", value, re.DOTALL)
        )
        return None if good else f"{self.name} is {self.wanted}, and never begins so"


def _domain_of(order: Order) -> str | None:
    email = order.customer.email if order.customer else None
    return email.rpartition("@")[2].lower() if email and "@" in email else None


_ALL = (
    Field(
        "amount",
        Type.INTEGER,
        "the amount in minor units of its currency: 1050 is 10.50 EUR, and 1050 JPY",
        lambda order, _: order.amount.value,
        always=True,
        least=1,
    ),
    Field(
        "currency",
        Type.TEXT,
        "ISO 4217, upper case",
        lambda order, _: order.amount.currency,
        always=True,
        wanted="a currency of ISO 4217, upper case",
        known=frozenset(EXPONENT),
    ),
    Field(
        "country",
        Type.TEXT,
        "the shopper's, ISO 3166-1 alpha-2, upper case",
        lambda order, _: order.country,
        pattern="[A-Z]{2}",
        beginning="[A-Z]{1,2}",
        wanted="two letters of ISO 3166-1, upper case",
    ),
    Field(
        "payment_method",
        Type.TEXT,
        "as the checkout names it, such as `card`; missing where the PSP's page offers the choice",
        lambda order, _: order.payment_method,
        pattern="[a-z0-9_]{1,32}",
        wanted="lower case, such as card or ideal",
    ),
    Field(
        "locale",
        Type.TEXT,
        "the BCP 47 tag as the checkout writes it, such as `nl-NL`",
        lambda order, _: order.locale,
        pattern="[A-Za-z0-9-]{1,35}",
        wanted="a tag of BCP 47, such as nl-NL",
    ),
    Field(
        "customer.id",
        Type.TEXT,
        "the shop's own id of the customer",
        lambda order, _: order.customer.id if order.customer else None,
    ),
    Field(
        "customer.email_domain",
        Type.TEXT,
        "what stands behind the @, in lower case",
        lambda order, _: _domain_of(order),
        pattern="[^A-Z@]+",
        wanted="what stands behind the @, in lower case",
    ),
    Field(
        "order_reference",
        Type.TEXT,
        "the shop's own reference",
        lambda order, _: order.order_reference,
        always=True,
    ),
    Field(
        "hour_of_day",
        Type.INTEGER,
        "0 to 23, in UTC, when the checkout was opened",
        lambda _, at: at.astimezone(UTC).hour,
        always=True,
        most=23,
    ),
    Field(
        "day_of_week",
        Type.INTEGER,
        "1 (Monday) to 7 (Sunday), in UTC, when the checkout was opened",
        lambda _, at: at.astimezone(UTC).isoweekday(),
        always=True,
        least=1,
        most=7,
    ),
)
FIELDS: Mapping[str, Field] = {field.name: field for field in _ALL}


def _metadata(name: str) -> Field:
    key = name.removeprefix(METADATA)
    meaning = "the value under that key of the checkout's metadata"
    return Field(name, Type.TEXT, meaning, lambda order, _: (order.metadata or {}).get(key))


def field_of(name: str) -> Field | None:
    """The field of that name; any `metadata.` with a key of 1 to 40 characters is one."""
    if name.startswith(METADATA) and 1 <= len(name) - len(METADATA) <= 40:
        return _metadata(name)
    return FIELDS.get(name)


def inputs_of(order: Order, at: datetime) -> Inputs:
    """What rules see of a checkout that is opened at `at`; an empty text is a missing one."""
    seen = {name: value for name, field in FIELDS.items() if (value := field.value_of(order, at)) not in (None, "")}
    for key, value in (order.metadata or {}).items():
        if value:
            seen[METADATA + key] = value
    return seen


class Takes(StrEnum):
    """What an operator is given: `value` is one of the field's own type."""

    ONE = "one value"
    LIST = "a list"
    PAIR = "two integers, the smaller first"
    PREFIX = "text"
    FLAG = "true or false"


Test = Callable[[Inputs], bool]


@dataclass(frozen=True, slots=True)
class Operator:
    """`test_of` makes the test of a field's name and the wanted value. A missing value passes `ne`, `not_in` and
    `exists: false`, and nothing else."""

    name: str
    types: frozenset[Type]
    takes: Takes
    meaning: str
    test_of: Callable[[str, Any], Test]

    def problem(self, field: Field, value: Any) -> str | None:
        """Why the operator can not be asked this of the field, None where it can."""
        if field.type not in self.types:
            return f"{self.name} does not work on {field.name}, which is {field.type}"
        if self.takes is Takes.FLAG:
            return None if isinstance(value, bool) else f"{self.name} takes {self.takes}"
        if self.takes is Takes.PREFIX:
            if not isinstance(value, str) or not 1 <= len(value) <= TEXT_MAX:
                return f"{self.name} takes {self.takes} of 1 to {TEXT_MAX} characters"
            return field.beginning_problem(value)
        if self.takes is Takes.ONE:
            return field.problem(value) if isinstance(value, str | int) else f"{self.name} takes {self.takes}"
        if not isinstance(value, list) or not 1 <= len(value) <= VALUES_MAX:
            return f"{self.name} takes {self.takes}"
        if self.takes is Takes.PAIR and (len(value) != 2 or not all(map(is_integer, value)) or value[0] > value[1]):
            return f"{self.name} takes {self.takes}"
        return next((why for one in value if (why := field.problem(one)) is not None), None)


def is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


# A field without a value must not be compared by order, so `lt` and its like look twice.
def _below(name: str, most: int) -> Test:
    return lambda seen: name in seen and seen[name] <= most  # type: ignore[operator]  # integers, by the tables


def _above(name: str, least: int) -> Test:
    return lambda seen: name in seen and seen[name] >= least  # type: ignore[operator]


def _between(name: str, pair: list[int]) -> Test:
    least, most = pair
    return lambda seen: name in seen and least <= seen[name] <= most  # type: ignore[operator]


def _in(name: str, values: list[Value]) -> Test:
    wanted = frozenset(values)
    return lambda seen: seen.get(name) in wanted


def _not_in(name: str, values: list[Value]) -> Test:
    unwanted = frozenset(values)
    return lambda seen: seen.get(name) not in unwanted


def _starts_with(name: str, prefix: str) -> Test:
    return lambda seen: name in seen and seen[name].startswith(prefix)  # type: ignore[union-attr]


_ANY, _NUMBERS, _TEXTS = frozenset(Type), frozenset({Type.INTEGER}), frozenset({Type.TEXT})
OPERATORS: Mapping[str, Operator] = {
    one.name: one
    for one in (
        Operator("eq", _ANY, Takes.ONE, "is the value", lambda name, value: lambda seen: seen.get(name) == value),
        Operator(
            "ne",
            _ANY,
            Takes.ONE,
            "is not the value, or is missing",
            lambda name, value: lambda seen: seen.get(name) != value,
        ),
        Operator("in", _ANY, Takes.LIST, "is one of the values", _in),
        Operator("not_in", _ANY, Takes.LIST, "is none of the values, or is missing", _not_in),
        Operator("lt", _NUMBERS, Takes.ONE, "is less", lambda name, value: _below(name, value - 1)),
        Operator("lte", _NUMBERS, Takes.ONE, "is less or the same", _below),
        Operator("gt", _NUMBERS, Takes.ONE, "is more", lambda name, value: _above(name, value + 1)),
        Operator("gte", _NUMBERS, Takes.ONE, "is more or the same", _above),
        Operator("between", _NUMBERS, Takes.PAIR, "is in the range, both ends included", _between),
        Operator("starts_with", _TEXTS, Takes.PREFIX, "begins with the text, letter case included", _starts_with),
        Operator(
            "exists",
            _ANY,
            Takes.FLAG,
            "has a value, or has none",
            lambda name, value: lambda seen: (name in seen) is value,
        ),
    )
}
