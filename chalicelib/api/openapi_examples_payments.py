"""Payments and operations by example, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

from chalicelib.api.models_checkout import CHECKOUT_EXAMPLE
from chalicelib.domain.payment import Json

AT = "2026-03-02T09:00:00.000000Z"
PAYMENT_ID = "pay_m2dwhjiudwhbpdbsmmtonp2g"
ATTEMPT_ID = "att_m2dwhjiudwhbpdbsmmtonp2g_01"
_DECLINE = {
    "class": "soft",
    "code": "insufficient_funds",
    "psp_code": "card_51",
    "message": "The card has too little on it.",
}


def _payment(status: str, attempt_status: str, **changes: Any) -> dict[str, Json]:
    names = ("authorized", "captured", "refunded", "refundable", "capturable", "charged_back", "surplus")
    candidate = {"connection_id": "sandbox-a", "eligible": True, "reason": None, "health": "closed"}
    attempt = {
        "id": ATTEMPT_ID,
        "connection_id": "sandbox-a",
        "connector": "sandbox",
        "psp_reference": "ses_47a92464fdecfd46e3bfcd3e",
        "status": attempt_status,
        "decline": None,
        "started_at": AT,
    }
    return {
        "id": PAYMENT_ID,
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
        "created_at": AT,
        "updated_at": AT,
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
OPERATION = {
    "id": "op_m2dwhjiudwhbpdbsmmtonp2g_q3xn5avtha",
    "kind": "refund",
    "status": "succeeded",
    "amount": {"value": 525, "currency": "EUR"},
    "attempt_id": ATTEMPT_ID,
    "origin": "api",
    "reason": "one book came back",
    "decline": None,
    "psp_reference": "ref_5ce1c6b3f5a0",
    "created_at": AT,
}

UNKNOWN_OPERATION = {**OPERATION, "status": "unknown", "psp_reference": None}
