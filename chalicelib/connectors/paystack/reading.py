"""Paystack's transactions, refunds and disputes as facts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from chalicelib.connectors.paystack.tables import (
    AMOUNTS,
    DECLINE,
    DISPUTE_STATUS,
    REFUND_STATUS,
    RESOLUTION,
    TRANSACTION_STATUS,
    Progress,
)
from chalicelib.domain.facts import Decline, Fact, Kind, State
from chalicelib.domain.ids import payment_id_in
from chalicelib.domain.money import Money

_TRIES = {
    Progress.TRYING: State.PENDING,
    Progress.UNHEARD_OF: State.PENDING,
    Progress.DECLINED: State.DECLINED,
    Progress.PAID: State.APPROVED,
    Progress.REVERSED: State.APPROVED,
}
PAID = (Progress.PAID, Progress.REVERSED)


def reference_of(attempt_id: str) -> str:
    """Paystack takes letters, digits, "-", "." and "=" in a reference: our ids, but for their underscores."""
    return attempt_id.replace("_", "-")


def attempt_id_of(reference: object) -> str | None:
    """Whose a reference is; None for one that is not ours."""
    if not isinstance(reference, str) or not reference.startswith("att-") or "_" in reference:
        return None
    attempt_id = reference.replace("-", "_")
    return attempt_id if payment_id_in(attempt_id) else None


def transaction_facts(attempt_id: str, said: dict[str, Any]) -> list[Fact]:
    """What a transaction, as reading and `charge.success` have it, says by itself. It has one reference and one number, however
    often the shopper tries, so its tries are one that gets further. Raises ValueError for another's."""
    if said.get("reference") != reference_of(attempt_id):
        raise ValueError("the transaction is not the one that was asked for")
    name, word = number_of(said.get("id")), said.get("status")
    progress, note = TRANSACTION_STATUS.of(word), TRANSACTION_STATUS.note(word)
    facts = [Fact(attempt_id, Kind.CHECKOUT, reference_of(attempt_id), State.OPEN)]
    if progress in _TRIES:
        decline = _decline_of(said.get("gateway_response")) if progress is Progress.DECLINED else None
        facts.append(Fact(attempt_id, Kind.TRY, name, _TRIES[progress], decline=decline, reason=note))
    if progress in PAID:
        paid = AMOUNTS.read(shop_amount_of(said), said.get("currency"))
        facts.append(Fact(attempt_id, Kind.CAPTURE, name, State.SUCCEEDED, paid))
    return facts


def shop_amount_of(said: dict[str, Any]) -> object:
    """What of a transaction was paid for the order, in Paystack's units. `amount` is what the shopper paid,
    `requested_amount` what was asked. Where shoppers bear Paystack's fees, it is more by no more than its `fees`: the shop has
    no more than its price, and owes nothing of it. Anything else beyond the price is what was paid, and so an anomaly."""
    paid, asked, fees = said.get("amount"), said.get("requested_amount"), said.get("fees")
    if type(paid) is not int or type(asked) is not int or type(fees) is not int:
        return paid
    return asked if 0 < asked < paid <= asked + fees else paid


def may_be_paid(said: dict[str, Any]) -> bool:
    """Whether there can be refunds and disputes of it: not of one that is still to be paid."""
    return TRANSACTION_STATUS.of(said.get("status")) in (*PAID, Progress.UNHEARD_OF)


def movements_of(
    attempt_id: str, said: dict[str, Any], refunds: Sequence[dict[str, Any]], disputes: Sequence[dict[str, Any]]
) -> list[Fact]:
    """What of the transaction `said` went back. A refund that pays a dispute names it: one movement, told by the dispute
    while that counts."""
    contested = [dispute_fact(attempt_id, one) for one in disputes]
    counted = {fact.id for fact in contested if fact.state is not State.WON}
    paid_back = [refund_fact(attempt_id, one) for one in refunds if str(one.get("dispute")) not in counted]
    return [_without_fees(fact, said) for fact in paid_back] + contested


def _without_fees(refund: Fact, said: dict[str, Any]) -> Fact:
    """A refund of all that the shopper paid, fees too, gives back all that the shop was paid, and no more."""
    if refund.operation_id is not None or shop_amount_of(said) == said.get("amount") or refund.amount is None:
        return refund
    most = AMOUNTS.read(shop_amount_of(said), said.get("currency"))
    beyond = refund.amount.currency == most.currency and refund.amount.value > most.value
    return replace(refund, amount=most) if beyond else refund


def unexplained(said: dict[str, Any], facts: list[Fact]) -> list[Fact]:
    """The facts of a transaction of which nothing went back. One that is reversed all the same says so on its capture, for
    people to see."""
    if TRANSACTION_STATUS.of(said.get("status")) is not Progress.REVERSED:
        return facts
    return [replace(fact, reason="reversed") if fact.kind is Kind.CAPTURE else fact for fact in facts]


def asked_of(said: dict[str, Any]) -> Money:
    """What a transaction was opened for. Older ones repeat it as their amount alone."""
    asked = said.get("requested_amount")
    return AMOUNTS.read(said.get("amount") if asked is None else asked, said.get("currency"))


def refund_fact(attempt_id: str, said: dict[str, Any]) -> Fact:
    """A refund, as the answer to ours and the list have it."""
    word = said.get("status")
    return Fact(
        attempt_id,
        Kind.REFUND,
        number_of(said.get("id")),
        REFUND_STATUS.of(word),
        AMOUNTS.read(said.get("amount"), said.get("currency")),
        operation_id=_operation_in(said.get("merchant_note"), attempt_id),
        reason=REFUND_STATUS.note(word),
    )


def dispute_fact(attempt_id: str, said: dict[str, Any]) -> Fact:
    """A dispute without an amount is about everything that was paid, and so is one about fees of the shopper's too."""
    word, resolution = said.get("status"), said.get("resolution")
    state, note = DISPUTE_STATUS.of(word), DISPUTE_STATUS.note(word)
    if state is None:
        state, note = RESOLUTION.of(resolution), RESOLUTION.note(resolution)
    amount, due, paid = said.get("refund_amount"), said.get("dueAt"), transaction_of(said)
    if amount == paid.get("amount") != shop_amount_of(paid):
        amount = None
    return Fact(
        attempt_id,
        Kind.DISPUTE,
        number_of(said.get("id")),
        state,
        None if amount is None else AMOUNTS.read(amount, said.get("currency") or paid.get("currency")),
        reason=note,
        respond_by=due if isinstance(due, str) and state is State.OPENED else "",
    )


def transaction_of(said: dict[str, Any]) -> dict[str, Any]:
    """The transaction that a dispute holds."""
    found = said.get("transaction")
    if not isinstance(found, dict):
        raise ValueError("the dispute does not say of which transaction it is")
    return found


def number_of(said: object) -> str:
    """Paystack's own numbers are 64 bits wide."""
    if type(said) is not int or not 0 < said < 2**64:
        raise ValueError("there is no number of Paystack's")
    return str(said)


def _decline_of(response: object) -> Decline:
    text = response if isinstance(response, str) else ""
    cls, code = DECLINE.of(text.strip().rstrip(".").lower())
    return Decline(cls, code, text[:100], text[:300])


def _operation_in(note: object, attempt_id: str) -> str | None:
    """Our operation's id, with which a refund's note for the merchant begins where the refund is ours."""
    word = (note.split() or [""])[0] if isinstance(note, str) else ""
    ours = word.startswith("op_") and payment_id_in(word) == payment_id_in(attempt_id)
    return word if ours else None
