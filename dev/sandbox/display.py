"""How the sandbox's own web pages write an amount."""

from __future__ import annotations

from dev.sandbox.sessions import Json

NO_DECIMALS = frozenset(
    [
        "BIF",
        "CLP",
        "DJF",
        "GNF",
        "ISK",
        "JPY",
        "KMF",
        "KRW",
        "PYG",
        "RWF",
        "UGX",
        "UYI",
        "VND",
        "VUV",
        "XAF",
        "XOF",
        "XPF",
    ]
)
THREE_DECIMALS = frozenset(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"])


def money(amount: Json) -> str:
    """`EUR 1,234.50`, out of minor units, with the currency's own number of decimals."""
    currency, minor = amount["currency"], amount["value"]
    decimals = 0 if currency in NO_DECIMALS else 3 if currency in THREE_DECIMALS else 2
    major, rest = divmod(minor, 10**decimals)
    return f"{currency} {major:,}" + (f".{rest:0{decimals}}" if decimals else "")
