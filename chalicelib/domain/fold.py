"""Status and amounts, folded from facts: a pure function of what is known, whatever order it came in.

Per attempt, over its sound facts: A, C, R are the sums of succeeded authorizations, captures and refunds, V of releases,
H = max(A - C - V, 0) what is still held, D of disputes opened or lost. Money that moved and stayed outranks everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from chalicelib.domain.facts import Fact, Kind, State
from chalicelib.domain.payment import Attempt, AttemptStatus, CaptureMode, Closure, Operation, Payment, Status


class Amounts(NamedTuple):
    """Minor units of the payment's currency."""

    authorized: int = 0
    captured: int = 0
    refunded: int = 0
    refundable: int = 0
    capturable: int = 0
    charged_back: int = 0
    surplus: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """One attempt, folded. `ended` is how it ended by the PSP's word, None while it has not; `progress` how far it got."""

    status: AttemptStatus
    ended: Status | None
    live: bool
    unanswered: bool
    opened: bool
    processing: bool
    progress: int
    authorized: int
    captured: int
    held: int
    refunded: int
    disputed: int
    reserved_refunds: int
    reserved_captures: int


@dataclass(frozen=True, slots=True)
class Folded:
    status: Status
    amounts: Amounts
    standings: Mapping[str, Standing]
    anomalies: tuple[Fact, ...]


_CHECKOUT_END = {
    State.EXPIRED: (Status.EXPIRED, AttemptStatus.EXPIRED),
    State.CANCELLED: (Status.CANCELLED, AttemptStatus.CANCELLED),
    State.FAILED: (Status.FAILED, AttemptStatus.FAILED),
}
_CLOSED = {Closure.SEALED: AttemptStatus.SEALED, Closure.SUPERSEDED: AttemptStatus.SUPERSEDED}
_PROGRESS = {
    Kind.OPEN: 0,
    Kind.CHECKOUT: 1,
    Kind.TRY: 2,
    Kind.RELEASE: 3,
    Kind.AUTHORIZATION: 3,
    Kind.CAPTURE: 4,
    Kind.REFUND: 4,
    Kind.DISPUTE: 4,
}
_PROCESSING = {(Kind.CHECKOUT, State.PROCESSING), (Kind.AUTHORIZATION, State.PENDING), (Kind.CAPTURE, State.PENDING)}
_EXACT = {Kind.AUTHORIZATION, Kind.CAPTURE}


def is_sound(fact: Fact, payment: Payment, operations: Mapping[str, Operation]) -> bool:
    """Whether a fact's amount is what was asked.

    Operations are compared with their own amount, authorizations and sales with the checkout. What the PSP did by itself
    (a capture of an authorization, a refund, an adjusted authorization) need only fit.
    """
    amount, asked = fact.amount, payment.order.amount
    if amount is None:
        return fact.kind not in _EXACT or fact.state is State.FAILED
    if amount.currency != asked.currency or amount.value < 0:
        return False
    operation = operations.get(fact.operation_id or "")
    if operation is not None and operation.amount is not None:
        return amount.value == operation.amount.value
    sale = fact.kind is Kind.CAPTURE and payment.order.capture is CaptureMode.AUTOMATIC and fact.operation_id is None
    if sale or (fact.kind is Kind.AUTHORIZATION and fact.revision == 0):
        return amount.value == asked.value
    return amount.value <= asked.value


