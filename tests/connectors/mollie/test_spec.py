"""Every request that the connector can send is one that Mollie's specification takes, its tables have every word of it, and
what the tests take for Mollie's answers has its shape."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema_rs import Draft202012Validator

from chalicelib.connectors.mollie.connector import MollieConnector
from chalicelib.connectors.mollie.methods import LOCALES, METHODS
from chalicelib.connectors.mollie.tables import (
    CAPTURE_STATUS,
    EVENT_TYPE,
    FAILURE_REASON,
    PAYMENT_STATUS,
    REFUND_STATUS,
)
from chalicelib.contracts.calls import AttemptRef, CheckoutOrder, MoneyOrder
from chalicelib.contracts.conversation import HttpRequest, HttpResponse
from chalicelib.domain.money import Money
from chalicelib.domain.order import CaptureMode, Order
from tests.builders import NOW
from tests.conformance.connectors.checkouts import orders
from tests.conformance.connectors.playing import STARTED_AT
from tests.conformance.connectors.profile import connector_of
from tests.conformance.connectors.recordings import ATTEMPT_ID, object_of, operation_of
from tests.conformance.connectors.specs import spec_file
from tests.connectors.mollie.peer import API_KEY, Mollie

SPEC = json.loads(spec_file("mollie.json"))
SCHEMAS = SPEC["components"]["schemas"]
WEBHOOK_URLS = (
    f"https://pay.example/webhooks/default/mollie-nl?attempt={ATTEMPT_ID}.{'0' * 32}",
    "http://localhost:8000/webhooks/default/mollie-nl?attempt=x",
)


@cache
def validator(schema: str) -> Draft202012Validator:
    """Of OpenAPI 3.1, whose schemas are JSON Schema; `schema` is one's JSON, so that each is made once."""
    return Draft202012Validator({**json.loads(schema), "components": SPEC["components"]}, validate_formats=True)


def wrong_in(schema: Any, value: Any) -> list[str]:
    return [f"{one.instance_path}: {one.message}" for one in validator(json.dumps(schema)).iter_errors(value)]


def resolved(part: Any) -> Any:
    while "$ref" in part:
        found: Any = SPEC
        for name in part["$ref"][2:].split("/"):
            found = found[name]
        part = found
    return part


def operation_for(method: str, url: str) -> Any:
    path = urlsplit(url).path
    for template, operations in SPEC["paths"].items():
        if re.fullmatch(re.sub(r"\{[A-Za-z]+\}", "[^/]+", template), path):
            return operations[method.lower()]
    raise AssertionError(f"{path} is in no specification")


def check(request: HttpRequest) -> Any:
    """The body. Fields that the specification does not know are wrong, though its schemas are open."""
    assert request.url.startswith("https://api.mollie.com/v2/")
    operation = operation_for(request.method, request.url)
    parameters = [resolved(one) for one in operation.get("parameters", ())]
    query = dict(parse_qsl(urlsplit(request.url).query))
    assert query.keys() <= {one["name"] for one in parameters if one["in"] == "query"}
    if request.moves_money:
        assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", request.headers["Idempotency-Key"])
    if request.body is None:
        return None
    body = json.loads(request.body)
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    answered = {
        f'[]: "{name}" is a required property' for name, one in properties_of(schema).items() if is_answered(one)
    }
    errors = [one for one in wrong_in(schema, body) if one not in answered]
    assert not errors, errors[0]
    known_alone(body, schema)
    return body


def is_answered(field: Any) -> bool:
    """Whether it is in answers alone: what is required and read-only is not required of a request."""
    field = resolved(field)
    return field.get("readOnly") is True or any(map(is_answered, field.get("allOf", ())))


def known_alone(value: Any, schema: Any, at: str = "") -> None:
    if not isinstance(value, dict):
        return
    known = properties_of(schema)
    for name, part in value.items():
        assert name in known, f"{at}/{name} is no field of the specification"
        inner = resolved(known[name])
        if name == "metadata":
            continue
        if isinstance(part, list):
            for one in part:
                known_alone(one, resolved(inner["items"]), f"{at}/{name}")
        known_alone(part, inner, f"{at}/{name}")


