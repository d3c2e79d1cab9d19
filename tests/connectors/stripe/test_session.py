"""What an order must not be able to do to its own checkout at Stripe."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.connectors.stripe.session import session_of
from chalicelib.contracts.calls import CheckoutOrder
from tests.conformance.connectors.by_hand import answer
from tests.conformance.connectors.playing import checkout_of, order_of
from tests.conformance.connectors.profile import connector_of
from tests.conformance.connectors.recordings import object_of


def checkout(**wanted: Any) -> CheckoutOrder:
    return checkout_of(order_of(wanted))


def test_our_names_in_metadata_are_ours_alone() -> None:
    """An operation's name on the Payment Intent would make the sale look like a capture that somebody asked for."""
    theirs = {"paymentserver_operation": "op_" + "a" * 24 + "_" + "b" * 10, "paymentserver_x": "1", "colour": "red"}
    fields = session_of(checkout(metadata=theirs))
    for metadata in (fields["metadata"], fields["payment_intent_data"]["metadata"]):
        assert set(metadata) == {"colour", "order_reference", "paymentserver_attempt"}


@pytest.mark.parametrize(
    "email", ["a@b", "shopper@localhost", "jürgen@shop.example", "a@exämple.com", "a..b@shop.example", "x@-.com"]
)
def test_an_address_that_stripe_would_refuse_is_left_out(email: str) -> None:
    assert "customer_email" not in session_of(checkout(customer={"email": email}))


def test_an_ordinary_address_is_passed_on() -> None:
    fields = session_of(checkout(customer={"email": "a.shopper+1@mail.shop.example"}))
    assert fields["customer_email"] == "a.shopper+1@mail.shop.example"


def test_a_blank_order_reference_is_no_products_name() -> None:
    fields = session_of(checkout(order_reference=" ", lines=[{"name": " ", "quantity": 1, "unit_amount": 1050}]))
    assert fields["line_items"][0]["price_data"]["product_data"]["name"].strip()
    assert fields["payment_intent_data"]["description"].strip()


@pytest.mark.parametrize(
    "url", ["http://checkout.stripe.com/c/pay/1", "javascript:alert(1)", "https:///c/pay/1", "//x.example"]
)
def test_a_shopper_is_sent_nowhere_but_to_a_page_over_https(url: str) -> None:
    conversation = connector_of("stripe").open_checkout(checkout())
    next(conversation)
    with pytest.raises(ValueError):
        conversation.send(answer({**object_of("stripe", "session"), "url": url}))
