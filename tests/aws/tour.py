"""Everything that operators and merchants ask the API for, once, on a deployed stack: it uses the rights it needs."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from dev.sandbox.accounts import ACCOUNTS
from dev.sandbox.outbox import signature
from dev.shop import Json, expect
from tests.aws.shopping import Surroundings, come_back

READ = (
    "/health/ready",
    "/v1/audit",
    "/v1/connectors",
    "/v1/connections",
    "/v1/connections/sandbox-a",
    "/v1/connections/sandbox-a/health",
    "/v1/routes",
    "/v1/routes/default",
    "/v1/routes/default/versions",
    "/v1/routes/default/versions/1",
    "/v1/routes/default/experiments",
    "/v1/subscriptions",
    "/v1/deliveries",
    "/v1/inbox",
    "/v1/payments",
    "/v1/payments?attention=true",
    "/v1/payments?order_reference=tour",
    "/v1/statistics",
)


def tour(around: Surroundings) -> None:
    """Raises dev.shop.Failed where an answer is not as promised."""
    shop = around.shop
    for path in READ:
        _answered(around, "GET", path)
    payment = _paid(around)
    _answered(around, "GET", f"/v1/payments/{payment['id']}/timeline")
    _answered(around, "POST", f"/v1/payments/{payment['id']}/syncs")
    rows = shop.call("GET", "/v1/exports/payments.csv?order_reference=tour")
    exported = rows.headers["Content-Type"].startswith("text/csv") and payment["id"] in rows.text
    expect(exported, f"a payment is exported, not {rows.status_code} {rows.text[:200]}")
    _answered(around, "POST", "/v1/routes/default/simulations", {"days": 1})
    _answered(around, "POST", "/v1/connections/sandbox-c/tests")
    for override in ("open", None):
        _changed(around, "/v1/connections/sandbox-c/health", {"override": override})
    _notified(around, payment)
    _inbox(around)
    come_back(around)
    refused = shop.call("POST", "/webhooks/default/sandbox-a", {"forged": True})
    expect(refused.status_code == 400, f"a forged webhook is refused by the API too, not {refused.status_code}")


def _answered(around: Surroundings, method: str, path: str, body: Json | None = None) -> Any:
    answer = around.shop.call(method, path, body)
    expect(answer.status_code in (200, 201), f"{method} {path} is answered, not {answer.status_code} {answer.text}")
    return answer.json()


def _changed(around: Surroundings, path: str, body: Json) -> None:
    answer = around.shop.call("PUT", path, body)
    expect(answer.status_code == 200, f"{path} is changed, not {answer.status_code} {answer.text}")


def _paid(around: Surroundings) -> Json:
    payment: Json = around.shop.checkout("tour").json()
    around.shop.pay(payment, "paid")
    return around.shop.wait_until(payment["id"], lambda now: bool(now["status"] == "captured"), "it is captured", 90)


def _notified(around: Surroundings, payment: Json) -> None:
    """To an endpoint that nobody listens at: what failed is sent again at an operator's word, and all since a time."""
    target = {"url": "http://localhost:1/nobody"}
    body = {"name": "tour", "channel": "webhook", "target": target, "events": ["*"]}
    made = _answered(around, "POST", "/v1/subscriptions", body)
    path = f"/v1/subscriptions/{made['id']}"
    _answered(around, "POST", f"{path}/tests")
    _answered(around, "POST", f"{path}/secrets")
    since = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    _answered(around, "POST", f"{path}/recoveries", {"since": since})
    ends = time.monotonic() + 60
    while not (found := _answered(around, "GET", f"/v1/deliveries?subscription_id={made['id']}")["items"]):
        expect(time.monotonic() < ends, "the recovery's deliveries are recorded")
        time.sleep(0.5)
    again = around.shop.call("POST", f"/v1/deliveries/{found[0]['id']}/redeliveries")
    expect(again.status_code in (200, 409), f"a delivery is tried again, not {again.status_code} {again.text}")
    version = around.shop.call("GET", path).headers["ETag"]
    gone = around.shop.call("DELETE", path, headers={"If-Match": version})
    expect(gone.status_code == 204, f"the subscription is deleted, not {gone.status_code} {gone.text}")


def _inbox(around: Surroundings) -> None:
    """A webhook about a payment that nobody knows waits in the inbox, and is tried again at an operator's word."""
    account = ACCOUNTS["sandbox-b"]
    session = {"id": "ses_nobody_s", "reference": "not-ours", "status": "open"}
    body = json.dumps({"id": "evt_tour", "type": "session.opened", "data": session}).encode()
    headers = {"Sandbox-Signature": signature(body, [account.webhook_secret], int(time.time()))}
    answer = requests.post(
        f"{around.stack.webhooks}/webhooks/default/sandbox-b", data=body, headers=headers, timeout=30
    )
    expect(answer.status_code == 200, f"it is taken, not {answer.status_code} {answer.text}")
    ends = time.monotonic() + 60
    while not (found := _answered(around, "GET", "/v1/inbox?connection_id=sandbox-b")["items"]):
        expect(time.monotonic() < ends, "it waits in the inbox")
        time.sleep(0.5)
    _answered(around, "POST", f"/v1/inbox/{found[0]['id']}/replays")
