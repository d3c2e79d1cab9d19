"""A rule may only ask for a beginning that some payment's value may have: one that never matches is refused when saved."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from chalicelib.routing.rules import Condition


@pytest.mark.parametrize(
    ("field", "beginning"),
    [
        ("country", "N"),
        ("country", "NL"),
        ("currency", "EU"),
        ("payment_method", "car"),
        ("locale", "nl-"),
        ("customer.email_domain", "shop."),
        ("order_reference", "Any thing"),
        ("metadata.channel", "Any thing"),
    ],
)
def test_a_beginning_that_may_be_is_taken(field: str, beginning: str) -> None:
    assert Condition(field=field, op="starts_with", value=beginning).value == beginning


@pytest.mark.parametrize(
    ("field", "beginning"),
    [
        ("country", "nl"),
        ("country", "NLD"),
        ("currency", "eur"),
        ("currency", "E€"),
        ("payment_method", "Card"),
        ("locale", "nl_"),
        ("customer.email_domain", "@shop"),
        ("customer.email_domain", "Shop"),
    ],
)
def test_one_that_no_payment_has_is_refused(field: str, beginning: str) -> None:
    with pytest.raises(ValidationError, match="never begins so"):
        Condition(field=field, op="starts_with", value=beginning)
