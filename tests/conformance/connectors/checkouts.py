"""Checkouts as hypothesis makes them: every field, currency, length and script that `POST /v1/checkouts` lets through."""

from __future__ import annotations

from hypothesis import strategies as st

from chalicelib.contracts.connector import Capabilities
from chalicelib.domain.money import VALUE_MAX, Money
from chalicelib.domain.order import Address, Customer, Line, Order

# Letters of several scripts, combining ones, signs and emoji; without control characters and half surrogate pairs, which
# the API refuses.
_LINE = st.characters(exclude_categories=("Cs", "Cc", "Cn", "Zl", "Zp"))
_SCRIPTS = st.sampled_from(
    [
        "Zoë",
        "Ærøskøbing",
        "東京都",
        "Ελλάδα",
        "שלום",
        "مرحبا",
        "ไทย",
        "👩‍👩‍👧‍👦",
        "é",
        "a&b=c;d",
        "100 % [x]",
        "<b>",
        "\u202eevil",
    ]
)


def line(most: int, least: int = 1) -> st.SearchStrategy[str]:
    made = st.text(_LINE, min_size=least, max_size=most)
    return st.one_of(made, _SCRIPTS, st.just("x" * most)).filter(lambda text: least <= len(text) <= most)


_EMAILS = st.sampled_from(["a@b.example", "x" * 64 + "@" + "y" * 63 + ".example", "o'neil+tag@shop.example"])
_COUNTRIES = st.sampled_from(["NL", "DE", "US", "BR", "JP", "FI"])
_LOCALES = st.sampled_from(
    ["nl-NL", "en", "pt-BR", "zh-Hant-TW", "sr-Latn-RS", "es-419", "es-MX", "no", "x-klingon", "fil-PH"]
)
_CUSTOMERS = st.builds(
    Customer,
    id=st.none() | line(64),
    email=st.none() | _EMAILS,
    name=st.none() | line(255),
    phone=st.none() | st.sampled_from(["+31201234567", "020 123 45 67", "x" * 40]),
)
_ADDRESSES = st.builds(
    Address,
    line1=st.none() | line(255),
    line2=st.none() | line(255),
    city=st.none() | line(255),
    postal_code=st.none() | line(32),
    region=st.none() | line(255),
    country=st.none() | _COUNTRIES,
)
_METADATA = st.dictionaries(line(40), line(500, 0), max_size=20)


@st.composite
def orders(draw: st.DrawFn, can: Capabilities) -> Order:
    """An order that routing would give the connector; its lines come to its amount, or do not."""
    currency = draw(st.sampled_from(sorted(can.currencies)))
    least, most = can.amount_limits.get(currency, (None, None))
    value = draw(st.integers(least or 1, most or VALUE_MAX))
    lines = draw(st.lists(_lines(currency), max_size=4))
    if lines and draw(st.booleans()):
        total = sum(one.quantity * one.unit_amount.value for one in lines)
        value = total if (least or 1) <= total <= (most or VALUE_MAX) else value
    return Order(
        amount=Money(value, currency),
        order_reference=draw(line(64)),
        return_url=draw(
            st.sampled_from(["https://shop.example/r", "https://shop.example/r?a=1&b=%20#x", "http://localhost:9/r"])
        ),
        cancel_url="https://shop.example/c",
        payment_method=draw(st.none() | st.sampled_from(sorted(can.payment_methods))),
        capture=draw(st.sampled_from(sorted(can.capture_modes, key=str))),
        description=draw(st.none() | line(255)),
        locale=draw(st.none() | _LOCALES),
        country=draw(st.none() | _COUNTRIES),
        customer=draw(st.none() | _CUSTOMERS),
        billing_address=draw(st.none() | _ADDRESSES),
        shipping_address=draw(st.none() | _ADDRESSES),
        lines=tuple(lines),
        metadata=draw(st.none() | _METADATA),
    )


def _lines(currency: str) -> st.SearchStrategy[Line]:
    return st.builds(
        Line,
        name=line(255),
        quantity=st.integers(1, 1_000_000) | st.integers(1, 9),
        unit_amount=st.integers(0, 100_000).map(lambda value: Money(value, currency)),
        reference=st.none() | line(64),
    )
