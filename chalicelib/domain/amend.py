"""The only place that makes a new payment out of an old one: join what is said, fold, let policy and events ride along."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from chalicelib.domain.change import Asked, Change, attempts_after, operations_after, resolutions_after
from chalicelib.domain.emit import Watched, bounded, earliest, with_events
from chalicelib.domain.facts import IN_DOUBT, Fact, Kind, State, join
from chalicelib.domain.fold import Folded, fold, held_first, is_sale
from chalicelib.domain.ids import operation_id_of
from chalicelib.domain.late import policy_of
from chalicelib.domain.operation import Called, Operation, OperationKind, Origin
from chalicelib.domain.payment import Attempt, Payment
from chalicelib.domain.watch import Phase, next_ask, next_step, next_try, operation_phase_of, phase_of

_OPERATION_OF = {
    Kind.CAPTURE: OperationKind.CAPTURE,
    Kind.REFUND: OperationKind.REFUND,
    Kind.RELEASE: OperationKind.CANCELLATION,
}


def amend(payment: Payment, change: Change, now: datetime) -> Payment:
    """The payment after `change`; the very same object where nothing new was said, so that nothing need be written."""
    return amended(payment, change, now)[0]


def amended(payment: Payment, change: Change, now: datetime) -> tuple[Payment, Folded | None]:
    """What `amend` gives, with its fold for who needs that too; None where nothing new was said."""
    facts = join(payment.facts, change.facts_for(payment.attempts))
    attempts = attempts_after(payment.attempts, change, _paid(facts) if change.closings else ())
    operations = operations_after(payment.operations, change)
    resolutions = resolutions_after(payment.resolutions, change)
    said = (facts, attempts, operations, resolutions)
    if said == (payment.facts, payment.attempts, payment.operations, payment.resolutions) and not _tells(change):
        return payment, None
    after = replace(
        payment,
        facts=facts,
        attempts=attempts,
        operations=operations,
        resolutions=resolutions,
        timeline=bounded(payment.timeline + change.entries),
        updated_at=max(now, payment.updated_at),
    )
    folded = fold(after)
    policy = policy_of(after, folded, now)
    operations = _with_foreign(after, folded, now) + policy.operations
    if operations != after.operations:
        after = replace(after, operations=operations)
        folded = fold(after)
    watched = _watched(after, folded, {one.id: one for one in change.asked}, now)
    return with_events(payment, after, watched, folded, policy.reviews, now), folded


def _paid(facts: Collection[Fact]) -> frozenset[str]:
    moving = (State.PENDING, State.SUCCEEDED)
    return frozenset(
        one.attempt_id for one in facts if one.kind in (Kind.AUTHORIZATION, Kind.CAPTURE) and one.state in moving
    )


def _tells(change: Change) -> bool:
    """Whether a change without news is worth a write: an answered question, or an entry that stands for itself."""
    return bool(change.asked) or (
        bool(change.entries) and not (change.facts or change.found or change.outcomes or change.ended)
    )


def _with_foreign(payment: Payment, folded: Folded, now: datetime) -> tuple[Operation, ...]:
    """The operations, with one for each movement that somebody made at the PSP, until it proves to be one of ours."""
    ours = {one.id for one in payment.operations if one.origin is not Origin.PSP}
    held = held_first(payment.facts)
    foreign: dict[tuple[str, str, str], Fact] = {
        (fact.attempt_id, fact.kind, fact.id): fact
        for fact in folded.sound
        if fact.kind in _OPERATION_OF and fact.operation_id not in ours and not _is_nobodys(fact, payment, held)
    }
    kept = [
        one if one.movement is None else _as_told(one, foreign[_named(one)])
        for one in payment.operations
        if one.movement is None or _named(one) in foreign
    ]
    known = {_named(one) for one in kept if one.movement is not None}
    made = [_foreign(payment, fact, now) for name, fact in foreign.items() if name not in known]
    return (*kept, *made)


def _named(operation: Operation) -> tuple[str, str, str]:
    assert operation.movement is not None, "only operations made at the PSP are named by their movement"
    return (operation.attempt_id, *operation.movement)


def _is_nobodys(fact: Fact, payment: Payment, held: frozenset[str]) -> bool:
    """A sale is the payment itself, and an authorization that ran out was nobody's doing."""
    return is_sale(fact, payment, held) or (fact.kind is Kind.RELEASE and fact.id.startswith("expiry"))


def _as_told(operation: Operation, fact: Fact) -> Operation:
    """As the PSP names it now."""
    return replace(operation, amount=fact.amount, undecidable=fact.reason == IN_DOUBT)


def _foreign(payment: Payment, fact: Fact, now: datetime) -> Operation:
    made = Operation(
        id=operation_id_of(payment.id, f"psp:{fact.attempt_id}:{fact.kind}:{fact.id}"),
        kind=_OPERATION_OF[fact.kind],
        attempt_id=fact.attempt_id,
        amount=fact.amount,
        origin=Origin.PSP,
        created_at=now,
        called=Called.ANSWERED,
        movement=(fact.kind, fact.id),
    )
    return _as_told(made, fact)