def properties_of(schema: Any) -> dict[str, Any]:
    schema = resolved(schema)
    found = dict(schema.get("properties", {}))
    for one in schema.get("allOf", ()):
        found = {**properties_of(one), **found}
    return found


def requests_of(conversation: Any, answers: list[tuple[int, Any]]) -> list[HttpRequest]:
    asked: list[HttpRequest] = []
    try:
        asked.append(next(conversation))
        for status, body in answers:
            asked.append(conversation.send(HttpResponse(status, {}, json.dumps(body).encode())))
    except StopIteration:
        pass
    return asked


def checkout(order: Order, webhook_url: str = WEBHOOK_URLS[0]) -> CheckoutOrder:
    return CheckoutOrder(ATTEMPT_ID, "mollie-nl", order, STARTED_AT, order.return_url, order.cancel_url, webhook_url)


def check_payment(order: Order, webhook_url: str) -> None:
    (request,) = requests_of(connector_of("mollie").open_checkout(checkout(order, webhook_url)), [])
    body = check(request)
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
    connector, ref = connector_of("mollie"), AttemptRef(checkout(order), "tr_kit1")
    amount = None if value is None else Money(value, order.amount.currency)
    some = MoneyOrder(ref, operation_of("a"), amount, reason, final)
    bare = {**object_of("mollie", "payment"), "isCancelable": True}
    linked = {**bare, "_links": {name: {"href": "x"} for name in ("captures", "refunds", "chargebacks")}}
    conversations = [
        (connector.capture(some), [(201, object_of("mollie", "capture"))]),
        (connector.cancel(some), [(200, object_of("mollie", "held"))]),
        (connector.refund(some), []),
        (
            connector.fetch(ref),
            [(200, linked)] + [(200, {"_embedded": {name: []}}) for name in ("captures", "refunds")],
        ),
        (connector.expire(ref), [(200, bare)]),
        (connector.test(), []),
        (connector.look_up("tr_kit1"), []),
    ]
    for conversation, answers in conversations:
        asked = requests_of(conversation, answers)
        assert len(asked) >= len(answers)
        for request in asked:
            check(request)


def enum(schema: str) -> set[str]:
    return {one for one in SCHEMAS[schema]["enum"] if one is not None}


def test_the_tables_have_every_word_of_the_specification() -> None:
    assert set(PAYMENT_STATUS.meanings) == enum("payment-status")
    assert set(CAPTURE_STATUS.meanings) == enum("capture-status")
    assert set(REFUND_STATUS.meanings) == enum("refund-status")
    assert set(FAILURE_REASON.meanings) == enum("payment-details-failure-reason-response")


def test_each_event_method_and_locale_is_one_of_the_specification() -> None:
    about = ("payment.", "refund.", "chargeback.", "capture.")
    assert set(EVENT_TYPE.meanings) == {one for one in enum("webhook-event-types") if one.startswith(about)}
    assert enum("locale") == LOCALES
    assert set(METHODS.values()) <= enum("method")


OBJECTS = {
    "payment": "payment-response", "read": "payment-response", "paid": "payment-response", "held": "payment-response",
    "capture": "capture-response", "refund": "entity-refund-response", "chargeback": "entity-chargeback",
    "event": "entity-webhook-event", "error": "error-response",
}  # fmt: skip


@pytest.mark.parametrize("name", OBJECTS)
def test_every_object_of_the_recordings_is_one_of_the_specification(name: str) -> None:
    assert not wrong_in({"$ref": f"#/components/schemas/{OBJECTS[name]}"}, object_of("mollie", name))


def test_the_peer_answers_as_the_specification_says() -> None:
    """What the end-to-end tests take for Mollie: each answer of a payment's life."""
    peer, connector = Mollie(lambda: NOW), connector_of("mollie")
    order = next_order()

    def told(method: str, path: str, body: Any = None) -> Any:
        headers = {"authorization": f"Bearer {API_KEY}"}
        status, said = peer.answer(method, path, headers, b"" if body is None else json.dumps(body).encode())
        answer = resolved(operation_for(method, path)["responses"][str(status)])
        if "content" in answer:
            (content,) = answer["content"].values()
            assert not wrong_in(content["schema"], said), f"{method} {path}"
        return said

    (opening,) = requests_of(connector.open_checkout(checkout(order)), [])
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
