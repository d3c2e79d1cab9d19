"""When a PSP is asked about an attempt or an operation, as data: the reconciliation table of the architecture."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from chalicelib.domain.operation import UNSURE, Called, Operation, OperationKind, OperationStatus, Origin
from chalicelib.domain.payment import Attempt, Closure
from chalicelib.domain.standing import Standing

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86400


class Phase(StrEnum):
    STARTED = "started"  # our own call runs, or a crash cut it off
    UNANSWERED = "unanswered"  # it was sent, and nothing came back
    CLOSED = "closed"  # given up here, and not yet final at the PSP
    OPEN = "open"  # a shopper may pay
    PROCESSING = "processing"  # paid, but not yet settled
    AUTHORIZED = "authorized"  # held, until the PSP lets it lapse
    SETTLED = "settled"  # nothing more to ask by ourselves
    PLANNED = "planned"  # an operation that a rule wants
    REFUNDING = "refunding"  # a refund that was taken, and not yet made
    REFUNDED = "refunded"  # made, and may fail long after: asked about by its time, not by a place among what is due


_UNTIL_KNOWN_S = (10, MINUTE_S, 5 * MINUTE_S, 30 * MINUTE_S, 2 * HOUR_S, *(DAY_S,) * 7)

# Seconds to wait before each question, counted from the one before it. An open page waits for its own times (below).
ASK_AFTER_S: dict[Phase, tuple[int, ...]] = {
    Phase.STARTED: (65,),  # a call's lease is 60 s
    Phase.UNANSWERED: _UNTIL_KNOWN_S,
    Phase.CLOSED: (0, *_UNTIL_KNOWN_S),
    Phase.OPEN: (15 * MINUTE_S, 0, HOUR_S, DAY_S, DAY_S, DAY_S),
    Phase.PROCESSING: (*(HOUR_S,) * 24, *(DAY_S,) * 14),
    Phase.AUTHORIZED: (7 * DAY_S, *(DAY_S,) * 23),
    Phase.SETTLED: (),
    Phase.PLANNED: (0, *_UNTIL_KNOWN_S),
    Phase.REFUNDING: (HOUR_S, DAY_S - HOUR_S, 6 * DAY_S, 23 * DAY_S),  # 1 h, 1, 7 and 30 days after it was taken
    Phase.REFUNDED: (),
}
LOOKED_AGAIN_AFTER_S = (HOUR_S, DAY_S, 7 * DAY_S, 30 * DAY_S)  # after a refund was made (services.look_again)
PAGE_LIFE_S = 30 * MINUTE_S  # where a PSP does not say
_AFTER_EXPIRY_S = 60
_EXPIRY_STEP = 1  # the second question about an open page is asked when it has expired

# A question that could not be put is put again soon, for the PSP may be back at any moment; hourly once it could not for a day,
# until seven days are over. What a day does not mend is seldom an outage.
UNREACHED_AFTER_S = (MINUTE_S, 2 * MINUTE_S)
UNREACHED_SOON_S, UNREACHED_LATE_S = 4 * MINUTE_S, HOUR_S
UNREACHED_SOON = DAY_S // UNREACHED_SOON_S  # so often
UNREACHED_MAX = UNREACHED_SOON + 6 * DAY_S // UNREACHED_LATE_S

# Phases in which an answer must come; once their schedule is used up, an operator has to find out.
MUST_SETTLE = frozenset({Phase.STARTED, Phase.UNANSWERED, Phase.CLOSED, Phase.OPEN, Phase.PROCESSING})


def phase_of(attempt: Attempt, standing: Standing, *, paid_elsewhere: bool) -> Phase:
    """`paid_elsewhere`: another attempt of the payment has its money, so that this one's page must be closed."""
    shown = attempt.closed is None or standing.captured or standing.held
    if standing.opened and attempt.psp_reference is None and shown:
        return Phase.UNANSWERED  # its webhooks tell of it, but without the PSP's reference it could not be refunded
    if standing.held:
        return Phase.AUTHORIZED
    if standing.captured or (standing.ended is not None and not _may_be_asked_after_all(attempt, standing)):
        return Phase.SETTLED
    if attempt.closed is not None:
        return Phase.CLOSED
    if standing.processing:
        return Phase.PROCESSING
    if standing.opened:
        return Phase.CLOSED if paid_elsewhere else Phase.OPEN
    return Phase.UNANSWERED if standing.unanswered else Phase.STARTED


def _may_be_asked_after_all(attempt: Attempt, standing: Standing) -> bool:
    """Whether only time ended the attempt, and an operator has found since what its PSP calls it."""
    return attempt.closed is Closure.LAPSED and attempt.psp_reference is not None and not standing.confirmed


def operation_phase_of(operation: Operation, status: OperationStatus, *, holds: bool = False) -> Phase:
    """`holds`: something is still held at its attempt."""
    if holds and status is OperationStatus.SUCCEEDED and _may_leave_a_hold(operation):
        return Phase.UNANSWERED
    if operation.kind is OperationKind.REFUND and status is OperationStatus.SUCCEEDED:
        return Phase.REFUNDED
    if operation.kind is OperationKind.REFUND and operation.origin is Origin.PSP and status is OperationStatus.PENDING:
        return Phase.REFUNDING
    if operation.origin is Origin.PSP or status in (OperationStatus.SUCCEEDED, OperationStatus.FAILED):
        return Phase.SETTLED
    if status is OperationStatus.UNKNOWN:
        return Phase.UNANSWERED
    if operation.called is Called.PLANNED:
        return Phase.PLANNED
    if operation.called is Called.STARTED:
        return Phase.STARTED
    return Phase.REFUNDING if operation.kind is OperationKind.REFUND else Phase.PROCESSING


def _may_leave_a_hold(operation: Operation) -> bool:
    """Whether it is a last capture whose call came to no end, so that the PSP may not have heard what becomes of the rest."""
    last = operation.kind is OperationKind.CAPTURE and operation.final
    return last and operation.called in UNSURE and operation.origin is not Origin.PSP


def next_ask(attempt: Attempt, phase: Phase, asked: int, now: datetime) -> datetime | None:
    """When to ask after `asked` questions in this phase; None once the schedule is used up."""
    if phase is Phase.OPEN and asked == _EXPIRY_STEP:
        return max(ends_at(attempt) + timedelta(seconds=_AFTER_EXPIRY_S), now)
    return next_step(phase, asked, now)


def next_step(phase: Phase, asked: int, now: datetime) -> datetime | None:
    waits = ASK_AFTER_S[phase]
    return now + timedelta(seconds=waits[asked]) if asked < len(waits) else None


def next_try(unreached: int, now: datetime) -> datetime | None:
    """When to put a question again that could not be put `unreached` times in a row; None after seven days."""
    if unreached > UNREACHED_MAX:
        return None
    early = UNREACHED_AFTER_S[unreached - 1 : unreached]
    then_s = UNREACHED_SOON_S if unreached <= UNREACHED_SOON else UNREACHED_LATE_S
    return now + timedelta(seconds=early[0] if early else then_s)


def ends_at(attempt: Attempt) -> datetime:
    """When the attempt's page stops taking payments."""
    expires_at = attempt.action.expires_at if attempt.action else None
    return expires_at or attempt.started_at + timedelta(seconds=PAGE_LIFE_S)
