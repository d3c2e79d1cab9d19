"""Paytrail's definite no (specification: responses of each operation, schemas/Error).

Who can not tell our key can not sign with it: 401 and 429 count without a signature, since neither says that anything was done.
Every other no counts only where it is signed.
"""

from __future__ import annotations

from chalicelib.connectors.paytrail.tables import ANSWER_STATUS, Verdict
from chalicelib.contracts.calls import Refusal, RefusalKind
from chalicelib.contracts.conversation import HttpResponse


def refusal_of(response: HttpResponse, *, signed: bool) -> Refusal:
    """Raises ValueError where the answer proves nothing."""
    verdict = ANSWER_STATUS.of(response.status)
    if verdict is Verdict.RATE_LIMITED:
        return Refusal(RefusalKind.RATE_LIMITED, "too many calls", retry_after_s=_seconds(response))
    if verdict is Verdict.NOTHING or (verdict is Verdict.MISCONFIGURED and not signed):
        raise ValueError(f"the answer {response.status} proves nothing")
    return Refusal(RefusalKind.MISCONFIGURED, f"{response.status}: {_message(response)}")


def _message(response: HttpResponse) -> str:
    try:
        said = response.json()
    except ValueError:
        return "without a message"
    return str(said.get("message") or "")[:200] if isinstance(said, dict) else "without a message"


def _seconds(response: HttpResponse) -> int | None:
    given = response.headers.get("retry-after", "")
    return int(given) if given.isdigit() and given.isascii() and len(given) < 6 else None
