"""What a session's metadata can make its account do wrong: the key is the account's name, the value one of these."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from dev.sandbox.errors import Refused

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Misbehaviour:
    """A row says what differs from an account that behaves; see README.md for each in words."""

    refuses: Callable[[], Refused] | None = None
    hangs_before: bool = False
    hangs_after: bool = False
    webhook_first: bool = False
    webhook_copies: int = 1
    webhooks_late: bool = False
    webhooks_signed: bool = True
    claims_more_minor: int = 0
    claims_status: str | None = None
    refund_state: str = "succeeded"
    refund_ends: str | None = None
    disputes: bool = False


NONE = Misbehaviour()
MISBEHAVIOURS = {
    "decline_hard": Misbehaviour(
        refuses=partial(Refused, 402, "declined", "The card was declined.", decline_code="stolen_card")
    ),
    "decline_soft": Misbehaviour(
        refuses=partial(Refused, 402, "declined", "The card was declined.", decline_code="insufficient_funds")
    ),
    "error_500": Misbehaviour(refuses=partial(Refused, 500, "internal_error", "Something went wrong on our side.")),
    "rate_limited": Misbehaviour(
        refuses=partial(Refused, 429, "rate_limited", "Too many calls; wait a little.", retry_after_s=1)
    ),
    "timeout_before": Misbehaviour(hangs_before=True),
    "timeout_after": Misbehaviour(hangs_after=True),
    "webhook_first": Misbehaviour(webhook_first=True),
    "duplicate_webhooks": Misbehaviour(webhook_copies=3),
    "late_webhook": Misbehaviour(webhooks_late=True),
    "unsigned_webhook": Misbehaviour(webhooks_signed=False),
    "wrong_amount": Misbehaviour(claims_more_minor=1),
    "unknown_status": Misbehaviour(claims_status="frobnicated"),
    "refund_pending": Misbehaviour(refund_state="pending", refund_ends="succeeded"),
    "refund_fails_later": Misbehaviour(refund_ends="failed"),
    "dispute": Misbehaviour(disputes=True),
}


def misbehaviour_of(account: str, metadata: Json) -> Misbehaviour:
    """A value that is not in the table is plain metadata, as it would be at a real PSP."""
    return MISBEHAVIOURS.get(str(metadata.get(account)), NONE)
