from __future__ import annotations

import string
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.api.card_numbers import has_card_number, is_card_number, refuse_card_numbers
from chalicelib.api.models_checkout import CHECKOUT_EXAMPLE
from chalicelib.domain.errors import Invalid

# Numbers that the schemes and PSPs publish for testing.
TEST_NUMBERS = {
    "Visa": "4242424242424242",
    "Visa debit": "4000056655665556",
    "Visa, 19 digits": "4000000000000000006",
    "Mastercard": "5555555555554444",
    "Mastercard, series 2": "2223003122003222",
    "American Express 34": "343434343434343",
    "American Express 37": "378282246310005",
    "Diners Club 30": "30569309025904",
    "Diners Club 36": "36227206271667",
    "Diners Club 38": "38520000023237",
    "Discover 6011": "6011111111111117",
    "Discover 65": "6510000000000000",
    "JCB": "3566002020360505",
    "UnionPay": "6200000000000005",
    "UnionPay, 19 digits": "6205500000000000004",
    "Maestro": "6759649826438453",
    "Mir": "2200000000000053",
    "RuPay 60": "6073849700004947",
    "RuPay 81": "8171999900000009",
}


def with_check_digit(digits: str) -> str:
    return next(digits + last for last in "0123456789" if luhn(digits + last))


def luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (1 + place % 2)
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


@pytest.mark.parametrize("scheme", TEST_NUMBERS)
def test_a_published_test_number_is_found(scheme: str) -> None:
    number = TEST_NUMBERS[scheme]
    number = number if luhn(number) else with_check_digit(number[:-1])
    assert is_card_number(number)


@pytest.mark.parametrize(
    "text",
    [
        "4242 4242 4242 4242",
        "4242-4242-4242-4242",
        "3782 822463 10005",
        "card:4242424242424242.",
        "4242 4242 4242 4242 12/30",
        "4242 4242 4242 4242 123",
        "12 4242 4242 4242 4242",
        "x4242424242424242y",
        "4 2 4 2 4 2 4 2 4 2 4 2 4 2 4 2",
    ],
)
def test_a_card_number_is_found_however_people_write_it(text: str) -> None:
    assert has_card_number(text)


@pytest.mark.parametrize(
    "text",
    [
        "4242424242424241",  # the check digit is wrong
        "14242424242424242",  # within a longer run
        "42424242424242421",
        "4242  4242  4242  4242",  # two spaces part it
        "4242/4242/4242/4242",
        "424242424242",
        "+31201234567",
        "2026-03-01T12:00:00.000000Z",
        "978-3-16-148410-0",
        "",
    ],
)
def test_other_digits_pass(text: str) -> None:
    assert not has_card_number(text)


@pytest.mark.parametrize(
    ("document", "pointer"),
    [
        ({"description": "pay 4242424242424242"}, "/description"),
        ({"metadata": {"card": "5555 5555 5555 4444"}}, "/metadata/card"),
        ({"metadata": {"4242424242424242": "x"}}, "/metadata/…"),
        ({"lines": [{"name": "ok"}, {"name": "378282246310005"}]}, "/lines/1/name"),
        ({"amount": {"value": 4242424242424242}}, "/amount/value"),
        ({"amount": {"value": 4242424242424242.0}}, "/amount/value"),
        ("4242424242424242", ""),
    ],
)
def test_a_body_with_a_card_number_anywhere_is_refused_and_not_repeated(document: Any, pointer: str) -> None:
    with pytest.raises(Invalid) as refused:
        refuse_card_numbers(document)
    assert [one.pointer for one in refused.value.errors] == [pointer]
    assert refused.value.slug == "card-number"
    assert not any(has_card_number(text) for text in (refused.value.detail, str(refused.value.errors)))


def test_a_usual_checkout_passes() -> None:
    refuse_card_numbers(CHECKOUT_EXAMPLE)


@given(st.integers(946_684_800_000, 4_102_444_800_000))
def test_a_millisecond_timestamp_passes(timestamp: int) -> None:
    refuse_card_numbers({"order_reference": str(timestamp), "metadata": {"at": timestamp}})


@given(st.datetimes(datetime(1900, 1, 1), datetime(2199, 12, 31)))
def test_a_date_of_14_digits_passes(at: datetime) -> None:
    refuse_card_numbers({"order_reference": f"{at:%Y%m%d%H%M%S}"})


@given(st.text("0123456789", min_size=12, max_size=12))
def test_an_article_number_passes(digits: str) -> None:
    weighted = sum(int(digit) * (1, 3)[place % 2] for place, digit in enumerate(digits))
    refuse_card_numbers({"lines": [{"reference": digits + str(-weighted % 10)}]})


@given(st.sampled_from(["4", "51", "2221", "6011", "62"]), st.data())
def test_every_number_of_16_digits_with_its_check_digit_is_found(prefix: str, data: st.DataObject) -> None:
    length = 15 - len(prefix)
    rest = data.draw(st.text("0123456789", min_size=length, max_size=length))
    assert is_card_number(with_check_digit(prefix + rest))


@given(st.text(string.printable, max_size=200))
def test_any_text_is_judged_without_an_error(text: str) -> None:
    assert has_card_number(text) in (True, False)
