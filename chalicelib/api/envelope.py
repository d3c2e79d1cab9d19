"""What is around a request and its answer, the same wherever they are served: limits, the request's id, headers."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence

from chalicelib.domain.errors import Unreadable

BODY_LIMIT_BYTES = 64 * 1024
WEBHOOK_LIMIT_BYTES = 128 * 1024  # PSPs batch events; more does not fit a message of the queue
WEBHOOKS = "/webhooks/"  # paths that begin like this may have the larger body
RAW_QUERY = "rawQueryString"  # where the gateway puts it into a request's context
ALWAYS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
ONCE = ("authorization", "idempotency-key", "if-match")  # two of them would let a proxy and us read different ones
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def request_id_of(given: str | None, otherwise: str | None = None) -> str:
    """The caller's own where it is well formed; else the one given, or a new one."""
    if given is not None and _REQUEST_ID.fullmatch(given):
        return given
    return otherwise or "req_" + secrets.token_hex(12)


def check_single(headers: Mapping[str, Sequence[str]]) -> None:
    """Raises Unreadable where one that must be single is not. Names are in lower case."""
    for name in ONCE:
        if len(headers.get(name, ())) > 1:
            raise Unreadable(f"The header {name} was sent more than once.")


def body_limit(pattern: str) -> int:
    """In bytes, for a route."""
    return WEBHOOK_LIMIT_BYTES if pattern.startswith(WEBHOOKS) else BODY_LIMIT_BYTES
