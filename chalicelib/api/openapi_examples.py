"""What operations answer, by example, for the OpenAPI document. A test holds each to its schema."""

from __future__ import annotations

from typing import Any

from chalicelib.api import models as m
from chalicelib.api import models_configuration as c
from chalicelib.api.models_checkout import CHECKOUT_EXAMPLE
from chalicelib.api.models_recovery import RECOVERY_EXAMPLE, RecoveryModel
from chalicelib.api.openapi_examples_routing import ROUTING
from chalicelib.domain.payment import Json

_AT = "2026-03-02T09:00:00.000000Z"
_LATER = "2026-03-02T09:00:41.000000Z"
_PAYMENT = "pay_m2dwhjiudwhbpdbsmmtonp2g"
_ATTEMPT = "att_m2dwhjiudwhbpdbsmmtonp2g_01"
_SUBSCRIPTION = "sub_2796a01432fb692db5411953"
_DELIVERY = "dlv_wqgaj3nktb7nfwqruwt7ebgg"
_INBOX = "inb_dqebqrnw2esnaonbm2r7pbq7"
_SIGNING = "sec_b8cc66356e1f37a4"
_DECLINE = {
    "class": "soft",
    "code": "insufficient_funds",
    "psp_code": "card_51",
    "message": "The card has too little on it.",
}
_VERSIONED = {"version": 1, "created_at": _AT, "updated_at": _AT}


def _payment(status: str, attempt_status: str, **changes: Any) -> dict[str, Json]:
    names = ("authorized", "captured", "refunded", "refundable", "capturable", "charged_back", "surplus")
    candidate = {"connection_id": "sandbox-a", "eligible": True, "reason": None, "health": "closed"}
    attempt = {
        "id": _ATTEMPT,
        "connection_id": "sandbox-a",
        "connector": "sandbox",
        "psp_reference": "ses_47a92464fdecfd46e3bfcd3e",
        "status": attempt_status,
        "decline": None,
        "started_at": _AT,
    }
    return {
        "id": _PAYMENT,
        "merchant_id": "default",
        "order_reference": "order-1001",
        "status": status,
        "amount": CHECKOUT_EXAMPLE["amount"],
        "amounts": dict.fromkeys(names, 0),
        "disputes": [],
        "next_action": None,
        "route": {
            "name": "default",
            "version": 3,
            "arm": None,
            "trace": [{"rule": "otherwise", "arm": None, "inputs": {"currency": "EUR"}, "candidates": [candidate]}],
            "explanation": None,
        },
        "attempts": [{**attempt, **changes.pop("attempt", {})}],
        "operations": [],
        "payment_method": "card",
        "capture": "automatic",
        "description": "Two books",
        "customer": CHECKOUT_EXAMPLE["customer"],
        "metadata": {"channel": "web"},
        "sequence": 1,
        "created_at": _AT,
        "updated_at": _AT,
        **changes,
    }


_ACTION = {
    "type": "redirect",
    "url": "http://localhost:8002/sandbox-a/pay/ses_47a92464fdecfd46e3bfcd3e",
    "method": "GET",
    "fields": None,
    "expires_at": "2026-03-02T09:30:00.000000Z",
}
PENDING = _payment("pending", "pending", next_action=_ACTION)
IN_DOUBT = _payment("unknown", "unknown", attempt={"psp_reference": None})
DECLINED = _payment("failed", "declined", attempt={"psp_reference": None, "decline": _DECLINE})
NOT_SENT = _payment("failed", "not_sent", attempt={"psp_reference": None})
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
    "opened_at": _AT,
    "next_probe_at": "2026-03-02T09:00:10.000000Z",
    "window": {
        "seconds": 60,
        "calls": 412,
        "failures": 9,
        "failure_share": 0.0218,
        "latency_ms": {"p50": 200, "p95": 800},
    },
}
_SIGNING_KEY = {"id": _SIGNING, "created_at": _AT}
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
    "subject": _PAYMENT,
    "time": _AT,
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
    "payment_id": _PAYMENT,
    "event_id": _EVENT["id"],
    "event_type": "payment.pending",
    "status": "succeeded",
    "created_at": _AT,
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
    "received_at": _AT,
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
        "key_lives_s": {"open": 86_400, "capture": 86_400, "cancel": 86_400, "refund": 86_400},
    },
    "payment_methods": ["card", "ideal"],
    "currencies": ["EUR", "USD"],
    "amount_limits": {"EUR": {"least": 50, "most": None}},
    "settings": {"type": "object", "properties": {"api_key": {"type": "string", "writeOnly": True}}},
}
_CHANGE = {
    "sequence": 7,
    "at": _AT,
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
    "at": _AT,
    "kind": "psp_call",
    "summary": "sandbox-a opened a checkout (ses_47a92464fdecfd46e3bfcd3e).",
    "data": {"attempt_id": _ATTEMPT, "connection_id": "sandbox-a", "outcome": "opened"},
}

OPERATION = {
    "id": "op_m2dwhjiudwhbpdbsmmtonp2g_q3xn5avtha",
    "kind": "refund",
    "status": "succeeded",
    "amount": {"value": 525, "currency": "EUR"},
    "attempt_id": _ATTEMPT,
    "origin": "api",
    "reason": "one book came back",
    "decline": None,
    "psp_reference": "ref_5ce1c6b3f5a0",
    "created_at": _AT,
}

UNKNOWN_OPERATION = {**OPERATION, "status": "unknown", "psp_reference": None}


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
TEXTS = {"text/html": "<!doctype html>…", "text/plain": "[accepted]"}
# What stands in a path, by what stands before it there.
PATH_VALUES = {
    "payments": _PAYMENT,
    "connections": "sandbox-d",
    "routes": "default",
    "versions": "3",
    "subscriptions": _SUBSCRIPTION,
    "secrets": _SIGNING,
    "deliveries": _DELIVERY,
    "inbox": _INBOX,
    "problems": "invalid",
    "returns": f"{_PAYMENT}.0f5d1c0e9f7a2b3c4d5e6f708192a3b4",
    "webhooks": "default",
    "{merchant_id}": "sandbox-a",
}
