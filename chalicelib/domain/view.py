"""The payment as the API shows it, for answers and events alike."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

from chalicelib.domain.facts import Decline, Fact, Kind
from chalicelib.domain.fold import Folded
from chalicelib.domain.money import Money
from chalicelib.domain.operation import OPERATOR, Operation, OperationStatus, facts_about
from chalicelib.domain.order import Address, Customer
from chalicelib.domain.payment import Attempt, Decision, Json, NextAction, Payment, Status


@lru_cache(1024)  # a payment shows a few times again and again: as keys, in its events and in the answer
def text_of(at: datetime) -> str:
    """RFC 3339 in UTC with exactly six decimals, so that the text sorts as the time does."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def view_of(payment: Payment, folded: Folded) -> dict[str, Json]:
    """The `payment` object of the API; plain JSON values."""
    order = payment.order
    return {
        "id": payment.id,
        "merchant_id": payment.merchant_id,
        "order_reference": order.order_reference,
        "status": folded.status,
        "amount": money_view(order.amount),
        "amounts": folded.amounts._asdict(),
        "disputes": [_dispute_view(fact) for fact in payment.facts if fact.kind is Kind.DISPUTE],
        "next_action": _action_view(_next_action(payment, folded)),
        "route": route_of(payment.route),
        "attempts": [_attempt_view(attempt, payment.facts, folded) for attempt in payment.attempts],
        "operations": [operation_view(operation, folded) for operation in payment.operations],
        "payment_method": order.payment_method,
        "capture": order.capture,
        "description": order.description,
        "customer": _customer_view(order.customer),
        "metadata": order.metadata or {},
        "sequence": payment.sequence,
        "created_at": text_of(payment.created_at),
        "updated_at": text_of(payment.updated_at),
    }


def route_of(decision: Decision) -> dict[str, Json]:
    """`trace` has one step for each decision: the rule that won, what it saw, and each candidate. `explanation` is put in
    where one payment is read, since it takes the version of the route that decided."""
    candidates: list[Json] = [
        {"connection_id": one.connection_id, "eligible": one.reason is None, "reason": one.reason, "health": one.health}
        for one in decision.candidates
    ]
    step: dict[str, Json] = {
        "rule": decision.rule,
        "arm": decision.arm,
        "inputs": decision.inputs,
        "candidates": candidates,
    }
    return {
        "name": decision.name,
        "version": decision.version,
        "arm": decision.arm,
        "trace": [step],
        "explanation": None,
    }


def thin_view_of(payment: Payment, folded: Folded) -> dict[str, Json]:
    """The payment in an event that would be too large: what changed can be read from the API."""
    whole = (
        "id",
        "merchant_id",
        "order_reference",
        "status",
        "amount",
        "amounts",
        "sequence",
        "created_at",
        "updated_at",
    )
    view = view_of(payment, folded)
    return {name: view[name] for name in whole}


def money_view(money: Money) -> dict[str, Json]:
    return {"value": money.value, "currency": money.currency}


def _next_action(payment: Payment, folded: Folded) -> NextAction | None:
    """The newest attempt's page, while a shopper can still pay there and nothing is in doubt."""
    if folded.status is not Status.PENDING:
        return None
    for attempt in reversed(payment.attempts):
        standing = folded.standings[attempt.id]
        if standing.live and standing.opened and attempt.action is not None:
            return attempt.action
    return None


def _action_view(action: NextAction | None) -> dict[str, Json] | None:
    if action is None:
        return None
    return {
        "type": action.type,
        "url": action.url,
        "method": action.method,
        "fields": action.fields,
        "expires_at": text_of(action.expires_at) if action.expires_at else None,
    }


def decline_of(attempt: Attempt, facts: tuple[Fact, ...]) -> Decline | None:
    """The newest reason why this attempt was declined: its opening's, else its last try's."""
    mine = [fact for fact in facts if fact.attempt_id == attempt.id and fact.decline is not None]
    mine.sort(key=lambda fact: (fact.kind is Kind.OPEN, fact.revision, fact.id))
    return mine[-1].decline if mine else None


def _attempt_view(attempt: Attempt, facts: tuple[Fact, ...], folded: Folded) -> dict[str, Json]:
    decline = decline_of(attempt, facts)
    return {
        "id": attempt.id,
        "connection_id": attempt.connection_id,
        "connector": attempt.connector,
        "psp_reference": attempt.psp_reference,
        "status": folded.standings[attempt.id].status,
        "decline": _decline_view(decline),
        "started_at": text_of(attempt.started_at),
    }


def operation_view(operation: Operation, folded: Folded) -> dict[str, Json]:
    mine = facts_about(operation, (fact for fact in folded.sound if fact.attempt_id == operation.attempt_id))
    status = folded.operations[operation.id]
    return {
        "id": operation.id,
        "kind": operation.kind,
        "status": status,
        "amount": money_view(operation.amount) if operation.amount else None,
        "attempt_id": operation.attempt_id,
        "origin": operation.origin,
        "reason": operation.reason,
        "decline": _decline_view(operation.decline) if status is OperationStatus.FAILED else None,
        "psp_reference": mine[-1].id if mine and not mine[-1].id.startswith(OPERATOR) else None,
        "created_at": text_of(operation.created_at),
    }


def _decline_view(decline: Decline | None) -> dict[str, Json] | None:
    if decline is None:
        return None
    return {"class": decline.cls, "code": decline.code, "psp_code": decline.psp_code, "message": decline.message}


def _dispute_view(fact: Fact) -> dict[str, Json]:
    return {
        "id": fact.id,
        "status": fact.state,
        "amount": money_view(fact.amount) if fact.amount else None,
        "reason": fact.reason or None,
        "respond_by": fact.respond_by or None,
    }


def _customer_view(customer: Customer | None) -> dict[str, Json] | None:
    if customer is None:
        return None
    return {"id": customer.id, "email": customer.email, "name": customer.name, "phone": customer.phone}


def address_view(address: Address | None) -> dict[str, Json] | None:
    if address is None:
        return None
    return {name: getattr(address, name) for name in Address.__dataclass_fields__}
