"""What a session's metadata can make its account do wrong: the key is the account's name, the value one of these, or
several with commas between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from dev.sandbox.faults import MOVING, OPERATIONS, faults_for

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Settling:
    """How a movement begins, and how it ends a little later; None is as it began, until somebody says otherwise."""

    first: str = "succeeded"
    then: str | None = None


@dataclass(frozen=True, slots=True)
class Misbehaviour:
    """A row says what differs from an account that behaves; see README.md for each in words.

    `faults` are by operation (faults.OPERATIONS), `settling` by what moves money (faults.MOVING).
    """

    webhook_first: bool = False
    webhook_copies: int = 1
    webhooks_late: bool = False
    webhooks_signed: bool = True
    claims_more_minor: int = 0
    claims_status: str | None = None
    disputes: bool = False
    pays_late: bool = False
    authorization_lapses: bool = False
    capture_on_return: bool = False
    settling: Mapping[str, Settling] = field(default_factory=dict)
    faults: Mapping[str, str] = field(default_factory=dict)

    def settling_of(self, operation: str) -> Settling:
        return self.settling.get(operation, Settling())


NONE = Misbehaviour()
OPENING_FAULTS = ("decline_hard", "decline_soft", "error_500", "rate_limited", "timeout_before", "timeout_after")
SETTLING = {
    "pending": Settling("pending", "succeeded"),
    "pending_fails": Settling("pending", "failed"),
    "stays_pending": Settling("pending"),
    "fails_later": Settling("succeeded", "failed"),
}
MISBEHAVIOURS = {
    **{name: Misbehaviour(faults={"open": name}) for name in OPENING_FAULTS},
    "webhook_first": Misbehaviour(webhook_first=True),
    "duplicate_webhooks": Misbehaviour(webhook_copies=3),
    "late_webhook": Misbehaviour(webhooks_late=True),
    "unsigned_webhook": Misbehaviour(webhooks_signed=False),
    "wrong_amount": Misbehaviour(claims_more_minor=1),
    "unknown_status": Misbehaviour(claims_status="frobnicated"),
    "dispute": Misbehaviour(disputes=True),
    "late_success": Misbehaviour(pays_late=True),
    "authorization_expires": Misbehaviour(authorization_lapses=True),
    "capture_on_return": Misbehaviour(capture_on_return=True),
    **{
        f"{operation}_{name}": Misbehaviour(settling={operation: settling})
        for operation in MOVING
        for name, settling in SETTLING.items()
    },
    **{
        f"{operation}_{fault}": Misbehaviour(faults={operation: fault})
        for operation in OPERATIONS
        for fault in faults_for(operation)
    },
}


def misbehaviour_of(account: str, metadata: Json) -> Misbehaviour:
    """A value that is not in the table is plain metadata, as it would be at a real PSP."""
    found = [MISBEHAVIOURS[name] for name in str(metadata.get(account)).split(",") if name in MISBEHAVIOURS]
    return _together(found) if len(found) > 1 else found[0] if found else NONE


def _together(rows: list[Misbehaviour]) -> Misbehaviour:
    made: dict[str, Any] = {}
    for row in rows:
        for one in fields(row):
            value = getattr(row, one.name)
            if isinstance(value, Mapping):
                made[one.name] = {**made.get(one.name, {}), **value}
            elif value != getattr(NONE, one.name):
                made[one.name] = value
    return Misbehaviour(**made)
