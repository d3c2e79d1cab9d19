"""Problem documents (RFC 9457): what went wrong, where, and how to mend it; never a stack trace or a secret."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from chalicelib.domain.errors import (
    STATUS_OF,
    Forbidden,
    InProgress,
    Invalid,
    MethodNotAllowed,
    PaymentServerError,
    TooManyRequests,
    Unauthenticated,
)

PROBLEMS = Path(__file__).parent / "problems"
CONTENT_TYPE = "application/problem+json"
_CHALLENGE = 'Bearer realm="paymentserver"'

TITLE_OF = {
    "unreadable": "The request can not be read",
    "signature-invalid": "The webhook is not signed by its PSP",
    "unauthenticated": "A valid access token is needed",
    "forbidden": "The token does not allow this",
    "not-found": "There is no such thing",
    "method-not-allowed": "The address does not take this method",
    "conflict": "The object's state forbids this",
    "attempt-still-payable": "The shopper could still pay an earlier attempt",
    "in-progress": "The same call is still running",
    "precondition-failed": "The object has changed since you read it",
    "precondition-required": "Say which version you are changing",
    "too-large": "The request is too large",
    "unsupported-media-type": "The body's media type is not taken",
    "invalid": "The request breaks a rule",
    "key-reused": "The idempotency key belongs to another request",
    "card-number": "Card numbers are not accepted",
    "no-eligible-connection": "No connection can take this payment",
    "declined": "Every PSP that could take the payment declined it",
    "no-psp-answered": "No PSP could open a checkout",
    "outcome-unknown": "It is not known yet whether the PSP did it",
    "stale-version": "Somebody else changed the object at the same time",
    "storage-fault": "The database did not answer",
    "storage-full": "The database is full",
    "storage-read-only": "The database takes no changes",
    "queue-fault": "The queue did not answer",
    "vault-fault": "A secret could not be sealed or opened",
    "identity-fault": "The identity provider did not answer",
    "internal-error": "PaymentServer failed",
    "too-many-requests": "Too many requests at a time",
    "no-answer-in-time": "The answer took too long",
}


def problem(
    slug: str,
    status: int,
    detail: str,
    *,
    public_url: str,
    instance: str,
    request_id: str,
    **members: Any,
) -> bytes:
    """The document's bytes. Raises KeyError for a slug without a page under ``problems/``."""
    document = {
        "type": f"{public_url}/problems/{slug}",
        "title": TITLE_OF[slug],
        "status": status,
        "detail": detail,
        "instance": instance,
        "request_id": request_id,
        **members,
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def members_of(error: PaymentServerError) -> dict[str, Any]:
    if isinstance(error, Invalid) and error.errors:
        return {"errors": [{"pointer": one.pointer, "detail": one.detail} for one in error.errors]}
    return {}


def headers_of(error: PaymentServerError) -> dict[str, str]:
    if isinstance(error, InProgress | TooManyRequests):
        return {"Retry-After": str(error.retry_after_s)}
    if isinstance(error, MethodNotAllowed):
        return {"Allow": ", ".join(sorted({"OPTIONS", *error.methods}))}
    if isinstance(error, Unauthenticated):  # RFC 6750, section 3.1: who sends no token is told no error code
        return {"WWW-Authenticate": _CHALLENGE + (', error="invalid_token"' if error.presented else "")}
    if isinstance(error, Forbidden) and error.scope is not None:
        return {"WWW-Authenticate": f'{_CHALLENGE}, error="insufficient_scope", scope="{error.scope}"'}
    if STATUS_OF[type(error)] == 503:
        return {"Retry-After": "5"}
    return {}
