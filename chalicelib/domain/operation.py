"""Operations on a payment: captures, cancellations and refunds, by whoever's word.

An operation reserves its amount from the put that stores it until a fact settles it, or proof that nothing was sent. How
far our own call came only rises, so that two tellings of it can arrive in either order.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from chalicelib.domain.claim import Claim
from chalicelib.domain.facts import Decline, Fact, Kind, State
from chalicelib.domain.money import Money

OPERATOR = "operator:"  # the id of a fact that an operator found out begins so


class OperationKind(StrEnum):
    CAPTURE = "capture"
    CANCELLATION = "cancellation"
    REFUND = "refund"


class OperationStatus(StrEnum):
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Origin(StrEnum):
    API = "api"  # a caller asked
    PSP = "psp"  # somebody at the PSP did it
    POLICY = "policy"  # a rule of PaymentServer: surplus or late money


class Called(StrEnum):
    """How far our own call came, rising."""

    PLANNED = "planned"  # a rule wants it; nobody has called yet
    STARTED = "started"  # a call runs, or a crash cut it off
    UNANSWERED = "unanswered"  # it was sent, and nothing usable came back
    ABSENT = "absent"  # proven: it was never sent, or the PSP knows nothing of it
    REFUSED = "refused"  # the PSP's definite no
    ANSWERED = "answered"  # the PSP took it; its facts tell the rest


_RANK = {called: rank for rank, called in enumerate(Called)}
NEVER_HAPPENED = frozenset({Called.ABSENT, Called.REFUSED})
UNSURE = frozenset({Called.PLANNED, Called.STARTED, Called.UNANSWERED})

MOVEMENT = {
    OperationKind.CAPTURE: Kind.CAPTURE,
    OperationKind.CANCELLATION: Kind.RELEASE,
    OperationKind.REFUND: Kind.REFUND,
}
_SAID = (
    (State.SUCCEEDED, OperationStatus.SUCCEEDED),
    (State.PENDING, OperationStatus.PENDING),
    (State.FAILED, OperationStatus.FAILED),
)
_BY_CALL = {
    Called.PLANNED: OperationStatus.PENDING,
    Called.STARTED: OperationStatus.PENDING,
    Called.UNANSWERED: OperationStatus.UNKNOWN,
    Called.ABSENT: OperationStatus.FAILED,
    Called.REFUSED: OperationStatus.FAILED,
    Called.ANSWERED: OperationStatus.PENDING,
}


@dataclass(frozen=True, slots=True)
class Operation:
    """`amount` is None for the cancellation of a payment on which nothing is held. `movement` names the fact of an
    operation that somebody at the PSP made. `called_at` is when the PSP was last called for it. `undecidable`: no answer of
    its tells what came of the call, or whether it was made there, so that an operator has to find out. `status` is what was
    published last; `status_of` tells the truth. `phase`, `asked`, `unreached` and `ask_at` say when the PSP is asked next
    (domain.watch); `made_at` is when we heard that a refund was made.
    """

    id: str
    kind: OperationKind
    attempt_id: str
    amount: Money | None
    origin: Origin
    created_at: datetime
    reason: str | None = None
    final: bool = False
    called: Called = Called.STARTED
    decline: Decline | None = None
    claim: Claim | None = None
    movement: tuple[str, str] | None = None
    status: OperationStatus = OperationStatus.PENDING
    called_at: datetime | None = None
    phase: str = ""
    asked: int = 0
    unreached: int = 0
    ask_at: datetime | None = None
    made_at: datetime | None = None
    undecidable: bool = False


def further(one: Called, other: Called) -> Called:
    """The one that came further."""
    return max(one, other, key=_RANK.__getitem__)


def facts_about(operation: Operation, facts: Iterable[Fact]) -> tuple[Fact, ...]:
    """The movements that are this operation's. What an operator found out gives way to what the PSP says of it."""
    kind = MOVEMENT[operation.kind]
    if operation.movement is not None:
        return tuple(fact for fact in facts if (fact.kind, fact.id) == operation.movement)
    mine = tuple(fact for fact in facts if fact.operation_id == operation.id and fact.kind is kind)
    return tuple(fact for fact in mine if not fact.id.startswith(OPERATOR)) or mine


def status_of(operation: Operation, facts: Iterable[Fact]) -> OperationStatus:
    """Folded from sound facts; from how far our call came only where there is none."""
    states = {fact.state for fact in facts_about(operation, facts)}
    for state, status in _SAID:
        if state in states:
            return status
    if operation.called is Called.ANSWERED and operation.amount is None:
        return OperationStatus.SUCCEEDED  # every page was closed, or closed off
    return _BY_CALL[operation.called]
