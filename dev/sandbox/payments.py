"""The payment inside a session: what the shopper, the merchant and the PSP's own staff can do with it.

Pure functions that change the session's document and say which event that is; where one raises Refused,
nothing was changed.
A sale (captured at once) is one movement and has no captures of its own; an authorization has one for each capture.
"""

from __future__ import annotations

from typing import Any

from dev.sandbox.errors import Refused, invalid
from dev.sandbox.sessions import new_id, not_open

Json = dict[str, Any]

OUTCOMES = ("paid", "declined", "authenticated", "cancelled", "authorized")
DISPUTE_BEFORE = {"opened": None, "won": "opened", "lost": "opened"}


def act(session: Json, outcome: str) -> str:
    """What the shopper did on the hosted page; the event's type."""
    if session["status"] != "open":
        raise not_open(session)
    payment = session["payment"] = session["payment"] or _begun(session["amount"])
    if outcome == "cancelled":
        session["status"] = payment["status"] = "cancelled"
        return "session.cancelled"
    if outcome == "declined":
        payment["status"] = "declined"
        payment["tries"].append({"id": new_id("try"), "status": "declined", "code": "card_declined"})
        return "try.declined"
    payment["tries"].append({"id": new_id("try"), "status": "approved", "code": None})
    payment["authenticated"] = outcome == "authenticated"
    session["status"] = "complete"
    sale = session["capture"] == "automatic" and outcome != "authorized"
    payment["status"] = "captured" if sale else "authorized"
    _total(payment)
    return "session.paid" if sale else "session.authorized"


def capture(session: Json, amount: Json | None, reference: str, final: bool) -> Json:
    """Takes all or part of what is authorized; `final` gives the rest back."""
    payment = _paid(session)
    taken = _within(amount, capturable_minor(payment), payment, "capturable")
    made = _movement("cap", taken, reference)
    payment["captures"].append(made)
    rest_minor = capturable_minor(payment)
    if final and rest_minor:
        payment["voids"].append(_movement("void", _money(payment, rest_minor), None))
    if not capturable_minor(payment):
        payment["status"] = "captured"
    _total(payment)
    return made


def void(session: Json, reference: str) -> Json:
    """Gives back whatever is authorized and not captured."""
    payment = _paid(session)
    rest_minor = capturable_minor(payment)
    if not rest_minor:
        raise Refused(409, "nothing_to_void", "Nothing is authorized and not captured.")
    made = _movement("void", _money(payment, rest_minor), reference)
    payment["voids"].append(made)
    payment["status"] = "captured" if payment["captures"] else "voided"
    return made


def refund(session: Json, amount: Json | None, reference: str | None, reason: str | None, state: str) -> Json:
    """Gives back all or part of what was captured; one without reference began at the PSP."""
    payment = _paid(session)
    given = _within(amount, refundable_minor(payment), payment, "refundable")
    made = _movement("ref", given, reference) | {"status": state, "reason": reason}
    payment["refunds"].append(made)
    _total(payment)
    return made


def settle_refund(session: Json, refund_id: str, state: str) -> None:
    payment = _paid(session)
    for one in payment["refunds"]:
        if one["id"] == refund_id:
            one["status"] = state
    _total(payment)


def dispute(session: Json, state: str, amount: Json | None) -> str:
    """A chargeback opens, or the bank decides it; the event's type."""
    payment = _paid(session)
    if state not in DISPUTE_BEFORE:
        raise invalid(f"state is one of {', '.join(DISPUTE_BEFORE)}.")
    now = payment["dispute"]
    if DISPUTE_BEFORE[state] != (now and now["state"]):
        was = now["state"] if now else "not there"
        raise Refused(409, "dispute_state", f"A dispute that is {was} can not be {state}.")
    if now is None:
        disputed = _within(amount, payment["amount_captured"]["value"], payment, "captured")
        payment["dispute"] = {"id": new_id("dsp"), "state": state, "amount": disputed, "reason": "fraudulent"}
    else:
        payment["dispute"] = now | {"state": state}
    return f"dispute.{state}"


def captured_minor(payment: Json) -> int:
    if payment["status"] == "captured" and not payment["captures"]:
        return int(payment["amount"]["value"])
    return _sum(payment["captures"], "succeeded")


def capturable_minor(payment: Json) -> int:
    if payment["status"] != "authorized":
        return 0
    return int(payment["amount"]["value"]) - captured_minor(payment) - _sum(payment["voids"], "succeeded")


def refundable_minor(payment: Json) -> int:
    """Pending refunds reserve what they ask for, and money in dispute is not there to give back."""
    disputed = payment["dispute"]
    held = disputed["amount"]["value"] if disputed and disputed["state"] != "won" else 0
    return captured_minor(payment) - _sum(payment["refunds"], "succeeded", "pending") - int(held)


def _begun(amount: Json) -> Json:
    none = {"value": 0, "currency": amount["currency"]}
    return {
        "id": new_id("pay"),
        "status": "pending",
        "amount": amount,
        "amount_captured": none,
        "amount_refunded": none,
        "authenticated": False,
        "tries": [],
        "captures": [],
        "refunds": [],
        "voids": [],
        "dispute": None,
    }


def _paid(session: Json) -> Json:
    """The session's payment, once there is money in it."""
    if session["status"] != "complete":
        raise Refused(409, "not_paid", f"This checkout is {session['status']}: there is no money to move.")
    payment: Json = session["payment"]
    return payment


def _within(amount: Json | None, most_minor: int, payment: Json, what: str) -> Json:
    if amount is not None and amount["currency"] != payment["amount"]["currency"]:
        raise Refused(422, "currency_mismatch", f"The payment is in {payment['amount']['currency']}.")
    asked_minor = most_minor if amount is None else amount["value"]
    if not 0 < asked_minor <= most_minor:
        raise Refused(422, f"amount_exceeds_{what}", f"At most {most_minor} minor units are {what}.")
    return _money(payment, asked_minor)


def _movement(prefix: str, amount: Json, reference: str | None) -> Json:
    return {"id": new_id(prefix), "status": "succeeded", "amount": amount, "reference": reference}


def _money(payment: Json, minor: int) -> Json:
    return {"value": minor, "currency": payment["amount"]["currency"]}


def _sum(movements: list[Json], *states: str) -> int:
    return sum(one["amount"]["value"] for one in movements if one["status"] in states)


def _total(payment: Json) -> None:
    payment["amount_captured"] = _money(payment, captured_minor(payment))
    payment["amount_refunded"] = _money(payment, _sum(payment["refunds"], "succeeded"))
