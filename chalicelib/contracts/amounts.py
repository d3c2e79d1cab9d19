"""How PSPs write amounts. Each has exponents of its own for some currencies, and takes only some amounts of others."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

from chalicelib.domain.money import EXPONENT, Money

_MAJOR = re.compile(r"(-?)(0|[1-9][0-9]{0,14})(?:\.([0-9]{1,4}))?")


class Unwritable(ValueError):
    """The PSP can not be asked for this amount: it takes no such currency, or not so many decimals."""


class Amounts(Protocol):
    """`written(read(x, c)) == x` for whatever the PSP says, and `read(written(m), c) == m` for whatever it takes."""

    def written(self, money: Money) -> int | str:
        """Raises Unwritable."""

    def read(self, said: object, currency: object) -> Money:
        """`currency` in upper or lower case. Raises ValueError for what is no amount of it."""


@dataclass(frozen=True, slots=True)
class _Exponents:
    """`departures`: the PSP's exponents where they are not those of ISO 4217. `steps`: the PSP's units that an amount must be
    a multiple of, where that is not one."""

    departures: Mapping[str, int] = field(default_factory=dict)
    steps: Mapping[str, int] = field(default_factory=dict)

    def exponent(self, currency: str) -> int:
        if currency not in EXPONENT:
            raise Unwritable(f"{currency[:10]} is no currency of ISO 4217")
        return self.departures.get(currency, EXPONENT[currency])

    def units_of(self, money: Money) -> int:
        """In the PSP's units."""
        shift = self.exponent(money.currency) - EXPONENT[money.currency]
        scale = int(10 ** abs(shift))
        units, rest = (money.value * scale, 0) if shift >= 0 else divmod(money.value, scale)
        if rest or units % self.steps.get(money.currency, 1):
            raise Unwritable(f"{money} has more decimals than the PSP takes")
        return units

    def money_of(self, units: int, currency: str) -> Money:
        if currency not in EXPONENT:  # the PSP was paid: this is no Unwritable
            raise ValueError(f"{currency[:10]} is no currency of ISO 4217")
        shift = self.exponent(currency) - EXPONENT[currency]
        scale = int(10 ** abs(shift))
        value, rest = (units * scale, 0) if shift <= 0 else divmod(units, scale)
        if rest:
            raise ValueError(f"{units} {currency} has more decimals than the currency")
        return Money(value, currency)


@dataclass(frozen=True, slots=True)
class MinorUnits(_Exponents):
    """Integers in the PSP's minor units: 10.50 euro is 1050."""

    def written(self, money: Money) -> int:
        return self.units_of(money)

    def read(self, said: object, currency: object) -> Money:
        if type(said) is not int or not isinstance(currency, str):
            raise ValueError("an amount is an integer and a currency")
        return self.money_of(said, currency.upper())


@dataclass(frozen=True, slots=True)
class MajorText(_Exponents):
    """Text in major units with exactly the PSP's decimals: 10.50 euro is "10.50"."""

    def written(self, money: Money) -> str:
        return str(Decimal(self.units_of(money)).scaleb(-self.exponent(money.currency)))

    def read(self, said: object, currency: object) -> Money:
        found = _MAJOR.fullmatch(said) if isinstance(said, str) else None
        if found is None or not isinstance(currency, str):
            raise ValueError("an amount is a decimal number as text and a currency")
        sign, whole, decimals = found.groups()
        exponent = self.departures.get(currency.upper(), EXPONENT.get(currency.upper(), 0))
        digits = (decimals or "").ljust(exponent, "0")
        if digits[exponent:].strip("0"):
            raise ValueError(f"{said} has more decimals than {currency[:10]}")
        return self.money_of(int(f"{sign}{whole}{digits[:exponent]}"), currency.upper())
