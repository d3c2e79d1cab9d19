"""Every request that the connector can send is one that Paytrail's specification takes, and its tables are the
specification's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.connectors.paytrail.connector import PaytrailConnector
from chalicelib.connectors.paytrail.order import GROUPS, URL_CHARACTERS_MAX
from chalicelib.connectors.paytrail.tables import AMOUNT_MAX, ANSWER_STATUS, CURRENCIES, PAYMENT_STATUS, REFUND_STATUS
from chalicelib.contracts.calls import AttemptRef, CheckoutOrder, MoneyOrder, Refusal, RefusalKind
from chalicelib.domain.money import Money
from chalicelib.domain.order import Order
from tests.conformance.connectors.checkouts import LONGEST_URL, orders
from tests.conformance.connectors.playing import WEBHOOK_URL, checkout_of, order_of
from tests.conformance.connectors.profile import connector_of
from tests.conformance.connectors.recordings import ATTEMPT_ID, object_of, operation_of
from tests.connectors.paytrail.specification import SCHEMAS, SPEC, check, wrong_in

REFERENCE = "93ee8d18-10db-410b-92ac-7d6e49369ce3"


def checkout(order: Order) -> CheckoutOrder:
    return checkout_of(order, WEBHOOK_URL)


def check_page(order: Order) -> None:
    if order.return_url == LONGEST_URL:
        assert "300 characters" in refusal_of(order).detail
        return
    body = check(next(connector_of("paytrail").open_checkout(checkout(order))))
    assert body["amount"] == sum(one["unitPrice"] * one["units"] for one in body["items"]) == order.amount.value
    assert body["stamp"] == body["reference"] == ATTEMPT_ID


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(order=orders(PaytrailConnector.capabilities))
def test_every_page_that_can_be_asked_for_is_one_that_paytrail_takes(order: Order) -> None:
    check_page(order)


@pytest.mark.long
@settings(max_examples=5_000, suppress_health_check=list(HealthCheck))
@given(order=orders(PaytrailConnector.capabilities))
def test_five_thousand_pages_are_ones_that_paytrail_takes(order: Order) -> None:
    check_page(order)


@given(order=orders(PaytrailConnector.capabilities), value=st.integers(1, AMOUNT_MAX), reason=st.none() | st.text())
def test_every_other_call_is_one_that_paytrail_takes(order: Order, value: int, reason: str | None) -> None:
    connector, ref = connector_of("paytrail"), AttemptRef(checkout(order), REFERENCE)
    refund = check(next(connector.refund(MoneyOrder(ref, operation_of("a"), Money(value, "EUR"), reason))))
    assert refund["amount"] == value
    check(next(connector.fetch(ref)))
    check(next(connector.test()))


def refusal_of(order: Order, **changes: Any) -> Refusal:
    conversation = connector_of("paytrail", **changes).open_checkout(checkout(order))
    with pytest.raises(StopIteration) as told:
        next(conversation)
    assert isinstance(told.value.value, Refusal)
    return told.value.value


def test_a_payment_without_an_address_for_mail_is_refused_before_anything_is_sent() -> None:
    refusal = refusal_of(order_of({}), email=None)
    assert refusal.kind is RefusalKind.MISCONFIGURED
    assert "e-mail" in refusal.detail


@pytest.mark.parametrize("over", [0, 1])
def test_an_address_to_return_to_has_300_characters_at_most(over: int) -> None:
    assert SCHEMAS["Callbacks"]["properties"]["success"]["maxLength"] == URL_CHARACTERS_MAX
    url = "https://shop.example/".ljust(URL_CHARACTERS_MAX + over, "x")
    order = replace(order_of({}), return_url=url)
    if over:
        assert refusal_of(order).kind is RefusalKind.MISCONFIGURED
    else:
        check_page(order)


def test_the_tables_have_every_word_of_the_specification() -> None:
    assert set(PAYMENT_STATUS.meanings) == set(SCHEMAS["Payment"]["properties"]["status"]["enum"])
    assert set(REFUND_STATUS.meanings) == set(SCHEMAS["RefundResponse"]["properties"]["status"]["enum"])
    asked = (
        "/payments",
        "/payments/{transactionId}",
        "/payments/{transactionId}/refund",
        "/merchants/payment-providers",
    )
    answers = {code for path in asked for one in SPEC.document["paths"][path].values() for code in one["responses"]}
    assert answers - {"200", "201", "default"} == set(ANSWER_STATUS.meanings) - {"429"}


def test_amounts_currencies_and_groups_are_those_of_the_specification() -> None:
    fields = SCHEMAS["PaymentRequest"]["properties"]
    assert fields["amount"]["maximum"] == AMOUNT_MAX
    assert set(fields["currency"]["enum"]) == CURRENCIES
    assert set(GROUPS.values()) <= set(fields["groups"]["items"]["enum"])


def test_every_object_of_the_recordings_is_one_of_the_specification() -> None:
    for name, schema in (("page", "PaymentRequestResponse"), ("payment", "Payment"), ("refund", "RefundResponse")):
        assert wrong_in(schema, object_of("paytrail", name)) == [], name
