"""Checkouts as hypothesis makes them: every field, currency, length and script that `POST /v1/checkouts` lets through."""

from __future__ import annotations

from hypothesis import strategies as st

from chalicelib.api.models_checkout import LINES_MAX, URL_MAX
from chalicelib.contracts.connector import Capabilities
from chalicelib.domain.money import VALUE_MAX, Money
from chalicelib.domain.order import Address, Customer, Line, Order

# Letters of several scripts, combining ones, signs and emoji, separators of lines and what no standard has assigned; without
# the control characters of ASCII and half surrogate pairs, which the API refuses.
_LINE = st.characters(exclude_categories=("Cs",), exclude_characters=[*map(chr, range(32)), "\x7f"])
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
        "two\u2028lines",
        "next\x85line",
        "\uffff",
    ]
)
LONGEST_URL = "https://shop.example/".ljust(URL_MAX, "x")
# Characters of one to four bytes, and some that JSON, URLs and HTML write longer.
_AT_LIMIT = st.sampled_from(["x", "é", "東", "ש", "😀", '"', "&"])


def line(most: int, least: int = 1) -> st.SearchStrategy[str]:
    made = st.text(_LINE, min_size=least, max_size=most)
    return st.one_of(made, _SCRIPTS, _AT_LIMIT.map(lambda one: one * most)).filter(
        lambda text: least <= len(text) <= most
    )


_TEXT = st.characters(
    exclude_categories=("Cs",), exclude_characters=[*(set(map(chr, range(32))) - set("\t\r\n")), "\x7f"]
)
_BLANKS = st.sampled_from(["", " ", "\n", "two\nlines", "\ttabbed\r\n", "ends in one\n"])


def text(most: int, least: int = 0) -> st.SearchStrategy[str]:
    """What a description, a name or a part of an address may be: also nothing, and several lines."""
    made = st.one_of(line(most), st.text(_TEXT, max_size=most), _BLANKS)
    return made.filter(lambda one: least <= len(one) <= most)


_EMAILS = st.sampled_from(
    [
        "a@b.example",
        "x" * 64 + "@" + "y" * 63 + ".example",
        "o'neil+tag@shop.example",
        "a@b",
        "jörg@münchen.example",
        "買い手@例え.example",
        "a..b@-.example",
        "<script>@b.example",
        "x" * 241 + "@long.example",
    ]
)
_COUNTRIES = st.sampled_from(["NL", "DE", "US", "BR", "JP", "FI", "XK", "ZZ"])
_LOCALES = st.sampled_from(
    ["nl-NL", "en", "pt-BR", "zh-Hant-TW", "sr-Latn-RS", "es-419", "es-MX", "no", "x-klingon", "fil-PH"]
)
_CUSTOMERS = st.builds(
    Customer,
    id=st.none() | line(64, 0),
    email=st.none() | _EMAILS,
    name=st.none() | text(255),
    phone=st.none() | st.sampled_from(["+31201234567", "020 123 45 67", "x" * 40, ""]),
)
_ADDRESSES = st.builds(
    Address,
    line1=st.none() | text(255),
    line2=st.none() | text(255),
    city=st.none() | text(255),
    postal_code=st.none() | line(32, 0),
    region=st.none() | text(255),
    country=st.none() | _COUNTRIES,
)
_METADATA = st.dictionaries(line(40), text(500), max_size=20)


@st.composite
def orders(draw: st.DrawFn, can: Capabilities) -> Order:
    """An order that routing would give the connector; its lines come to its amount, or do not."""
    currency = draw(st.sampled_from(sorted(can.currencies)))
    least, most = can.amount_limits.get(currency, (None, None))
    value = draw(st.integers(least or 1, most or VALUE_MAX))
    lines = draw(st.lists(_lines(currency), max_size=4))
    if lines and draw(st.integers(0, 9)) == 9:
        lines = (lines * LINES_MAX)[:LINES_MAX]
    if lines and draw(st.booleans()):
        total = sum(one.quantity * one.unit_amount.value for one in lines)
        value = total if (least or 1) <= total <= (most or VALUE_MAX) else value
    return Order(
        amount=Money(value, currency),
        order_reference=draw(line(64)),
        return_url=draw(
            st.sampled_from(
                ["https://shop.example/r", "https://shop.example/r?a=1&b=%20#x", "http://localhost:9/r", LONGEST_URL]
            )
        ),
        cancel_url="https://shop.example/c",
        payment_method=draw(st.none() | st.sampled_from(sorted(can.payment_methods))),
        capture=draw(st.sampled_from(sorted(can.capture_modes, key=str))),
        description=draw(st.none() | text(255)),
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
        name=text(255, 1),
        quantity=st.integers(1, 1_000_000) | st.integers(1, 9),
        unit_amount=st.integers(0, 100_000).map(lambda value: Money(value, currency)),
        reference=st.none() | line(64, 0),
    )