def standing_of(attempt: Attempt, facts: Iterable[Fact], anomalous: bool, operations: Iterable[Operation]) -> Standing:
    """Folds one attempt's sound facts. `anomalous` says that unsound ones were set aside."""
    mine = tuple(facts)
    authorized = _sum(mine, Kind.AUTHORIZATION, State.SUCCEEDED)
    captured = _sum(mine, Kind.CAPTURE, State.SUCCEEDED)
    releases = [fact for fact in mine if fact.kind is Kind.RELEASE and fact.state is State.SUCCEEDED]
    rest = any(fact.amount is None for fact in releases)
    released = max(authorized - captured, 0) if rest else sum(fact.amount.value for fact in releases if fact.amount)
    held = max(authorized - captured - released, 0)
    opening = next((fact for fact in mine if fact.kind is Kind.OPEN), None)
    opened = any(fact.kind is not Kind.OPEN for fact in mine) or (opening is not None and opening.state is State.OPENED)
    status, ended = _end_of(attempt, mine, authorized, captured, held, opened, opening)
    if anomalous and status in (AttemptStatus.STARTED, AttemptStatus.PENDING):
        status = AttemptStatus.UNKNOWN
    reserved = _reserved(attempt, mine, operations)
    return Standing(
        status=status,
        ended=ended,
        live=ended is None and attempt.closed is None and not captured and not held,
        unanswered=not opened and opening is not None and opening.state is State.UNANSWERED,
        opened=opened,
        processing=any((fact.kind, fact.state) in _PROCESSING for fact in mine),
        progress=max((_PROGRESS[fact.kind] for fact in mine), default=0) if opened else -1,
        authorized=max(authorized, captured),
        captured=captured,
        held=held,
        refunded=_sum(mine, Kind.REFUND, State.SUCCEEDED),
        disputed=_sum(mine, Kind.DISPUTE, State.OPENED, State.LOST),
        reserved_refunds=reserved[0],
        reserved_captures=reserved[1],
    )


def _sum(facts: Iterable[Fact], kind: Kind, *states: State) -> int:
    return sum(fact.amount.value for fact in facts if fact.kind is kind and fact.state in states and fact.amount)


def _end_of(
    attempt: Attempt,
    facts: tuple[Fact, ...],
    authorized: int,
    captured: int,
    held: int,
    opened: bool,
    opening: Fact | None,
) -> tuple[AttemptStatus, Status | None]:
    ended = _ending(facts, authorized, captured, held, opened, opening)
    if captured:
        return AttemptStatus.CAPTURED, None
    if held:
        return AttemptStatus.AUTHORIZED, None
    if attempt.closed is not None:
        return _CLOSED[attempt.closed], ended[1] if ended else None
    if ended is not None:
        return ended
    if opened:
        return AttemptStatus.PENDING, None
    if opening is not None and opening.state is State.UNANSWERED:
        return AttemptStatus.UNKNOWN, None
    return AttemptStatus.STARTED, None


def _ending(
    facts: tuple[Fact, ...], authorized: int, captured: int, held: int, opened: bool, opening: Fact | None
) -> tuple[AttemptStatus, Status] | None:
    """How the attempt ended by what the PSP said, None while it has not."""
    releases = [fact for fact in facts if fact.kind is Kind.RELEASE and fact.state is State.SUCCEEDED]
    if releases and authorized and not captured and not held:
        lapsed = any(fact.id.startswith("expiry") for fact in releases)
        return (AttemptStatus.EXPIRED, Status.EXPIRED) if lapsed else (AttemptStatus.CANCELLED, Status.CANCELLED)
    ends = {fact.state for fact in facts if fact.kind is Kind.CHECKOUT} & _CHECKOUT_END.keys()
    if ends:
        status, attempt_status = _CHECKOUT_END[max(ends)]
        return attempt_status, status
    captures = {fact.state for fact in facts if fact.kind is Kind.CAPTURE}
    if State.FAILED in captures and not authorized and State.PENDING not in captures:
        return AttemptStatus.FAILED, Status.FAILED
    if opening is not None and not opened and opening.state is State.REFUSED:
        declined = AttemptStatus.DECLINED if opening.decline else AttemptStatus.FAILED
        return declined, Status.FAILED
    if opening is not None and not opened and opening.state is State.ABSENT:
        absent = AttemptStatus.NOT_SENT if opening.reason == "not_sent" else AttemptStatus.FAILED
        return absent, Status.FAILED
    return None


