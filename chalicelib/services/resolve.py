"""What an operator found out or decided about a payment that could not be settled without one.

Facts stay the PSP's: an operator says how to look, accepts what was reported, gives it back, or closes a question that the
PSP can not answer. Every word is in the audit log.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import datetime

from chalicelib.contracts.store import Stored
from chalicelib.domain.amend import amend
from chalicelib.domain.change import CallOutcome, Change, Closing, Found
from chalicelib.domain.errors import Conflict, Invalid, Pointer
from chalicelib.domain.facts import Decline, DeclineClass, Fact, Kind, State
from chalicelib.domain.fold import Folded, fold
from chalicelib.domain.hearsay import seen_by
from chalicelib.domain.ids import operation_id_of
from chalicelib.domain.late import again_id_of, refused_of, stays_beyond
from chalicelib.domain.money import Money
from chalicelib.domain.operation import (
    MOVEMENT,
    OPERATOR,
    Called,
    Operation,
    OperationKind,
    OperationStatus,
    Origin,
    facts_about,
)
from chalicelib.domain.payment import ACCEPT, NOT_PAID, REFUND, Attempt, Closure, Entry, Payment, Resolution
from chalicelib.services.ask import ask
from chalicelib.services.audit import Actor, draft_of
from chalicelib.services.audit import Change as Noted
from chalicelib.services.commit import commit
from chalicelib.services.configuration import Configuration
from chalicelib.services.operate import own
from chalicelib.services.ports import Ports
from chalicelib.services.settle_drafts import settle_drafts, with_draft

FOUND, SUCCEEDED, FAILED = "found", "succeeded", "failed"
_MOVES = {Kind.AUTHORIZATION, Kind.CAPTURE}
_MOVED_BY = {OperationKind.CANCELLATION: Kind.AUTHORIZATION, OperationKind.REFUND: Kind.CAPTURE}  # what is given back


@dataclass(frozen=True, slots=True)
class Said:
    """`outcome`: accept or refund what was reported; found (with `psp_reference`) or not_paid for an attempt that got no
    answer; succeeded or failed for an operation (`operation_id`) that the PSP can not be asked about."""

    attempt_id: str
    outcome: str
    note: str
    operation_id: str | None = None
    psp_reference: str | None = None


class Resolve:
    def __init__(self, ports: Ports, configuration: Configuration) -> None:
        self._ports = ports
        self._configuration = configuration

    def resolve(self, merchant_id: str, payment_id: str, said: Said, actor: Actor) -> Payment:
        """The payment as it stands then. Raises NotFound, Invalid, and Conflict where there is nothing of that kind to
        resolve."""
        stored = own(self._ports, merchant_id, payment_id)
        told = {name: value for name, value in asdict(said).items() if value is not None}
        noted = Noted("resolve", "payment", payment_id, {"status": stored.value.status}, told)
        draft = draft_of(self._ports, actor, merchant_id, noted)
        stored = commit(self._ports, stored, lambda newest: with_draft(self._resolved(newest, said, actor), draft))
        stored = settle_drafts(self._ports, stored)
        if said.outcome == FOUND:
            stored = self._asked(stored, said)
        return stored.value

    def _resolved(self, payment: Payment, said: Said, actor: Actor) -> Payment:
        attempt = payment.attempt(said.attempt_id)
        if attempt is None:
            detail = f"The payment has no attempt {said.attempt_id!r}."
            raise Invalid(detail, (Pointer("/attempt_id", detail),))
        now, folded = self._ports.clock.now(), fold(payment)
        what = {
            ACCEPT: _accepted,
            REFUND: _refunded,
            FOUND: _found,
            NOT_PAID: _not_paid,
            SUCCEEDED: _operation_succeeded,
            FAILED: _operation_failed,
        }[said.outcome](payment, folded, attempt, said, now)
        resolution = Resolution(
            attempt.id,
            said.outcome,
            said.note,
            actor.subject,
            now,
            said.operation_id,
            _accepted_amounts(folded, attempt, said),
        )
        if said.outcome == ACCEPT:
            resolution = replace(resolution, surplus=stays_beyond(payment, resolution))
        text = f"An operator resolved {attempt.connection_id}: {said.outcome.replace('_', ' ')} ({said.note})."
        entry = Entry(now, "resolution", text, {"attempt_id": attempt.id, "outcome": said.outcome, "by": actor.subject})
        return amend(payment, Change(resolutions=(resolution,), entries=(entry,)) + what, now)

    def _asked(self, stored: Stored[Payment], said: Said) -> Stored[Payment]:
        attempt = stored.value.attempt(said.attempt_id)
        assert attempt is not None, "it was resolved just now"
        change = ask(self._ports, self._configuration, stored.value, attempt)
        return commit(self._ports, stored, lambda newest: amend(newest, change, self._ports.clock.now()))


def _odd(folded: Folded, attempt: Attempt) -> list[Fact]:
    return [fact for fact in folded.anomalies if fact.attempt_id == attempt.id and fact.amount is not None]


def _accepted_amounts(folded: Folded, attempt: Attempt, said: Said) -> tuple[tuple[str, str, int, str], ...]:
    if said.outcome not in (ACCEPT, REFUND):
        return ()
    return tuple(
        (fact.kind, fact.id, fact.amount.value, fact.amount.currency) for fact in _odd(folded, attempt) if fact.amount
    )


def _accepted(payment: Payment, folded: Folded, attempt: Attempt, said: Said, now: datetime) -> Change:
    if any(fact.amount and fact.amount.currency != payment.order.amount.currency for fact in _odd(folded, attempt)):
        raise Conflict("Money in another currency can not count for this payment; resolve it with refund.")
    _must_have_money_to_decide(payment, folded, attempt)
    return Change()


def _refunded(payment: Payment, folded: Folded, attempt: Attempt, said: Said, now: datetime) -> Change:
    """Gives back what was reported: odd amounts each by an operation of their own, reviewed money in one; and once more
    what the PSP refused to give back."""
    _must_have_money_to_decide(payment, folded, attempt)
    moved = [fact for fact in _odd(folded, attempt) if fact.kind in _MOVES and fact.state is State.SUCCEEDED]
    standing = folded.standings[attempt.id]
    operations = [_back(payment, attempt, fact.kind, fact.id, fact.amount, now) for fact in moved if fact.amount]
    currency, number = payment.order.amount.currency, len(payment.resolutions)
    if not moved and standing.capturable:
        held = Money(standing.capturable, currency)
        operations.append(_back(payment, attempt, Kind.AUTHORIZATION, f"held:{number}", held, now))
    if not moved and standing.refundable:
        paid = Money(standing.refundable, currency)
        operations.append(_back(payment, attempt, Kind.CAPTURE, f"paid:{number}", paid, now))
    if not moved:
        operations += [
            replace(_back(payment, attempt, _MOVED_BY[one.kind], "", one.amount, now), id=again_id_of(payment, one))
            for one in refused_of(payment, folded)
            if one.attempt_id == attempt.id and one.amount is not None and one.amount.currency != currency
        ]
    if not operations:
        raise Conflict("The PSP has not moved the money yet, so there is nothing to give back; ask again later.")
    return Change(operations=tuple(operations))


def _must_have_money_to_decide(payment: Payment, folded: Folded, attempt: Attempt) -> None:
    refused = any(one.attempt_id == attempt.id for one in refused_of(payment, folded))
    if not _odd(folded, attempt) and attempt.id not in payment.reviews and not refused:
        raise Conflict(
            "This attempt has neither an odd amount nor money under review, or that its PSP refused to give back."
        )


def _back(payment: Payment, attempt: Attempt, kind: Kind, id: str, amount: Money, now: datetime) -> Operation:
    void = kind is Kind.AUTHORIZATION
    return Operation(
        id=operation_id_of(payment.id, f"resolution:{attempt.id}:{kind}:{id}"),
        kind=OperationKind.CANCELLATION if void else OperationKind.REFUND,
        attempt_id=attempt.id,
        amount=amount,
        origin=Origin.POLICY,
        created_at=now,
        reason="resolution",
        called=Called.PLANNED,
    )


def _found(payment: Payment, folded: Folded, attempt: Attempt, said: Said, now: datetime) -> Change:
    """The operator knows what the PSP calls the attempt: it is asked by that name."""
    if said.psp_reference is None:
        detail = "With the outcome found, name what the PSP calls the checkout."
        raise Invalid(detail, (Pointer("/psp_reference", detail),))
    if attempt.psp_reference is not None and not _is_mistaken(payment, folded, attempt):
        raise Conflict(f"The PSP's reference of this attempt is known: {attempt.psp_reference}.")
    return Change(found=(Found(attempt.id, said.psp_reference, corrects=attempt.psp_reference),))


def _is_mistaken(payment: Payment, folded: Folded, attempt: Attempt) -> bool:
    """Whether an operator named the attempt by what the PSP never answered to. Webhooks find the attempt by our own id, so
    that they are no answer to it; what they call its page then is another name."""
    by_word = any(one.attempt_id == attempt.id and one.outcome == FOUND for one in payment.resolutions)
    pages = {fact.id for fact in payment.facts if fact.attempt_id == attempt.id and fact.kind is Kind.CHECKOUT}
    otherwise = bool(pages) and attempt.psp_reference not in pages
    return by_word and (otherwise or not folded.standings[attempt.id].opened)


def _not_paid(payment: Payment, folded: Folded, attempt: Attempt, said: Said, now: datetime) -> Change:
    """Nothing was paid and, by the operator's word, nothing will be; should money come all the same, it is late."""
    standing = folded.standings[attempt.id]
    if standing.captured or standing.held:
        raise Conflict("The PSP says that this attempt was paid.")
    if standing.confirmed:
        raise Conflict("The PSP says how this attempt ended; there is nothing to resolve.")
    return Change(closings=(Closing(attempt.id, Closure.SUPERSEDED),))


