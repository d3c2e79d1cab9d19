"""Adyen's signature of a standard webhook: each item carries its own, HMAC-SHA256 in base64 over eight of its fields joined by
colons, nothing escaped (docs.adyen.com/development-resources/webhooks/secure-webhooks/verify-hmac-signatures).

There is no time in it, so an old delivery stays valid: it says what is known, and joins to the same facts. Only what is signed
may decide about money. A text with exactly seven colons splits into its fields in one way alone; `webhook.py` reads no field
with a colon.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from typing import Any

from chalicelib.domain.errors import SignatureInvalid

ITEMS_MAX = 100  # Adyen sends one to six in a delivery


def items_in(body: bytes) -> list[Mapping[str, Any]]:
    """All items of a delivery. Raises ValueError, KeyError, TypeError or RecursionError for what is none."""
    wrapped = json.loads(body)["notificationItems"]
    items = [one["NotificationRequestItem"] for one in wrapped]
    if (
        not isinstance(wrapped, list)
        or not 0 < len(items) <= ITEMS_MAX
        or not all(isinstance(one, dict) for one in items)
    ):
        raise ValueError("a delivery is a list of items")
    return items


def signed_text(item: Mapping[str, Any]) -> bytes:
    """Raises TypeError where a signed field is not of its type, ValueError for half a character."""
    amount = item.get("amount") or {}
    fields = (
        _text(item, "pspReference"),
        _text(item, "originalReference"),
        _text(item, "merchantAccountCode"),
        _text(item, "merchantReference"),
        _integer(amount, "value"),
        _text(amount, "currency"),
        _text(item, "eventCode"),
        _text(item, "success"),
    )
    return ":".join(fields).encode()


def signature_of(item: Mapping[str, Any], key: bytes) -> str:
    return base64.b64encode(hmac.new(key, signed_text(item), hashlib.sha256).digest()).decode()


def check(body: bytes, hexadecimal_keys: Iterable[str]) -> None:
    """All items must be signed: one forged item refuses the whole delivery. Raises SignatureInvalid and nothing else,
    whatever the body holds."""
    keys = [bytes.fromhex(key) for key in hexadecimal_keys]
    try:
        genuine = [_is_genuine(item, keys) for item in items_in(body)]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise SignatureInvalid("The webhook is no list of signed items.") from None
    if not all(genuine):
        raise SignatureInvalid("An item of the webhook has no signature that fits the account's HMAC key.")


def _is_genuine(item: Mapping[str, Any], keys: Iterable[bytes]) -> bool:
    given = item["additionalData"]["hmacSignature"]
    if not isinstance(given, str) or not given.isascii():
        return False
    matches = [hmac.compare_digest(signature_of(item, key), given) for key in keys]
    return any(matches)


def _text(thing: Mapping[str, Any], field: str) -> str:
    value = thing.get(field)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError(f"{field} is text")
    return value


def _integer(thing: Mapping[str, Any], field: str) -> str:
    value = thing.get(field)
    if value is None:
        return ""
    if type(value) is not int:
        raise TypeError(f"{field} is an integer")
    return str(value)
