"""What the kit's scenarios can not show of Adyen's connector: addresses, what is not known yet, and settings."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from chalicelib.connectors.adyen.refusals import refusal_of
from chalicelib.contracts.calls import MoneyOrder, Refusal, RefusalKind
from chalicelib.contracts.conversation import HttpResponse, NotSent
from chalicelib.domain.errors import SignatureInvalid
from chalicelib.domain.facts import Fact
from chalicelib.domain.money import Money
from tests.connectors.adyen.samples import (
    ATTEMPT_ID,
    OPERATION_ID,
    asked_by,
    checkout,
    connector,
    delivery,
    item,
    manual,
    reference,
)

PREFIX = "1797a841fbb37ca7-Shop"
LIVE = f"https://{PREFIX}-checkout-live.adyenpayments.com/checkout/v72"


def known(*items: dict[str, Any]) -> list[Fact]:
    return [one for one in connector().read(delivery(*items)) if isinstance(one, Fact)]


def operation(facts: list[Fact], amount: Money | None = Money(400, "EUR")) -> MoneyOrder:  # noqa: B008 - a value
    return MoneyOrder(reference(facts), OPERATION_ID, amount)


def test_a_live_account_is_asked_at_its_own_address() -> None:
    live = connector(live_url_prefix=PREFIX)
    assert next(live.open_checkout(checkout())).url == f"{LIVE}/paymentLinks"
    assert next(live.refund(operation(known(item("AUTHORISATION"))))).url.startswith(f"{LIVE}/payments/")


@pytest.mark.parametrize("prefix", ["", "a.b", "evil.example/", "a@b", "a:1", "-a", "a-", "a b", "é", "x" * 51, "a\n"])
def test_a_prefix_can_not_lead_to_another_host(prefix: str) -> None:
    with pytest.raises(ValidationError):
        connector(live_url_prefix=prefix)


@pytest.mark.parametrize("key", ["", "xyz", "00" * 15, "0" * 63, "0g" * 32, "\uff10" * 64])
def test_a_key_that_is_no_hmac_key_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(ValidationError) as refused:
        connector(hmac_key=key)
    assert not key or key not in str([error["msg"] for error in refused.value.errors(include_input=False)])


def test_without_an_hmac_key_every_webhook_is_refused() -> None:
    bare = connector(hmac_key=None, hmac_key_previous=None)
    with pytest.raises(SignatureInvalid):
        next(bare.verify(delivery(item("AUTHORISATION"))))


@pytest.mark.parametrize("what", ["capture", "cancel", "refund"])
def test_before_a_webhook_has_told_of_the_payment_nothing_is_sent(what: str) -> None:
    with pytest.raises(NotSent):
        next(getattr(connector(), what)(operation([])))


def test_a_modification_names_the_attempt_and_the_operation() -> None:
    request = next(connector().refund(operation(known(item("AUTHORISATION")))))
    assert asked_by(request)["reference"] == f"{ATTEMPT_ID}-{OPERATION_ID}"
    assert request.headers["Idempotency-Key"] == OPERATION_ID


def test_a_cancellation_has_no_amount() -> None:
    assert "amount" not in asked_by(next(connector().cancel(operation(known(manual("AUTHORISATION"))))))


def test_an_amount_that_adyen_can_not_write_is_refused_before_anything_is_sent() -> None:
    conversation = connector().refund(operation(known(item("AUTHORISATION")), Money(1050, "CVE")))
    with pytest.raises(StopIteration) as done:
        next(conversation)
    assert isinstance(done.value.value, Refusal)


@pytest.mark.parametrize(
    "changes",
    [{"paymentPspReference": "ANOTHER000000001"}, {"pspReference": "../x"}, {"pspReference": None}, {"amount": None}],
)
def test_an_answer_about_something_else_is_an_error(changes: dict[str, Any]) -> None:
    conversation = connector().refund(operation(known(item("AUTHORISATION"))))
    payment = next(conversation).url.split("/")[-2]
    said = {
        "paymentPspReference": payment,
        "pspReference": "REFUND1",
        "status": "received",
        "amount": {"currency": "EUR", "value": 400},
        **changes,
    }
    with pytest.raises((KeyError, TypeError, ValueError)):
        conversation.send(HttpResponse(201, {}, json.dumps(said).encode()))


@pytest.mark.parametrize(
    ("given", "wanted"), [("7", 7), ("", None), ("soon", None), ("-1", None), ("1234567", None), ("\uff17", None)]
)
def test_too_many_calls_say_when_to_come_back_where_that_can_be_read(given: str, wanted: int | None) -> None:
    said = refusal_of(HttpResponse(429, {"retry-after": given}, b""))
    assert (said.kind, said.retry_after_s) == (RefusalKind.RATE_LIMITED, wanted)


def test_a_no_says_adyen_s_code_and_words() -> None:
    error = {"status": 422, "errorCode": "167", "message": "Original pspReference required", "errorType": "validation"}
    said = refusal_of(HttpResponse(422, {}, json.dumps(error).encode()))
    assert said.detail == "422 167: Original pspReference required"


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b"[" * 9000])
def test_what_stands_before_adyen_may_refuse_the_key_without_json(body: bytes) -> None:
    assert refusal_of(HttpResponse(403, {}, body)).kind is RefusalKind.MISCONFIGURED
    with pytest.raises(ValueError):
        refusal_of(HttpResponse(422, {}, body))
