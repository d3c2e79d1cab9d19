"""PayPal's no, and what it proves (developer.paypal.com/api/rest/responses)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.connectors.paypal.issues import ERROR_NAME, ISSUE, Meaning, Verdict
from chalicelib.contracts.calls import Refusal, RefusalKind
from chalicelib.contracts.conversation import HttpResponse, OutcomeUnknown, Undecidable
from chalicelib.domain.facts import Decline, DeclineClass

DETAILS_MAX = 20
_TRACE = re.compile(r"[A-Za-z0-9-]{1,60}")
_SEVERITY = tuple(Verdict)
_CLASS = {Verdict.FRAUD: DeclineClass.FRAUD, Verdict.HARD: DeclineClass.HARD, Verdict.SOFT: DeclineClass.SOFT}


@dataclass(frozen=True, slots=True)
class Said:
    """An error's gravest issue. `code` is PayPal's word, `word` ours; `trace` is what PayPal's support wants to know."""

    status: int
    verdict: Verdict
    word: str
    code: str
    message: str
    trace: str

    @property
    def told(self) -> str:
        traced = f" (debug id {self.trace})" if self.trace else ""
        return f"{self.status} {self.code}: {self.message}{traced}"


def said_in(response: HttpResponse) -> Said:
    """Raises ValueError, KeyError, TypeError or AttributeError for what is no error of PayPal's."""
    error = response.json()
    name = str(error.get("name") or error["error"])[:100]
    found = [_issue(one) for one in (error.get("details") or ())[:DETAILS_MAX]]
    (verdict, word), code, text = min(found or [(ERROR_NAME.of(name), name, "")], key=_gravity)
    if response.status == 429:
        verdict = Verdict.RATE_LIMITED
    elif response.status == 409 and verdict is Verdict.MISCONFIGURED:
        verdict = Verdict.RUNNING  # a conflict with something that it does not name
    message = str(text or error.get("message") or error.get("error_description") or "")
    trace = str(error.get("debug_id") or "")
    return Said(response.status, verdict, word, code, message[:200], trace if _TRACE.fullmatch(trace) else "")


def _issue(one: Mapping[str, Any]) -> tuple[Meaning, str, str]:
    issue = str(one.get("issue") or "")[:100]
    return ISSUE.of(issue), issue, str(one.get("description") or "")


def _gravity(one: tuple[Meaning, str, str]) -> int:
    return _SEVERITY.index(one[0][0])


def refusal_of(response: HttpResponse, *, was_read: bool = False) -> Refusal:
    """Raises OutcomeUnknown where it proves nothing: another call is still at it, PayPal had this very call before, or what it
    repeats was done before, and nobody has read (`was_read`) whether by us; Undecidable where PayPal had this very call
    before and what was read does not show it."""
    said = said_in(response)
    if said.verdict is Verdict.SEEN and was_read:
        raise Undecidable(f"PayPal had this call before, and does not show what came of it; {said.status} {said.code}")
    unread = said.verdict is Verdict.ALREADY and not was_read
    if response.status < 400 or said.verdict in (Verdict.RUNNING, Verdict.SEEN) or unread:
        raise OutcomeUnknown(f"{said.status} {said.code} proves nothing")
    if said.verdict is Verdict.RATE_LIMITED:
        return Refusal(RefusalKind.RATE_LIMITED, "too many calls", retry_after_s=_seconds(response))
    if said.verdict is Verdict.MISCONFIGURED:
        return Refusal(RefusalKind.MISCONFIGURED, said.told)
    decline = decline_of(said)
    return Refusal(RefusalKind.DECLINED, f"{decline.cls} decline, {said.told}", decline)


def decline_of(said: Said) -> Decline:
    """What was done already is refused for good, once it was read that it was not by this call."""
    return Decline(_CLASS.get(said.verdict, DeclineClass.HARD), said.word, said.code[:60], said.message)


def _seconds(response: HttpResponse) -> int | None:
    given = response.headers.get("retry-after", "")
    return int(given) if given.isdigit() and given.isascii() and len(given) < 6 else None
