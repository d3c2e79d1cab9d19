"""What becomes of money that came late or twice: operations of PaymentServer's own, each with an id derived from what it is
for, so that each is made exactly once.

Money is late where the attempt had been given up: its page ended, or it was sealed, superseded or lapsed. Where nothing
else is paid the late policy decides; where several attempts are paid the surplus goes back, given-up attempts first. What is
only held at an attempt that we closed off is never captured, so it goes back unless somebody wants to look first.

An operator's word is about the money she saw. What she let stay is not late any more, and the last to go where more comes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from chalicelib.domain.fold import Folded, expected_of, fold, most_of
from chalicelib.domain.ids import operation_id_of
from chalicelib.domain.money import Money
from chalicelib.domain.operation import Called, Operation, OperationKind, OperationStatus, Origin
from chalicelib.domain.payment import ACCEPT, REFUND, REVIEW, Attempt, Payment, Resolution


def was_cancelled(payment: Payment) -> bool:
    """Whether the merchant gave the payment up, done or under way."""
    return any(
        one.kind is OperationKind.CANCELLATION and one.origin is Origin.API and one.status is not OperationStatus.FAILED
        for one in payment.operations
    )


@dataclass(frozen=True, slots=True)
class Policy:
    """`operations` are to be added; `reviews` are attempts whose money waits for an operator."""

    operations: tuple[Operation, ...] = ()
    reviews: tuple[str, ...] = ()


def policy_of(payment: Payment, folded: Folded, now: datetime) -> Policy:
    """What the policy wants beyond what is under way already. Pure, and the same however often it is asked."""
    operations: list[Operation] = []
    decided = _decided(payment)
    over = {id_ for id_, one in folded.standings.items() if one.is_over(most_of(payment, id_))} - decided.keys()
    reviews = sorted(over)
    for attempt, kind, value, why in _unwanted(payment, folded):
        if attempt.id in over:
            continue  # what does not fit on one attempt is an operator's to judge
        made = _operation(payment, attempt, kind, value, why, now)
        known = payment.operation(made.id)
        if (attempt.late or payment.route.late) == REVIEW or known is not None or attempt.id in decided:
            reviews.append(attempt.id)  # a rule acts once for an attempt, and not after an operator; the rest is hers
        else:
            operations.append(made)
    return Policy(tuple(operations), tuple(reviews))


def _decided(payment: Payment) -> dict[str, str]:
    """What an operator said last of the money of an attempt."""
    return {one.attempt_id: one.outcome for one in payment.resolutions if one.outcome in (ACCEPT, REFUND)}


def _unwanted(payment: Payment, folded: Folded) -> Iterator[tuple[Attempt, OperationKind, int, str]]:
    """(attempt, how it goes back, minor units, why) of money that should not stay."""
    surplus, decided = _surplus(payment, folded), _decided(payment)
    paid = _first_to_go_first(payment, folded)
    for attempt in paid:
        standing, accepted = folded.standings[attempt.id], decided.get(attempt.id) == ACCEPT
        given_up, closed = standing.given_up and not accepted, standing.closed and not accepted
        policy = attempt.late or payment.route.late
        late = given_up and (attempt.late == REFUND or (len(paid) == 1 and policy != ACCEPT))
        why = "late" if late else "surplus"
        if standing.capturable and (late or closed or standing.capturable <= surplus):
            held_why = why if standing.capturable <= surplus else "late"
            yield attempt, OperationKind.CANCELLATION, standing.capturable, held_why
            surplus -= standing.capturable
        refunded = standing.refundable if late else min(standing.refundable, max(surplus, 0))
        if refunded:
            yield attempt, OperationKind.REFUND, refunded, why
            surplus -= refunded


def _surplus(payment: Payment, folded: Folded) -> int:
    """Minor units beyond what the shopper should be without, less what is on its way back; negative where some is missing."""
    return sum(one.left for one in folded.standings.values()) - expected_of(payment, folded.standings)


def _first_to_go_first(payment: Payment, folded: Folded) -> list[Attempt]:
    """The attempts that have money: what an operator let stay last, given-up ones first; then held money before captured,
    because a void costs nothing; then the newest."""
    decided = _decided(payment)

    def first_to_go(attempt: Attempt) -> tuple[bool, bool, bool]:
        standing = folded.standings[attempt.id]
        return decided.get(attempt.id) == ACCEPT, not standing.given_up, not standing.held

    newest_first = sorted(payment.attempts, key=lambda one: one.id, reverse=True)
    return sorted((one for one in newest_first if folded.standings[one.id].has_money), key=first_to_go)


def stays_beyond(payment: Payment, word: Resolution) -> int:
    """How much of a surplus may stay by an operator's word: what her attempt has of it, once those that would go before it
    have given back theirs."""
    after = replace(payment, resolutions=(*payment.resolutions, word))
    folded = fold(after)
    surplus = _surplus(after, folded)
    for attempt in _first_to_go_first(payment, folded):
        left = folded.standings[attempt.id].left
        if attempt.id == word.attempt_id:
            return min(max(surplus, 0), left)
        surplus -= left
    return 0


def _operation(
    payment: Payment, attempt: Attempt, kind: OperationKind, value: int, why: str, now: datetime
) -> Operation:
    return Operation(
        id=operation_id_of(payment.id, f"surplus:{kind}:{attempt.id}"),
        kind=kind,
        attempt_id=attempt.id,
        amount=Money(value, payment.order.amount.currency),
        origin=Origin.POLICY,
        created_at=now,
        reason=why,
        called=Called.PLANNED,
    )


def refused_of(payment: Payment, folded: Folded) -> tuple[Operation, ...]:
    """What should have gone back by a rule or an operator's word, and the PSP refused: while the money is still there and
    nobody has let it stay since. A refund may fail long after it succeeded, so that who had more given back meanwhile has
    not decided on it."""
    return tuple(
        one
        for one in payment.operations
        if one.origin is Origin.POLICY
        and folded.operations[one.id] is OperationStatus.FAILED
        and not _accepted_since(payment, one)
        and _is_still_there(payment, folded, one)
    )


def _accepted_since(payment: Payment, operation: Operation) -> bool:
    return any(
        one.outcome == ACCEPT and one.attempt_id == operation.attempt_id and one.at > operation.created_at
        for one in payment.resolutions
    )


def _is_still_there(payment: Payment, folded: Folded, operation: Operation) -> bool:
    """Money in another currency never counts, so it is there until the operation is made again."""
    standing = folded.standings[operation.attempt_id]
    if operation.amount is None or operation.amount.currency == payment.order.amount.currency:
        return bool(standing.refundable or standing.capturable)
    return payment.operation(again_id_of(payment, operation)) is None


def again_id_of(payment: Payment, operation: Operation) -> str:
    """The id of the operation that gives back what this one could not, in another currency than the payment's."""
    return operation_id_of(payment.id, f"again:{operation.id}")
