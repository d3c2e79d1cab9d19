"""Mollie's currencies, and how it writes amounts: text in major units with exactly the currency's decimals
(docs.mollie.com/payments/multicurrency). ISK and JPY have none there, as in ISO 4217, and no currency has three.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalicelib.contracts.amounts import MajorText
from chalicelib.domain.money import Money

_TAKEN = (
    "AED AUD BRL CAD CHF CZK DKK EUR GBP HKD HUF ILS ISK JPY MXN MYR NOK NZD PHP PLN RON RUB SEK SGD THB TWD USD ZAR"
)
CURRENCIES = frozenset(_TAKEN.split())
AMOUNTS = MajorText()


def amount_of(money: Money) -> dict[str, str]:
    """Raises Unwritable."""
    return {"currency": money.currency, "value": AMOUNTS.written(money)}


def money_in(thing: Mapping[str, Any], field: str = "amount") -> Money:
    """Raises KeyError, TypeError or ValueError for what is no amount."""
    return AMOUNTS.read(thing[field]["value"], thing[field]["currency"])
