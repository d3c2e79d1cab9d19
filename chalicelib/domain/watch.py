"""When a PSP is asked about an attempt, as data: the reconciliation table of the architecture."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from chalicelib.domain.fold import Standing
from chalicelib.domain.payment import Attempt

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86400


class Phase(StrEnum):
    STARTED = "started"  # our own call runs, or a crash cut it off
    UNANSWERED = "unanswered"  # it was sent, and nothing came back
    CLOSED = "closed"  # sealed or superseded, and not yet final at the PSP
    OPEN = "open"  # a shopper may pay
    PROCESSING = "processing"  # paid, but not yet settled
    SETTLED = "settled"  # nothing more to ask by ourselves


_UNTIL_KNOWN_S = (10, MINUTE_S, 5 * MINUTE_S, 30 * MINUTE_S, 2 * HOUR_S, *(DAY_S,) * 7)

# Seconds to wait before each question, counted from the one before it. An open page waits for its own times (below).
ASK_AFTER_S: dict[Phase, tuple[int, ...]] = {
    Phase.STARTED: (65,),  # a call's lease is 60 s
    Phase.UNANSWERED: _UNTIL_KNOWN_S,
    Phase.CLOSED: (0, *_UNTIL_KNOWN_S),
    Phase.OPEN: (15 * MINUTE_S, 0, HOUR_S, DAY_S, DAY_S, DAY_S),
    Phase.PROCESSING: (*(HOUR_S,) * 24, *(DAY_S,) * 14),
    Phase.SETTLED: (),
}
PAGE_LIFE_S = 30 * MINUTE_S  # where a PSP does not say
_AFTER_EXPIRY_S = 60
_EXPIRY_STEP = 1  # the second question about an open page is asked when it has expired


def phase_of(attempt: Attempt, standing: Standing) -> Phase:
    shown = attempt.closed is None or standing.captured or standing.held
    if standing.opened and attempt.psp_reference is None and shown:
        return Phase.UNANSWERED  # its webhooks tell of it, but without the PSP's reference it could not be refunded
    if standing.captured or standing.held or standing.ended is not None:
        return Phase.SETTLED
    if attempt.closed is not None:
        return Phase.CLOSED
    if standing.processing:
        return Phase.PROCESSING
    if standing.opened:
        return Phase.OPEN
    return Phase.UNANSWERED if standing.unanswered else Phase.STARTED


def next_ask(attempt: Attempt, phase: Phase, asked: int, now: datetime) -> datetime | None:
    """When to ask after `asked` questions in this phase; None once the schedule is used up."""
    waits = ASK_AFTER_S[phase]
    if asked >= len(waits):
        return None
    if phase is Phase.OPEN and asked == _EXPIRY_STEP:
        ends_at = attempt.action.expires_at if attempt.action else None
        ends_at = ends_at or attempt.started_at + timedelta(seconds=PAGE_LIFE_S)
        return max(ends_at + timedelta(seconds=_AFTER_EXPIRY_S), now)
    return now + timedelta(seconds=waits[asked])
