"""Mollie's ids and addresses, checked before they lead anywhere, and the keys of our calls."""

from __future__ import annotations

import hashlib
import re
import uuid

BASE = "https://api.mollie.com"
PAYMENTS = "/v2/payments"
_ID = {prefix: re.compile(rf"{prefix}_[A-Za-z0-9]{{1,60}}") for prefix in ("tr", "cpt", "re", "chb")}
_OF_PAYMENT = re.compile(r"(?:https://api\.mollie\.com)?/v2/payments/(tr_[A-Za-z0-9]{1,60})(?:/.*)?")


def id_in(text: object, prefix: str) -> str:
    """Raises ValueError for what is no id of Mollie's with that prefix."""
    if not isinstance(text, str) or not _ID[prefix].fullmatch(text):
        raise ValueError(f"this is no id of Mollie's that begins with {prefix}_")
    return text


def payment_path(payment_id: object) -> str:
    """Raises ValueError for what is no payment's id."""
    return f"{PAYMENTS}/{id_in(payment_id, 'tr')}"


def payment_id_of(href: object) -> str | None:
    """The payment that an address of Mollie's API is of, or is below; None where it is of something else."""
    found = _OF_PAYMENT.fullmatch(href) if isinstance(href, str) else None
    return found[1] if found else None


def key_of(id: str) -> str:
    """The Idempotency-Key of an attempt or operation: Mollie asks for UUIDs of version 4, so this looks like one."""
    return str(uuid.UUID(bytes=hashlib.sha256(id.encode()).digest()[:16], version=4))
