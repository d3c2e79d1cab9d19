"""What of an order is passed on to PayPal: descriptive text is cut, ids and amounts never are."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.connectors.paypal.order import invoice_of, order_of
from chalicelib.connectors.paypal.places import operation_in
from chalicelib.connectors.paypal.settings import PayPalSettings
from chalicelib.contracts.amounts import Unwritable
from chalicelib.contracts.calls import CheckoutOrder
from chalicelib.domain.money import Money
from chalicelib.domain.order import Address, Customer, Line, Order
from tests.conformance.connectors.playing import STARTED_AT
from tests.conformance.connectors.recordings import ATTEMPT_ID, operation_of
from tests.connectors.paypal.profile import PROFILE

EUROS = Money(1050, "EUR")
WHOLE = Address("Keizersgracht 1", None, "Amsterdam", None, None, "NL")


def asked(amount: Money = EUROS, settings: dict[str, Any] | None = None, **order: Any) -> Any:
    given = {"order_reference": "order-1001", **order}
    wanted = Order(amount, return_url="https://shop.example/r", cancel_url="https://shop.example/c", **given)
    checkout = CheckoutOrder(
        ATTEMPT_ID, "paypal-eu", wanted, STARTED_AT, "https://pay.example/returns/t", wanted.cancel_url
    )
    return order_of(checkout, PayPalSettings.model_validate({**PROFILE.settings, **(settings or {})}, strict=False))


def unit(**order: Any) -> Any:
    return asked(**order)["purchase_units"][0]


def wallet(**order: Any) -> Any:
    return asked(**order)["payment_source"]["paypal"]


def test_the_shopper_comes_back_by_our_link_and_gives_up_at_the_shops() -> None:
    context = wallet()["experience_context"]
    assert context["return_url"] == "https://pay.example/returns/t"
    assert context["cancel_url"] == "https://shop.example/c"


def test_a_long_description_is_cut_and_one_of_blanks_is_the_shops_reference() -> None:
    assert unit(description="é" * 300)["description"] == "é" * 127
    assert unit(description=" \n\t ")["description"] == "order-1001"
    assert unit(description="a" * 126 + " b")["description"] == "a" * 126


@pytest.mark.parametrize("reference", ["order-1001", "x" * 64, "東" * 64, " "])
def test_both_ids_stand_whole_in_the_invoice_and_are_found_again(reference: str) -> None:
    found = unit(order_reference=reference)
    assert found["custom_id"] == ATTEMPT_ID
    assert found["invoice_id"].endswith(ATTEMPT_ID)
    invoice = invoice_of(reference, operation_of("a"))
    assert len(invoice) <= 127
    assert operation_in({"invoice_id": invoice}) == operation_of("a")
    assert operation_in(found) is None


@pytest.mark.parametrize(
    "invoice", [None, "", 17, "op_", f"{operation_of('a')}x", f"{operation_of('a')}\n", "x" * 10_000]
)
def test_another_invoice_names_no_operation(invoice: Any) -> None:
    assert operation_in({"invoice_id": invoice}) is None


@pytest.mark.parametrize(
    ("amount", "wanted"),
    [
        (Money(1050, "EUR"), "10.50"),
        (Money(1, "USD"), "0.01"),
        (Money(1050, "JPY"), "1050"),
        (Money(105_000, "HUF"), "1050"),
        (Money(10**12, "EUR"), "10000000000.00"),
    ],
)
def test_amounts_are_written_with_paypals_decimals(amount: Money, wanted: str) -> None:
    assert unit(amount=amount)["amount"] == {"currency_code": amount.currency, "value": wanted}


@pytest.mark.parametrize("amount", [Money(1050, "HUF"), Money(1, "TWD")])
def test_an_amount_that_paypal_can_not_write_is_never_rounded(amount: Money) -> None:
    with pytest.raises(Unwritable):
        asked(amount)


def line(value: int, quantity: int = 1, currency: str = "EUR", **more: Any) -> Line:
    return Line(more.pop("name", "Book"), quantity, Money(value, currency), **more)


def test_lines_are_passed_on_where_they_come_to_the_amount() -> None:
    found = unit(lines=(line(525, 2, reference="sku-1"), line(0, name="x" * 200)))
    assert [one["quantity"] for one in found["items"]] == ["2", "1"]
    assert found["items"][0]["sku"] == "sku-1"
    assert found["items"][1]["name"] == "x" * 127
    assert found["amount"]["breakdown"] == {"item_total": {"currency_code": "EUR", "value": "10.50"}}


@pytest.mark.parametrize("lines", [(), (line(1000),), (line(1051),)])
def test_lines_that_do_not_come_to_the_amount_are_left_out(lines: tuple[Line, ...]) -> None:
    found = unit(lines=lines)
    assert "items" not in found
    assert "breakdown" not in found["amount"]


def test_lines_that_paypal_can_not_write_are_left_out() -> None:
    half = line(50, 2, "HUF")
    assert "items" not in unit(amount=Money(100, "HUF"), lines=(half,))


@pytest.mark.parametrize(
    "address",
    [
        None,
        Address(),
        Address("Street 1", None, "Town"),
        Address("Street 1", None, None, None, None, "NL"),
        Address(" ", None, "Town", None, None, "NL"),
    ],
)
def test_an_address_that_paypal_would_refuse_is_left_out(address: Address | None) -> None:
    found = asked(shipping_address=address, billing_address=address)
    assert "shipping" not in found["purchase_units"][0]
    paypal = found["payment_source"]["paypal"]
    assert "address" not in paypal
    assert paypal["experience_context"]["shipping_preference"] == "NO_SHIPPING"


def test_a_whole_address_is_the_one_that_is_shipped_to_unless_it_is_not_to_be_passed_on() -> None:
    order = {"shipping_address": WHOLE, "billing_address": WHOLE}
    wanted = {"address_line_1": "Keizersgracht 1", "admin_area_2": "Amsterdam", "country_code": "NL"}
    assert unit(**order)["shipping"] == {"type": "SHIPPING", "address": wanted}
    assert wallet(**order)["address"] == wanted
    kept = asked(settings={"pass_addresses": False}, **order)
    assert "shipping" not in kept["purchase_units"][0]
    assert "address" not in kept["payment_source"]["paypal"]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("Ada King Lovelace", {"given_name": "Ada King", "surname": "Lovelace"}),
        ("Plato", None),
        ("", None),
        (None, None),
    ],
)
def test_a_name_is_passed_on_where_it_has_two_parts(name: str | None, wanted: dict[str, str] | None) -> None:
    assert wallet(customer=Customer(name=name)).get("name") == wanted


@pytest.mark.parametrize(
    "email",
    ['"a b"@shop.example', "a@b", "a..b@shop.example", "é@shop.example", "a@-shop.example", "x" * 250 + "@b.example"],
)
def test_an_email_address_that_paypal_would_refuse_is_left_out(email: str) -> None:
    assert "email_address" not in wallet(customer=Customer(email=email))


@pytest.mark.parametrize(
    ("tag", "wanted"),
    [
        ("nl-NL", "nl-NL"),
        ("NL-nl", "nl-NL"),
        ("zh-Hant-TW", "zh-TW"),
        ("nl", None),
        ("es-419", None),
        ("fil-PH", None),
        ("", None),
        (None, None),
    ],
)
def test_a_locale_has_five_characters_or_is_left_to_paypal(tag: str | None, wanted: str | None) -> None:
    assert wallet(locale=tag)["experience_context"].get("locale") == wanted


@pytest.mark.parametrize(("method", "page"), [("paypal", "LOGIN"), ("card", "GUEST_CHECKOUT"), (None, "NO_PREFERENCE")])
def test_the_method_chooses_the_page(method: str | None, page: str) -> None:
    assert wallet(payment_method=method)["experience_context"]["landing_page"] == page


def test_settings_choose_the_shops_name_and_what_may_wait() -> None:
    context = asked(settings={"brand_name": "The Shop", "instant_payments_only": True})["payment_source"]["paypal"]
    assert context["experience_context"]["brand_name"] == "The Shop"
    assert context["experience_context"]["payment_method_preference"] == "IMMEDIATE_PAYMENT_REQUIRED"
