"""What rules see of a payment at its edges: the longest, the empty, the odd."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.order import Customer
from chalicelib.routing.fields import FIELDS, OPERATORS, field_of, inputs_of
from tests.builders import NOW
from tests.routing.test_engine import BARE, FULL


@pytest.mark.parametrize(
    ("field", "op", "value", "why"),
    [
        ("metadata.x", "eq", "y" * 500, None),
        ("metadata.x", "eq", "two\nlines", None),
        ("metadata.x", "starts_with", "y" * 500, None),
        ("amount", "in", list(range(1, 101)), None),
        ("amount", "in", list(range(1, 102)), "in takes a list"),
        ("payment_method", "eq", "x" * 32, None),
        ("payment_method", "eq", "x" * 33, "payment_method is lower case, such as card or ideal"),
        ("locale", "eq", "nl-NL-x-" + "y" * 27, None),
        ("locale", "eq", "nl_NL", "locale is a tag of BCP 47, such as nl-NL"),
        ("locale", "eq", "nl-NL-x-" + "y" * 28, "locale is a tag of BCP 47, such as nl-NL"),
        (
            "customer.email_domain",
            "eq",
            "A.example",
            "customer.email_domain is what stands behind the @, in lower case",
        ),
    ],
)
def test_a_value_is_taken_up_to_its_limit(field: str, op: str, value: Any, why: str | None) -> None:
    known = field_of(field)
    assert known is not None
    assert OPERATORS[op].problem(known, value) == why


def test_a_key_of_metadata_has_1_to_40_characters() -> None:
    assert [bool(field_of("metadata." + "x" * length)) for length in (0, 1, 40, 41)] == [False, True, True, False]


def test_a_field_of_metadata_is_the_value_under_its_key() -> None:
    channel = field_of("metadata.channel")
    assert channel is not None
    assert (channel.value_of(FULL, NOW), channel.value_of(BARE, NOW)) == ("web", None)


def test_the_domain_of_an_address_stands_behind_its_last_at() -> None:
    order = replace(FULL, customer=Customer(id=None, email='"me@home"@Example.com'))
    assert inputs_of(order, NOW)["customer.email_domain"] == "example.com"


@pytest.mark.parametrize("name", ["country", "locale", "payment_method"])
def test_an_empty_text_is_not_seen(name: str) -> None:
    assert name in inputs_of(FULL, NOW)
    assert name not in inputs_of(replace(FULL, **{name: ""}), NOW)  # type: ignore[arg-type]


def test_fields_and_operators_go_by_their_own_names() -> None:
    assert [one.name for one in FIELDS.values()] == list(FIELDS)
    assert [one.name for one in OPERATORS.values()] == list(OPERATORS)
