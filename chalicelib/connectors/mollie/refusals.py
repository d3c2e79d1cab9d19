"""Mollie's definite no (docs.mollie.com/reference/error-handling)."""

from __future__ import annotations

from chalicelib.connectors.mollie.tables import ERROR_STATUS, Verdict
from chalicelib.contracts.calls import Refusal, RefusalKind
from chalicelib.contracts.conversation import HttpResponse


def refusal_of(response: HttpResponse) -> Refusal:
    """Raises ValueError, KeyError or TypeError where the answer proves nothing."""
    error = response.json()
    verdict = ERROR_STATUS.of(response.status)
    if verdict is Verdict.NOTHING or str(error["status"]) != str(response.status):
        raise ValueError(f"the answer {response.status} proves nothing")
    if verdict is Verdict.RATE_LIMITED:
        return Refusal(RefusalKind.RATE_LIMITED, "too many calls", retry_after_s=_seconds(response))
    field, detail = str(error.get("field") or "")[:60], str(error.get("detail") or error["title"])[:200]
    about = f" ({field})" if field else ""
    return Refusal(RefusalKind.MISCONFIGURED, f"{response.status}{about}: {detail}")


def _seconds(response: HttpResponse) -> int | None:
    given = response.headers.get("retry-after", "")
    return int(given) if given.isdigit() and given.isascii() and len(given) < 6 else None
