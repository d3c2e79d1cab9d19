"""Which currencies Stripe takes, in which units, and how much (docs.stripe.com/currencies).

Amounts are integers in minor units, with Stripe's own exponents for three currencies: krona and shilling are written with two
decimals that must be zero, ariary with none. Of the three decimals of the dinars and rials the last must be zero.
"""

from __future__ import annotations

from chalicelib.contracts.amounts import MinorUnits
from chalicelib.domain.money import EXPONENT

_DINARS = ("BHD", "JOD", "KWD", "OMR", "TND")
_TAKEN = (
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BIF BMD BND BOB BRL BSD BWP BYN BZD CAD CDF CHF CLP CNY COP CRC CVE "
    "CZK DJF DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR ISK JMD JPY KES KGS "
    "KHR KMF KRW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD "
    "PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SEK SGD SHP SLE SOS SRD SZL THB TJS TOP TRY TTD TWD TZS "
    "UAH UGX USD UYU UZS VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW"
)
CURRENCIES = frozenset((*_TAKEN.split(), *_DINARS))
AMOUNTS = MinorUnits(
    departures={"ISK": 2, "UGX": 2, "MGA": 0}, steps={"ISK": 100, "UGX": 100, **dict.fromkeys(_DINARS, 10)}
)

DIGITS_MAX = 12  # of a card payment; most other methods take 8, which Stripe refuses by itself
LEAST = {  # minor units
    "AED": 200, "AUD": 50, "BRL": 50, "CAD": 50, "CHF": 50, "CZK": 1500, "DKK": 250, "EUR": 50, "GBP": 30, "HKD": 400,
    "HUF": 17500, "INR": 50, "JPY": 50, "MXN": 1000, "MYR": 200, "NOK": 300, "NZD": 50, "PLN": 200, "RON": 200, "SEK": 300,
    "SGD": 50, "THB": 1000, "USD": 50,
}  # fmt: skip


def limits() -> dict[str, tuple[int | None, int | None]]:
    """The least and the most of each currency in our minor units."""
    most = 10**DIGITS_MAX - 1
    return {
        currency: (LEAST.get(currency), int(most * 10 ** (EXPONENT[currency] - AMOUNTS.exponent(currency))))
        for currency in CURRENCIES
    }
