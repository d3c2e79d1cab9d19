"""Every request that the connector can send is one that Paytrail's specification takes, and its tables are the
specification's."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openapi_schema_validator import OAS30Validator

from chalicelib.connectors.paytrail.connector import PaytrailConnector
from chalicelib.connectors.paytrail.order import GROUPS, URL_CHARACTERS_MAX
from chalicelib.connectors.paytrail.tables import AMOUNT_MAX, ANSWER_STATUS, CURRENCIES, PAYMENT_STATUS, REFUND_STATUS
from chalicelib.contracts.calls import AttemptRef, CheckoutOrder, MoneyOrder, Refusal, RefusalKind
from chalicelib.contracts.conversation import HttpRequest
from chalicelib.domain.money import Money
from chalicelib.domain.order import Order
from tests.conformance.connectors.checkouts import orders
from tests.conformance.connectors.playing import STARTED_AT, WEBHOOK_URL, order_of
from tests.conformance.connectors.profile import connector_of
from tests.conformance.connectors.recordings import ATTEMPT_ID, object_of, operation_of
from tests.conformance.connectors.specs import spec_file

SPEC = json.loads(spec_file("paytrail.json"))
SCHEMAS = SPEC["components"]["schemas"]
REFERENCE = "93ee8d18-10db-410b-92ac-7d6e49369ce3"


def wrong_in(document: Any, schema: dict[str, Any]) -> list[str]:
    validator = OAS30Validator(
        {**schema, "components": SPEC["components"]}, format_checker=OAS30Validator.FORMAT_CHECKER
    )
    return [f"{'/'.join(map(str, one.path))}: {one.message[:200]}" for one in validator.iter_errors(document)]


def operation_for(request: HttpRequest) -> tuple[dict[str, Any], dict[str, str]]:
    """The operation, and what stands in the path's places."""
    for template, operations in SPEC["paths"].items():
        pattern = re.sub(r"\{([A-Za-z]+)\}", r"(?P<\1>[^/]+)", template)
        if found := re.fullmatch(pattern, urlsplit(request.url).path):
            return operations[request.method.lower()], found.groupdict()
    raise AssertionError(f"{request.url} is in no specification")


def check(request: HttpRequest) -> dict[str, Any]:
    """Held to the operation's headers, path and body; its body is answered."""
    assert request.url.startswith(SPEC["servers"][0]["url"] + "/")
    operation, places = operation_for(request)
    known = {one["name"]: one["schema"] for one in operation["parameters"]}
    assert set(request.headers) - {"Content-Type"} <= set(known)
    assert {name for name in known if name.startswith("checkout-")} <= set(request.headers)
    for name, text in {**places, **request.headers}.items():
        if name != "Content-Type":
            value = int(text) if known[name]["type"] == "integer" else text
            assert not wrong_in(value, known[name]), name
    assert request.headers["checkout-method"] == request.method
    assert places.get("transactionId") == request.headers.get("checkout-transaction-id")
    if request.body is None:
        assert "requestBody" not in operation
        return {}
    body = json.loads(request.body)
    wrong = wrong_in(body, operation["requestBody"]["content"]["application/json"]["schema"])
    assert not wrong, wrong[0]
    assert isinstance(body, dict)
    return body


def checkout(order: Order) -> CheckoutOrder:
    return CheckoutOrder(ATTEMPT_ID, "fi", order, STARTED_AT, order.return_url, order.cancel_url, WEBHOOK_URL)


def check_page(order: Order) -> None:
    body = check(next(connector_of("paytrail").open_checkout(checkout(order))))
    assert body["amount"] == sum(one["unitPrice"] * one["units"] for one in body["items"]) == order.amount.value
    assert body["stamp"] == body["reference"] == ATTEMPT_ID
    schema = SCHEMAS["PaymentRequest"]["properties"]
    assert set(body) <= set(schema)
    for name, part in (("customer", "Customer"), ("deliveryAddress", "Address"), ("invoicingAddress", "Address")):
        assert set(body.get(name, ())) <= set(SCHEMAS[part]["properties"])
    for one in body["items"]:
        assert set(one) <= set(SCHEMAS["Item"]["properties"])


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
    answers = {code for path in asked for one in SPEC["paths"][path].values() for code in one["responses"]}
    assert answers - {"200", "201", "default"} == set(ANSWER_STATUS.meanings) - {"429"}


def test_amounts_currencies_and_groups_are_those_of_the_specification() -> None:
    fields = SCHEMAS["PaymentRequest"]["properties"]
    assert fields["amount"]["maximum"] == AMOUNT_MAX
    assert set(fields["currency"]["enum"]) == CURRENCIES
    assert set(GROUPS.values()) <= set(fields["groups"]["items"]["enum"])


def test_every_object_of_the_recordings_is_one_of_the_specification() -> None:
    """Its lists of what is required name a field that it has not (`transctionId`, `paymentMethods`), so they are left out."""
    for name, schema in (("page", "PaymentRequestResponse"), ("payment", "Payment"), ("refund", "RefundResponse")):
        found, known = object_of("paytrail", name), SCHEMAS[schema]
        assert set(found) <= set(known["properties"]) | {"reference"}, name
        assert not wrong_in(found, {**known, "required": []}), name
