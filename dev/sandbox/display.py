"""How the sandbox's own web pages write an amount."""

from __future__ import annotations

from dev.sandbox.sessions import Json

USUAL_DECIMALS = 2
NO_DECIMALS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
THREE_DECIMALS = "BHD IQD JOD KWD LYD OMR TND"
DECIMALS = dict.fromkeys(NO_DECIMALS.split(), 0) | dict.fromkeys(THREE_DECIMALS.split(), 3)


def money(amount: Json) -> str:
    """`EUR 1,234.50`, out of minor units, with the currency's own number of decimals."""
    currency, minor = amount["currency"], amount["value"]
    decimals = DECIMALS.get(currency, USUAL_DECIMALS)
    major, rest = divmod(minor, 10**decimals)
    return f"{currency} {major:,}" + (f".{rest:0{decimals}}" if decimals else "")
