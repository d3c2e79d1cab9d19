"""Events and timeline entries that follow from a change: they ride along in the same put."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from chalicelib.domain.draft import Draft
from chalicelib.domain.facts import Fact, Kind, State, name_of
from chalicelib.domain.fold import Folded, fold
from chalicelib.domain.ids import event_id_of
from chalicelib.domain.late import refused_of
from chalicelib.domain.operation import Operation, OperationStatus, Origin
from chalicelib.domain.payment import NOT_PAID, TIMELINE_MAX, Attempt, Closure, Entry, Event, Payment, Status
from chalicelib.domain.standing import Standing
from chalicelib.domain.tally import journal_of
from chalicelib.domain.view import operation_view, text_of, thin_view_of, view_of
from chalicelib.domain.watch import MUST_SETTLE

OUTBOX_GRACE_S = 10  # an event that is not known to be delivered by then is queued again
EVENT_BYTES_MAX = 20_000  # a larger one is sent thin
SUMMARY_MAX = 600  # characters of a timeline entry
FULL_EVENTS_MAX = 8  # unsent ones beyond these are thin, so that a payment stays within a document's limit

Told = tuple[str, dict[str, Any]]  # an event's type, and what its data has besides the payment

_TOLD_OF_OPERATIONS = {OperationStatus.SUCCEEDED: "operation.succeeded", OperationStatus.FAILED: "operation.failed"}


def bounded(timeline: tuple[Entry, ...]) -> tuple[Entry, ...]:
    """The first entries tell how a payment began, the last ones where it stands; what is between goes first."""
    if any(len(one.summary) > SUMMARY_MAX for one in timeline):
        timeline = tuple(replace(one, summary=one.summary[:SUMMARY_MAX]) for one in timeline)
    if len(timeline) <= TIMELINE_MAX:
        return timeline
    head = TIMELINE_MAX // 4
    return timeline[:head] + timeline[head - TIMELINE_MAX :]


class Watched(NamedTuple):
    """A payment's attempts and operations with the times of the next questions."""

    attempts: tuple[Attempt, ...]
    operations: tuple[Operation, ...]


def earliest(outbox: Iterable[Event], watched: Watched, drafts: Iterable[Draft]) -> datetime | None:
    """When somebody must look at a payment again."""
    times = [event.due_at for event in outbox]
    times += [attempt.ask_at for attempt in watched.attempts if attempt.ask_at is not None]
    times += [operation.ask_at for operation in watched.operations if operation.ask_at is not None]
    times += [draft.at for draft in drafts]
    return min(times, default=None)


def with_events(
    before: Payment, after: Payment, watched: Watched, folded: Folded, reviews: tuple[str, ...], now: datetime
) -> Payment:
    """`after` with its status as it is published now, the times of its next questions, and the events and entries of what
    differs from `before`; all in one copy, because a copy costs as much as the fold."""
    known = {name_of(fact) for fact in fold(before).anomalies} if folded.anomalies else set()
    odd = [fact for fact in folded.anomalies if name_of(fact) not in known]
    attention = needs_operator(after, watched, folded, reviews)
    asks = bool(odd) or (attention and not before.attention) or bool(set(reviews) - set(before.reviews))
    settled = [one for one in after.operations if folded.operations[one.id] is not one.status]
    told: list[Told] = [*_status_told(before, folded), *_disputes_told(before, after)]
    told += [
        (_TOLD_OF_OPERATIONS[status], {"operation": operation_view(one, folded)})
        for one in settled
        if (status := folded.operations[one.id]) in _TOLD_OF_OPERATIONS
    ]
    if asks:
        told.append(("payment.review_required", {}))
    entries = [_anomaly_entry(fact, after, now) for fact in odd]
    entries += [_operation_entry(one, folded.operations[one.id], now) for one in settled]
    entries += [_doubt_entry(one, now) for one in after.operations if _is_newly_in_doubt(one, before)]
    if folded.status is not before.status:
        summary = f"The payment is {_words(folded.status)} (it was {_words(before.status)})."
        entries.append(Entry(now, "status", summary, {"status": folded.status, "previous_status": before.status}))
    entries += [_review_entry(attempt_id, now) for attempt_id in reviews if attempt_id not in before.reviews]
    entries += _late_entries(before, after, folded, now)
    events: tuple[Event, ...] = ()
    for type_, more in told:
        events += (_event_of(after, folded, type_, before.status, more, events, now),)
    watched = Watched(watched.attempts, tuple(_published(one, folded) for one in watched.operations))
    outbox = after.outbox + events
    journal, counted = journal_of(before, after, folded, events)
    return replace(
        after,
        status=folded.status,
        attempts=watched.attempts,
        operations=watched.operations,
        due_at=earliest(outbox, watched, after.unaudited),
        attention=attention,
        reviews=reviews,
        timeline=bounded(after.timeline + tuple(entries)),
        sequence=after.sequence + len(events),
        outbox=outbox,
        journal=journal,
        counted=counted,
    )


