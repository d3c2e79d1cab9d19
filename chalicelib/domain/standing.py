"""One attempt, folded from its sound facts: how it stands, and what it still has.

A, C, R are the sums of succeeded authorizations, captures and refunds, V of releases, H = max(A - C - V, 0) what is still
held, D of disputes opened or lost. What is left to refund or to capture is what no operation has reserved.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chalicelib.domain.facts import Fact, Kind, State
from chalicelib.domain.operation import Operation, OperationKind, OperationStatus, Origin, status_of
from chalicelib.domain.payment import Attempt, AttemptStatus, Closure, Status


@dataclass(frozen=True, slots=True)
class Standing:
    """`ended` is how it ended, None while it has not; `confirmed` that the PSP says so; `progress` how far it got.
    `given_up`: its money, if any comes, comes late. `approved`: the shopper did her part. Amounts are minor units."""

    status: AttemptStatus
    ended: Status | None
    confirmed: bool
    closed: bool
    live: bool
    unanswered: bool
    opened: bool
    processing: bool
    approved: bool
    given_up: bool
    progress: int
    authorized: int
    captured: int
    held: int
    refunded: int
    disputed: int
    reserved_refunds: int
    reserved_captures: int

    @property
    def refundable(self) -> int:
        return max(self.captured - self.refunded - self.reserved_refunds - self.disputed, 0)

    @property
    def capturable(self) -> int:
        return max(self.held - self.reserved_captures, 0)

    @property
    def kept(self) -> int:
        """What the shopper is without, some of which may be on its way back."""
        return max(self.captured - self.refunded - self.disputed, 0) + self.held

    @property
    def left(self) -> int:
        """What the shopper is without and nobody gives back yet."""
        return self.refundable + self.capturable

    def is_over(self, most: int) -> bool:
        """Whether the PSP moved more than fits: more taken than the `most` it may, or more given back than taken."""
        return self.authorized > most or self.refunded > self.captured

    @property
    def waits_for_completion(self) -> bool:
        """Whether the shopper approved, and nothing has moved or ended since."""
        moved = self.captured or self.held or self.processing
        return self.approved and self.live and not moved

    @property
    def pays(self) -> bool:
        """Whether money came that may stay: what is only held at an attempt that was closed off is never captured."""
        return self.captured > self.refunded or (self.held > 0 and not self.closed)

    @property
    def has_money(self) -> bool:
        """Whether money came and has not all gone back."""
        return self.captured > self.refunded or self.held > 0


_CHECKOUT_END = {
    State.EXPIRED: (AttemptStatus.EXPIRED, Status.EXPIRED),
    State.CANCELLED: (AttemptStatus.CANCELLED, Status.CANCELLED),
    State.FAILED: (AttemptStatus.FAILED, Status.FAILED),
}
_CLOSED = {
    Closure.SEALED: AttemptStatus.SEALED,
    Closure.SUPERSEDED: AttemptStatus.SUPERSEDED,
    Closure.LAPSED: AttemptStatus.EXPIRED,
}
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
_RESERVES = {
    OperationKind.CAPTURE: Kind.CAPTURE,
    OperationKind.CANCELLATION: Kind.CAPTURE,
    OperationKind.REFUND: Kind.REFUND,
}


def standing_of(
    attempt: Attempt, facts: Iterable[Fact], anomalous: bool, operations: Sequence[Operation], currency: str
) -> Standing:
    """Folds one attempt's sound facts. `anomalous` says that unsound ones were set aside."""
    mine = tuple(facts)
    counted = [(fact, fact.amount.value) for fact in mine if fact.amount and fact.amount.currency == currency]
    authorized = _succeeded(counted, Kind.AUTHORIZATION)
    captured = _succeeded(counted, Kind.CAPTURE)
    releases = [fact for fact in mine if fact.kind is Kind.RELEASE and fact.state is State.SUCCEEDED]
    released = sum(fact.amount.value for fact in releases if fact.amount)
    all_released = any(fact.amount is None for fact in releases)
    held = 0 if all_released else max(authorized - captured - released, 0)
    opening = next((fact for fact in mine if fact.kind is Kind.OPEN), None)
    opened = any(fact.kind is not Kind.OPEN for fact in mine) or (opening is not None and opening.state is State.OPENED)
    ending = _ending(mine, currency, authorized, captured, held, opened, opening)
    status, ended = _end_of(attempt, ending, captured, held, opened, opening)
    if anomalous and status in (AttemptStatus.STARTED, AttemptStatus.PENDING):
        status = AttemptStatus.UNKNOWN
    return Standing(
        status=status,
        ended=ended,
        confirmed=ending is not None,
        closed=attempt.closed is not None,
        live=ended is None and attempt.closed is None and not captured and not held,
        unanswered=not opened and opening is not None and opening.state is State.UNANSWERED,
        opened=opened,
        processing=any((fact.kind, fact.state) in _PROCESSING for fact in mine),
        approved=any(fact.kind is Kind.TRY and fact.state is State.APPROVED for fact in mine),
        given_up=attempt.closed is not None or bool(_checkout_ends(mine)),
        progress=max(_PROGRESS[fact.kind] for fact in mine) if opened else -1,
        authorized=max(authorized, captured),
        captured=captured,
        held=held,
        refunded=_succeeded(counted, Kind.REFUND),
        disputed=_disputed(mine, currency, captured),
        reserved_refunds=_reserved(attempt, mine, operations, Kind.REFUND),
        reserved_captures=held if _ends(mine, operations) else _reserved(attempt, mine, operations, Kind.CAPTURE),
    )


