"""What is passed on to Mollie of an order, and what is left out because Mollie would refuse the whole for it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.connectors.mollie.connector import MollieConnector
from chalicelib.connectors.mollie.methods import locale_of
from chalicelib.connectors.mollie.order import is_reachable, metadata_of, payment_of
from chalicelib.connectors.mollie.places import key_of, payment_id_of, payment_path
from chalicelib.connectors.mollie.settings import MollieSettings
from chalicelib.contracts.calls import AttemptRef, CheckoutOrder
from chalicelib.domain.facts import Fact, Kind, State
from chalicelib.domain.money import Money
from chalicelib.domain.order import Address, CaptureMode, Customer, Line, Order
from tests.conformance.connectors.by_hand import held
from tests.conformance.connectors.playing import checkout_of
from tests.conformance.connectors.recordings import ATTEMPT_ID, object_of

WHOLE = Address(line1="Keizersgracht 1", city="Amsterdam", postal_code="1015 CJ", country="NL")
HERS = Customer(email="shopper@example.com", name="Ada de Vries", phone="+31 (20) 123-45.67")


def ordered(**given: Any) -> CheckoutOrder:
    known = {"amount": Money(1050, "EUR"), "order_reference": "order-1", "return_url": "https://s.example/r"}
    return checkout_of(Order(**{**known, "cancel_url": "https://s.example/c", **given}))


@pytest.mark.parametrize(
    ("tag", "locale"),
    [
        ("nl-BE", "nl_BE"),
        ("nl", "nl_NL"),
        ("nl-SR", "nl_NL"),
        ("en_GB", "en_GB"),
        ("en-AU", "en_US"),
        ("de-Latn-AT", "de_AT"),
        ("no", "nb_NO"),
        ("nn-NO", "nb_NO"),
        ("pt-BR", "pt_PT"),
        ("ja-JP", None),
        ("", None),
        (None, None),
    ],
)
def test_a_language_is_the_nearest_that_mollie_speaks(tag: str | None, locale: str | None) -> None:
    assert locale_of(tag) == locale


@pytest.mark.parametrize(
    ("url", "reachable"),
    [
        ("https://pay.example/webhooks/a/b?attempt=c", True),
        ("https://pay.example:8443/x", True),
        ("https://93.184.216.34/x", True),
        ("http://localhost:8000/x", False),
        ("http://127.0.0.1/x", False),
        ("http://[::1]:8000/x", False),
        ("http://10.0.0.7/x", False),
        ("http://shop.local/x", False),
        ("http://pay.internal./x", False),
        ("http://gateway/x", False),
        ("", False),
    ],
)
def test_a_webhook_that_mollie_could_not_reach_is_left_out(url: str, reachable: bool) -> None:
    """It would refuse the payment."""
    assert is_reachable(url) is reachable
    assert ("webhookUrl" in payment_of(replace(ordered(), webhook_url=url))) is reachable


@pytest.mark.parametrize("missing", ["line1", "city", "postal_code", "country"])
def test_an_address_that_is_not_whole_is_left_out_but_for_her_e_mail(missing: str) -> None:
    part = replace(WHOLE, **{missing: None})
    body = payment_of(ordered(billing_address=part, shipping_address=part, customer=HERS))
    assert "shippingAddress" not in body
    assert body["billingAddress"] == {
        "givenName": "Ada de",
        "familyName": "Vries",
        "phone": "+31201234567",
        "email": "shopper@example.com",
    }


@pytest.mark.parametrize("name", ["Zoë", "A Vries", "Ada 17", "", None])
def test_a_name_that_mollie_would_refuse_is_left_out(name: str | None) -> None:
    body = payment_of(ordered(billing_address=WHOLE, customer=Customer(name=name)))
    assert not {"givenName", "familyName"} & body["billingAddress"].keys()


@pytest.mark.parametrize("phone", ["020 123 45 67", "+31", "+0123456789", "call me", None])
def test_a_telephone_number_without_its_country_is_left_out(phone: str | None) -> None:
    body = payment_of(ordered(billing_address=WHOLE, customer=Customer(phone=phone)))
    assert "phone" not in body["billingAddress"]


def test_lines_that_do_not_come_to_the_amount_are_one_line() -> None:
    lines = (Line("Book", 2, Money(500, "EUR")),)
    whole = {"currency": "EUR", "value": "10.50"}
    assert payment_of(ordered(lines=lines, description="Two books"))["lines"] == [
        {"description": "Two books", "quantity": 1, "unitPrice": whole, "totalAmount": whole}
    ]


def test_what_has_no_words_is_called_as_the_order_or_the_attempt_is() -> None:
    lines = (Line(" ", 1, Money(1050, "EUR")),)
    assert payment_of(ordered(lines=lines))["lines"][0]["description"] == "order-1"
    assert payment_of(ordered(order_reference=" \u2003", description=" "))["description"] == ATTEMPT_ID


def test_metadata_keeps_our_names_and_what_there_is_room_for() -> None:
    given = {
        "paymentserver_operation": "op_of_somebody",
        "big": "x" * 2_000,
        "small": "y",
        "order_reference": "another",
    }
    assert metadata_of(ordered(metadata=given, customer=Customer(id="c-1"))) == {
        "paymentserver_attempt": ATTEMPT_ID,
        "order_reference": "order-1",
        "small": "y",
        "customer_id": "c-1",
    }


@pytest.mark.parametrize(
    "id", [None, "", "tr_", "re_1", "tr_a/b", "tr_a?b", "tr_../x", "tr_a\n", "tr_é", "tr_" + "a" * 61]
)
def test_what_is_no_payments_id_goes_into_no_path(id: str | None) -> None:
    with pytest.raises(ValueError, match="no id"):
        payment_path(id)


@pytest.mark.parametrize(
    ("href", "id"),
    [
        ("https://api.mollie.com/v2/payments/tr_1", "tr_1"),
        ("/v2/payments/tr_1/refunds/re_2", "tr_1"),
        ("https://api.mollie.com.evil.example/v2/payments/tr_1", None),
        ("https://api.mollie.com/v2/payments/../tr_1", None),
        ("https://api.mollie.com/v2/payments/tr_1?x", None),
        (17, None),
    ],
)
def test_an_address_of_the_api_names_its_payment(href: object, id: str | None) -> None:
    assert payment_id_of(href) == id


def test_a_key_looks_like_the_uuid_that_mollie_asks_for_and_is_always_the_same() -> None:
    assert key_of("att_1") == key_of("att_1") != key_of("att_2")
    assert key_of("att_1")[14] == "4"


def test_a_hold_that_is_over_is_released_though_mollie_no_longer_says_that_it_was_held() -> None:
    order = ordered(capture=CaptureMode.MANUAL)
    known = (Fact(ATTEMPT_ID, Kind.AUTHORIZATION, "tr_kit1", State.SUCCEEDED, Money(1050, "EUR")),)
    payment = {**object_of("mollie", "read"), "status": "canceled"}
    connector = MollieConnector(MollieSettings.model_validate({"api_key": "test_KeyOfNobody"}, strict=False))
    said = {(one.kind, one.id) for one in told_of(connector, AttemptRef(order, "tr_kit1", known), payment)}
    assert (Kind.RELEASE, "release:tr_kit1") in said
    nothing = {(one.kind, one.id) for one in told_of(connector, AttemptRef(order, "tr_kit1"), payment)}
    assert (Kind.AUTHORIZATION, "tr_kit1") not in nothing


def told_of(connector: MollieConnector, attempt: AttemptRef, payment: Any) -> list[Fact]:
    _, facts = held(connector.fetch(attempt), payment)
    assert facts is not None, "one call reads it all"
    return list(facts)