def _published(operation: Operation, folded: Folded) -> Operation:
    status = folded.operations[operation.id]
    return operation if operation.status is status else replace(operation, status=status)


def needs_operator(payment: Payment, watched: Watched, folded: Folded, reviews: Collection[str]) -> bool:
    """Whether somebody must look: odd amounts, money under review, what the schedules could not settle, and what no PSP's
    answer will."""
    not_paid = {one.attempt_id for one in payment.resolutions if one.outcome == NOT_PAID}
    stuck_operations = any(_is_stuck_operation(one, folded.operations[one.id]) for one in watched.operations)
    stuck_attempts = any(
        (one.id not in not_paid or folded.standings[one.id].has_money)
        and _is_stuck(one, folded.standings[one.id])
        and not folded.standings[one.id].refunded
        for one in watched.attempts
    )
    return bool(folded.anomalies or reviews or stuck_operations or stuck_attempts or refused_of(payment, folded))


def _is_stuck_operation(operation: Operation, status: OperationStatus) -> bool:
    made_there = operation.origin is Origin.PSP
    if operation.undecidable and status is (OperationStatus.PENDING if made_there else OperationStatus.UNKNOWN):
        return True
    open = status in (OperationStatus.UNKNOWN, OperationStatus.PENDING)
    return operation.ask_at is None and not made_there and open


def _is_stuck(attempt: Attempt, standing: Standing) -> bool:
    """Whether the schedule is used up and has settled nothing; or only time ended the attempt, and the PSP has never said
    what it is. Of a page that is merely open at the PSP when it is asked, and that nobody paid at, nothing is to be found
    out; but one that only a webhook told of can not be asked about, and what came of it since may be lost."""
    if attempt.closed is Closure.LAPSED and not standing.processing:
        seen_open = standing.opened and attempt.psp_reference is not None
        return not (seen_open or standing.confirmed or standing.has_money)
    return attempt.ask_at is None and attempt.phase in MUST_SETTLE


def _status_told(before: Payment, folded: Folded) -> Iterable[Told]:
    if folded.status is not before.status and folded.status is not Status.CREATED:
        yield f"payment.{folded.status}", {}


def _disputes_told(before: Payment, after: Payment) -> Iterable[Told]:
    if before.facts == after.facts:
        return
    for fact in after.facts:
        if fact.kind is Kind.DISPUTE:
            was = next((known.state for known in before.facts if name_of(known) == name_of(fact)), None)
            if fact.state is State.OPENED and was is not State.OPENED:
                yield "payment.disputed", {}
            if fact.state in (State.WON, State.LOST) and was is not fact.state:
                yield "payment.dispute_closed", {}


def _words(status: str) -> str:
    return status.replace("_", " ")


def _anomaly_entry(fact: Fact, payment: Payment, now: datetime) -> Entry:
    operation = payment.operation(fact.operation_id or "")
    asked = operation.amount if operation is not None and operation.amount is not None else payment.order.amount
    summary = (
        f"Anomaly: the PSP reports a {fact.kind} of {fact.amount}, but {asked} was asked. "
        "It is kept and does not count; an operator decides."
    )
    amount = {"value": fact.amount.value, "currency": fact.amount.currency} if fact.amount else None
    data = {"attempt_id": fact.attempt_id, "kind": fact.kind, "id": fact.id, "state": fact.state, "amount": amount}
    return Entry(now, "anomaly", summary, data)