def _succeeded(counted: Iterable[tuple[Fact, int]], kind: Kind) -> int:
    """Money in another currency never counts: it is given back, not folded."""
    return sum(value for fact, value in counted if fact.kind is kind and fact.state is State.SUCCEEDED)


def _disputed(facts: Iterable[Fact], currency: str, captured: int) -> int:
    """A dispute without an amount is about everything."""
    contested = [fact for fact in facts if fact.kind is Kind.DISPUTE and fact.state in (State.OPENED, State.LOST)]
    if any(fact.amount is None for fact in contested):
        return captured
    return sum(fact.amount.value for fact in contested if fact.amount and fact.amount.currency == currency)


def _end_of(
    attempt: Attempt,
    ending: tuple[AttemptStatus, Status] | None,
    captured: int,
    held: int,
    opened: bool,
    opening: Fact | None,
) -> tuple[AttemptStatus, Status | None]:
    if captured:
        return AttemptStatus.CAPTURED, None
    if held:
        return AttemptStatus.AUTHORIZED, None
    if attempt.closed is not None:
        lapsed = Status.EXPIRED if attempt.closed is Closure.LAPSED else None
        return _CLOSED[attempt.closed], ending[1] if ending else lapsed
    if ending is not None:
        return ending
    if opened:
        return AttemptStatus.PENDING, None
    if opening is not None and opening.state is State.UNANSWERED:
        return AttemptStatus.UNKNOWN, None
    return AttemptStatus.STARTED, None


def _checkout_ends(facts: Sequence[Fact]) -> set[State]:
    return {fact.state for fact in facts if fact.kind is Kind.CHECKOUT} & _CHECKOUT_END.keys()


def _ending(
    facts: tuple[Fact, ...],
    currency: str,
    authorized: int,
    captured: int,
    held: int,
    opened: bool,
    opening: Fact | None,
) -> tuple[AttemptStatus, Status] | None:
    """How the attempt ended by what the PSP said, None while it has not."""
    if authorized and not captured and not held:  # all was released
        lapses = (fact for fact in facts if fact.kind is Kind.RELEASE and fact.id.startswith("expiry"))
        lapsed = any(fact.state is State.SUCCEEDED for fact in lapses)
        return (AttemptStatus.EXPIRED, Status.EXPIRED) if lapsed else (AttemptStatus.CANCELLED, Status.CANCELLED)
    ends = _checkout_ends(facts)
    moving = any(fact.kind in (Kind.AUTHORIZATION, Kind.CAPTURE) and fact.state is State.PENDING for fact in facts)
    if ends and not (
        moving and State.FAILED not in ends
    ):  # money under way may still come, whatever became of the page
        return _CHECKOUT_END[max(ends)]
    if any(fact.amount and fact.amount.currency != currency and fact.state is State.SUCCEEDED for fact in facts):
        return AttemptStatus.FAILED, Status.FAILED  # paid in another currency, which an operator took as it is
    captures = {fact.state for fact in facts if fact.kind is Kind.CAPTURE}
    if State.FAILED in captures and not authorized and State.PENDING not in captures:
        return AttemptStatus.FAILED, Status.FAILED
    if opening is not None and not opened and opening.state is State.REFUSED:
        return AttemptStatus.DECLINED if opening.decline else AttemptStatus.FAILED, Status.FAILED
    if opening is not None and not opened and opening.state is State.ABSENT:
        return AttemptStatus.NOT_SENT if opening.reason == "not_sent" else AttemptStatus.FAILED, Status.FAILED
    return None


def _ends(facts: tuple[Fact, ...], operations: Iterable[Operation]) -> bool:
    """Whether a last capture was asked for: the PSP gives back whatever it leaves, so that nothing else can be taken."""
    return any(
        one.kind is OperationKind.CAPTURE and one.final and status_of(one, facts) is not OperationStatus.FAILED
        for one in operations
    )


def _reserved(attempt: Attempt, facts: tuple[Fact, ...], operations: Sequence[Operation], from_: Kind) -> int:
    """What is held back of captured (`from_` refund) or held money (`from_` capture): by operations of ours that nothing
    has settled, and by what the PSP says is under way and no operation of ours accounts for."""
    if not operations and not any(fact.amount for fact in facts):
        return 0
    ours = [one for one in operations if one.attempt_id == attempt.id and one.origin is not Origin.PSP]
    reserved = sum(
        one.amount.value
        for one in ours
        if one.amount is not None
        and _RESERVES[one.kind] is from_
        and status_of(one, facts) in (OperationStatus.PENDING, OperationStatus.UNKNOWN)
    )
    known = {one.id for one in ours}
    foreign = (fact for fact in facts if fact.state is State.PENDING and fact.operation_id not in known and fact.amount)
    return reserved + sum(fact.amount.value for fact in foreign if fact.kind is from_ and fact.amount)