def _operation_of(payment: Payment, folded: Folded, attempt: Attempt, said: Said) -> Operation:
    operation = payment.operation(said.operation_id or "")
    if operation is None or operation.attempt_id != attempt.id:
        detail = "Name an operation of this attempt."
        raise Invalid(detail, (Pointer("/operation_id", detail),))
    if folded.operations[operation.id] not in (OperationStatus.UNKNOWN, OperationStatus.PENDING):
        raise Conflict(f"The operation has {folded.operations[operation.id]}; there is nothing to resolve.")
    return operation


def _operation_succeeded(payment: Payment, folded: Folded, attempt: Attempt, said: Said, now: datetime) -> Change:
    operation = _operation_of(payment, folded, attempt, said)
    fact = _word(operation, State.SUCCEEDED)
    seen = seen_by(fact, folded.sound) if operation.movement is None else None
    if seen is not None and seen.state is State.FAILED:
        raise Conflict(
            f"The PSP tells of a {operation.kind} of this amount that failed, and not whose it is; sync the payment first, "
            "so that it tells of the one that succeeded too."
        )
    return Change(facts=(fact,))


def _operation_failed(payment: Payment, folded: Folded, attempt: Attempt, said: Said, now: datetime) -> Change:
    """Where the PSP took it and leaves it pending, that it did is no proof any more; where the PSP says nothing, nothing
    need outweigh what it may say later."""
    operation = _operation_of(payment, folded, attempt, said)
    decline = Decline(DeclineClass.HARD, "resolved", message="An operator found that it never happened.")
    words = (_word(operation, State.FAILED),) if facts_about(operation, folded.sound) else ()
    return Change(facts=words, outcomes=(CallOutcome(operation.id, Called.REFUSED, decline),))


def _word(operation: Operation, state: State) -> Fact:
    """What an operator says of an operation, as a movement; of one that was made at the PSP, under that movement's name."""
    kind = MOVEMENT[operation.kind]
    if operation.movement is not None:
        return Fact(operation.attempt_id, kind, OPERATOR + operation.movement[1], state, operation.amount)
    return Fact(operation.attempt_id, kind, OPERATOR + operation.id, state, operation.amount, operation_id=operation.id)
