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
from collections.abc import Iterable, Mapping
from typing import Any

from chalicelib.domain.errors import SignatureInvalid
from chalicelib.domain.json_text import parse

ITEMS_MAX = 100  # Adyen sends one to six in a delivery
HOSTILE = (ValueError, KeyError, TypeError, AttributeError, OverflowError)  # what reading one may raise


def items_in(body: bytes) -> list[Any]:
    """All items of a delivery, whatever each is. Raises one of HOSTILE for what is no delivery."""
    wrapped = parse(body)["notificationItems"]
    if not isinstance(wrapped, list) or not 0 < len(wrapped) <= ITEMS_MAX:
        raise ValueError("a delivery is a list of items")
    return [one.get("NotificationRequestItem") if isinstance(one, dict) else None for one in wrapped]


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
    """One genuine item is enough to take a delivery in, since Adyen would send all of it again for a month and hold back what
    comes after it; each item is trusted only for its own signature, when it is read. Raises SignatureInvalid and nothing
    else, whatever the body holds."""
    keys = tuple(hexadecimal_keys)
    try:
        genuine = [is_genuine(item, keys) for item in items_in(body)]
    except HOSTILE:
        raise SignatureInvalid("The webhook is no list of signed items.") from None
    if not any(genuine):
        raise SignatureInvalid("No item of the webhook has a signature that fits the account's HMAC key.")


def is_genuine(item: Any, hexadecimal_keys: Iterable[str]) -> bool:
    """Whether one of the keys signed this item. Raises nothing, whatever it is."""
    try:
        given = item["additionalData"]["hmacSignature"]
        if not isinstance(given, str) or not given.isascii():
            return False
        fits = [hmac.compare_digest(signature_of(item, bytes.fromhex(key)), given) for key in hexadecimal_keys]
        return any(fits)
    except HOSTILE:
        return False


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
