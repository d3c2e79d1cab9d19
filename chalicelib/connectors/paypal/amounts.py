"""PayPal's currencies, and how it writes amounts: text in major units (developer.paypal.com/api/rest/reference/currency-codes).

HUF and TWD take no decimals there, although ISO 4217 gives them two. BRL, CNY and MYR are for accounts of those countries
alone.
"""

from __future__ import annotations

from chalicelib.contracts.amounts import MajorText

_TAKEN = "AUD BRL CAD CHF CNY CZK DKK EUR GBP HKD HUF ILS JPY MXN MYR NOK NZD PHP PLN SEK SGD THB TWD USD"
CURRENCIES = frozenset(_TAKEN.split())
AMOUNTS = MajorText(departures={"HUF": 0, "TWD": 0})
