"""The idempotency record of one call, kept in the payment it is about."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

LEASE_S = 60


@dataclass(frozen=True, slots=True)
class Claim:
    """Whose call it was, who runs it until when, and the answer it settled to."""

    fingerprint: str
    lease_until: datetime | None
    answer_status: int | None = None
    answer_body: str | None = None


def leased(claim: Claim, now: datetime) -> Claim:
    """The claim held for another minute."""
    return replace(claim, lease_until=now + timedelta(seconds=LEASE_S))


def given_back(claim: Claim) -> Claim:
    """The claim of a call that ended in doubt: nobody holds it, and it has no final answer yet."""
    return claim if claim.lease_until is None else replace(claim, lease_until=None)


def settled(claim: Claim, status: int, body: str) -> Claim:
    """The claim with its final answer, which never changes again."""
    if claim.answer_status is not None:
        return claim
    return replace(claim, lease_until=None, answer_status=status, answer_body=body)
