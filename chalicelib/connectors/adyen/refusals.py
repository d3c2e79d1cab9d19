"""Adyen's definite no (docs.adyen.com/development-resources/response-handling)."""

from __future__ import annotations

from typing import Any

from chalicelib.connectors.adyen.tables import ERROR_CODE, ERROR_TYPE
from chalicelib.contracts.calls import Refusal, RefusalKind
from chalicelib.contracts.conversation import HttpResponse

_WRONG_ACCOUNT = frozenset({401, 403, 404})  # the key, what it may do, or the address of the account


def refusal_of(response: HttpResponse) -> Refusal:
    """Raises ValueError where the answer proves nothing. A decline comes by webhook, never here."""
    error = _error_in(response)
    code = str(error.get("errorCode") or "without a code")[:20]
    detail = f"{response.status} {code}: {str(error.get('message') or '')[:200]}"
    if response.status == 429:
        return Refusal(RefusalKind.RATE_LIMITED, "too many calls", retry_after_s=_seconds(response))
    if response.headers.get("transient-error", "").lower() == "true":
        raise ValueError("Adyen asks for the same call once more")
    if response.status in _WRONG_ACCOUNT:
        return Refusal(RefusalKind.MISCONFIGURED, detail)
    kind = ERROR_CODE.of(code) if ERROR_TYPE.of(error.get("errorType")) else None
    if response.status < 400 or kind is None:
        raise ValueError(f"the answer {response.status} {code} proves nothing")
    return Refusal(kind, detail)


def _error_in(response: HttpResponse) -> dict[str, Any]:
    """Empty where what is in front of Adyen's API answered with something else than JSON."""
    try:
        error = response.json()
    except ValueError:
        return {}
    return error if isinstance(error, dict) else {}


def _seconds(response: HttpResponse) -> int | None:
    given = response.headers.get("retry-after", "")
    return int(given) if given.isdigit() and given.isascii() and len(given) < 6 else None
