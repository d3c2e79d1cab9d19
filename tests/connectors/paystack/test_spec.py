"""Every request that the connector can send is one that Paystack's OpenAPI file takes, and what is recorded is as it says."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.connectors.paystack.connector import NOTE_CHARACTERS_MAX, PaystackConnector
from chalicelib.connectors.paystack.page import RESERVED
from chalicelib.connectors.paystack.tables import CURRENCIES, ERROR_CODE, ERROR_TYPE, METHODS
from chalicelib.contracts.calls import AttemptRef, MoneyOrder
from chalicelib.domain.money import Money
from chalicelib.domain.order import Order
from tests.conformance.connectors.by_hand import requests_of
from tests.conformance.connectors.checkouts import orders
from tests.conformance.connectors.playing import checkout_of
from tests.conformance.connectors.profile import connector_of, profile_of
from tests.conformance.connectors.recordings import ATTEMPT_ID, object_of, operation_of
from tests.connectors.paystack.specification import SCHEMAS, SPEC, UNLISTED, check, data_schema

REFERENCE = profile_of("paystack").psp_reference


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(order=orders(PaystackConnector.capabilities))
def test_every_page_that_can_be_asked_for_is_one_that_paystack_takes(order: Order) -> None:
    (request,) = requests_of(connector_of("paystack").open_checkout(checkout_of(order)))
    body = check(request)
    assert PaystackConnector.amounts.read(body["amount"], body["currency"]) == order.amount
    assert re.fullmatch(r"[A-Za-z0-9.=-]+", body["reference"])  # the form that its description gives
    assert body["reference"] == REFERENCE
    assert body["metadata"]["paymentserver_attempt"] == ATTEMPT_ID
    assert body["metadata"]["cancel_action"] == order.cancel_url
    merchants = {name: text for name, text in (order.metadata or {}).items() if name not in RESERVED}
    assert merchants.items() <= {**body["metadata"], **merchants}.items()
    assert not SPEC.wrong(
        {"type": "array", "items": SCHEMAS["MetadataCustomFieldsArray"]}, body["metadata"]["custom_fields"]
    )


@pytest.mark.long
@settings(max_examples=2_000, suppress_health_check=list(HealthCheck))
@given(order=orders(PaystackConnector.capabilities))
def test_two_thousand_pages_are_ones_that_paystack_takes(order: Order) -> None:
    for request in requests_of(connector_of("paystack").open_checkout(checkout_of(order))):
        check(request)


@given(
    order=orders(PaystackConnector.capabilities),
    value=st.integers(1, 10**6),
    reason=st.none() | st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=500),
)
def test_every_other_call_is_one_that_paystack_takes(order: Order, value: int, reason: str | None) -> None:
    connector, ref = connector_of("paystack"), AttemptRef(checkout_of(order), REFERENCE)
    some = MoneyOrder(ref, operation_of("a"), Money(value, order.amount.currency), reason)
    paid, none = object_of("paystack", "verified"), object_of("paystack", "none")
    (refunding,) = requests_of(connector.refund(some))
    note = check(refunding)["merchant_note"]
    assert len(note) <= NOTE_CHARACTERS_MAX
    assert note.split()[0] == operation_of("a")
    for conversation, answers in (
        (connector.fetch(ref), [paid, none, none]),
        (connector.recover(AttemptRef(checkout_of(order), None)), []),
        (connector.test(), []),
    ):
        for request in requests_of(conversation, *answers):
            check(request)


def test_the_tables_have_every_word_of_the_specification() -> None:
    initialize, failed = SCHEMAS["TransactionInitialize"]["properties"], SCHEMAS["TransactionInitializeBadRequestModel"]
    assert set(METHODS.values()) == set(initialize["channels"]["items"]["enum"])
    assert set(SCHEMAS["Currency"]["enum"]) == CURRENCIES - UNLISTED
    assert set(ERROR_TYPE.meanings) == set(failed["properties"]["type"]["enum"])
    assert failed["example"]["code"] in ERROR_CODE.meanings


@pytest.mark.parametrize(
    ("name", "schema"),
    [
        ("transaction", data_schema("VerifyResponse")),
        ("paid", data_schema("VerifyResponse")),
        ("refund", SCHEMAS["RefundListResponseArray"]),
        ("refund", data_schema("RefundFetchResponse")),
        ("refund_made", data_schema("RefundCreateResponse")),
        ("dispute", data_schema("DisputeFetchResponse")),
        ("page", SCHEMAS["TransactionInitializeResponse"]),
        ("none", SCHEMAS["RefundListResponse"]),
    ],
)
def test_every_object_of_the_recordings_is_one_of_the_specification(name: str, schema: dict[str, Any]) -> None:
    """What was written by hand has the fields that Paystack's answers have."""
    found = object_of("paystack", name)
    assert set(found) <= set(schema["properties"]), name
    wrong = SPEC.wrong(schema, found)
    assert not wrong, f"{name}: {wrong[0]}"
