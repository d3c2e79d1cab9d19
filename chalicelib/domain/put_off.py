"""When the sweeper looks at a payment, where each move in the due index costs as much as a write of the payment.

A payment whose events are queued has nothing to be done about them but to see, some time, that they arrived. That waits for
the payment's next question, if it comes within the hour, and for an earlier place that the payment has in the index anyway.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from chalicelib.domain.emit import Watched, earliest
from chalicelib.domain.payment import Payment

WAITS_FOR_QUESTION = timedelta(hours=1)


def put_off(payment: Payment, stands_at: datetime | None, patience: timedelta) -> Payment:
    """The payment with the time at which its events are seen to, `patience` after they would have been at the latest.

    `stands_at` is where the index has it now. Questions and drafts are never put off, and neither is an event that stands there
    at its usual time: whoever left it so could not queue it.
    """
    if not payment.outbox or not patience:
        return payment
    due_at = _due_of(payment, stands_at, patience)
    return payment if due_at == payment.due_at else replace(payment, due_at=due_at)


def _due_of(payment: Payment, stands_at: datetime | None, patience: timedelta) -> datetime:
    seen_to = min(event.due_at for event in payment.outbox)
    asked = earliest((), Watched(payment.attempts, payment.operations), payment.unaudited)
    if stands_at == seen_to:
        return seen_to if asked is None else min(asked, seen_to)
    if asked is not None and asked <= seen_to + max(WAITS_FOR_QUESTION, patience):
        return asked
    if stands_at is not None and seen_to <= stands_at <= seen_to + patience:
        return stands_at
    return seen_to + patience
