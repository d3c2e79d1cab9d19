"""Carries an operation out at its PSP, and says what is certain about it as a change.

A call is repeated only with the same parameters, inside half the life of the PSP's key, and after reading; an error that
answers a repeat proves nothing. Only proof that nothing was sent, the PSP's definite no to a first call, or its facts
settle an operation. Nothing was sent, too, where a connector reads before it acts and the read fails. What a PSP answers and
does not tell is not asked about as if the PSP were away: it had 15 minutes to show it, and then an operator has to find out.
What somebody at the PSP may still approve is an operator's at once, and the operation keeps it: silence proves nothing more.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from chalicelib import telemetry
from chalicelib.contracts.calls import AttemptRef, MoneyOrder, Refusal, RefusalKind, reference_of
from chalicelib.contracts.conversation import (
    NOTHING_MOVED,
    AwaitsApproval,
    CallFailed,
    Conversation,
    ReadFailed,
    Undecidable,
)
from chalicelib.domain.change import Asked, CallOutcome, Change
from chalicelib.domain.errors import NotFound, PaymentServerError
from chalicelib.domain.facts import Decline, DeclineClass, Fact, join
from chalicelib.domain.fold import fold
from chalicelib.domain.operation import Called, Operation, OperationKind, OperationStatus, Origin, facts_about
from chalicelib.domain.payment import Attempt, Entry, Payment
from chalicelib.outbound.driver import Deadline
from chalicelib.services.ask import ABSENT_AFTER_S
from chalicelib.services.configuration import Configuration, LiveConnection
from chalicelib.services.ports import Ports
from chalicelib.services.secrets import concealed

BUDGET_S = 20.0
log = logging.getLogger("paymentserver.execute")

# What the PSP's key and capability are called for each kind.
PSP_OPERATION = {
    OperationKind.CAPTURE: "capture",
    OperationKind.CANCELLATION: "cancel",
    OperationKind.REFUND: "refund",
}
_REFUSED_AS = {
    RefusalKind.MISCONFIGURED: (DeclineClass.HARD, "misconfigured"),
    RefusalKind.RATE_LIMITED: (DeclineClass.SOFT, "rate_limited"),
    RefusalKind.OUTAGE: (DeclineClass.SOFT, "outage"),
}
_NOT_NAMED = "what it shows does not name our operations"
_NOT_SENT = Decline(DeclineClass.SOFT, "not_sent", message="The PSP could not be reached; nothing was sent.")


def execute(
    ports: Ports, configuration: Configuration, payment: Payment, operation: Operation, *, first: bool
) -> Change:
    """`first`: nobody has called for this operation before, for certain. It must be stored as started."""
    now = ports.clock.now()
    attempt = payment.attempt(operation.attempt_id)
    assert attempt is not None, "an operation names an attempt of its payment"
    call: _Call | None = None
    try:
        live = configuration.connection(payment.merchant_id, attempt.connection_id)
        call = _Call(ports, live, payment, attempt, operation, now)
        with telemetry.bind(connector=live.connector.name, payment_id=payment.id):
            return call.make(first=first)
    except (CallFailed, NotFound, PaymentServerError) as error:
        problem = error.detail
    except Exception as error:  # a connector's mistake after a money call leaves the outcome unknown
        log.exception("an operation could not be carried out")
        problem = type(error).__name__
    called_at = now if call is not None and call.was_made else None
    return put_off(now, operation, attempt, problem, called_at)


def put_off(now: datetime, operation: Operation, attempt: Attempt, problem: str, called_at: datetime | None) -> Change:
    """Nothing is known: a call that may have been made is unanswered. It is told of once. `called_at` is None where the PSP
    was only to be read: a question that failed does not put off the day on which silence proves something."""
    unanswered = CallOutcome(operation.id, Called.UNANSWERED, at=called_at)
    outcomes = () if operation.called is Called.PLANNED else (unanswered,)
    text = f"{attempt.connection_id} gave no usable answer to the {operation.kind} ({problem})."
    entries = () if operation.unreached else (entry_of(now, operation, attempt, text),)
    return Change(outcomes=outcomes, asked=(asked_of(operation, reached=False),), entries=entries)


def asked_of(operation: Operation, *, reached: bool = True, again_at: datetime | None = None) -> Asked:
    return Asked(operation.id, reached, operation.asked + operation.unreached, again_at)


def entry_of(now: datetime, operation: Operation, attempt: Attempt, text: str) -> Entry:
    data = {"operation_id": operation.id, "attempt_id": attempt.id, "connection_id": attempt.connection_id}
    return Entry(now, "psp_call", text, data)


class _Call:
    """One call, or the reading that makes a repeat safe."""

    def __init__(
        self,
        ports: Ports,
        live: LiveConnection,
        payment: Payment,
        attempt: Attempt,
        operation: Operation,
        now: datetime,
    ) -> None:
        self._ports, self._live, self._payment = ports, live, payment
        self._attempt, self._operation, self._now = attempt, operation, now
        self._deadline = Deadline(BUDGET_S)
        self.was_made = False

    def make(self, *, first: bool) -> Change:
        if first:
            return self._called_or_put_off(first=True)
        read = self._read()
        if self._is_told_of(read.facts):
            return read + self._finished(read.facts)
        if not self._repeatable():
            return read + self._not_told_of(_NOT_NAMED)
        try:
            return read + self._called_or_put_off(first=False)
        except Undecidable as error:
            return read + self._not_told_of(error.detail)

    def _not_told_of(self, why: str) -> Change:
        """The PSP does not show the operation. After 15 minutes that proves that it never happened, or nothing, ever: `why`."""
        operation, connection_id = self._operation, self._attempt.connection_id
        proves = self._live.connector.capabilities.names_operations and not operation.undecidable
        last_called_at = self._last_called_at() if proves else operation.called_at or operation.created_at
        shown_at = last_called_at + timedelta(seconds=ABSENT_AFTER_S)
        if self._now < shown_at:
            return self._outcome(Called.UNANSWERED, again_at=shown_at)
        if proves:
            text = f"{connection_id} knows nothing of the {operation.kind}: it never happened."
            return self._outcome(Called.ABSENT, text=text)
        return self._undecidable(why)

    def _undecidable(self, why: str) -> Change:
        """It is told of once."""
        kind, connection_id = self._operation.kind, self._attempt.connection_id
        text = f"{connection_id} can not tell what came of the {kind} ({why}); an operator has to find out."
        return self._outcome(Called.UNANSWERED, text="" if self._operation.undecidable else text, undecidable=True)

    def _finished(self, facts: Sequence[Fact]) -> Change:
        """The PSP has the operation. What a last capture leaves may still be held, where the PSP is told apart to release it:
        nobody knows whether it was, and to be told twice makes no difference."""
        operation, attempt, connector = self._operation, self._attempt, self._live.connector
        last = operation.kind is OperationKind.CAPTURE and operation.final
        folded = fold(self._known(facts))
        failed = folded.operations[operation.id] is OperationStatus.FAILED
        if not (last and connector.capabilities.releases_rest and folded.standings[attempt.id].held) or failed:
            return self._outcome(Called.ANSWERED)
        try:
            self._ports.driver.converse(connector.release_rest(self._order(facts)), self._deadline)
        except CallFailed as error:  # what was read before still holds
            return put_off(self._now, operation, attempt, f"release of the rest: {error.detail}", None)
        return self._outcome(Called.ANSWERED)

    def _called_or_put_off(self, *, first: bool) -> Change:
        try:
            return self._called(first=first)
        except AwaitsApproval as error:
            return self._undecidable(error.detail)

    def _called(self, *, first: bool) -> Change:
        operation = self._operation
        self.was_made = True
        try:
            said = self._ports.driver.converse(self._conversation(first=first), self._deadline)
        except NOTHING_MOVED as error:
            self.was_made = False
            if first and operation.origin is not Origin.POLICY:
                text = f"{self._attempt.connection_id} could not be reached; nothing was sent ({error.detail})."
                return self._outcome(Called.ABSENT, _NOT_SENT, text)
            raise
        if isinstance(said, Refusal):
            return self._refused(concealed(said, self._live.secrets), first=first)
        text = f"{self._attempt.connection_id} took the {operation.kind}."
        return Change(facts=tuple(said)) + self._outcome(Called.ANSWERED, text=text)

    def _conversation(self, *, first: bool) -> Conversation[Sequence[Fact] | Refusal]:
        connector, order = self._live.connector, replace(self._order(), repeats=not first)
        return {
            OperationKind.CAPTURE: connector.capture,
            OperationKind.CANCELLATION: connector.cancel,
            OperationKind.REFUND: connector.refund,
        }[self._operation.kind](order)

    def _order(self, facts: Sequence[Fact] = ()) -> MoneyOrder:
        operation = self._operation
        return MoneyOrder(self._reference(facts), operation.id, operation.amount, operation.reason, operation.final)

    def _known(self, facts: Sequence[Fact]) -> Payment:
        """The payment with what was read now."""
        return replace(self._payment, facts=join(self._payment.facts, facts))

    def _reference(self, facts: Sequence[Fact] = ()) -> AttemptRef:
        known = self._known(facts)
        return reference_of(self._attempt, known.order, known.facts, known.operations)

    def _refused(self, refusal: Refusal, *, first: bool) -> Change:
        """A rule's operation waits for better days unless the PSP's no is about the money itself. One that answers a repeat may
        mean that the first call did it."""
        if not first and refusal.kind is RefusalKind.DECLINED:
            raise Undecidable(refusal.detail)
        passing = refusal.kind is not RefusalKind.DECLINED and self._operation.origin is Origin.POLICY
        if not first or passing:
            raise ReadFailed(refusal.detail)
        text = f"{self._attempt.connection_id} refused the {self._operation.kind}: {refusal.detail}."
        return self._outcome(Called.REFUSED, decline_of(refusal), text)

    def _read(self) -> Change:
        if self._attempt.psp_reference is None:
            raise ReadFailed("the PSP's own reference is not known yet")
        conversation = self._live.connector.fetch(self._reference())
        return Change(facts=tuple(self._ports.driver.converse(conversation, self._deadline)))

    def _is_told_of(self, facts: Sequence[Fact]) -> bool:
        return bool(facts_about(self._operation, fold(self._known(facts)).sound))

    def _repeatable(self) -> bool:
        return self._now < self._repeatable_until()

    def _repeatable_until(self) -> datetime:
        name = PSP_OPERATION[self._operation.kind]
        lives_s = self._live.connector.capabilities.key_lives_s.get(name, 0)
        return self._operation.created_at + timedelta(seconds=lives_s / 2)

    def _last_called_at(self) -> datetime:
        """The latest time at which it may have been called: a repeat that a crash cut off has left no trace."""
        known = self._operation.called_at or self._operation.created_at
        return max(known, self._repeatable_until())

    def _outcome(
        self,
        called: Called,
        decline: Decline | None = None,
        text: str = "",
        again_at: datetime | None = None,
        undecidable: bool = False,
    ) -> Change:
        operation = self._operation
        entries = (entry_of(self._now, operation, self._attempt, text),) if text else ()
        at = self._now if called is Called.ANSWERED else None
        outcome = CallOutcome(operation.id, called, decline, at, undecidable)
        return Change(outcomes=(outcome,), asked=(asked_of(operation, again_at=again_at),), entries=entries)


def decline_of(refusal: Refusal) -> Decline:
    """Why the operation failed, in PaymentServer's words."""
    if refusal.decline is not None:
        return refusal.decline
    cls, code = _REFUSED_AS.get(refusal.kind, (DeclineClass.HARD, "declined"))
    return Decline(cls, code, message=refusal.detail[:200])
