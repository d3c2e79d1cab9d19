"""What leads to the next PSP of a chain: a table of outcomes, which a route may override, but for fraud."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Literal

from chalicelib.domain.facts import DeclineClass, Fact, State

Onward = Literal["next", "stop"]


class Outcome(StrEnum):
    """What became of an attempt that is over, as its PSP or the connection told it."""

    HARD_DECLINE = "hard_decline"
    SOFT_DECLINE = "soft_decline"
    FRAUD_DECLINE = "fraud_decline"
    MISCONFIGURATION = "misconfiguration"
    RATE_LIMIT = "rate_limit"
    OUTAGE = "outage"
    NOT_SENT = "not_sent"


NEXT: Mapping[Outcome, Onward] = {
    Outcome.HARD_DECLINE: "next",
    Outcome.SOFT_DECLINE: "next",
    Outcome.FRAUD_DECLINE: "stop",
    Outcome.MISCONFIGURATION: "next",
    Outcome.RATE_LIMIT: "next",
    Outcome.OUTAGE: "next",
    Outcome.NOT_SENT: "next",
}
FIXED = frozenset({Outcome.FRAUD_DECLINE})
_OF_CLASS = {
    DeclineClass.HARD: Outcome.HARD_DECLINE,
    DeclineClass.SOFT: Outcome.SOFT_DECLINE,
    DeclineClass.FRAUD: Outcome.FRAUD_DECLINE,
}
_OF_REASON = {
    "misconfigured": Outcome.MISCONFIGURATION,
    "rate_limited": Outcome.RATE_LIMIT,
    "outage": Outcome.OUTAGE,
    "not_sent": Outcome.NOT_SENT,
}


def outcome_of(attempt_id: str, facts: Iterable[Fact]) -> Outcome:
    """The outcome of an attempt that failed. Where nobody said why, it is a soft decline."""
    mine = [fact for fact in facts if fact.attempt_id == attempt_id]
    classes = {fact.decline.cls for fact in mine if fact.decline is not None}
    for cls in (DeclineClass.FRAUD, DeclineClass.HARD, DeclineClass.SOFT):
        if cls in classes:
            return _OF_CLASS[cls]
    opening = [fact for fact in mine if fact.state in (State.REFUSED, State.ABSENT)]  # no other kind can be either
    return next((_OF_REASON[fact.reason] for fact in opening if fact.reason in _OF_REASON), Outcome.SOFT_DECLINE)


def goes_on(outcome: Outcome, overrides: Mapping[str, str]) -> bool:
    """Whether the next PSP may be tried; `overrides` are the route's."""
    chosen = NEXT[outcome] if outcome in FIXED else overrides.get(outcome, NEXT[outcome])
    return chosen == "next"
