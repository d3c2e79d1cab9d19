"""A session: the document that is stored, how it opens, and how the world sees it."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from dev.sandbox.errors import Refused, invalid
from dev.sandbox.misbehaviour import NONE, Misbehaviour, misbehaviour_of

Json = dict[str, Any]

VALUE_MAX = 10**12
EXPIRES_IN_S = 1800
EXPIRES_IN_MAX_S = 86_400
CAPTURE_MODES = ("automatic", "manual")
PUBLIC = ("id", "reference", "status", "amount", "capture", "url", "description", "metadata", "version", "payment")


def new_id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(12)}"


def opened(account: str, body: Json, base_url: str, now_ms: int) -> Json:
    """A new session's document out of a create call's body. Raises Refused 422."""
    known = {"reference", "amount", "capture", "return_url", "cancel_url", "description", "expires_in_s", "metadata"}
    if unknown := sorted(set(body) - known):
        raise invalid(f"Unknown fields: {', '.join(unknown)}.")
    id_ = new_id("ses")
    return {
        "id": id_,
        "account": account,
        "version": 0,
        "reference": text_of(body, "reference", 255),
        "status": "open",
        "amount": amount_of(body.get("amount")),
        "capture": _capture_of(body),
        "description": text_of({"description": "", **body}, "description", 500, least=0),
        "return_url": _address_of(body, "return_url"),
        "cancel_url": _address_of(body, "cancel_url"),
        "created_ms": now_ms,
        "expires_ms": now_ms + _expires_in_s(body) * 1000,
        "metadata": _metadata_of(body),
        "url": f"{base_url.rstrip('/')}/{account}/pay/{id_}",
        "payment": None,
    }


def shown(session: Json, odd: Misbehaviour | None = None) -> Json:
    """The session as reads and webhooks tell it: with the misbehaviour it was asked for, or with `odd` instead."""
    odd = misbehaviour_of(session["account"], session["metadata"]) if odd is None else odd
    told = {name: session[name] for name in PUBLIC}
    told["created_at"], told["expires_at"] = _rfc3339(session["created_ms"]), _rfc3339(session["expires_ms"])
    payment = session["payment"]
    if payment is not None and "authorization_expires_ms" in payment:
        payment = dict(payment)
        payment["authorization_expires_at"] = _rfc3339(payment.pop("authorization_expires_ms"))
        told["payment"] = payment
    if odd.claims_more_minor:
        told["amount"] = _more(session["amount"], odd.claims_more_minor)
        if payment is not None:
            taken = {
                name: _more(payment[name], odd.claims_more_minor)
                for name in ("amount", "amount_captured")
                if payment[name]["value"]
            }
            payment = told["payment"] = payment | taken
    if odd.claims_status is not None:
        told["status"] = odd.claims_status
        if payment is not None:
            told["payment"] = payment | {"status": odd.claims_status}
    return told


def as_answered(session: Json) -> Json:
    """The create call's answer, which no misbehaviour changes."""
    return shown(session, NONE)


def text_of(body: Json, name: str, most: int, *, least: int = 1) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not least <= len(value) <= most:
        raise invalid(f"{name} is a text of {least} to {most} characters.")
    return value


def amount_of(value: object) -> Json:
    """`{"value": minor units, "currency": "EUR"}`; an integer, never a float or a boolean."""
    if not isinstance(value, dict) or set(value) != {"value", "currency"}:
        raise invalid("amount has value and currency.")
    if type(value["value"]) is not int or not 1 <= value["value"] <= VALUE_MAX:
        raise invalid(f"amount.value is an integer in minor units, 1 to {VALUE_MAX}.")
    if not isinstance(value["currency"], str) or not re.fullmatch("[A-Z]{3}", value["currency"]):
        raise invalid("amount.currency is three capital letters.")
    return {"value": value["value"], "currency": value["currency"]}


def _capture_of(body: Json) -> str:
    mode = body.get("capture", "automatic")
    if mode not in CAPTURE_MODES:
        raise invalid(f"capture is one of {', '.join(CAPTURE_MODES)}.")
    return str(mode)


def _address_of(body: Json, name: str) -> str:
    address = text_of(body, name, 2000)
    try:
        parts = urlsplit(address)
    except ValueError:
        raise invalid(f"{name} is no address.") from None
    if parts.scheme not in ("http", "https") or not parts.netloc or not address.isprintable():
        raise invalid(f"{name} is an http or https address.")
    return address


def _expires_in_s(body: Json) -> int:
    seconds = body.get("expires_in_s", EXPIRES_IN_S)
    if type(seconds) is not int or not 1 <= seconds <= EXPIRES_IN_MAX_S:
        raise invalid(f"expires_in_s is an integer, 1 to {EXPIRES_IN_MAX_S}.")
    return seconds


def _metadata_of(body: Json) -> Json:
    metadata = body.get("metadata", {})
    if not isinstance(metadata, dict) or len(metadata) > 50:
        raise invalid("metadata is an object of at most 50 entries.")
    if any(not isinstance(value, str) or len(value) > 500 for value in metadata.values()):
        raise invalid("Each metadata value is a text of at most 500 characters.")
    return metadata


def _more(amount: Json, minor: int) -> Json:
    return {"value": amount["value"] + minor, "currency": amount["currency"]}


def _rfc3339(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def not_open(session: Json) -> Refused:
    """Why a session can not be paid any more: 410 when it expired, 409 otherwise."""
    gone = session["status"] == "expired"
    return Refused(410 if gone else 409, f"session_{session['status']}", f"This checkout is {session['status']}.")
