"""What operations answer, by example, for the OpenAPI document. A test holds each to its schema."""

from __future__ import annotations

from typing import Any

from chalicelib.api import models as m
from chalicelib.api import models_configuration as c
from chalicelib.api.models_recovery import RECOVERY_EXAMPLE, RecoveryModel
from chalicelib.api.openapi_examples_payments import (
    AT,
    ATTEMPT_ID,
    DECLINED,
    NOT_SENT,
    OPERATION,
    PAYMENT_ID,
    PENDING,
)
from chalicelib.api.openapi_examples_routing import ROUTING
from chalicelib.domain.payment import Json

_LATER = "2026-03-02T09:00:41.000000Z"
_SUBSCRIPTION = "sub_2796a01432fb692db5411953"
_DELIVERY = "dlv_wqgaj3nktb7nfwqruwt7ebgg"
_INBOX = "inb_dqebqrnw2esnaonbm2r7pbq7"
_SIGNING = "sec_b8cc66356e1f37a4"
_VERSIONED = {"version": 1, "created_at": AT, "updated_at": AT}
_CONNECTION = {
    "id": "sandbox-d",
    "connector": "sandbox",
    "enabled": True,
    "settings": {
        "base_url": "http://localhost:8002/sandbox-c",
        "account": "sandbox-c",
        "api_key": "********",
        "webhook_secret": "********",
    },
    "override": None,
    **_VERSIONED,
}
_HEALTHY = {**_CONNECTION, "health": "closed"}
_HEALTH = {
    "connection_id": "sandbox-d",
    "state": "open",
    "override": None,
    "circuit": "open",
    "reason": "5 failures in a row",
    "opened_at": AT,
    "next_probe_at": "2026-03-02T09:00:10.000000Z",
    "window": {
        "seconds": 60,
        "calls": 412,
        "failures": 9,
        "failure_share": 0.0218,
        "latency_ms": {"p50": 200, "p95": 800},
    },
}
_SIGNING_KEY = {"id": _SIGNING, "created_at": AT}
_SUBSCRIBED = {
    "id": _SUBSCRIPTION,
    "name": "Order system",
    "channel": "webhook",
    "target": {"url": "https://shop.example/payment-events"},
    "events": ["payment.*", "operation.failed"],
    "enabled": True,
    "secrets": [_SIGNING_KEY],
    **_VERSIONED,
}
_WHSEC = {"signing_secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
_EVENT = {
    "specversion": "1.0",
    "id": "evt_m2dwhjiudwhbpdbsmmtonp2g_001",
    "source": "/paymentserver/default",
    "type": "payment.pending",
    "subject": PAYMENT_ID,
    "time": AT,
    "datacontenttype": "application/json",
    "sequence": 1,
    "data": {"payment": PENDING, "previous_status": "created"},
}
_REQUEST = {
    "method": "POST",
    "address": "https://shop.example/payment-events",
    "headers": ["Content-Type", "webhook-id", "webhook-timestamp", "webhook-signature"],
}
_TRY = {
    "at": _LATER,
    "http_status": 204,
    "latency_ms": 31,
    "detail": "delivered",
    "answer": "",
    "request": _REQUEST,
}
_DELIVERED = {
    "id": _DELIVERY,
    "subscription_id": _SUBSCRIPTION,
    "payment_id": PAYMENT_ID,
    "event_id": _EVENT["id"],
    "event_type": "payment.pending",
    "status": "succeeded",
    "created_at": AT,
    "next_try_at": None,
    "tried": 1,
    "tries": [_TRY],
    "event": _EVENT,
}
_WEBHOOK = {
    "id": _INBOX,
    "connection_id": "sandbox-a",
    "status": "unmatched",
    "detail": "the webhook names no payment of ours",
    "received_at": AT,
    "tried": 2,
    "next_try_at": _LATER,
    "body": '{"id": "evt_1", "type": "session.expired"}',
}
_CONNECTOR = {
    "name": "sandbox",
    "title": "Sandbox PSP",
    "capabilities": {
        "operations": ["cancel", "capture", "expire", "refund"],
        "capture_modes": ["automatic", "manual"],
        "partial_capture": True,
        "multiple_captures": True,
        "partial_refund": True,
        "inert_until_visited": True,
        "reads_money": True,
        "looks_up_references": True,
        "completes_on_return": False,
        "webhook_address": "entered",
        "webhook_methods": ["POST"],
        "key_lives_s": {"open": 86_400, "capture": 86_400, "cancel": 86_400, "refund": 86_400},
    },
    "payment_methods": ["card", "ideal"],
    "currencies": ["EUR", "USD"],
    "amount_limits": {"EUR": {"least": 50, "most": None}},
    "settings": {"type": "object", "properties": {"api_key": {"type": "string", "writeOnly": True}}},
}
_CHANGE = {
    "sequence": 7,
    "at": AT,
    "actor": "admin",
    "client": "studio",
    "action": "create",
    "object_kind": "connection",
    "object_id": "sandbox-d",
    "before": None,
    "after": _CONNECTION,
    "request_id": "req_5d1c0e9f7a2b",
    "change_id": "000000000007-944876f9bb4de505",
    "previous_hash": "7c1f13ef7c0b27eddad7ba4ca66c45fe7ac52190c5741d84e7bd5c08c7a9b064",
    "hash": "cbfcda6edd457ea8ab6741be579f8ab9213318de1f1f22e64a4414cc7f510afd",
}
_ENTRY = {
    "at": AT,
    "kind": "psp_call",
    "summary": "sandbox-a opened a checkout (ses_47a92464fdecfd46e3bfcd3e).",
    "data": {"attempt_id": ATTEMPT_ID, "connection_id": "sandbox-a", "outcome": "opened"},
}


def _list(item: Json) -> Json:
    return {"items": [item], "next_cursor": None}


ANSWERS: dict[type[Any], Json] = {
    m.PaymentModel: PENDING,
    m.PaymentList: _list(PENDING),
    m.OperationModel: OPERATION,
    m.TimelineList: _list(_ENTRY),
    m.DeliveryModel: _DELIVERED,
    m.DeliveryList: _list(_DELIVERED),
    m.InboxModel: _WEBHOOK,
    m.InboxList: _list(_WEBHOOK),
    c.ConnectionModel: _HEALTHY,
    c.ConnectionList: _list(_HEALTHY),
    c.HealthModel: _HEALTH,
    c.ConnectionTestModel: {"ok": True, "problem": None, "detail": "The PSP accepts the credentials."},
    c.WebhookSetupModel: {
        "url": "https://pay.example/webhooks/default/sandbox-d",
        "events": [],
        "where": "the account's `webhook_url` at the sandbox",
        "secret": "the account's webhook secret",
        "secret_field": "webhook_secret",
        "has_secret": True,
        "creates": False,
    },
    **ROUTING,
    c.SubscriptionModel: _SUBSCRIBED,
    c.SubscriptionList: _list(_SUBSCRIBED),
    c.NewSubscriptionModel: {**_SUBSCRIBED, **_WHSEC},
    c.NewSigningSecretModel: {**_SIGNING_KEY, **_WHSEC},
    c.SubscriptionTestModel: {
        "ok": True,
        "status": 204,
        "latency_ms": 31,
        "detail": "The target took the test event.",
    },
    c.ConnectorList: _list(_CONNECTOR),
    c.AuditList: _list(_CHANGE),
    RecoveryModel: RECOVERY_EXAMPLE,
}
PAYMENT_OF_PROBLEM = {402: DECLINED, 502: NOT_SENT}
TEXTS = {"text/html": "<!doctype html>…", "text/plain": "[accepted]", "text/csv": "id,created_at,updated_at,…\r\n"}
# What stands in a path, by what stands before it there.
PATH_VALUES = {
    "payments": PAYMENT_ID,
    "connections": "sandbox-d",
    "routes": "default",
    "versions": "3",
    "subscriptions": _SUBSCRIPTION,
    "secrets": _SIGNING,
    "deliveries": _DELIVERY,
    "inbox": _INBOX,
    "problems": "invalid",
    "returns": f"{PAYMENT_ID}.yygpKSi20tcvzsgv0EutSMwtyEnVL0otKS3KAwA.0f5d1c0e9f7a2b3c4d5e6f708192a3b4",
    "webhooks": "default",
    "{merchant_id}": "sandbox-a",
}
