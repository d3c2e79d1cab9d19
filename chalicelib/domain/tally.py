"""What a payment counts for in the statistics, and what each of its events changed about that.

Counters are per attempt, and their sums telescope: what a payment's journal entries moved adds up to what its facts fold to
as of the newest one, in whichever order they came. The payment itself counts once, where it stands.

counter                                                per attempt
attempts, opened, authorized                           1 or 0: it is there, has a page, was ever authorized
unanswered, not_sent, misconfigured, rate_limited      1 or 0: what the call to open it came to
declined_hard, declined_soft, declined_fraud           declines, of the call to open and of each card or account tried
open_ms                                                how long the call took that opened its page
authorized_minor, captured_minor, refunded_minor,      minor units of the payment's currency
charged_back_minor
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from chalicelib.domain.facts import Fact, Kind, State
from chalicelib.domain.fold import Folded, fold
from chalicelib.domain.payment import JOURNAL_MAX, Attempt, Count, Event, JournalEntry, Payment, Stand
from chalicelib.domain.standing import Standing

_NOT_OPENED = {
    (State.REFUSED, "misconfigured"): "misconfigured",
    (State.REFUSED, "rate_limited"): "rate_limited",
    (State.ABSENT, "not_sent"): "not_sent",
}


class Movement(NamedTuple):
    """What happened to a payment's counters at one time, as its journal tells it."""

    at: datetime
    stood: Stand | None
    stands: Stand
    moved: tuple[Count, ...]


def journal_of(
    before: Payment, after: Payment, folded: Folded, events: Sequence[Event]
) -> tuple[tuple[JournalEntry, ...], tuple[Count, ...]]:
    """The journal with the events of one change, and what the payment counts for from then on."""
    if not events:
        return after.journal, after.counted
    stood, was = _known(before)
    stands, counts = stand_of(after, folded), counts_of(after, folded)
    moved = difference(counts, was)
    entries = []
    for event in events:
        amounts = tuple(folded.amounts)
        entries.append(
            JournalEntry(event.id, event.sequence, event.type, event.time, folded.status, amounts, stood, stands, moved)
        )
        stood, moved = stands, ()
    return (after.journal + tuple(entries))[-JOURNAL_MAX:], counts


def _known(payment: Payment) -> tuple[Stand | None, tuple[Count, ...]]:
    """Where the payment counts by its journal so far. One that was written before there were statistics counts for all
    that it comes to."""
    if not payment.journal:
        return None, ()
    stands = payment.journal[-1].stands
    if stands is not None:
        return stands, payment.counted
    folded = fold(payment)
    return stand_of(payment, folded), counts_of(payment, folded)


def stand_of(payment: Payment, folded: Folded) -> Stand:
    """The current attempt is the newest of those that pay, else of those that did, else of all."""
    standings = [folded.standings[one.id] for one in payment.attempts]
    positions = range(len(standings))
    current = max(positions, key=lambda at: (standings[at].pays, standings[at].authorized > 0, at), default=0)
    return current, folded.status, folded.amounts.authorized > 0


def counts_of(payment: Payment, folded: Folded) -> tuple[Count, ...]:
    """Every counter of every attempt that is not zero."""
    of_attempt: dict[str, list[Fact]] = {}
    for fact in payment.facts:
        if fact.kind is Kind.OPEN or (fact.kind is Kind.TRY and fact.decline is not None):
            of_attempt.setdefault(fact.attempt_id, []).append(fact)
    return tuple(
        (position, name, value)
        for position, attempt in enumerate(payment.attempts)
        for name, value in _counters(attempt, folded.standings[attempt.id], of_attempt.get(attempt.id, ())).items()
        if value
    )


def _counters(attempt: Attempt, standing: Standing, facts: Iterable[Fact]) -> dict[str, int]:
    counters = {
        "attempts": 1,
        "opened": int(standing.opened),
        "open_ms": attempt.open_ms or 0,
        "unanswered": int(standing.unanswered),
        "authorized": int(standing.authorized > 0),
        "authorized_minor": standing.authorized,
        "captured_minor": standing.captured,
        "refunded_minor": standing.refunded,
        "charged_back_minor": standing.disputed,
    }
    for fact in facts:
        decline = fact.decline
        name = f"declined_{decline.cls}" if decline is not None else _NOT_OPENED.get((fact.state, fact.reason))
        if name is not None:
            counters[name] = counters.get(name, 0) + 1
    return counters


def difference(after: Iterable[Count], before: Iterable[Count]) -> tuple[Count, ...]:
    """What must be added to `before` to get `after`."""
    rest = {(position, name): -value for position, name, value in before}
    for position, name, value in after:
        rest[position, name] = rest.get((position, name), 0) + value
    return tuple((position, name, value) for (position, name), value in rest.items() if value)


def movements_of(payment: Payment) -> list[Movement]:
    """All that the payment ever added to the statistics. What no kept entry tells of (the journal is cut, or is older than
    the statistics) counts when the payment was made."""
    told = [one for one in payment.journal if one.stands is not None]
    if not told:
        stands, counts = _known(payment)
        return [] if stands is None else [Movement(payment.created_at, None, stands, counts)]
    movements = [Movement(one.time, one.stood, one.stands, one.moved) for one in told if one.stands is not None]
    first = movements[0].stood
    if first is None:
        return movements
    moved: dict[tuple[int, str], int] = {}
    for one in movements:
        for position, name, value in one.moved:
            moved[position, name] = moved.get((position, name), 0) + value
    earlier = difference(payment.counted, ((position, name, value) for (position, name), value in moved.items()))
    return [Movement(payment.created_at, None, first, earlier), *movements]
