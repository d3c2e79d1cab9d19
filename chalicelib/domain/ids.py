"""Ids that carry what they name: a payment's id comes from its key, an attempt's or operation's id contains its payment's.

So a repeated call finds the first one's record without a table of keys, and a webhook that repeats our reference names its
payment without an index. The longest is 38 characters; Square takes 45.
"""

from __future__ import annotations

import base64
import hashlib
import re

SHORT = 24  # base32 characters: 120 bits, so that two keys never meet
_ATTEMPT = re.compile(r"att_[a-z2-7]{24}_[0-9]{2}")
_OPERATION = re.compile(r"op_[a-z2-7]{24}_[a-z2-7]{10}")
_PAYMENT = re.compile(r"pay_[a-z2-7]{24}")


def _digest(length: int, *parts: str) -> str:
    text = "\x00".join(f"{len(part)}:{part}" for part in parts)
    return base64.b32encode(hashlib.sha256(text.encode()).digest()).decode().lower()[:length]


def payment_id_of(merchant_id: str, idempotency_key: str) -> str:
    return "pay_" + _digest(SHORT, "payment", merchant_id, idempotency_key)


def attempt_id_of(payment_id: str, number: int) -> str:
    """`number` counts from 1; a payment has at most 10."""
    return f"att_{payment_id[4:]}_{number:02d}"


def operation_id_of(payment_id: str, key: str) -> str:
    """`key` is the caller's Idempotency-Key, or what a policy derives the operation from."""
    return f"op_{payment_id[4:]}_{_digest(10, 'operation', payment_id, key)}"


def event_id_of(payment_id: str, sequence: int) -> str:
    return f"evt_{payment_id[4:]}_{sequence:03d}"


def notice_id_of(noun: str, merchant_id: str, name: str, version: int) -> str:
    """Of the one event that a version of a route or subscription can come with."""
    return "evt_" + _digest(SHORT, noun, merchant_id, name, str(version))


def delivery_id_of(event_id: str, subscription_id: str) -> str:
    return "dlv_" + _digest(SHORT, "delivery", event_id, subscription_id)


def inbox_id_of(*parts: str) -> str:
    return "inb_" + _digest(SHORT, "inbox", *parts)


def payment_id_in(reference: str) -> str | None:
    """The payment that an attempt's or operation's id names, None where `reference` is neither."""
    if _ATTEMPT.fullmatch(reference):
        return "pay_" + reference[4 : 4 + SHORT]
    if _OPERATION.fullmatch(reference):
        return "pay_" + reference[3 : 3 + SHORT]
    return None


def is_payment_id(text: str) -> bool:
    return _PAYMENT.fullmatch(text) is not None
