"""What an operation may take: a pure decision on the payment as it stands, made again whenever somebody else wrote first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chalicelib.contracts.connector import Capabilities
from chalicelib.domain.claim import Claim, leased
from chalicelib.domain.errors import Conflict, Invalid, Pointer
from chalicelib.domain.fold import Folded
from chalicelib.domain.money import Money
from chalicelib.domain.operation import UNSURE, Operation, OperationKind, OperationStatus, Origin, facts_about
from chalicelib.domain.payment import OPERATIONS_MAX, Attempt, Payment

CAPABILITY = {
    OperationKind.CAPTURE: "capture",
    OperationKind.CANCELLATION: "cancel",
    OperationKind.REFUND: "refund",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a caller asks for; no amount means all there is."""

    kind: OperationKind
    amount: Money | None = None
    attempt_id: str | None = None
    reason: str | None = None
    final: bool = False


def left_of(kind: OperationKind, folded: Folded, attempt_id: str) -> int:
    """Minor units of an attempt that an operation of this kind could still take."""
    standing = folded.standings[attempt_id]
    return standing.refundable if kind is OperationKind.REFUND else standing.capturable


def chosen(payment: Payment, folded: Folded, wanted: Wanted) -> Attempt | None:
    """The attempt to operate on: the one named, else the one with most left; None where nothing is left on any.

    Raises Invalid for an attempt that is not the payment's, Conflict for a capture of one that was given up.
    """
    if wanted.attempt_id is not None:
        attempt = payment.attempt(wanted.attempt_id)
        if attempt is None:
            detail = f"The payment has no attempt {wanted.attempt_id!r}."
            raise Invalid(detail, (Pointer("/attempt_id", detail),))
        candidates = [attempt]
    else:
        candidates = list(payment.attempts)
    with_money = [one for one in candidates if left_of(wanted.kind, folded, one.id)]
    if wanted.kind is OperationKind.CAPTURE:
        given_up = [one for one in with_money if one.closed is not None]
        with_money = [one for one in with_money if one.closed is None]
        if given_up and not with_money:
            raise Conflict(
                "What is held belongs to an attempt that was given up; it is never captured, only cancelled."
            )
    return max(with_money, key=lambda one: left_of(wanted.kind, folded, one.id), default=None)


def refuse_odd(payment: Payment, folded: Folded, wanted: Wanted) -> None:
    """Raises Invalid for another currency, Conflict for what no PSP need be asked about."""
    amount, currency = wanted.amount, payment.order.amount.currency
    if amount is not None and amount.currency != currency:
        detail = f"The payment is in {currency}, not in {amount.currency}."
        raise Invalid(detail, (Pointer("/amount/currency", detail),))
    made = sum(one.origin is not Origin.PSP for one in payment.operations)
    if made >= OPERATIONS_MAX:
        raise Conflict(f"The payment has {OPERATIONS_MAX} operations; it takes no more.")
    if folded.anomalies and wanted.kind is not OperationKind.REFUND:
        raise Conflict(
            "The PSP reports an amount that was not asked for; an operator decides first (POST …/resolutions)."
        )


def refuse_over(wanted: Wanted, left: int, currency: str) -> int:
    """The minor units to take. Raises Conflict over what is left."""
    noun = "refund" if wanted.kind is OperationKind.REFUND else "capture"
    if left <= 0:
        raise Conflict(f"There is nothing left to {noun}.")
    value = left if wanted.amount is None else wanted.amount.value
    if value > left:
        raise Conflict(f"{Money(value, currency)} is more than the {Money(left, currency)} left to {noun}.")
    return value


def refuse_unoffered(
    can: Capabilities, payment: Payment, folded: Folded, attempt: Attempt, wanted: Wanted, value: int, left: int
) -> None:
    """Raises Conflict for what the connector does not offer."""
    kind, psp = wanted.kind, attempt.connector
    if CAPABILITY[kind] not in can.operations:
        raise Conflict(f"The connector {psp} offers no {kind} through its API.")
    whole = folded.standings[attempt.id].captured
    if kind is OperationKind.REFUND and value < whole and not can.partial_refund:
        raise Conflict(f"The connector {psp} refunds the whole amount only.")
    if kind is OperationKind.CAPTURE and value < left and not can.partial_capture:
        raise Conflict(f"The connector {psp} captures the whole amount only.")
    again = any(_counts(one, folded, attempt, kind) for one in payment.operations)
    if kind is OperationKind.CAPTURE and again and not can.multiple_captures:
        raise Conflict(f"The connector {psp} captures a payment once only.")
    if wanted.final and folded.standings[attempt.id].reserved_captures:
        raise Conflict("Another capture is under way, and the last one would give its money back; ask again soon.")
    if kind is OperationKind.CANCELLATION and any(
        _may_not_be_there(one, folded, attempt) for one in payment.operations
    ):
        raise Conflict(
            "Whether the PSP has a capture yet is not known, and a cancellation would give its money back; ask again soon."
        )


def _counts(operation: Operation, folded: Folded, attempt: Attempt, kind: OperationKind) -> bool:
    same = operation.kind is kind and operation.attempt_id == attempt.id
    return same and folded.operations[operation.id] is not OperationStatus.FAILED


def _may_not_be_there(operation: Operation, folded: Folded, attempt: Attempt) -> bool:
    """Whether it is a capture that the PSP may still have to hear of: to its eyes that money is part of what is left."""
    unsure = operation.called in UNSURE and not facts_about(operation, folded.sound)
    return unsure and _counts(operation, folded, attempt, OperationKind.CAPTURE)


def operation_of(
    operation_id: str,
    wanted: Wanted,
    attempt: Attempt,
    amount: Money | None,
    held: int,
    fingerprint: str,
    now: datetime,
) -> Operation:
    """The operation to store, its claim held by this call. A capture of all that is `held` is the last one; one of what
    others leave is not, for they may come later to the PSP."""
    return Operation(
        id=operation_id,
        kind=wanted.kind,
        attempt_id=attempt.id,
        amount=amount,
        origin=Origin.API,
        created_at=now,
        reason=wanted.reason,
        final=wanted.final or (amount is not None and amount.value == held),
        claim=leased(Claim(fingerprint, None), now),
    )
