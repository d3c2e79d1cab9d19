"""Stripe's definite no (docs.stripe.com/api/errors)."""

from __future__ import annotations

from chalicelib.connectors.stripe.errors import ERROR_CODE, ERROR_TYPE, Verdict
from chalicelib.connectors.stripe.facts import decline_of
from chalicelib.contracts.calls import Refusal, RefusalKind
from chalicelib.contracts.conversation import AwaitsApproval, HttpResponse
from chalicelib.domain.facts import Decline


def refusal_of(response: HttpResponse) -> Refusal:
    """Raises ValueError where the answer proves nothing: the first call with this key is still running (409), or was another
    one (`idempotency_error`); AwaitsApproval where somebody may still approve what was asked."""
    error = response.json()["error"]
    verdict, code = ERROR_TYPE.of(error["type"]), str(error.get("code") or error["type"])
    meaning = ERROR_CODE.of(code)
    if response.status == 429:  # whatever it is called: docs.stripe.com/rate-limits
        return Refusal(RefusalKind.RATE_LIMITED, "too many calls", retry_after_s=_seconds(response))
    if response.status >= 400 and meaning is Verdict.WAITS:
        raise AwaitsApproval(f"Stripe does it once somebody approves it in the Dashboard; {response.status} {code}")
    if response.status < 400 or response.status == 409 or Verdict.NOTHING in (verdict, meaning):
        raise ValueError(f"the answer {response.status} {code[:40]} proves nothing")
    if verdict is Verdict.DECLINED:
        return _declined(decline_of(error))
    message = str(error.get("message") or "")[:200]
    if not isinstance(meaning, Verdict):
        return _declined(Decline(*meaning, psp_code=code[:80], message=message))
    return Refusal(RefusalKind.MISCONFIGURED, f"{response.status} {code}: {message}")


def _declined(decline: Decline) -> Refusal:
    return Refusal(RefusalKind.DECLINED, f"{decline.cls} decline, {decline.psp_code}", decline)


def _seconds(response: HttpResponse) -> int | None:
    given = response.headers.get("retry-after", "")
    return int(given) if given.isdigit() and given.isascii() and len(given) < 6 else None
