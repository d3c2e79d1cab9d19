"""Status and amounts, folded from facts: a pure function of what is known, whatever order it came in.

What each attempt has is folded in `domain.standing`; here is what the whole payment comes to. Money that moved and stayed
outranks everything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from chalicelib.domain.facts import Fact, Kind, State, is_renamed
from chalicelib.domain.hearsay import without_hearsay
from chalicelib.domain.operation import Operation, OperationKind, OperationStatus, Origin, status_of
from chalicelib.domain.order import CaptureMode
from chalicelib.domain.payment import ACCEPT, Payment, Resolution, Status
from chalicelib.domain.standing import Standing, standing_of


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
class Folded:
    """`anomalies` are the facts that do not count and that no operator has decided on; `sound` are those that count."""

    status: Status
    amounts: Amounts
    standings: Mapping[str, Standing]
    operations: Mapping[str, OperationStatus]
    anomalies: tuple[Fact, ...]
    sound: tuple[Fact, ...]


_EXACT = {Kind.AUTHORIZATION, Kind.CAPTURE}


def is_sound(fact: Fact, payment: Payment, operations: Mapping[str, Operation], held: Collection[str]) -> bool:
    """Whether a fact's amount is what was asked. `held` are attempts with an authorization.

    Operations are compared with their own amount, authorizations and sales with the checkout. What the PSP did by itself
    (a capture of an authorization, a refund, an adjusted authorization) need only fit, and so need releases: a void gives
    back what there is, an odd amount that an operator sends back too.
    """
    amount, asked = fact.amount, payment.order.amount
    if amount is None:
        return fact.kind not in _EXACT or fact.state is not State.SUCCEEDED
    operation = operations.get(fact.operation_id or "")
    ours = operation.amount if operation is not None else None
    if ours is not None and fact.kind is not Kind.RELEASE:
        return amount == ours
    if amount.currency != (ours or asked).currency or amount.value < 0:
        return False
    if is_sale(fact, payment, held) or (fact.kind is Kind.AUTHORIZATION and fact.revision == 0):
        return amount.value == asked.value
    most = most_of(payment, fact.attempt_id)
    return amount.value <= (most if ours is None else max(most, ours.value))


def is_sale(fact: Fact, payment: Payment, held: Collection[str]) -> bool:
    """Whether a capture is the payment itself: nothing was authorized before it, and nobody asked for it apart."""
    alone = fact.operation_id is None and fact.attempt_id not in held
    return fact.kind is Kind.CAPTURE and alone and payment.order.capture is CaptureMode.AUTOMATIC


def held_first(facts: Iterable[Fact]) -> frozenset[str]:
    """The attempts of which there is an authorization."""
    return frozenset(fact.attempt_id for fact in facts if fact.kind is Kind.AUTHORIZATION)


def accepted_of(payment: Payment) -> frozenset[tuple[str, str, str, int, str]]:
    """Amounts that count by an operator's word: (attempt_id, kind, id, value, currency)."""
    return frozenset((one.attempt_id, *fact) for one in payment.resolutions for fact in one.accepted)


def _is_accepted(fact: Fact, accepted: frozenset[tuple[str, str, str, int, str]]) -> bool:
    amount = fact.amount
    return amount is not None and (fact.attempt_id, fact.kind, fact.id, amount.value, amount.currency) in accepted


