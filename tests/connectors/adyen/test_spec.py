"""Whatever is asked of Adyen is what its specification takes, and what the kit's scenarios answer is what it gives."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.connectors.adyen.amounts import CURRENCIES
from chalicelib.connectors.adyen.connector import KEY_LIVES_S, REFUND_REASONS, AdyenConnector
from chalicelib.connectors.adyen.link import LINK_ID
from chalicelib.connectors.adyen.tables import (
    ALL,
    DISPUTE_STATUS,
    ERROR_CODE,
    ERROR_TYPE,
    EVENT_CODE,
    LINK_STATUS,
    MODIFICATION_STATUS,
)
from chalicelib.contracts.calls import CheckoutOrder, MoneyOrder
from chalicelib.contracts.conversation import Conversation, HttpRequest
from chalicelib.domain.money import EXPONENT, VALUE_MAX, Money
from chalicelib.domain.order import Order
from tests.conformance.connectors.checkouts import line, orders
from tests.conformance.connectors.recordings import exchanges_of, scenarios_of
from tests.conformance.connectors.specs import is_in_one_of
from tests.connectors.adyen.samples import ATTEMPT_ID, OPERATION_ID, connector, delivery, item, manual, reference
from tests.connectors.adyen.specification import check, checkout, webhooks

can = AdyenConnector.capabilities


def request_of(conversation: Conversation[Any]) -> HttpRequest | None:
    """The first request, None where the amount can not be written."""
    found = next(conversation, None)
    return found if isinstance(found, HttpRequest) else None


@given(order=orders(can), started_at=st.datetimes(datetime(2024, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))
@settings(max_examples=150, deadline=None)
def test_a_link_is_asked_for_as_the_specification_says(order: Order, started_at: datetime) -> None:
    wanted = CheckoutOrder(ATTEMPT_ID, "adyen-1", order, started_at, order.return_url, order.cancel_url)
    request = request_of(connector().open_checkout(wanted))
    if request is None:
        return
    template, body = check(request)
    assert (request.method, template) == ("POST", "/paymentLinks")
    metadata = body["metadata"]
    assert len(metadata) <= 20
    assert all(len(key) <= 20 and len(value) <= 80 for key, value in metadata.items())
    assert len(body["reference"]) <= 80
    assert len(body["description"]) <= 280
    assert body["amount"]["currency"] == order.amount.currency


@given(currency=st.sampled_from(sorted(CURRENCIES)), value=st.integers(1, VALUE_MAX), reason=st.none() | line(255))
@settings(max_examples=60, deadline=None)
def test_modifications_are_asked_for_as_the_specification_says(currency: str, value: int, reason: str | None) -> None:
    facts = list(connector().read(delivery(manual("AUTHORISATION"))))
    ref = reference(facts)  # type: ignore[arg-type]  # an AUTHORISATION is told as facts alone
    order = MoneyOrder(ref, OPERATION_ID, Money(value, currency), reason)
    known = MoneyOrder(ref, OPERATION_ID, Money(value, currency), sorted(REFUND_REASONS)[value % len(REFUND_REASONS)])
    for conversation, what in (
        (connector().capture(order), "captures"),
        (connector().cancel(order), "cancels"),
        (connector().refund(order), "refunds"),
        (connector().refund(known), "refunds"),
    ):
        request = request_of(conversation)
        if request is not None:
            template, body = check(request)
            assert (request.method, template) == ("POST", f"/payments/{{paymentPspReference}}/{what}")
            assert len(body["reference"]) <= 80


def test_the_other_calls_are_what_the_specification_says() -> None:
    for conversation, method, path in (
        (connector().test(), "POST", "/paymentMethods"),
        (connector().fetch(reference()), "GET", "/paymentLinks/{linkId}"),
        (connector().expire(reference()), "PATCH", "/paymentLinks/{linkId}"),
    ):
        request = request_of(conversation)
        assert request is not None
        assert (request.method, check(request)[0]) == (method, path)


ODD = ("on_hold", "parked")  # statuses that no specification has, for what is unheard of


def test_what_the_scenarios_answer_is_what_the_specification_gives() -> None:
    shown, spec = 0, checkout()
    for scenario, exchange in exchanges_of("adyen"):
        request, answer = exchange["request"], exchange["answer"]
        if answer["body"].get("status") in ODD:
            continue
        wrong = spec.wrong_in_answer(request["method"], request["url"], answer.get("status", 200), answer["body"])
        assert not wrong, f"{scenario.name}: {wrong[0]}"
        shown += wrong is not None
    assert shown > 20


def test_the_scenarios_webhooks_are_what_the_specification_has() -> None:
    spec, shown = webhooks(), set()
    known = spec.document["webhooks"]
    for scenario in scenarios_of("adyen"):
        for step in (one for one in scenario.steps if one.webhook):
            for one in step.webhook["notificationItems"]:
                event, success = (one["NotificationRequestItem"][name] for name in ("eventCode", "success"))
                if f"/{event}" in known and success in ("true", "false"):
                    schema = spec.body_schema(known[f"/{event}"]["post"])
                    if event != "CHARGEBACK":  # one of its scenarios has a status that no specification has
                        assert not spec.wrong(schema, step.webhook | {"notificationItems": [one]})
                    shown.add(event)
    assert shown == {name.strip("/") for name in known}


def test_every_word_of_the_specification_is_in_a_table() -> None:
    schemas, hooks = checkout().schemas, webhooks().schemas
    assert set(schemas["PaymentLinkResponse"]["properties"]["status"]["enum"]) == LINK_STATUS.meanings.keys()
    for name in ("Capture", "Cancel", "Refund"):
        status = schemas[f"Payment{name}Response"]["properties"]["status"]["enum"]
        assert set(status) == MODIFICATION_STATUS.meanings.keys()
    codes = set(hooks["NotificationRequestItem"]["properties"]["eventCode"]["enum"])
    codes |= {name.strip("/") for name in webhooks().document["webhooks"]}
    assert codes == EVENT_CODE.meanings.keys()
    disputed = hooks["DisputesNotificationAdditionalData"]["properties"]["disputeStatus"]["enum"]
    assert set(disputed) == DISPUTE_STATUS.meanings.keys()
    reasons = schemas["PaymentRefundRequest"]["properties"]["merchantRefundReason"]["enum"]
    assert set(REFUND_REASONS.values()) == set(reasons)


def test_every_other_list_of_words_is_of_an_answer_that_is_never_asked_for() -> None:
    documented = {**checkout().lists("status", "resultCode"), **webhooks().lists("eventCode", "disputeStatus")}
    assert {at.partition(".")[0] for at, words in documented.items() if not is_in_one_of(ALL, words)} == {
        "Payment", "PaymentAmountUpdateResponse", "PaymentDetailsResponse", "PaymentResponse",
        "PaymentValidationsNameResponse", "SessionResultResponse",
    }  # fmt: skip


def test_each_error_of_the_specification_s_examples_is_in_the_tables() -> None:
    spec = checkout()
    values = [one["value"] for one in spec.document["components"]["examples"].values()]
    errors = [one for one in values if isinstance(one, dict) and "errorCode" in one]
    assert len(errors) >= 5
    assert {one["errorCode"] for one in errors} <= ERROR_CODE.meanings.keys()
    assert {one["errorType"] for one in errors} <= ERROR_TYPE.meanings.keys()


def test_what_the_specification_s_examples_say_is_read() -> None:
    """Each webhook of the specification, as it came from Adyen but for whose it is."""
    spec = webhooks()
    for webhook in spec.document["webhooks"].values():
        examples = webhook["post"]["requestBody"]["content"]["application/json"]["examples"]
        for example in map(spec.resolved, examples.values()):
            for one in example["value"]["notificationItems"]:
                ours = {
                    **one["NotificationRequestItem"],
                    **{name: item("")[name] for name in ("merchantAccountCode", "merchantReference")},
                }
                connector().read(delivery(ours))


@pytest.mark.parametrize(
    "name", ["", "../x", "PL1/x", "PL1?x=1", "https://evil.example", "PL 1", "é", "P" * 65, "PL1\n"]
)
def test_a_reference_that_could_lead_elsewhere_is_never_asked_for(name: str) -> None:
    assert LINK_ID.fullmatch(name) is None
    for call in (connector().fetch, connector().expire):
        with pytest.raises(ValueError):
            next(call(reference(psp_reference=name)))


def test_the_specification_s_currencies_are_known() -> None:
    assert EXPONENT.keys() >= CURRENCIES
    assert AdyenConnector.capabilities.key_lives_s == dict.fromkeys(
        ("open", "capture", "cancel", "refund"), KEY_LIVES_S
    )
