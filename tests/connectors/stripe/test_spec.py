"""Every request that the connector can send is one that Stripe's specification takes, and its tables are the specification's.

The bodies are bracketed forms: they are read back into an object, and that is held to the operation's schema.
"""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openapi_schema_validator import OAS30Validator

from chalicelib.connectors.stripe.connector import StripeConnector
from chalicelib.connectors.stripe.methods import LOCALES, METHODS
from chalicelib.connectors.stripe.tables import (
    ADVICE,
    API_VERSION,
    CANCELLATION_REASON,
    DISPUTE_STATUS,
    EVENT_TYPE,
    INTENT_STATUS,
    SESSION_STATUS,
)
from chalicelib.contracts.amounts import Unwritable
from chalicelib.contracts.connector import AttemptRef, CheckoutOrder, HttpRequest, HttpResponse, MoneyOrder
from chalicelib.domain.money import Money
from chalicelib.domain.payment import Order
from tests.conformance.connectors.checkouts import orders
from tests.conformance.connectors.playing import STARTED_AT
from tests.conformance.connectors.profile import connector_of
from tests.conformance.connectors.recordings import ATTEMPT_ID, object_of, operation_of
from tests.conformance.connectors.specs import spec_file

SPEC = json.loads(spec_file("stripe-current.json"))
SCHEMAS = SPEC["components"]["schemas"]
UPDATE = (
    "/v1/payment_intents/{intent}"  # writing metadata: left out of the trimmed file, whose field the creation has too
)


def nested(form: list[tuple[str, str]]) -> dict[str, Any]:
    """``a[b][0]=c`` as an object; names of digits alone make a list."""
    root: dict[str, Any] = {}
    for name, text in form:
        head, *rest = re.findall(r"[^\[\]]+", name)
        inner = root
        for part, following in zip([head, *rest], [*rest, None], strict=True):
            if following is None:
                assert part not in inner, f"{name} is sent twice"
                inner[part] = text
            else:
                inner = inner.setdefault(part, {})
    listed = _listed(root)
    assert isinstance(listed, dict)
    return listed


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    made = {name: _listed(part) for name, part in value.items()}
    if made and all(name.isdigit() for name in made):
        assert list(made) == [str(position) for position in range(len(made))]
        return list(made.values())
    return made


def typed(value: Any, schema: dict[str, Any]) -> Any:
    """A form holds text alone: integers and booleans by the schema."""
    schema = _resolved(schema)
    if "anyOf" in schema:
        schema = next(
            (one for one in map(_resolved, schema["anyOf"]) if one.get("type") == _kind(value)), schema["anyOf"][0]
        )
    if isinstance(value, dict):
        known, other = schema.get("properties", {}), schema.get("additionalProperties")
        free = other if isinstance(other, dict) else {}
        return {name: typed(part, known.get(name, free)) for name, part in value.items()}
    if isinstance(value, list):
        return [typed(part, schema.get("items", {})) for part in value]
    if schema.get("type") == "integer":
        assert re.fullmatch(r"-?[0-9]+", value), value
        return int(value)
    return {"true": True, "false": False}[value] if schema.get("type") == "boolean" else value


def _kind(value: Any) -> str:
    return {dict: "object", list: "array"}.get(type(value), "string")


