"""Exact money: an integer in minor units with its currency, and never a float."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

VALUE_MAX = 10**12

# ISO 4217 list one, edition of 2026-01-01: codes in circulation by the number of decimals they are written with. Funds
# codes and metals are left out, because nobody pays with them; a test holds the table to the published list.
_CODES_BY_EXPONENT = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF",
    2: "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC "
    "CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD "
    "KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO "
    "NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL "
    "THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG",
    3: "BHD IQD JOD KWD LYD OMR TND",
}
EXPONENT = {code: exponent for exponent, codes in _CODES_BY_EXPONENT.items() for code in codes.split()}


@dataclass(frozen=True, slots=True)
class Money:
    value: int  # minor units: 1050 EUR is 10.50 euro
    currency: str  # ISO 4217, upper case

    def to_major(self) -> Decimal:
        """The amount as people write it, with exactly the currency's decimals."""
        return Decimal(self.value).scaleb(-EXPONENT[self.currency])

    @staticmethod
    def from_major(amount: Decimal, currency: str) -> Money:
        """Raises ValueError where `amount` has more decimals than the currency."""
        minor = amount.scaleb(EXPONENT[currency])
        if minor != minor.to_integral_value():
            raise ValueError(f"{amount} has more decimals than {currency} is written with")
        return Money(int(minor), currency)

    def __str__(self) -> str:
        """For people. A currency that nobody here knows is told in the units it came in."""
        known = self.currency in EXPONENT
        return f"{self.to_major()} {self.currency}" if known else f"{self.value} minor units of {self.currency}"