def _reserved(attempt: Attempt, facts: tuple[Fact, ...], operations: Iterable[Operation]) -> tuple[int, int]:
    """What operations without a final fact hold back: of refunds, of captures."""
    settled = {fact.operation_id for fact in facts if fact.state in (State.SUCCEEDED, State.FAILED)}
    ours = [operation for operation in operations if operation.attempt_id == attempt.id]
    unsettled = [operation for operation in ours if operation.id not in settled and operation.amount]
    known = {operation.id for operation in ours}
    refunds = sum(operation.amount.value for operation in unsettled if operation.kind == "refund" and operation.amount)
    captures = sum(
        operation.amount.value for operation in unsettled if operation.kind == "capture" and operation.amount
    )
    foreign = [fact for fact in facts if fact.state is State.PENDING and fact.operation_id not in known and fact.amount]
    refunds += sum(fact.amount.value for fact in foreign if fact.kind is Kind.REFUND and fact.amount)
    captures += sum(fact.amount.value for fact in foreign if fact.kind is Kind.CAPTURE and fact.amount)
    return refunds, captures


def fold(payment: Payment) -> Folded:
    """Folds the whole payment. What the PSP said decides, not `payment.status`, which is only what was published last."""
    operations = {operation.id: operation for operation in payment.operations}
    sound: dict[str, list[Fact]] = {attempt.id: [] for attempt in payment.attempts}
    anomalies: list[Fact] = []
    for fact in payment.facts:
        if is_sound(fact, payment, operations):
            sound.setdefault(fact.attempt_id, []).append(fact)
        else:
            anomalies.append(fact)
    odd = {fact.attempt_id for fact in anomalies}
    standings = {
        attempt.id: standing_of(attempt, sound[attempt.id], attempt.id in odd, payment.operations)
        for attempt in payment.attempts
    }
    amounts = _amounts(payment, standings.values())
    over = any(standing.authorized > payment.order.amount.value for standing in standings.values())
    return Folded(_status(payment, standings, bool(anomalies) or over), amounts, standings, tuple(anomalies))


def _amounts(payment: Payment, standings: Iterable[Standing]) -> Amounts:
    all_of = tuple(standings)
    captured = sum(one.captured for one in all_of)
    refunded = sum(one.refunded for one in all_of)
    held = sum(one.held for one in all_of)
    return Amounts(
        authorized=sum(one.authorized for one in all_of),
        captured=captured,
        refunded=refunded,
        refundable=sum(max(one.captured - one.refunded - one.reserved_refunds - one.disputed, 0) for one in all_of),
        capturable=sum(max(one.held - one.reserved_captures, 0) for one in all_of),
        charged_back=sum(one.disputed for one in all_of),
        surplus=max(captured - refunded + held - payment.order.amount.value, 0),
    )


def _status(payment: Payment, standings: Mapping[str, Standing], anomalous: bool) -> Status:
    all_of = tuple(standings.values())
    captured = sum(one.captured for one in all_of)
    refunded = sum(one.refunded for one in all_of)
    held = any(one.held for one in all_of)
    live = [one for one in all_of if one.live]
    rules = (
        (captured and refunded >= captured and not held, Status.REFUNDED),
        (captured and refunded, Status.PARTIALLY_REFUNDED),
        (captured and held, Status.PARTIALLY_CAPTURED),
        (captured, Status.CAPTURED),
        (held, Status.AUTHORIZED),
        (anomalous or any(one.unanswered for one in live), Status.UNKNOWN),
        (any(one.opened for one in live), Status.PENDING),
        (live or not all_of, Status.CREATED),
    )
    for matches, status in rules:
        if matches:
            return status
    furthest = max(payment.attempts, key=lambda one: (standings[one.id].progress, one.closed is None, one.id))
    return standings[furthest.id].ended or Status.FAILED
