from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.api.body import parsed
from chalicelib.api.models import CHECKOUT_EXAMPLE, CheckoutRequest, EventModel, PaymentModel, order_of
from chalicelib.domain.amend import amend
from chalicelib.domain.change import Change
from chalicelib.domain.errors import Invalid
from chalicelib.domain.facts import Decline, DeclineClass, Kind, State
from chalicelib.domain.fold import fold
from chalicelib.domain.money import Money
from chalicelib.domain.order import Address, CaptureMode, Customer, Line
from chalicelib.domain.payment import Operation, Payment
from chalicelib.domain.view import view_of
from tests import builders

LEAST: dict[str, Any] = {
    "amount": {"value": 1050, "currency": "EUR"},
    "order_reference": "order-1001",
    "return_url": "https://shop.example/return",
}
LINE: dict[str, Any] = {"name": "Book", "quantity": 1, "unit_amount": {"value": 525, "currency": "EUR"}}


def read(document: object) -> CheckoutRequest:
    return parsed(CheckoutRequest, json.dumps(document).encode())


def with_(path: str, value: object) -> dict[str, Any]:
    """The whole example with one value changed."""
    document = copy.deepcopy(CHECKOUT_EXAMPLE)
    *parents, last = path.split(".")
    place = document
    for name in parents:
        place = place[name]
    place[last] = value
    return document


def test_the_example_of_the_documentation_is_taken() -> None:
    order = order_of(read(CHECKOUT_EXAMPLE))
    assert order.amount == Money(1050, "EUR")
    assert order.customer == Customer("c-17", "shopper@example.com", "A Shopper", "+31201234567")
    assert order.billing_address == Address("Keizersgracht 1", None, "Amsterdam", "1015 CJ", None, "NL")
    assert order.lines == (Line("Book", 2, Money(525, "EUR"), "sku-1"),)
    assert order.metadata == {"channel": "web"}


def test_three_fields_are_enough() -> None:
    order = order_of(read(LEAST))
    assert (order.route, order.capture, order.cancel_url) == ("default", CaptureMode.AUTOMATIC, order.return_url)


@pytest.mark.parametrize("name", LEAST)
def test_each_required_field_is_required(name: str) -> None:
    with pytest.raises(Invalid) as refused:
        read({key: value for key, value in LEAST.items() if key != name})
    assert [one.pointer for one in refused.value.errors] == [f"/{name}"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("return_url", "shop.example"),
        ("order_reference", "a\nb"),
        ("payment_method", "Card"),
        ("country", "nl"),
        ("locale", "nl_NL"),
        ("route", "Default"),
        ("amount.currency", "eur"),
        ("amount.currency", "XYZ"),
        ("customer.email", "shopper"),
        ("description", "a\0b"),
    ],
)
def test_what_to_mend_is_told_in_words(path: str, value: object) -> None:
    with pytest.raises(Invalid) as refused:
        read(with_(path, value))
    told = refused.value.errors[0].detail
    assert "pattern" not in told
    assert "Value error" not in told


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("amount.value", 1),
        ("amount.value", 10**12),
        ("amount.currency", "JPY"),
        ("order_reference", "x"),
        ("order_reference", "x" * 64),
        ("description", "x" * 255),
        ("description", None),
        ("payment_method", "klarna_paynow"),
        ("capture", "manual"),
        ("locale", "en"),
        ("locale", "zh-Hant-TW"),
        ("return_url", "http://localhost:9000/thanks?order=1#top"),
        ("return_url", "https://[::1]/x"),
        ("return_url", "https://shop.example/" + "x" * (2048 - 21)),
        ("metadata", {str(number): "x" * 500 for number in range(20)}),
        ("metadata", {"k" * 40: ""}),
        ("metadata", {}),
        ("lines", []),
        ("customer", {}),
    ],
)
def test_a_value_at_its_limit_is_taken(path: str, value: object) -> None:
    document = with_(path, value)
    if path == "amount.currency":
        document["lines"] = None
    read(document)


