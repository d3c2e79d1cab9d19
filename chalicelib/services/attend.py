"""Attends to a payment that is due: events that may not have reached their subscribers, operations that are to be carried
out, and open questions to PSPs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from chalicelib import telemetry
from chalicelib.contracts.queue import Topic
from chalicelib.contracts.store import Stored
from chalicelib.domain.amend import amend, with_events_due, with_questions_due, without_events
from chalicelib.domain.change import CallOutcome, Change
from chalicelib.domain.claim import given_back, leased
from chalicelib.domain.errors import StaleVersion
from chalicelib.domain.ids import delivery_id_of
from chalicelib.domain.operation import UNSURE, Called, Operation, OperationStatus, Origin
from chalicelib.domain.payment import Attempt, Payment
from chalicelib.domain.watch import Phase
from chalicelib.services.ask import ask
from chalicelib.services.commit import commit, event_message, first_commit
from chalicelib.services.configuration import Configuration
from chalicelib.services.execute import asked_of
from chalicelib.services.kinds import DELIVERY, PAYMENT
from chalicelib.services.operate import carry_out, claim_in, with_claim
from chalicelib.services.ports import Ports
from chalicelib.services.settle_drafts import settle_drafts

QUEUED_AGAIN_S = 60
DELIVERIES_MAX = 1_000  # of a payment that are looked for at once; of more, twice as many
AFTER_ALL = "9"  # sorts behind every time

Decide = Callable[[Payment], Payment]


class Attend:
    def __init__(self, ports: Ports, configuration: Configuration) -> None:
        self._ports = ports
        self._configuration = configuration

    def sync(self, payment_id: str) -> Payment:
        """Asks about every attempt now, due or not. Raises NotFound."""
        return self.payment(payment_id, now_too=True)

    def payment(self, payment_id: str, *, now_too: bool = False) -> Payment:
        """Does what is due; with `now_too` every question, due or not. Raises NotFound."""
        telemetry.note(payment_id=payment_id)
        stored = self._ports.store.get(PAYMENT, payment_id)
        now = self._ports.clock.now()
        tidied = self._tidied(stored.value, now) if any(one.due_at <= now for one in stored.value.outbox) else None
        operations = [one.id for one in stored.value.operations if _to_carry_out(one, now, now_too)]
        if tidied is not None and (operations or not _to_ask_about(stored.value, now, now_too)):
            stored, tidied = commit(self._ports, stored, tidied), None
        stored = settle_drafts(self._ports, stored)
        for operation_id in operations:
            stored = self._carry_out(stored, operation_id)
        for attempt_id in _to_ask_about(stored.value, now, now_too):
            attempt = stored.value.attempt(attempt_id)
            assert attempt is not None, "attempts are never taken away"
            due = [one for one in stored.value.operations if one.attempt_id == attempt_id and _is_due(one, now)]
            change = ask(self._ports, self._configuration, stored.value, attempt)
            reached = all(one.reached for one in change.asked)
            change += Change(asked=tuple(asked_of(one, reached=reached) for one in due))
            stored, tidied = self._commit(stored, change, tidied), None
        return (stored if tidied is None else commit(self._ports, stored, tidied)).value

    def look_again(self, payment_id: str) -> None:
        """Asks about refunds that were made. Nothing is written where nothing new was said; what could not be asked is due
        soon. Raises NotFound."""
        telemetry.note(payment_id=payment_id)
        stored = self._ports.store.get(PAYMENT, payment_id)
        for attempt in stored.value.attempts:
            made = {
                one.id: one
                for one in stored.value.operations
                if one.attempt_id == attempt.id and one.phase == Phase.REFUNDED and one.ask_at is None
            }
            if not made:
                continue
            change = ask(self._ports, self._configuration, stored.value, attempt)
            if all(one.reached for one in change.asked):
                stored = self._commit(stored, replace(change, asked=()))
                continue
            change += Change(asked=tuple(asked_of(one, reached=False) for one in made.values()))
            due = partial(with_questions_due, operation_ids=made, at=self._ports.clock.now())
            stored = self._commit(stored, change, due)

    def _commit(self, stored: Stored[Payment], change: Change, first: Decide | None = None) -> Stored[Payment]:
        """`first` is done in the same put."""

        def decide(newest: Payment) -> Payment:
            return amend(newest if first is None else first(newest), change, self._ports.clock.now())

        return commit(self._ports, stored, decide)

    def _carry_out(self, stored: Stored[Payment], operation_id: str) -> Stored[Payment]:
        """A planned operation is marked as started before its first call; a started one may have been called."""
        operation = stored.value.operation(operation_id)
        assert operation is not None, "an operation of ours is never taken away"
        first = operation.called is Called.PLANNED
        if first:
            made = False

            def start(newest: Payment) -> Payment:
                nonlocal made
                known, now = newest.operation(operation_id), self._ports.clock.now()
                made = known is not None and known.called is Called.PLANNED
                outcome = CallOutcome(operation_id, Called.STARTED, at=now)  # a rule may have wanted it long before
                return amend(newest, Change(outcomes=(outcome,)), now) if made else newest

            stored = commit(self._ports, stored, start)
            if not made:
                return stored  # another worker has it
            operation = stored.value.operation(operation_id)
            assert operation is not None, "it was started just now"
        if operation.claim is not None:
            return self._carry_out_for_caller(stored, operation)
        change = carry_out(self._ports, self._configuration, stored.value, operation, first=first)
        return self._commit(stored, change)

    def _carry_out_for_caller(self, stored: Stored[Payment], operation: Operation) -> Stored[Payment]:
        """A call that nobody finished: its claim is held meanwhile, so that its caller, who may only have slept, proves
        nothing by what he finds. The caller's repeat gets the answer it settles to."""
        claim = claim_in(stored.value, operation.id)
        held = leased(claim, self._ports.clock.now())
        try:
            stored = first_commit(self._ports, with_claim(stored.value, operation.id, held), stored.version)
        except StaleVersion:
            return self._ports.store.get(PAYMENT, stored.value.id)  # somebody was first; the due index brings it again
        change = carry_out(self._ports, self._configuration, stored.value, operation, first=False)

        def decide(newest: Payment) -> Payment:
            amended = amend(newest, change, self._ports.clock.now())
            now_held = claim_in(amended, operation.id)
            mine = now_held.lease_until == held.lease_until
            return with_claim(amended, operation.id, given_back(now_held)) if mine else amended

        return commit(self._ports, stored, decide)

    def _tidied(self, payment: Payment, now: datetime) -> Decide:
        """Queues again what is not in every subscriber's delivery record, and gives the change that drops what is.

        Only events that are due: an index that lags may not list a subscription yet which was made before the event, and an
        event without subscribers would be dropped at once.
        """
        recorded = self._recorded(payment.id)
        subscriptions = self._configuration.subscriptions(payment.merchant_id)
        handled: set[str] = set()
        untold: list[bytes] = []
        for event in payment.outbox:
            if event.due_at > now:
                continue
            wanted = [one for one in subscriptions if one.wants(event.type)]
            if all(delivery_id_of(event.id, one.id) in recorded for one in wanted):
                handled.add(event.id)
            else:
                untold.append(event_message(payment, event, again=True))
        self._ports.queue.send_all(Topic.EVENTS, untold)
        again_at = now + timedelta(seconds=QUEUED_AGAIN_S)

        def decide(newest: Payment) -> Payment:
            kept = without_events(newest, handled)
            late = [event for event in kept.outbox if event.due_at <= now]
            return with_events_due(kept, again_at) if late else kept

        return decide

    def _recorded(self, payment_id: str) -> set[str]:
        """The ids of the payment's delivery records. A list of places names them without reading any."""
        most = DELIVERIES_MAX
        while True:
            places = self._ports.store.due(DELIVERY, "by_payment", payment_id, until=AFTER_ALL, limit=most)
            if len(places) < most:
                return {place.id for place in places}
            most *= 2


def _is_due(one: Attempt | Operation, now: datetime) -> bool:
    return one.ask_at is not None and one.ask_at <= now


def _to_carry_out(operation: Operation, now: datetime, now_too: bool) -> bool:
    """Whether nothing certain is known of an operation of ours, or of what it leaves, and no call holds it."""
    if operation.called not in UNSURE or operation.origin is Origin.PSP:
        return False
    open = operation.status in (OperationStatus.PENDING, OperationStatus.UNKNOWN)
    if not open and operation.phase != Phase.UNANSWERED:
        return False
    lease = operation.claim.lease_until if operation.claim is not None else None
    free = lease is None or lease <= now
    return free and (now_too or _is_due(operation, now))


def _to_ask_about(payment: Payment, now: datetime, now_too: bool) -> list[str]:
    """Attempts that are due themselves, or one of whose operations is; with `now_too` all that a PSP may know of."""
    due = {one.id for one in payment.attempts if _is_due(one, now)}
    due |= {one.attempt_id for one in payment.operations if _is_due(one, now)}
    if now_too:
        due |= {one.id for one in payment.attempts if one.psp_reference is not None or one.ask_at is not None}
    return [one.id for one in payment.attempts if one.id in due]
