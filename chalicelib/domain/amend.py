"""The only place that makes a new payment out of an old one: join what is said, fold, and let the events ride along."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from chalicelib.domain.facts import Fact, Kind, State, join, name_of
from chalicelib.domain.fold import Folded, fold
from chalicelib.domain.ids import event_id_of
from chalicelib.domain.payment import (
    JOURNAL_MAX,
    TIMELINE_MAX,
    Attempt,
    Entry,
    Event,
    JournalEntry,
    Payment,
    Status,
)
from chalicelib.domain.view import text_of, view_of
from chalicelib.domain.watch import next_ask, phase_of

OUTBOX_GRACE_S = 10  # an event that is not known to be delivered by then is queued again


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to a payment, as one thing to decide on again when somebody else wrote first."""

    facts: tuple[Fact, ...] = ()
    entries: tuple[Entry, ...] = ()
    attempts: tuple[Attempt, ...] = ()  # new ones, or new versions of known ones
    asked: str | None = None  # the attempt whose scheduled question this answers


def amend(payment: Payment, change: Change, now: datetime) -> Payment:
    """The payment after `change`; the very same object where nothing new was said, so that nothing need be written."""
    facts = join(payment.facts, change.facts)
    attempts = _with_attempts(payment.attempts, change)
    if facts == payment.facts and attempts == payment.attempts and not _tells(change, payment):
        return payment
    amended = replace(
        payment,
        facts=facts,
        attempts=attempts,
        timeline=_bounded(payment.timeline + change.entries),
        updated_at=max(now, payment.updated_at),
    )
    folded = fold(amended)
    amended = replace(amended, attempts=_watched(amended, folded, change.asked, now))
    amended = _with_events(payment, amended, folded, now)
    return replace(amended, due_at=due_of(amended))


def _tells(change: Change, payment: Payment) -> bool:
    """Whether a change without new facts is worth a write: a timeline entry that stands for more than a repeat."""
    if change.asked is not None:
        return True
    return bool(change.entries) and not change.facts


def _with_attempts(known: tuple[Attempt, ...], change: Change) -> tuple[Attempt, ...]:
    given = {attempt.id: attempt for attempt in change.attempts}
    kept = tuple(given.pop(attempt.id, attempt) for attempt in known)
    return kept + tuple(given.values())


def _bounded(timeline: tuple[Entry, ...]) -> tuple[Entry, ...]:
    """The first entries tell how a payment began, the last ones where it stands; what is between goes first."""
    if len(timeline) <= TIMELINE_MAX:
        return timeline
    head = TIMELINE_MAX // 4
    return timeline[:head] + timeline[head - TIMELINE_MAX :]


def _watched(payment: Payment, folded: Folded, asked: str | None, now: datetime) -> tuple[Attempt, ...]:
    """Attempts with the time at which their PSP is asked next."""
    return tuple(_watch(attempt, folded, attempt.id == asked, now) for attempt in payment.attempts)


def _watch(attempt: Attempt, folded: Folded, was_asked: bool, now: datetime) -> Attempt:
    phase = phase_of(attempt, folded.standings[attempt.id])
    if phase != attempt.phase:
        return replace(attempt, phase=phase, asked=0, ask_at=next_ask(attempt, phase, 0, now))
    if was_asked:
        asked = attempt.asked + 1
        return replace(attempt, asked=asked, ask_at=next_ask(attempt, phase, asked, now))
    return attempt


def _with_events(before: Payment, after: Payment, folded: Folded, now: datetime) -> Payment:
    known = {name_of(fact) for fact in fold(before).anomalies} if folded.anomalies else set()
    odd = [fact for fact in folded.anomalies if name_of(fact) not in known]
    types = list(_types_of(before, after, folded)) + (["payment.review_required"] if odd else [])
    entries = [_anomaly_entry(fact, after, now) for fact in odd]
    if folded.status is not before.status:
        summary = f"The payment is {folded.status.replace('_', ' ')} (it was {before.status.replace('_', ' ')})."
        entries.append(Entry(now, "status", summary, {"status": folded.status, "previous_status": before.status}))
    payment = replace(
        after,
        status=folded.status,
        attention=after.attention or bool(odd),
        timeline=_bounded(after.timeline + tuple(entries)),
    )
    for type_ in types:
        payment = _emit(payment, folded, type_, before.status, now)
    return payment


def _types_of(before: Payment, after: Payment, folded: Folded) -> Iterable[str]:
    if folded.status is not before.status and folded.status is not Status.CREATED:
        yield f"payment.{folded.status}"
    for fact in after.facts:
        if fact.kind is Kind.DISPUTE:
            was = next((known.state for known in before.facts if name_of(known) == name_of(fact)), None)
            if fact.state is State.OPENED and was is not State.OPENED:
                yield "payment.disputed"
            if fact.state in (State.WON, State.LOST) and was is not fact.state:
                yield "payment.dispute_closed"


def _anomaly_entry(fact: Fact, payment: Payment, now: datetime) -> Entry:
    summary = (
        f"Anomaly: the PSP reports a {fact.kind} of {fact.amount}, but {payment.order.amount} was asked. "
        "It is kept and does not count; an operator decides."
    )
    amount = {"value": fact.amount.value, "currency": fact.amount.currency} if fact.amount else None
    data = {"attempt_id": fact.attempt_id, "kind": fact.kind, "id": fact.id, "state": fact.state, "amount": amount}
    return Entry(now, "anomaly", summary, data)


def _emit(payment: Payment, folded: Folded, type_: str, previous: Status, now: datetime) -> Payment:
    payment = replace(payment, sequence=payment.sequence + 1)
    event_id = event_id_of(payment.id, payment.sequence)
    body: dict[str, Any] = {
        "specversion": "1.0",
        "id": event_id,
        "source": f"/paymentserver/{payment.merchant_id}",
        "type": type_,
        "subject": payment.id,
        "time": text_of(now),
        "datacontenttype": "application/json",
        "sequence": payment.sequence,
        "data": {"payment": view_of(payment, folded), "previous_status": previous},
    }
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    event = Event(event_id, payment.sequence, type_, now, text, now + timedelta(seconds=OUTBOX_GRACE_S))
    entry = JournalEntry(event_id, payment.sequence, type_, now, folded.status, tuple(folded.amounts))
    return replace(payment, outbox=(*payment.outbox, event), journal=(*payment.journal, entry)[-JOURNAL_MAX:])


def due_of(payment: Payment) -> datetime | None:
    """When the sweeper must look at the payment: the earliest of its unsent events and its open questions."""
    times = [event.due_at for event in payment.outbox]
    times += [attempt.ask_at for attempt in payment.attempts if attempt.ask_at is not None]
    return min(times, default=None)


def without_events(payment: Payment, ids: Collection[str]) -> Payment:
    """The payment once those events are in their subscribers' delivery records."""
    kept = tuple(event for event in payment.outbox if event.id not in ids)
    payment = replace(payment, outbox=kept)
    return replace(payment, due_at=due_of(payment))


def with_events_due(payment: Payment, at: datetime) -> Payment:
    """The payment with its unsent events put off until `at`, because they were just queued again."""
    payment = replace(payment, outbox=tuple(replace(event, due_at=at) for event in payment.outbox))
    return replace(payment, due_at=due_of(payment))