@pytest.mark.parametrize(
    ("path", "value", "pointer"),
    [
        ("amount.value", 0, "/amount/value"),
        ("amount.value", -1, "/amount/value"),
        ("amount.value", 10**12 + 1, "/amount/value"),
        ("amount.value", 10.0, "/amount/value"),
        ("amount.value", "10", "/amount/value"),
        ("amount.value", True, "/amount/value"),
        ("amount.value", None, "/amount/value"),
        ("amount.currency", "eur", "/amount/currency"),
        ("amount.currency", "XXX", "/amount/currency"),
        ("amount.currency", "XAU", "/amount/currency"),
        ("amount.extra", 1, "/amount/extra"),
        ("extra", 1, "/extra"),
        ("order_reference", "", "/order_reference"),
        ("order_reference", "x" * 65, "/order_reference"),
        ("order_reference", "a\nb", "/order_reference"),
        ("order_reference", 7, "/order_reference"),
        ("description", "x" * 256, "/description"),
        ("description", "\u0000", "/description"),
        ("route", "Default", "/route"),
        ("route", "", "/route"),
        ("payment_method", "Card", "/payment_method"),
        ("payment_method", "x" * 33, "/payment_method"),
        ("capture", "later", "/capture"),
        ("locale", "nl_NL", "/locale"),
        ("country", "nl", "/country"),
        ("country", "NLD", "/country"),
        ("customer.id", "x" * 65, "/customer/id"),
        ("customer.email", "no address", "/customer/email"),
        ("customer.birthday", "2000-01-01", "/customer/birthday"),
        ("billing_address.country", "Netherlands", "/billing_address/country"),
        ("billing_address.line1", "x" * 256, "/billing_address/line1"),
        ("lines", [LINE] * 101, "/lines"),
        ("lines", [{**LINE, "quantity": 0}], "/lines/0/quantity"),
        ("lines", [{**LINE, "name": ""}], "/lines/0/name"),
        ("metadata", {str(number): "x" for number in range(21)}, "/metadata"),
        ("metadata", {"k": "x" * 501}, "/metadata/k"),
        ("metadata", {"k": None}, "/metadata/k"),
        ("metadata", {"k": 1}, "/metadata/k"),
        ("metadata", [], "/metadata"),
    ],
)
def test_a_value_beyond_its_limit_is_refused_where_it_stands(path: str, value: object, pointer: str) -> None:
    with pytest.raises(Invalid) as refused:
        read(with_(path, value))
    assert [one.pointer for one in refused.value.errors] == [pointer]


@pytest.mark.parametrize("key", ["", "k" * 41, "a\nb"])
def test_a_bad_key_of_the_metadata_is_refused(key: str) -> None:
    with pytest.raises(Invalid) as refused:
        read(with_("metadata", {key: "x"}))
    assert [one.pointer for one in refused.value.errors] == [f"/metadata/{key}"]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/return",
        "shop.example/return",
        "//shop.example/return",
        "ftp://shop.example/return",
        "javascript:alert(1)",
        "HTTPS:shop.example",
        "https://",
        "https:///return",
        "https://user@shop.example/",
        "https://user:secret@shop.example/",
        "https://shop.example\\@evil.example/",
        "https://shop.example/a b",
        "https://shop.example/\r\nSet-Cookie: a=b",
        "https://shop.example/\n",
        "https://shop.example/é",
        "https://shop.example:0/",
        "https://shop.example:99999/",
        "https://[::1/",
        "https://[:::::]/",
        "https://shop.example/" + "x" * 2028,
    ],
)
@pytest.mark.parametrize("name", ["return_url", "cancel_url"])
def test_a_url_that_no_shopper_could_be_sent_to_is_refused(name: str, url: str) -> None:
    with pytest.raises(Invalid) as refused:
        read({**LEAST, name: url})
    assert [one.pointer for one in refused.value.errors] == [f"/{name}"]


def test_a_line_in_another_currency_is_named() -> None:
    dollars = {**LINE, "unit_amount": {"value": 1, "currency": "USD"}}
    with pytest.raises(Invalid) as refused:
        read({**LEAST, "lines": [LINE, dollars]})
    assert [one.pointer for one in refused.value.errors] == ["/lines/1/unit_amount/currency"]


def rich_payment() -> Payment:
    """Declined at one PSP, paid, partly refunded and disputed at the next."""
    refund = Operation("op_1", "refund", builders.attempt_id(2), Money(100, "EUR"), "api", builders.NOW, "too many")
    no = Decline(DeclineClass.SOFT, "insufficient_funds", "51", "Not sufficient funds")
    declined = replace(builders.opened(1), state=State.REFUSED, decline=no)
    before = builders.payment(attempts=2)
    order = order_of(read(CHECKOUT_EXAMPLE))
    before = replace(before, order=replace(order, amount=Money(1000, "EUR")), operations=(refund,))
    facts = (
        declined,
        builders.opened(2),
        builders.fact(Kind.CAPTURE, "ch_1", State.SUCCEEDED, 1000, 2),
        builders.fact(Kind.REFUND, "re_1", State.SUCCEEDED, 100, 2, operation_id="op_1"),
        builders.fact(Kind.DISPUTE, "dp_1", State.OPENED, 50, 2, reason="fraudulent"),
    )
    return amend(before, Change(facts=facts), builders.NOW)


def shown_payment() -> Payment:
    """With a page for the shopper to go to."""
    page = replace(builders.attempt(1), action=replace(builders.page(), expires_at=builders.NOW))
    return amend(builders.payment(), Change(attempts=(page,), facts=(builders.opened(),)), builders.NOW)


@pytest.mark.parametrize("made", [builders.payment, rich_payment, shown_payment])
def test_a_payment_shows_exactly_what_is_documented(made: Callable[[], Payment]) -> None:
    payment = made()
    shown = json.loads(json.dumps(view_of(payment, fold(payment))))
    model = PaymentModel.model_validate(shown)
    assert model.model_dump(mode="json", by_alias=True) == shown


def test_an_event_shows_exactly_what_is_documented() -> None:
    event = EventModel.model_validate_json(rich_payment().outbox[-1].body)
    PaymentModel.model_validate(event.data["payment"])