def _watched(payment: Payment, folded: Folded, asked: dict[str, Asked], now: datetime) -> Watched:
    """The attempts and operations with the times at which PSPs are asked next about them."""
    attempts = tuple(_watch_attempt(one, payment, folded, asked.get(one.id), now) for one in payment.attempts)
    operations = tuple(_watch_operation(one, folded, asked.get(one.id), now) for one in payment.operations)
    return Watched(attempts, operations)


def _watch_attempt(attempt: Attempt, payment: Payment, folded: Folded, asked: Asked | None, now: datetime) -> Attempt:
    elsewhere = any(folded.standings[one.id].pays for one in payment.attempts if one.id != attempt.id)
    phase = phase_of(attempt, folded.standings[attempt.id], paid_elsewhere=elsewhere)
    if phase != attempt.phase:
        return replace(attempt, phase=phase, asked=0, unreached=0, ask_at=next_step(phase, 0, now))
    if asked is None or _was_put_before(asked, attempt):
        return attempt
    if not asked.reached:
        return replace(attempt, unreached=attempt.unreached + 1, ask_at=_sooner(attempt, now))
    if _is_early(attempt, now):
        return attempt
    then = next_ask(attempt, phase, attempt.asked + 1, now)
    if _proves_before(asked, then, now):
        return replace(attempt, unreached=0, ask_at=asked.again_at)
    return replace(attempt, asked=attempt.asked + 1, unreached=0, ask_at=then)


def _watch_operation(operation: Operation, folded: Folded, asked: Asked | None, now: datetime) -> Operation:
    holds = folded.standings[operation.attempt_id].held > 0
    phase = operation_phase_of(operation, folded.operations[operation.id], holds=holds)
    if phase != operation.phase:
        made_at = now if phase is Phase.REFUNDED else None
        return replace(operation, phase=phase, asked=0, unreached=0, ask_at=next_step(phase, 0, now), made_at=made_at)
    if asked is None or _was_put_before(asked, operation):
        return operation
    if not asked.reached:
        return replace(operation, unreached=operation.unreached + 1, ask_at=_sooner(operation, now))
    if _is_early(operation, now):
        return operation
    then = next_step(phase, operation.asked + 1, now)
    if _proves_before(asked, then, now):
        return replace(operation, unreached=0, ask_at=asked.again_at)
    return replace(operation, asked=operation.asked + 1, unreached=0, ask_at=then)


def _proves_before(asked: Asked, then: datetime | None, now: datetime) -> bool:
    """Whether an answer proves something before the next question's turn. The question that is put for it takes no turn."""
    return asked.again_at is not None and then is not None and now < asked.again_at < then


def _is_early(of: Attempt | Operation, now: datetime) -> bool:
    """Whether a question was put before its time, at somebody's word: a shop that syncs often does not use the schedule
    up, and so keep the question at the page's end from being asked."""
    return of.ask_at is None or of.ask_at > now


def _sooner(of: Attempt | Operation, now: datetime) -> datetime | None:
    """When a question is put again that could not be put: soon, and never later than it would have been put anyway."""
    soon = next_try(of.unreached + 1, now)
    if not _is_early(of, now):
        return soon
    return min(soon, of.ask_at) if soon and of.ask_at else of.ask_at


def _was_put_before(asked: Asked, of: Attempt | Operation) -> bool:
    """Whether another worker put the same question and was first to tell."""
    return asked.step is not None and asked.step != of.asked + of.unreached


def with_questions_due(payment: Payment, operation_ids: Collection[str], at: datetime) -> Payment:
    """The payment with a question about each of those operations that is due at `at`, where none is."""
    operations = tuple(
        replace(one, ask_at=at) if one.id in operation_ids and one.ask_at is None else one for one in payment.operations
    )
    return replace(payment, operations=operations)


def due_of(payment: Payment) -> datetime | None:
    """When the sweeper must look at the payment: the earliest of its unsent events and its open questions."""
    return earliest(payment.outbox, Watched(payment.attempts, payment.operations), payment.unaudited)


def without_events(payment: Payment, ids: Collection[str]) -> Payment:
    """The payment once those events are in their subscribers' delivery records."""
    kept = tuple(event for event in payment.outbox if event.id not in ids)
    payment = replace(payment, outbox=kept)
    return replace(payment, due_at=due_of(payment))


def with_events_due(payment: Payment, at: datetime) -> Payment:
    """The payment with its unsent events put off until `at`, because they were just queued again."""
    payment = replace(payment, outbox=tuple(replace(event, due_at=at) for event in payment.outbox))
    return replace(payment, due_at=due_of(payment))
