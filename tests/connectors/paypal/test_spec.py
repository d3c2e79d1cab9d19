"""Every request that the connector can send is one that PayPal's specification takes, and its tables have every word of it."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.connectors.paypal.connector import PayPalConnector
from chalicelib.connectors.paypal.issues import ERROR_NAME, ISSUE
from chalicelib.connectors.paypal.tables import (
    AUTHORIZATION_STATUS,
    CAPTURE_STATUS,
    EVENT_TYPE,
    ORDER_STATUS,
    REFUND_STATUS,
    STATUSES,
)
from chalicelib.contracts.amounts import Unwritable
from chalicelib.contracts.calls import AttemptRef, MoneyOrder
from chalicelib.contracts.conversation import HttpRequest
from chalicelib.domain.money import Money
from chalicelib.domain.order import CaptureMode, Order
from tests.conformance.connectors.by_hand import requests_of
from tests.conformance.connectors.checkouts import orders
from tests.conformance.connectors.openapi import specification
from tests.conformance.connectors.playing import STARTED_AT, WEBHOOK_URL, checkout_of
from tests.conformance.connectors.profile import connector_of
from tests.conformance.connectors.recordings import ATTEMPT_ID, exchanges_of, object_of, operation_of
from tests.conformance.connectors.specs import is_in_one_of
from tests.connectors.paypal.signing import signed

SPEC = specification("paypal.json")
SCHEMAS = SPEC.schemas
# It contradicts itself: one of the words that it lists, GUEST_CHECKOUT, is longer than it lets them be.
del SCHEMAS["ord_paypal_wallet_experience_context"]["properties"]["landing_page"]["maxLength"]
BASE = "https://api-m.sandbox.paypal.com"
BESIDES = ("/v1/oauth2/token", "/v1/customer/disputes/", "/v1/notifications/certs/")  # are in no file of these


def check(request: HttpRequest) -> Any:
    """The body, where the specification has such a call."""
    assert request.url.startswith(f"{BASE}/v")
    assert not urlsplit(request.url).query
    return None if urlsplit(request.url).path.startswith(BESIDES) else SPEC.check(request)[1]


def hold_to_the_specification(order: Order, **changes: Any) -> None:
    requests = requests_of(connector_of("paypal", **changes).open_checkout(checkout_of(order)))
    if not requests:
        with pytest.raises(Unwritable):
            PayPalConnector.amounts.written(order.amount)
        return
    (request,) = requests
    check(request)
    unit = json.loads(request.body or b"")["purchase_units"][0]
    amount = unit["amount"]
    assert PayPalConnector.amounts.read(amount["value"], amount["currency_code"]) == order.amount
    assert unit["custom_id"] == ATTEMPT_ID
    assert unit["invoice_id"].endswith(ATTEMPT_ID)
    if "items" in unit:
        total = sum(int(one["quantity"]) * _value(one["unit_amount"]) for one in unit["items"])
        assert total == _value(amount["breakdown"]["item_total"]) == order.amount.value


def _value(amount: Any) -> int:
    return PayPalConnector.amounts.read(amount["value"], amount["currency_code"]).value


@settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow])
@given(order=orders(PayPalConnector.capabilities), addresses=st.booleans(), brand=st.none() | st.just("The 店"))
def test_every_order_that_can_be_asked_for_is_one_that_paypal_takes(
    order: Order, addresses: bool, brand: str | None
) -> None:
    hold_to_the_specification(order, pass_addresses=addresses, brand_name=brand, instant_payments_only=addresses)


@pytest.mark.long
@settings(max_examples=5_000, suppress_health_check=list(HealthCheck))
@given(order=orders(PayPalConnector.capabilities))
def test_five_thousand_orders_are_ones_that_paypal_takes(order: Order) -> None:
    hold_to_the_specification(order)


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(order=orders(PayPalConnector.capabilities), value=st.integers(1, 10**6), final=st.booleans())
def test_every_operation_is_one_that_paypal_takes(order: Order, value: int, final: bool) -> None:
    connector, ref = connector_of("paypal"), AttemptRef(checkout_of(order), "5O190127TN364715T")
    some = MoneyOrder(ref, operation_of("a"), Money(value, order.amount.currency), "a reason", final)
    all_of_it = MoneyOrder(ref, operation_of("b"), None)
    approved, held, paid = (object_of("paypal", f"order_{name}") for name in ("approved", "held", "paid"))
    body = json.dumps({"id": "WH-1", "event_type": "X", "resource": {}}).encode()
    delivery = signed(body, "8PT597110X687430L", STARTED_AT)
    asking = connector_of("paypal", webhook_verification="postback")
    conversations = [
        (connector.capture(some), [held]),
        (connector.cancel(some), [held]),
        (connector.refund(some), [paid]),
        (connector.refund(all_of_it), [paid]),
        (connector.complete(ref), [approved]),
        (connector.fetch(ref), []),
        (connector.expire(ref), []),
        (connector.test(), [{"access_token": "A21AAKitAccessToken", "expires_in": 100}]),
        (connector.look_up("/v2/payments/captures/3C679366HH908993F"), []),
        (connector.create_webhook(WEBHOOK_URL), []),
        (asking.verify(delivery), [{"verification_status": "FAILURE"}]),
    ]
    whole = _is_writable(some.amount)
    for conversation, answers in conversations:
        requests = requests_of(conversation, *answers)
        for request in requests:
            check(request)
        assert requests or not whole
    if order.capture is CaptureMode.MANUAL:
        assert requests_of(connector.complete(ref), approved)[-1].url.endswith("/authorize")


def _is_writable(amount: Money | None) -> bool:
    try:
        return amount is not None and bool(PayPalConnector.amounts.written(amount))
    except Unwritable:
        return False


def test_every_error_that_the_specification_documents_is_in_the_tables() -> None:
    errors = SPEC.lists("issue", "name")
    issues = {word for at, words in errors.items() if at.endswith(".issue") for word in words}
    assert len(issues) > 200
    assert issues <= ISSUE.meanings.keys()
    names = {word for at, words in errors.items() if at.endswith(".name") for word in words}
    assert len(names) > 8
    assert names <= ERROR_NAME.meanings.keys()


UNREAD = {  # what is passed on as it is, of cards that PayPal has no page for, or of things that are never asked for
    *(f"{of}_{what}_status_details.reason" for of in ("ord", "pay") for what in ("authorization", "capture", "refund")),
    *(f"{of}_processor_response.{code}" for of in ("ord", "pay") for code in ("response_code", "payment_advice_code")),
    *(f"{of}_seller_protection.status" for of in ("ord", "pay")),
    "ord_vault_response.status",
}


def test_every_other_list_of_words_is_one_that_decides_nothing() -> None:
    documented = SPEC.lists("status", "reason", "response_code", "payment_advice_code")
    assert {at for at, words in documented.items() if not is_in_one_of(STATUSES, words)} == UNREAD


def test_every_event_that_the_specification_names_is_in_the_table() -> None:
    named = set(re.findall(r"\b(?:PAYMENT|CHECKOUT|CUSTOMER)(?:\.[A-Z-]+){2}\b", json.dumps(SPEC.document)))
    assert len(named) >= 5
    assert named <= EVENT_TYPE.meanings.keys()


def test_the_tables_have_every_status_of_the_specification() -> None:
    assert set(ORDER_STATUS.meanings) == set(SCHEMAS["ord_order_status"]["enum"])
    for table, name in (
        (AUTHORIZATION_STATUS, "pay_authorization_status"),
        (CAPTURE_STATUS, "pay_capture_status"),
        (REFUND_STATUS, "pay_refund_status"),
    ):
        assert set(table.meanings) == set(SCHEMAS[name]["properties"]["status"]["enum"])


def test_every_object_of_the_recordings_is_one_of_the_specification() -> None:
    """What was written by hand has the fields and words that PayPal has."""
    for name, schema in (
        ("order", "ord_order"), ("order_approved", "ord_order"), ("order_paid", "ord_order"), ("order_held", "ord_order"),
        ("order_part", "ord_order"), ("order_refunded", "ord_order"), ("capture", "pay_capture-2"),
        ("capture_part", "pay_capture-2"), ("hold", "pay_authorization-2"), ("refund", "pay_refund"), ("event", "wh_event"),
    ):  # fmt: skip
        found = object_of("paypal", name)
        assert not SPEC.wrong(SCHEMAS[schema], found), name
        assert not list(SPEC.unknown(SCHEMAS[schema], found, name))


ODD = ("nobody has heard of", "not PayPal's", "elsewhere", "somebody else", "TELEPORTED")  # what PayPal does not give


def test_every_answer_of_the_scenarios_has_the_form_that_the_specification_gives_it() -> None:
    """But those that are about words, ids and links that PayPal does not give."""
    checked = 0
    for scenario, exchange in exchanges_of("paypal"):
        request, answer = exchange["request"], exchange["answer"]
        status = answer.get("status", 200)
        beside = urlsplit(request["url"]).path.startswith(BESIDES)
        if beside or not 200 <= status < 300 or any(one in scenario.name for one in ODD):
            continue
        wrong = SPEC.wrong_in_answer(request["method"], request["url"], status, answer.get("body"))
        assert not wrong, f"{scenario.name}: {wrong[0]}"
        checked += wrong is not None
    assert checked > 50
