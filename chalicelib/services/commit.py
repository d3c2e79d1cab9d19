"""Commits a change to a payment: decide, put on condition, decide again when somebody else wrote first; then queue what the
change set off. The queue comes after the commit: the outbox and the due index find what a crash left behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from pydantic_core import to_json

from chalicelib import telemetry
from chalicelib.contracts.queue import Topic
from chalicelib.contracts.store import Stored, Version
from chalicelib.domain.amend import due_of
from chalicelib.domain.errors import Fault, QueueFault, StaleVersion
from chalicelib.domain.operation import Called
from chalicelib.domain.payment import Event, Payment
from chalicelib.domain.put_off import put_off
from chalicelib.domain.view import text_of
from chalicelib.domain.watch import Phase
from chalicelib.services.chores import chore
from chalicelib.services.kinds import PAYMENT
from chalicelib.services.ports import Ports

TRIES = 20
BEFORE_MAX = 5  # events before one that its message names; a subscriber wants one of them, or waits for none


def commit(ports: Ports, stored: Stored[Payment], decide: Callable[[Payment], Payment]) -> Stored[Payment]:
    """`decide` must be a pure function of the payment it is given: it is called again on a newer one.

    Nothing is written where it returns the payment it was given. Raises StaleVersion after 20 lost races.
    """
    for _ in range(TRIES):
        changed = decide(stored.value)
        if changed is stored.value:
            return stored
        patience = timedelta(seconds=ports.outbox_patience_s)
        changed = put_off(changed, stored.value.due_at, patience)
        try:
            version = ports.store.put(PAYMENT, changed, expect=stored.version)
        except StaleVersion:
            stored = ports.store.get(PAYMENT, changed.id)
            continue
        before, stored = stored.value, Stored(changed, version)
        return stored if announce(ports, before, changed) else _due_soon(ports, stored)
    raise StaleVersion("The payment is changed by too many calls at once; try again.")


def _due_soon(ports: Ports, stored: Stored[Payment]) -> Stored[Payment]:
    """The payment at the time at which its events are queued again, if they were put off for longer."""
    soon = due_of(stored.value)
    if not ports.outbox_patience_s or soon == stored.value.due_at:
        return stored
    hurried = replace(stored.value, due_at=soon)
    try:
        return Stored(hurried, ports.store.put(PAYMENT, hurried, expect=stored.version))
    except (Fault, StaleVersion):
        return stored  # then it stands where it was put off to


def first_commit(ports: Ports, payment: Payment, expect: Version) -> Stored[Payment]:
    return Stored(payment, ports.store.put(PAYMENT, payment, expect=expect))


def announce(ports: Ports, before: Payment, after: Payment) -> bool:
    """Queues the new events, and what is to be done at PSPs at once; whether that went well.

    A queue that fails now delays them until the sweeper comes by; it does not undo what is committed.
    """
    if after.status is not before.status:
        telemetry.count("payments_status_total", status=after.status)
    known = {event.id for event in before.outbox}
    try:
        fresh = [event for event in after.outbox if event.id not in known]
        wanted = [event_message(after, one) for one in fresh if ports.is_wanted(after.merchant_id, one.type)]
        if wanted:
            ports.queue.send_all(Topic.EVENTS, wanted)
        if _sets_off_work(before, after):
            ports.queue.send(Topic.CHORES, chore("attend", after.id))
    except QueueFault:
        return False
    return True


def _sets_off_work(before: Payment, after: Payment) -> bool:
    """Whether a page must be closed at its PSP now (given up, or paid for elsewhere), or a rule wants an operation."""
    closing = {attempt.id for attempt in before.attempts if attempt.phase == Phase.CLOSED}
    known = {operation.id for operation in before.operations}
    return any(attempt.phase == Phase.CLOSED and attempt.id not in closing for attempt in after.attempts) or any(
        operation.called is Called.PLANNED and operation.id not in known for operation in after.operations
    )


def event_message(payment: Payment, event: Event, *, again: bool = False) -> bytes:
    """`again` says that a delivery record may exist already; `before` names the payment's events before this one, so that
    each subscriber gets them in their order."""
    earlier = [one for one in payment.journal if one.sequence < event.sequence][-BEFORE_MAX:]
    document = {
        "merchant_id": payment.merchant_id,
        "payment_id": payment.id,
        "event_id": event.id,
        "event_type": event.type,
        "body": event.body,
        "again": again,
        "before": [(one.id, one.type, text_of(one.time)) for one in earlier],
    }
    return to_json(document)
