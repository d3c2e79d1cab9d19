"""What becomes of money that came late or twice: operations of PaymentServer's own, each with an id derived from what it is
for, so that each is made exactly once.

Money is late where the attempt had been given up: its page ended, or it was sealed, superseded or lapsed. Where nothing
else is paid the late policy decides; where several attempts are paid the surplus goes back, given-up attempts first. What is
only held at an attempt that we closed off is never captured, so it goes back unless somebody wants to look first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from chalicelib.domain.fold import Folded, expected_of, most_of
from chalicelib.domain.ids import operation_id_of
from chalicelib.domain.money import Money
from chalicelib.domain.operation import Called, Operation, OperationKind, OperationStatus, Origin
from chalicelib.domain.payment import ACCEPT, REFUND, REVIEW, Attempt, Payment
from chalicelib.domain.standing import Standing


@dataclass(frozen=True, slots=True)
class Policy:
    """`operations` are to be added; `reviews` are attempts whose money waits for an operator."""

    operations: tuple[Operation, ...] = ()
    reviews: tuple[str, ...] = ()


def policy_of(payment: Payment, folded: Folded, now: datetime) -> Policy:
    """What the policy wants beyond what is under way already. Pure, and the same however often it is asked."""
    paid = [one for one in payment.attempts if folded.standings[one.id].has_money]
    operations: list[Operation] = []
    decided = {one.attempt_id: one.outcome for one in payment.resolutions if one.outcome in (ACCEPT, REFUND)}
    over = {id_ for id_, one in folded.standings.items() if one.is_over(most_of(payment, id_))} - decided.keys()
    reviews = sorted(over)
    for attempt, kind, value, why in _unwanted(payment, folded, paid):
        if attempt.id in over or decided.get(attempt.id) == ACCEPT:
            continue  # what does not fit on one attempt is an operator's to judge
        made = _operation(payment, attempt, kind, value, why, now)
        known = payment.operation(made.id)
        if (attempt.late or payment.route.late) == REVIEW or known is not None or attempt.id in decided:
            reviews.append(attempt.id)  # a rule acts once for an attempt, and not after an operator; the rest is hers
        else:
            operations.append(made)
    return Policy(tuple(operations), tuple(reviews))


def _unwanted(
    payment: Payment, folded: Folded, paid: list[Attempt]
) -> Iterator[tuple[Attempt, OperationKind, int, str]]:
    """(attempt, how it goes back, minor units, why) of money that should not stay."""
    left = sum(folded.standings[one.id].refundable + folded.standings[one.id].capturable for one in paid)
    surplus = left - expected_of(payment)
    newest_first = sorted(paid, key=lambda one: one.id, reverse=True)
    for attempt in sorted(newest_first, key=lambda one: _first_to_go(folded.standings[one.id])):
        standing = folded.standings[attempt.id]
        policy = attempt.late or payment.route.late
        late = standing.given_up and (attempt.late == REFUND or (len(paid) == 1 and policy != ACCEPT))
        why = "late" if late else "surplus"
        if standing.capturable and (late or standing.closed or standing.capturable <= surplus):
            held_why = why if standing.capturable <= surplus else "late"
            yield attempt, OperationKind.CANCELLATION, standing.capturable, held_why
            surplus -= standing.capturable
        refunded = standing.refundable if late else min(standing.refundable, max(surplus, 0))
        if refunded:
            yield attempt, OperationKind.REFUND, refunded, why
            surplus -= refunded


def _first_to_go(standing: Standing) -> tuple[bool, bool]:
    """Given-up attempts first; then held money before captured, because a void costs nothing."""
    return not standing.given_up, not standing.held


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