_WHOSE = {Origin.API: "", Origin.PSP: ", made at the PSP,", Origin.POLICY: ", made by the late policy,"}


def _operation_entry(operation: Operation, status: OperationStatus, now: datetime) -> Entry:
    why = f" ({operation.decline.code})" if operation.decline is not None and status is OperationStatus.FAILED else ""
    is_ = "" if status in _TOLD_OF_OPERATIONS else "is "
    summary = f"The {operation.kind}{_amount_of(operation)}{_WHOSE[operation.origin]} {is_}{_words(status)}{why}."
    data = {"operation_id": operation.id, "attempt_id": operation.attempt_id, "status": status}
    return Entry(now, "operation", summary, data)


def _is_newly_in_doubt(operation: Operation, before: Payment) -> bool:
    """Of what somebody at the PSP made; of ours the call's own entry tells."""
    if not operation.undecidable or operation.origin is not Origin.PSP:
        return False
    known = before.operation(operation.id)
    return known is None or not known.undecidable


def _doubt_entry(operation: Operation, now: datetime) -> Entry:
    summary = (
        f"Whether the {operation.kind}{_amount_of(operation)} was made at the PSP, nothing that it says tells; "
        "an operator has to find out."
    )
    return Entry(now, "operation", summary, {"operation_id": operation.id, "attempt_id": operation.attempt_id})


def _amount_of(operation: Operation) -> str:
    return f" of {operation.amount}" if operation.amount is not None else ""


def _late_entries(before: Payment, after: Payment, folded: Folded, now: datetime) -> Iterable[Entry]:
    """Money that came to an attempt that had been given up; what becomes of it, the operations and reviews tell."""
    late = {id_ for id_, standing in folded.standings.items() if standing.given_up and standing.has_money}
    if not late:
        return
    known = fold(before).standings
    for attempt in after.attempts:
        if attempt.id in late and not (
            attempt.id in known and known[attempt.id].given_up and known[attempt.id].has_money
        ):
            policy = attempt.late or after.route.late
            summary = f"Money came late at {attempt.connection_id}, which had been given up; the policy is to {policy}."
            yield Entry(now, "late", summary, {"attempt_id": attempt.id, "policy": policy})


def _review_entry(attempt_id: str, now: datetime) -> Entry:
    summary = "Money came that the late policy does not simply take or give back; an operator decides."
    return Entry(now, "review", summary, {"attempt_id": attempt_id})


def _event_of(
    payment: Payment,
    folded: Folded,
    type_: str,
    previous: Status,
    more: dict[str, Any],
    earlier: tuple[Event, ...],
    now: datetime,
) -> Event:
    """`earlier` are the events of the same change, which go before it."""
    sequence = payment.sequence + len(earlier) + 1
    event_id = event_id_of(payment.id, sequence)
    body: dict[str, Any] = {
        "specversion": "1.0",
        "id": event_id,
        "source": f"/paymentserver/{payment.merchant_id}",
        "type": type_,
        "subject": payment.id,
        "time": text_of(now),
        "datacontenttype": "application/json",
        "sequence": sequence,
        "data": {"payment": {**view_of(payment, folded), "sequence": sequence}, "previous_status": previous, **more},
    }
    text = _json(body)
    if len(payment.outbox) + len(earlier) >= FULL_EVENTS_MAX or len(text.encode()) > EVENT_BYTES_MAX:
        thin = {**thin_view_of(payment, folded), "sequence": sequence}
        body["data"] = {"payment": thin, "previous_status": previous, "thin": True, **more}
        text = _json(body)
    return Event(event_id, sequence, type_, now, text, now + timedelta(seconds=OUTBOX_GRACE_S))


def _json(body: dict[str, Any]) -> str:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))