def _resolved(schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        found: Any = SPEC
        for part in schema["$ref"][2:].split("/"):
            found = found[part]
        schema = found
    return schema


def operation_for(request: HttpRequest) -> tuple[str, dict[str, Any]]:
    path = urlsplit(request.url).path
    for template, operations in SPEC["paths"].items():
        if re.fullmatch(re.sub(r"\{[a-z_]+\}", "[^/]+", template), path):
            if template == UPDATE and request.method == "POST":
                return template, SPEC["paths"]["/v1/payment_intents"]["post"]
            return template, operations[request.method.lower()]
    raise AssertionError(f"{path} is in no specification")


def check(request: HttpRequest) -> None:
    assert request.url.startswith("https://api.stripe.com/v1/")
    assert request.headers["Stripe-Version"] == API_VERSION == SPEC["info"]["version"]
    key = request.headers.get("Idempotency-Key")
    assert key is None or 0 < len(key) <= 255
    template, operation = operation_for(request)
    known = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"}
    assert {name.removesuffix("[]") for name, _ in parse_qsl(urlsplit(request.url).query)} <= known
    if request.body is None:
        return
    form = parse_qsl(request.body.decode("ascii"), keep_blank_values=True, strict_parsing=bool(request.body))
    schema = operation["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"]
    body = typed(nested(form), schema)
    if template == UPDATE:  # creating asks for an amount, which updating does not
        body = {"amount": 1, "currency": "eur", **body}
    errors = [
        f"{'/'.join(map(str, one.path))}: {one.message}"
        for one in OAS30Validator({**schema, "components": SPEC["components"]}).iter_errors(body)
    ]
    assert not errors, errors[0]
    for name, text in (body.get("metadata") or {}).items():
        assert 0 < len(name) <= 40
        assert not set("[]") & set(name)
        assert len(text) <= 500


def requests_of(conversation: Any, answers: list[Any]) -> list[HttpRequest]:
    asked: list[HttpRequest] = []
    try:
        asked.append(next(conversation))
        for body in answers:
            asked.append(conversation.send(HttpResponse(200, {}, json.dumps(body).encode())))
    except StopIteration:
        pass
    return asked


def checkout(order: Order) -> CheckoutOrder:
    return CheckoutOrder(ATTEMPT_ID, "stripe-eu", order, STARTED_AT, order.return_url, order.cancel_url)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(order=orders(StripeConnector.capabilities))
def test_every_page_that_can_be_asked_for_is_one_that_stripe_takes(order: Order) -> None:
    requests = requests_of(connector_of("stripe").open_checkout(checkout(order)), [])
    if not requests:
        with pytest.raises(Unwritable):
            StripeConnector.amounts.written(order.amount)
        return
    (request,) = requests
    check(request)
    body = nested(parse_qsl((request.body or b"").decode(), keep_blank_values=True))
    total = sum(int(one["quantity"]) * int(one["price_data"]["unit_amount"]) for one in body["line_items"])
    assert StripeConnector.amounts.read(total, order.amount.currency) == order.amount
    assert len(body["metadata"]) <= 50
    assert body["metadata"]["paymentserver_attempt"] == ATTEMPT_ID


@pytest.mark.long
@settings(max_examples=5_000, suppress_health_check=list(HealthCheck))
@given(order=orders(StripeConnector.capabilities))
def test_five_thousand_pages_are_ones_that_stripe_takes(order: Order) -> None:
    for request in requests_of(connector_of("stripe").open_checkout(checkout(order)), []):
        check(request)


@given(
    order=orders(StripeConnector.capabilities),
    value=st.integers(1, 10**6),
    reason=st.none()
    | st.sampled_from(["duplicate", "fraudulent", "requested_by_customer", "she changed her mind", ""]),
)
def test_every_operation_is_one_that_stripe_takes(order: Order, value: int, reason: str | None) -> None:
    connector, intent = connector_of("stripe"), object_of("stripe", "intent_paid")
    ref = AttemptRef(checkout(order), "cs_test_kit1")
    session = object_of("stripe", "session_id_only")
    whole = object_of("stripe", "session_refunded")
    some = MoneyOrder(ref, operation_of("a"), Money(value, order.amount.currency), reason)
    page = {"object": "list", "has_more": False, "data": []}
    conversations = [
        (connector.capture(some), [session, intent]),
        (connector.cancel(some), [session, intent, intent]),
        (connector.refund(some), [session, object_of("stripe", "refund")]),
        (connector.fetch(ref), [whole, page]),
        (connector.expire(ref), [session]),
        (connector.test(), []),
        (connector.look_up("pi_kit1"), [intent]),
        (connector.create_webhook("https://pay.example/webhooks/default/stripe-eu"), []),
    ]
    for conversation, answers in conversations:
        for request in requests_of(conversation, answers):
            check(request)


def _without_nulls(value: Any) -> Any:
    """The derived file does not know that a choice of shapes can be null."""
    if isinstance(value, dict):
        return {name: _without_nulls(part) for name, part in value.items() if part is not None}
    return value


def enum(schema: str, field: str) -> set[str]:
    return set(SCHEMAS[schema]["properties"][field]["enum"])


def test_the_tables_have_every_word_of_the_specification() -> None:
    assert set(SESSION_STATUS.meanings) == enum("checkout.session", "status")
    assert set(INTENT_STATUS.meanings) == enum("payment_intent", "status")
    assert set(CANCELLATION_REASON.meanings) == enum("payment_intent", "cancellation_reason")
    assert set(DISPUTE_STATUS.meanings) == enum("dispute", "status")
    advice = SCHEMAS["charge"]["properties"]["outcome"]["properties"]["advice_code"]["enum"]
    assert set(ADVICE.meanings) == set(advice)


def test_each_event_and_method_is_one_of_the_specification() -> None:
    assert set(EVENT_TYPE.meanings) <= enum("event", "type")
    create = SPEC["paths"]["/v1/checkout/sessions"]["post"]["requestBody"]["content"]
    fields = create["application/x-www-form-urlencoded"]["schema"]["properties"]
    assert set(METHODS.values()) <= set(fields["allowed_payment_method_types"]["items"]["enum"])
    assert set(fields["locale"]["enum"]) >= LOCALES


def test_every_object_of_the_recordings_is_one_of_the_specification() -> None:
    """What was written by hand has the fields and words that Stripe has."""
    for name, schema in (
        ("session", "checkout.session"), ("session_id_only", "checkout.session"), ("session_paid", "checkout.session"),
        ("intent", "payment_intent"), ("intent_paid", "payment_intent"), ("intent_held", "payment_intent"),
        ("intent_declined", "payment_intent"), ("intent_captured", "payment_intent"), ("intent_cancelled", "payment_intent"),
        ("charge", "charge"), ("refund", "refund"), ("dispute", "dispute"), ("event", "event"),
    ):  # fmt: skip
        found = object_of("stripe", name)
        assert set(found) <= set(SCHEMAS[schema]["properties"]), name
        wrong = [
            one.message
            for one in OAS30Validator({**SCHEMAS[schema], "components": SPEC["components"]}).iter_errors(
                _without_nulls(found)
            )
        ]
        assert not wrong, f"{name}: {wrong[0]}"
