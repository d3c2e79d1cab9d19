"""Every request that the connector can send is one that Stripe's specification takes, and its tables are the specification's.

The bodies are bracketed forms: they are read back into an object, and that is held to the operation's schema.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.connectors.stripe.connector import StripeConnector
from chalicelib.connectors.stripe.errors import ERROR_CODE, ERROR_TYPE
from chalicelib.connectors.stripe.methods import LOCALES, METHODS
from chalicelib.connectors.stripe.tables import (
    ALL,
    CANCELLATION_REASON,
    DECLINE,
    DISPUTE_STATUS,
    EVENT_TYPE,
    INTENT_STATUS,
    SESSION_STATUS,
    UNPAID,
)
from chalicelib.contracts.amounts import Unwritable
from chalicelib.contracts.calls import AttemptRef, MoneyOrder
from chalicelib.domain.money import Money
from chalicelib.domain.order import Order
from tests.conformance.connectors.by_hand import requests_of
from tests.conformance.connectors.checkouts import orders
from tests.conformance.connectors.playing import checkout_of
from tests.conformance.connectors.profile import connector_of
from tests.conformance.connectors.recordings import ATTEMPT_ID, object_of, operation_of
from tests.conformance.connectors.specs import is_in_one_of
from tests.connectors.stripe.form import nested
from tests.connectors.stripe.specification import SPEC, check


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(order=orders(StripeConnector.capabilities))
def test_every_page_that_can_be_asked_for_is_one_that_stripe_takes(order: Order) -> None:
    requests = requests_of(connector_of("stripe").open_checkout(checkout_of(order)))
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
    for request in requests_of(connector_of("stripe").open_checkout(checkout_of(order))):
        check(request)


@given(
    order=orders(StripeConnector.capabilities),
    value=st.integers(1, 10**6),
    reason=st.none()
    | st.sampled_from(["duplicate", "fraudulent", "requested_by_customer", "she changed her mind", ""]),
)
def test_every_operation_is_one_that_stripe_takes(order: Order, value: int, reason: str | None) -> None:
    connector, intent = connector_of("stripe"), object_of("stripe", "intent_paid")
    ref = AttemptRef(checkout_of(order), "cs_test_kit1")
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
        for request in requests_of(conversation, *answers):
            check(request)


def _without_nulls(value: Any) -> Any:
    """The derived file does not know that a choice of shapes can be null."""
    if isinstance(value, dict):
        return {name: _without_nulls(part) for name, part in value.items() if part is not None}
    return value


def enum(schema: str, field: str) -> set[str]:
    return set(SPEC.schemas[schema]["properties"][field]["enum"])


UNREAD = {  # what is said of things that nothing here asks for, or is passed on as it is
    "charge.payment_method_details.card.extended_authorization.status",
    "charge.payment_method_details.card.incremental_authorization.status",
    "charge.payment_method_details.card.multicapture.status",
    "charge.payment_method_details.card.overcapture.status",
    "charge.payment_method_details.paypal.seller_protection.status",
    "checkout.session.automatic_tax.status",
    "dispute.evidence_details.enhanced_eligibility.mastercard_compliance.status",
    "dispute.evidence_details.enhanced_eligibility.visa_compelling_evidence_3.status",
    "dispute.evidence_details.enhanced_eligibility.visa_compliance.status",
    "payment_intent.amount_details.error.code",
    "refund.pending_reason",
    "refund.reason",
}


def test_the_tables_have_every_word_of_the_specification() -> None:
    assert set(SESSION_STATUS.meanings) == enum("checkout.session", "status")
    assert set(UNPAID.meanings) == enum("checkout.session", "payment_status")
    assert set(INTENT_STATUS.meanings) == enum("payment_intent", "status")
    assert set(CANCELLATION_REASON.meanings) == enum("payment_intent", "cancellation_reason")
    assert set(DISPUTE_STATUS.meanings) == enum("dispute", "status")
    reasons = ("reason", "pending_reason", "cancellation_reason")
    documented = SPEC.lists("status", "payment_status", "advice_code", "code", *reasons)
    codes = documented.pop("payment_intent.last_payment_error.code")
    assert codes <= DECLINE.meanings.keys() | ERROR_CODE.meanings.keys()
    assert set(ERROR_CODE.meanings) <= codes
    assert {at for at, words in documented.items() if not is_in_one_of(ALL, words)} == UNREAD
    assert set(ERROR_TYPE.meanings) == SPEC.lists("type")["payment_intent.last_payment_error.type"]


OURS = ("checkout.", "payment_intent.", "charge.", "refund.", "radar.", "review.")


def test_each_event_and_method_is_one_of_the_specification() -> None:
    assert set(EVENT_TYPE.meanings) == {one for one in enum("event", "type") if one.startswith(OURS)}
    create = SPEC.document["paths"]["/v1/checkout/sessions"]["post"]["requestBody"]["content"]
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
        assert set(found) <= set(SPEC.schemas[schema]["properties"]), name
        wrong = SPEC.wrong(SPEC.schemas[schema], _without_nulls(found))
        assert not wrong, f"{name}: {wrong[0]}"
