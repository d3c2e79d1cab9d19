"""Each way a sandbox PSP can go wrong, against the whole stack: what the shop is told, and what is never done."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
import requests
import standardwebhooks

from dev.shop import Listener
from tests.stack.running import Json, Stack, send

A, B = "sandbox-a", "sandbox-b"


def wait_for(stack: Stack, payment_id: str, holds: Callable[[Json], Any], timeout_s: float = 20) -> Json:
    ends = time.monotonic() + timeout_s
    while True:
        payment: Json = stack.call("GET", f"/v1/payments/{payment_id}").json()
        if holds(payment):
            return payment
        assert time.monotonic() < ends, f"the payment is {payment['status']}: {payment['attempts']}"
        time.sleep(0.05)


def checkout(stack: Stack, how: str | None = None, **more: Any) -> requests.Response:
    metadata = {A: how} if how else {}
    return stack.checkout(str(uuid.uuid4()), metadata=metadata, **more)


def pay(payment: Json, outcome: str = "paid") -> None:
    assert send("POST", payment["next_action"]["url"], data={"outcome": outcome}).status_code == 303


def attempts(payment: Json) -> list[tuple[str, str]]:
    return [(one["connection_id"], one["status"]) for one in payment["attempts"]]


def timeline(stack: Stack, payment_id: str) -> list[Json]:
    items: list[Json] = stack.call("GET", f"/v1/payments/{payment_id}/timeline?limit=200").json()["items"]
    return items


@pytest.mark.parametrize(
    ("how", "first"),
    [("decline_hard", "declined"), ("decline_soft", "declined"), ("rate_limited", "failed"), ("refuse", "not_sent")],
)
def test_a_definite_no_leads_to_the_next_psp(stack: Stack, how: str, first: str) -> None:
    answer = checkout(stack, how)
    assert answer.status_code == 201
    assert attempts(answer.json()) == [(A, first), (B, "pending")]
    pay(answer.json())
    wait_for(stack, answer.json()["id"], lambda now: now["status"] == "captured")


def test_a_connection_whose_port_is_closed_leads_to_the_next_psp(stack: Stack) -> None:
    name = f"closed-{uuid.uuid4().hex[:8]}"
    settings = {
        "base_url": "http://127.0.0.1:1/sandbox-a",
        "account": "sandbox-a",
        "api_key": "sk_sandbox_a_development",
        "webhook_secret": "whs_sandbox_a_development",
    }
    made = stack.call("POST", "/v1/connections", {"id": name, "connector": "sandbox", "settings": settings})
    assert made.status_code == 201
    assert stack.call("POST", "/v1/routes", {"name": name, "otherwise": {"use": [name, B]}}).status_code == 201
    answer = checkout(stack, route=name)
    assert answer.status_code == 201
    assert attempts(answer.json()) == [(name, "not_sent"), (B, "pending")]


def test_an_error_500_is_not_a_no(stack: Stack) -> None:
    answer = checkout(stack, "error_500")
    assert attempts(answer.json()) == [(A, "sealed"), (B, "pending")]
    held = checkout(stack, "error_500", route="careful")
    assert held.status_code == 202
    assert attempts(held.json()) == [(A, "unknown")]


def test_when_every_psp_declines_the_answer_says_so(stack: Stack) -> None:
    answer = stack.checkout(str(uuid.uuid4()), metadata={A: "decline_hard", B: "decline_soft"})
    assert answer.status_code == 402
    assert answer.headers["Content-Type"] == "application/problem+json"
    payment = answer.json()["payment"]
    assert payment["status"] == "failed"
    assert [one["decline"]["class"] for one in payment["attempts"]] == ["hard", "soft"]


def test_when_no_psp_can_be_reached_the_answer_says_so(stack: Stack) -> None:
    answer = stack.checkout(str(uuid.uuid4()), metadata={A: "refuse", B: "refuse"})
    assert (answer.status_code, answer.json()["payment"]["status"]) == (502, "failed")


def test_a_psp_that_never_answers_is_sealed_and_its_page_closed(stack: Stack) -> None:
    answer = checkout(stack, "timeout_after")
    payment = answer.json()
    assert answer.status_code == 201
    assert attempts(payment) == [(A, "sealed"), (B, "pending")]
    first = payment["attempts"][0]["id"]
    page = f"{stack.sandbox}/{A}/pay/{stack.sessions(A, first)[0]['id']}"
    assert page not in answer.text
    ends = time.monotonic() + 15
    while stack.sessions(A, first)[0]["status"] != "expired":
        assert time.monotonic() < ends
        time.sleep(0.1)
    assert send("POST", page, data={"outcome": "paid"}).status_code == 410
    assert page not in stack.call("GET", f"/v1/payments/{payment['id']}").text
    assert page not in str(timeline(stack, payment["id"]))
    pay(payment)
    paid = wait_for(stack, payment["id"], lambda now: now["status"] == "captured")
    assert attempts(paid) == [(A, "sealed"), (B, "captured")]


def test_a_careful_route_holds_and_no_second_psp_is_asked(stack: Stack) -> None:
    key = str(uuid.uuid4())
    answer = stack.checkout(key, metadata={A: "timeout_after"}, route="careful")
    assert answer.status_code == 202
    assert attempts(answer.json()) == [(A, "unknown")]
    assert answer.json()["next_action"] is None
    found = wait_for(stack, answer.json()["id"], lambda now: now["status"] == "pending")
    settled = stack.checkout(key, metadata={A: "timeout_after"}, route="careful")
    assert settled.status_code == 201
    assert settled.json()["next_action"] == found["next_action"]
    assert len(stack.sessions(A, found["attempts"][0]["id"])) == 1


@pytest.mark.parametrize("how", ["webhook_first", "duplicate_webhooks"])
def test_webhooks_may_come_early_and_often(stack: Stack, how: str) -> None:
    payment = checkout(stack, how).json()
    pay(payment)
    wait_for(stack, payment["id"], lambda now: now["status"] == "captured")
    changes = [entry["data"]["status"] for entry in timeline(stack, payment["id"]) if entry["kind"] == "status"]
    assert changes == ["pending", "captured"]


def test_a_wrong_amount_is_an_anomaly_and_no_payment(stack: Stack) -> None:
    payment = checkout(stack, "wrong_amount").json()
    pay(payment)
    odd = wait_for(stack, payment["id"], lambda now: now["status"] == "unknown")
    assert odd["amounts"]["captured"] == 0
    assert "anomaly" in {entry["kind"] for entry in timeline(stack, payment["id"])}
    inbox = stack.call("GET", "/v1/inbox?status=anomalous").json()["items"]
    assert payment["attempts"][0]["id"] in str(inbox)


def test_an_unsigned_webhook_changes_nothing_and_is_kept_once_a_minute(stack: Stack) -> None:
    payment = checkout(stack, "unsigned_webhook").json()
    pay(payment)
    forged = send("POST", f"{stack.api}/webhooks/default/{A}", data=b'{"forged": true}')
    assert forged.status_code == 400
    assert forged.headers["Content-Type"] == "application/problem+json"
    ends = time.monotonic() + 10
    while not (items := stack.call("GET", f"/v1/inbox?status=rejected&connection_id={A}").json()["items"]):
        assert time.monotonic() < ends
        time.sleep(0.05)
    for _ in range(20):
        assert send("POST", f"{stack.api}/webhooks/default/{A}", data=b"{}").status_code == 400
    minutes = {item["received_at"][:16] for item in stack.call("GET", "/v1/inbox?status=rejected").json()["items"]}
    assert len(stack.call("GET", "/v1/inbox?status=rejected").json()["items"]) == len(minutes)
    assert items
    assert stack.call("GET", f"/v1/payments/{payment['id']}").json()["status"] == "pending"
    metrics = send("GET", f"http://127.0.0.1:{stack.port + 3}/metrics").text
    assert 'webhooks_rejected_total{connector="sandbox"}' in metrics


def test_an_unknown_status_is_pending(stack: Stack) -> None:
    payment = checkout(stack, "unknown_status").json()
    pay(payment)
    wait_for(stack, payment["id"], lambda now: "webhook" in {e["kind"] for e in timeline(stack, now["id"])})
    assert stack.call("GET", f"/v1/payments/{payment['id']}").json()["status"] == "pending"


def test_a_dispute_is_shown(stack: Stack) -> None:
    payment = checkout(stack, "dispute").json()
    pay(payment)
    disputed = wait_for(stack, payment["id"], lambda now: now["disputes"])
    assert disputed["disputes"][0]["status"] == "opened"
    assert disputed["amounts"]["charged_back"] == 1050


def test_a_cancelled_page_ends_the_payment(stack: Stack) -> None:
    payment = checkout(stack).json()
    pay(payment, "cancelled")
    wait_for(stack, payment["id"], lambda now: now["status"] == "cancelled")


def test_a_manual_capture_is_authorized(stack: Stack) -> None:
    payment = checkout(stack, capture="manual").json()
    pay(payment)
    held = wait_for(stack, payment["id"], lambda now: now["status"] == "authorized")
    assert held["amounts"]["capturable"] == 1050


def test_an_unknown_connection_is_404(stack: Stack) -> None:
    assert send("POST", f"{stack.api}/webhooks/default/nobody", data=b"{}").status_code == 404
    assert send("POST", f"{stack.api}/webhooks/nobody/{A}", data=b"{}").status_code == 404


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"{" * 60_000, b"x" * 200_000])
def test_hostile_webhooks_are_never_5xx(stack: Stack, body: bytes) -> None:
    answer = send(
        "POST", f"{stack.api}/webhooks/default/{A}", data=body, headers={"Sandbox-Signature": "t=1,v1=é".encode()}
    )
    assert 400 <= answer.status_code < 500


def test_a_return_link_that_is_not_ours_is_404(stack: Stack) -> None:
    assert send("GET", f"{stack.api}/returns/pay_{'a' * 24}.{'0' * 32}").status_code == 404


def test_notifications_are_signed_for_an_independent_library(stack: Stack) -> None:
    listener = Listener()
    body = {"name": "test", "channel": "webhook", "target": {"url": listener.url}, "events": ["payment.*"]}
    made = stack.call("POST", "/v1/subscriptions", body).json()
    try:
        payment = checkout(stack).json()
        pay(payment)
        headers, sent = listener.wait_for(payment["id"], "payment.captured")
        event = standardwebhooks.Webhook(made["signing_secret"]).verify(sent, headers)
        shown = wait_for(stack, payment["id"], lambda now: now["status"] == "captured")
        shown["route"]["explanation"] = None  # only where one payment is read
        assert event["data"]["payment"] == shown
    finally:
        etag = stack.call("GET", f"/v1/subscriptions/{made['id']}").headers["ETag"]
        stack.call("DELETE", f"/v1/subscriptions/{made['id']}", headers={"If-Match": etag})
        listener.close()
