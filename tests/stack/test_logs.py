"""What the logs of the whole stack tell about a payment, and what they never tell."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator

import pytest

from dev.sandbox.accounts import ACCOUNTS
from tests.stack.running import Json, Stack, send

PERSONAL = {
    "description": "a-description-of-theirs",
    "customer": {"id": "c-17x", "email": "shopper@shop.example", "name": "Sam Shopper", "phone": "+31201234567"},
    "billing_address": {"line1": "Keizersgracht 1", "city": "Amsterdam", "postal_code": "1015 CJ", "country": "NL"},
    "metadata": {"note": "a-note-of-theirs"},
    "return_url": "https://shop.example/return?basket=a-basket",
}
Told = Callable[[Json], bool]


def lines_of(stack: Stack) -> list[Json]:
    """All that is not the launcher's own greeting."""
    text = (stack.var.parent / "stack.log").read_text()
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def until_told(stack: Stack, wanted: Told) -> Json:
    ends = time.monotonic() + 30
    while time.monotonic() < ends:
        found = next(filter(wanted, lines_of(stack)), None)
        if found is not None:
            return found
        time.sleep(0.1)
    raise AssertionError("the log tells it within 30 s")


@pytest.fixture(scope="module")
def payment_id(stack: Stack) -> Iterator[str]:
    """Ordered, read and paid, with a subscriber who has a secret and is not there."""
    headers = {"Authorization": "Bearer a-secret-of-the-subscribers"}
    target = {"url": "http://localhost:9/a-path-of-theirs", "headers": headers}
    wanted = {"name": "logs", "channel": "webhook", "target": target, "events": ["*"]}
    subscription = stack.call("POST", "/v1/subscriptions", wanted).json()["id"]
    made: Json = stack.checkout("a-key-of-theirs", order_reference="a-reference-of-theirs", **PERSONAL).json()
    stack.call("GET", f"/v1/payments/{made['id']}")
    stack.call("GET", "/v1/payments?order_reference=a-reference-of-theirs")
    assert send("POST", made["next_action"]["url"], data={"outcome": "paid"}).status_code == 303
    yield made["id"]
    tag = stack.call("GET", f"/v1/subscriptions/{subscription}").headers["ETag"]
    stack.call("DELETE", f"/v1/subscriptions/{subscription}", headers={"If-Match": tag})


@pytest.mark.parametrize(
    "told",
    [
        {"logger": "paymentserver.gateway", "route": "POST /v1/checkouts", "http_status": 201},
        {"logger": "paymentserver.gateway", "route": "GET /v1/payments/{id}", "http_status": 200},
        {"logger": "paymentserver.worker", "topic": "inbound", "result": "done", "connection_id": "sandbox-a"},
        {"logger": "paymentserver.worker", "topic": "events", "result": "done", "event_type": "payment.captured"},
    ],
    ids=lambda told: str(told.get("route", told.get("topic"))),
)
def test_a_payment_can_be_followed_by_its_id(stack: Stack, payment_id: str, told: Json) -> None:
    wanted = {**told, "payment_id": payment_id, "merchant_id": "default"}
    line = until_told(stack, lambda line: wanted.items() <= line.items())
    assert line["duration_ms"] > 0
    assert "request_id" in line or line["receives"] >= 1


def test_a_webhook_that_was_taken_names_its_connection(stack: Stack, payment_id: str) -> None:
    wanted = {"route": "POST /webhooks/{merchant_id}/{connection_id}", "connection_id": "sandbox-a", "http_status": 200}
    assert until_told(stack, lambda line: wanted.items() <= line.items())["merchant_id"] == "default"


def test_anothers_payment_is_not_named(stack: Stack, payment_id: str) -> None:
    refused = stack.call("GET", f"/v1/payments/{payment_id}", client="other-shop", headers={"X-Request-Id": "stranger"})
    assert refused.status_code == 404
    line = until_told(stack, lambda line: line.get("request_id") == "stranger")
    assert line["merchant_id"] == "other"
    assert "payment_id" not in line


def test_no_line_holds_anything_personal_or_secret(stack: Stack, payment_id: str) -> None:
    """Good calls, bad ones and forged ones: after all of them no value that came in, or that is kept, is in the log."""
    body = json.dumps({"id": "a-forged-event", "card": "4111111111111111"}).encode()
    signature = hmac.new(b"a-guess", body, hashlib.sha256).hexdigest()
    stack.call("POST", "/webhooks/default/sandbox-a", data=body, client=None, headers={"Sandbox-Signature": signature})
    stack.call("POST", "/v1/checkouts", {**PERSONAL, "amount": "4111111111111111"}, headers={"Idempotency-Key": "k"})
    for method in ("GET", "POST"):
        for query in ("token=a-query-of-theirs", "token=a-query-of-theirs%zz", "token=a-query-of-theirs" + "a" * 9_000):
            stack.call(method, f"/webhooks/default/sandbox-a?{query}", client=None)
    stack.call("GET", "/v1/payments/a-path-of-theirs?a-query-of-theirs=1")
    stack.call("GET", "/v1/payments", client=None, headers={"Authorization": "Bearer a-token-of-theirs"})
    stack.call("GET", "/v1/payments", headers={"X-Request-Id": "the-last-of-them"})
    until_told(stack, lambda line: line.get("request_id") == "the-last-of-them")
    text = json.dumps(lines_of(stack))
    customer = PERSONAL["customer"]
    assert isinstance(customer, dict)
    secrets = [secret for account in ACCOUNTS.values() for secret in (account.api_key, account.webhook_secret)]
    theirs = ["of-theirs", "a-secret-of", "shop.example", "Keizersgracht", "1015 CJ", "a-basket", "a-forged", "4111111"]
    leaked = [one for one in (*theirs, *customer.values(), *secrets, stack.token(), "whsec_", "eyJ") if one in text]
    assert not leaked