def fold(payment: Payment) -> Folded:
    """Folds the whole payment. What the PSP said decides, not `payment.status`, which is only what was published last."""
    operations = {operation.id: operation for operation in payment.operations}
    accepted, held = accepted_of(payment), held_first(payment.facts)
    of_attempt: dict[str, list[Fact]] = {attempt.id: [] for attempt in payment.attempts}
    sound: list[Fact] = []
    anomalies: list[Fact] = []
    for fact in without_hearsay(payment.facts):
        if is_renamed(fact):
            continue
        if is_sound(fact, payment, operations, held) or _is_accepted(fact, accepted):
            sound.append(fact)
            of_attempt.setdefault(fact.attempt_id, []).append(fact)
        else:
            anomalies.append(fact)
    odd = {fact.attempt_id for fact in anomalies}
    currency = payment.order.amount.currency
    standings = {
        attempt.id: standing_of(
            attempt,
            of_attempt[attempt.id],
            attempt.id in odd,
            tuple(one for one in payment.operations if one.attempt_id == attempt.id),
            currency,
        )
        for attempt in payment.attempts
    }
    statuses = {one.id: status_of(one, of_attempt.get(one.attempt_id, ())) for one in payment.operations}
    amounts = _amounts(payment, standings)
    return Folded(
        _status(payment, standings, statuses, amounts, bool(anomalies)),
        amounts,
        standings,
        statuses,
        tuple(anomalies),
        tuple(sound),
    )


def most_of(payment: Payment, attempt_id: str) -> int:
    """The most that one movement of an attempt can be about: what was asked, or what was reported beyond it and an
    operator decided on, whether it stays or goes back."""
    decided = (_excess_of(payment, one) for one in payment.resolutions if one.attempt_id == attempt_id)
    return payment.order.amount.value + max(decided, default=0)


def expected_of(payment: Payment, standings: Mapping[str, Standing]) -> int:
    """What the shopper should be without in all: what was asked, and what an operator let an attempt have beyond it, while
    it is still there. What she had given back was never owed, or another attempt could keep that much too many."""
    excess: dict[str, int] = {}
    surplus: Counter[str] = Counter()
    for one in payment.resolutions:
        if one.outcome == ACCEPT:
            excess[one.attempt_id] = max(excess.get(one.attempt_id, 0), _excess_of(payment, one))
            surplus[one.attempt_id] += one.surplus
    beyond = (min(value + surplus[id_], standings[id_].kept) for id_, value in excess.items())
    return payment.order.amount.value + sum(beyond)


def _excess_of(payment: Payment, resolution: Resolution) -> int:
    """By how much the largest movement that an operator decided on is beyond what was asked. An authorization and its
    capture are one money, so they do not add up."""
    asked = payment.order.amount
    beyond = (
        value - asked.value
        for kind, _, value, currency in resolution.accepted
        if kind in _EXACT and currency == asked.currency
    )
    return max((0, *beyond))


def _amounts(payment: Payment, standings: Mapping[str, Standing]) -> Amounts:
    all_of = tuple(standings.values())
    captured = sum(one.captured for one in all_of)
    refunded = sum(one.refunded for one in all_of)
    held = sum(one.held for one in all_of)
    disputed = sum(one.disputed for one in all_of)
    return Amounts(
        authorized=sum(one.authorized for one in all_of),
        captured=captured,
        refunded=refunded,
        refundable=sum(one.refundable for one in all_of),
        capturable=sum(one.capturable for one in all_of),
        charged_back=disputed,
        surplus=max(captured - refunded - disputed + held - expected_of(payment, standings), 0),
    )


def _status(
    payment: Payment,
    standings: Mapping[str, Standing],
    operations: Mapping[str, OperationStatus],
    amounts: Amounts,
    anomalous: bool,
) -> Status:
    all_of = tuple(standings.values())
    captured, refunded = amounts.captured, amounts.refunded
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
        (_was_cancelled(payment, operations), Status.CANCELLED),
    )
    for matches, status in rules:
        if matches:
            return status
    furthest = max(payment.attempts, key=lambda one: (standings[one.id].progress, one.closed is None, one.id))
    return standings[furthest.id].ended or Status.FAILED


def _was_cancelled(payment: Payment, operations: Mapping[str, OperationStatus]) -> bool:
    """Whether the merchant gave the payment up: then that is how it ended, whatever each page came to."""
    return any(
        one.kind is OperationKind.CANCELLATION
        and one.origin is not Origin.POLICY
        and operations[one.id] is OperationStatus.SUCCEEDED
        for one in payment.operations
    )
