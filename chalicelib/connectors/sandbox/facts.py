"""What a sandbox session says, as facts. One movement has one id from every source: the answer, a webhook, a later read.

A sale's only movement is the payment itself; an authorization has captures of its own.
"""

from __future__ import annotations

from typing import Any

from chalicelib.contracts.amounts import MinorUnits
from chalicelib.contracts.words import Words
from chalicelib.domain.facts import Decline, DeclineClass, Fact, Kind, State
from chalicelib.domain.money import Money

Json = dict[str, Any]

CHECKOUT_STATE = {
    "open": State.OPEN,
    "complete": State.OPEN,  # what was paid says the rest
    "expired": State.EXPIRED,
    "cancelled": State.CANCELLED,
}
MOVEMENT_STATE = {"pending": State.PENDING, "succeeded": State.SUCCEEDED, "failed": State.FAILED}
# A payment's own movement; `approved`, `declined` and `cancelled` ones have not moved, and an unlisted status is pending.
_MONEY_STATE = {
    "pending": State.PENDING,
    "authorized": State.SUCCEEDED,
    "captured": State.SUCCEEDED,
    "voided": State.SUCCEEDED,
    "failed": State.FAILED,
}
_HELD = frozenset({"pending", "authorized", "voided"})
TRY_STATE = {"pending": State.PENDING, "declined": State.DECLINED, "approved": State.APPROVED}
DISPUTE_STATE = {"inquiry": State.INQUIRY, "opened": State.OPENED, "won": State.WON, "lost": State.LOST}

DECLINE_OF = {
    "insufficient_funds": (DeclineClass.SOFT, "insufficient_funds"),
    "stolen_card": (DeclineClass.HARD, "stolen_card"),
    "card_declined": (DeclineClass.SOFT, "declined"),
    "suspected_fraud": (DeclineClass.FRAUD, "fraud"),
}

CHECKOUTS = Words("session.status", CHECKOUT_STATE, State.OPEN)
MONEY: Words[State | None] = Words("payment.status", _MONEY_STATE, None)
MOVEMENTS = Words("movement.status", MOVEMENT_STATE, State.PENDING)
TRIES = Words("try.status", TRY_STATE, State.PENDING)
DISPUTES = Words("dispute.state", DISPUTE_STATE, State.INQUIRY)
DECLINES = Words("decline_code", DECLINE_OF, (DeclineClass.SOFT, "declined"))
AMOUNTS = MinorUnits()


def decline_of(psp_code: str, message: str) -> Decline:
    """An unlisted code is soft and generic: it never means success, and it does not end the shopper's chances."""
    cls, code = DECLINES.of(psp_code)
    return Decline(cls, code, psp_code[:60], message[:200])


def facts_of(session: Json, attempt_id: str) -> tuple[Fact, ...]:
    """All facts of one session. Raises KeyError, TypeError or ValueError on what is no session of the attempt's."""
    if session["reference"] != attempt_id:
        raise ValueError("the session is another attempt's")
    checkout = CHECKOUTS.of(session["status"])
    facts = [Fact(attempt_id, Kind.CHECKOUT, str(session["id"]), checkout)]
    if session["status"] == "approved":
        facts.append(Fact(attempt_id, Kind.TRY, f"approval:{session['id']}", State.APPROVED))
    payment = session.get("payment")
    if payment is not None:
        facts += _payment_facts(session, payment, attempt_id)
    return tuple(facts)


def _payment_facts(session: Json, payment: Json, attempt_id: str) -> list[Fact]:
    payment_id, status, amount = str(payment["id"]), str(payment["status"]), money_of(payment["amount"])
    facts = [_try(one, number, attempt_id) for number, one in enumerate(payment.get("tries") or ())]
    captures = payment.get("captures") or ()
    held_first = bool(captures) or payment.get("authorization_expires_at") is not None
    kind = Kind.AUTHORIZATION if held_first or status in _HELD else Kind.CAPTURE
    state = MONEY.of(status)
    if state is not None:
        facts.append(Fact(attempt_id, kind, payment_id, state, amount))
    facts += [movement_of(one, Kind.CAPTURE, attempt_id) for one in captures]
    facts += [movement_of(one, Kind.REFUND, attempt_id) for one in payment.get("refunds") or ()]
    facts += [movement_of(one, Kind.RELEASE, attempt_id) for one in payment.get("voids") or ()]
    dispute = payment.get("dispute")
    if dispute is not None:
        facts.append(_dispute(dispute, attempt_id))
    return facts


def _dispute(dispute: Json, attempt_id: str) -> Fact:
    return Fact(
        attempt_id,
        Kind.DISPUTE,
        str(dispute["id"]),
        DISPUTES.of(dispute["state"]),
        money_of(dispute["amount"]),
        reason=str(dispute.get("reason") or "")[:100],
        respond_by=str(dispute.get("respond_by") or "")[:40],
    )


def _try(one: Json, number: int, attempt_id: str) -> Fact:
    """`number`, its place in the session's list, tells which one is newer."""
    state = TRIES.of(one["status"])
    decline = decline_of(str(one.get("code") or ""), "") if state is State.DECLINED else None
    return Fact(attempt_id, Kind.TRY, str(one["id"]), state, revision=number, decline=decline)


def movement_of(one: Json, kind: Kind, attempt_id: str) -> Fact:
    """A capture, refund or void, from a session or from the answer to the call that made it."""
    state = MOVEMENTS.of(one["status"])
    id = f"expiry:{one['id']}" if one.get("reason") == "expired" and kind is Kind.RELEASE else str(one["id"])
    return Fact(attempt_id, kind, id, state, money_of(one["amount"]), operation_id=_ours(one))


def _ours(one: Json) -> str | None:
    reference = str(one.get("reference") or "")
    return reference if reference.startswith("op_") else None


def money_of(amount: Json) -> Money:
    return AMOUNTS.read(amount["value"], amount["currency"])
