"""Money is exact, and its exponents are those of ISO 4217."""

from __future__ import annotations

from decimal import Decimal

import iso4217
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.money import EXPONENT, VALUE_MAX, Money

# Published in ISO 4217 but not what anybody pays with: funds, indexed units, accounting and precious metals.
LEFT_OUT = {"BOV", "CHE", "CHW", "CLF", "COU", "MXV", "USN", "UYI", "UYW", "XAD"}


def test_the_exponents_are_those_that_iso_4217_publishes() -> None:
    published = {one.code: one.exponent for one in iso4217.Currency if one.exponent is not None}
    assert {code: published[code] for code in EXPONENT} == EXPONENT
    assert published.keys() - EXPONENT.keys() == LEFT_OUT


@given(st.integers(0, VALUE_MAX), st.sampled_from(sorted(EXPONENT)))
def test_major_units_round_trip(value: int, currency: str) -> None:
    money = Money(value, currency)
    assert Money.from_major(money.to_major(), currency) == money


def test_more_decimals_than_the_currency_has_are_refused() -> None:
    with pytest.raises(ValueError, match="more decimals"):
        Money.from_major(Decimal("10.001"), "EUR")


@pytest.mark.parametrize(
    ("value", "currency", "text"), [(1050, "EUR", "10.50 EUR"), (5, "JPY", "5 JPY"), (1, "KWD", "0.001 KWD")]
)
def test_an_amount_is_written_with_its_currencys_decimals(value: int, currency: str, text: str) -> None:
    assert str(Money(value, currency)) == text


def test_an_amount_in_a_currency_that_nobody_knows_is_told_in_minor_units() -> None:
    assert str(Money(5, "XYZ")) == "5 minor units of XYZ"
