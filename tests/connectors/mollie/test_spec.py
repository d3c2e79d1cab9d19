"""Every request that the connector can send is one that Mollie's specification takes, its tables have every word of it, and
what the tests take for Mollie's answers has its shape."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.connectors.mollie.connector import MollieConnector
from chalicelib.connectors.mollie.methods import LOCALES, METHODS
from chalicelib.connectors.mollie.tables import (
    ALL,
    CAPTURE_STATUS,
    EVENT_TYPE,
    FAILURE_REASON,
    PAYMENT_STATUS,
    REFUND_STATUS,
)
from chalicelib.contracts.calls import AttemptRef, MoneyOrder
from chalicelib.contracts.conversation import HttpRequest
from chalicelib.domain.money import Money
from chalicelib.domain.order import CaptureMode, Order
from tests.builders import NOW
from tests.conformance.connectors.answering import Answer, Call
from tests.conformance.connectors.by_hand import answer, requests_of
from tests.conformance.connectors.checkouts import orders
from tests.conformance.connectors.openapi import specification
from tests.conformance.connectors.playing import checkout_of
from tests.conformance.connectors.profile import connector_of
from tests.conformance.connectors.recordings import ATTEMPT_ID, object_of, operation_of
from tests.conformance.connectors.specs import is_in_one_of
from tests.connectors.mollie.peer import API_KEY, Mollie

SPEC = specification("mollie.json")
WEBHOOK_URLS = (
    f"https://pay.example/webhooks/default/mollie-nl?attempt={ATTEMPT_ID}.{'0' * 32}",
    "http://localhost:8000/webhooks/default/mollie-nl?attempt=x",
)
KEY = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def check(request: HttpRequest) -> Any:
    """The body."""
    assert request.url.startswith("https://api.mollie.com/v2/")
    assert not request.moves_money or KEY.fullmatch(request.headers["Idempotency-Key"])
    return SPEC.check(request)[1]


def check_payment(order: Order, webhook_url: str) -> None:
    body = check(next(connector_of("mollie").open_checkout(checkout_of(order, webhook_url))))
    total = 0
    for line in body["lines"]:
        unit = MollieConnector.amounts.read(line["unitPrice"]["value"], line["unitPrice"]["currency"])
        assert MollieConnector.amounts.read(line["totalAmount"]["value"], unit.currency).value == (
            line["quantity"] * unit.value
        )
        total += line["quantity"] * unit.value
        assert 1 <= line["quantity"] <= 2**31 - 1
        assert 0 < len(line["description"]) <= 255
        assert len(line.get("sku", "")) <= 64
    assert total == order.amount.value
    assert MollieConnector.amounts.read(body["amount"]["value"], body["amount"]["currency"]) == order.amount
    assert 0 < len(body["description"]) <= 255
    assert body["metadata"]["paymentserver_attempt"] == ATTEMPT_ID
    assert len(json.dumps(body["metadata"])) <= 1_000
    assert body.get("webhookUrl") in (None, WEBHOOK_URLS[0])
    assert ("webhookUrl" in body) == (webhook_url == WEBHOOK_URLS[0])
    for address in (body.get("billingAddress"), body.get("shippingAddress")):
        if address is not None:
            whole = {"streetAndNumber", "postalCode", "city", "country"} <= address.keys()
            assert whole or "email" in address
            assert all(address.values())
    if body.get("method") == "banktransfer":
        assert "email" not in body.get("billingAddress", {})


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(order=orders(MollieConnector.capabilities), webhook_url=st.sampled_from(WEBHOOK_URLS))
def test_every_payment_that_can_be_asked_for_is_one_that_mollie_takes(order: Order, webhook_url: str) -> None:
    check_payment(order, webhook_url)


@pytest.mark.long
@settings(max_examples=5_000, suppress_health_check=list(HealthCheck))
@given(order=orders(MollieConnector.capabilities), webhook_url=st.sampled_from(WEBHOOK_URLS))
def test_five_thousand_payments_are_ones_that_mollie_takes(order: Order, webhook_url: str) -> None:
    check_payment(order, webhook_url)


@given(
    order=orders(MollieConnector.capabilities),
    value=st.none() | st.integers(1, 10**6),
    final=st.booleans(),
    reason=st.none() | st.sampled_from(["duplicate", "she changed her mind", ""]),
)
def test_every_operation_is_one_that_mollie_takes(
    order: Order, value: int | None, final: bool, reason: str | None
) -> None:
    connector, ref = connector_of("mollie"), AttemptRef(checkout_of(order, WEBHOOK_URLS[0]), "tr_kit1")
    amount = None if value is None else Money(value, order.amount.currency)
    some = MoneyOrder(ref, operation_of("a"), amount, reason, final)
    bare = {**object_of("mollie", "payment"), "isCancelable": True}
    linked = {**bare, "_links": {name: {"href": "x"} for name in ("captures", "refunds", "chargebacks")}}
    none = [answer({"_embedded": {name: []}}) for name in ("captures", "refunds")]
    conversations = [
        (connector.capture(some), [answer(object_of("mollie", "capture"), 201)]),
        (connector.cancel(some), [object_of("mollie", "held")]),
        (connector.refund(some), []),
        (connector.fetch(ref), [linked, *none]),
        (connector.expire(ref), [bare]),
        (connector.test(), []),
        (connector.look_up("tr_kit1"), []),
    ]
    for conversation, answers in conversations:
        asked = requests_of(conversation, *answers)
        assert len(asked) >= len(answers)
        for request in asked:
            check(request)


def enum(schema: str) -> set[str]:
    return {one for one in SPEC.schemas[schema]["enum"] if one is not None}


def test_the_tables_have_every_word_of_the_specification() -> None:
    assert set(PAYMENT_STATUS.meanings) == enum("payment-status")
    assert set(CAPTURE_STATUS.meanings) == enum("capture-status")
    assert set(REFUND_STATUS.meanings) == enum("refund-status")
    assert set(FAILURE_REASON.meanings) == enum("payment-details-failure-reason-response")

    assert set(EVENT_TYPE.meanings) == enum("webhook-event-types") - {"*"}


NEVER_ASKED_FOR = (
    "entity-method", "list-entity-method", "entity-payout-response", "payout-status-reason", "entity-sales-invoice-response",
    "sales-invoice-response", "entity-transfer-response", "status-history-entry-response", "status-reason-2",
    "create-webhook", "entity-webhook", "list-entity-webhook",
    "status-reason",  # of payments at a terminal, by what Mollie says of it
)  # fmt: skip


def test_every_other_list_of_words_is_about_what_is_never_asked_for() -> None:
    documented = SPEC.lists("status", "code", "failureReason", "eInvoiceStatus")
    unread = {at.partition(".")[0] for at, words in documented.items() if not is_in_one_of(ALL, words)}
    assert unread == set(NEVER_ASKED_FOR)


def test_each_method_and_locale_is_one_of_the_specification() -> None:
    assert enum("locale") == LOCALES
    assert set(METHODS.values()) <= enum("method")


OBJECTS = {
    "payment": "payment-response", "read": "payment-response", "paid": "payment-response", "held": "payment-response",
    "capture": "capture-response", "refund": "entity-refund-response", "chargeback": "entity-chargeback",
    "event": "entity-webhook-event", "error": "error-response",
}  # fmt: skip


@pytest.mark.parametrize("name", OBJECTS)
def test_every_object_of_the_recordings_is_one_of_the_specification(name: str) -> None:
    assert not SPEC.wrong(SPEC.schemas[OBJECTS[name]], object_of("mollie", name))


def test_the_peer_answers_as_the_specification_says() -> None:
    """What the end-to-end tests take for Mollie: each answer of a payment's life."""
    peer = Mollie(lambda: NOW)

    def told(method: str, target: str, body: Any = None) -> Any:
        headers = {"authorization": f"Bearer {API_KEY}"}
        said = peer.said(Call(method, target, headers, b"" if body is None else json.dumps(body).encode()))
        assert isinstance(said, Answer)
        document = json.loads(said.body or b"null")
        assert SPEC.wrong_in_answer(method, target, said.status, document) == [], f"{method} {target}"
        return document

    opening = next(connector_of("mollie").open_checkout(checkout_of(next_order(), WEBHOOK_URLS[0])))
    id = told("POST", "/v2/payments", json.loads(opening.body or b""))["id"]
    one = f"/v2/payments/{id}"
    told("PATCH", one, {"metadata": {"a": "b"}})
    told("DELETE", one)
    peer.pays(id, "creditcard")
    ten = {"currency": "EUR", "value": "10.00"}
    told("POST", f"{one}/captures", {"amount": ten})
    told("POST", f"{one}/release-authorization", {})
    peer.settles(id)
    told("POST", f"{one}/refunds", {"amount": ten})
    told("POST", f"{one}/refunds", {"amount": ten})
    peer.charges_back(id)
    told("GET", f"{one}?embed=captures,refunds,chargebacks")
    for name in ("captures", "refunds", "chargebacks"):
        told("GET", f"{one}/{name}")
    told("GET", "/v2/payments/tr_nobody")


def next_order() -> Order:
    return Order(
        amount=Money(1_500, "EUR"),
        order_reference="order-1",
        return_url="https://shop.example/r",
        cancel_url="https://shop.example/c",
        capture=CaptureMode.MANUAL,
    )
