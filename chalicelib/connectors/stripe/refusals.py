"""Stripe's definite no (docs.stripe.com/api/errors)."""

from __future__ import annotations

from chalicelib.connectors.stripe.facts import decline_of
from chalicelib.contracts.calls import Refusal, RefusalKind
from chalicelib.contracts.conversation import HttpResponse


def refusal_of(response: HttpResponse) -> Refusal:
    """Raises ValueError where the answer proves nothing: the first call with this key is still running (409), or was another
    one (`idempotency_error`)."""
    error = response.json()["error"]
    kind, code = str(error["type"]), str(error.get("code") or error["type"])
    if response.status < 400 or response.status == 409 or kind in ("idempotency_error", "api_error"):
        raise ValueError(f"the answer {response.status} {kind} proves nothing")
    if kind == "card_error":
        decline = decline_of(error)
        return Refusal(RefusalKind.DECLINED, f"{decline.cls} decline, {decline.psp_code}", decline)
    if response.status == 429:
        return Refusal(RefusalKind.RATE_LIMITED, "too many calls", retry_after_s=_seconds(response))
    return Refusal(RefusalKind.MISCONFIGURED, f"{response.status} {code}: {str(error.get('message') or '')[:200]}")


def _seconds(response: HttpResponse) -> int | None:
    given = response.headers.get("retry-after", "")
    return int(given) if given.isdigit() and given.isascii() and len(given) < 6 else None
