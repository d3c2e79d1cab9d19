"""The payment inside a session: what the shopper, the merchant and the PSP's own staff can do with it.

Pure functions that change the session's document and say which event that is; where one raises Refused,
nothing was changed.
A sale (captured at once) is one movement and has no captures of its own; an authorization has one for each capture.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dev.sandbox.errors import Refused
from dev.sandbox.sessions import new_id, not_open

Json = dict[str, Any]

OUTCOMES = ("paid", "declined", "authenticated", "cancelled", "authorized")
LATE_OUTCOMES = ("paid", "authorized")
ENDS = ("succeeded", "failed")
COMES_BACK = {"succeeded": ("pending",), "failed": ("pending", "succeeded")}
FINAL = {"succeeded": ("pending",), "failed": ("pending",)}
SALE_BEFORE: dict[str, tuple[str, ...]] = {"succeeded": (), "failed": ("captured",)}
MOVEMENTS = (("captures", "capture", COMES_BACK), ("voids", "void", FINAL), ("refunds", "refund", COMES_BACK))
RESERVED = ("succeeded", "pending")


def act(session: Json, outcome: str, *, capture_on_return: bool = False) -> str:
    """What the shopper did on the hosted page; the event's type. With `capture_on_return` she only approves."""
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
    payment["authenticated"] = outcome == "authenticated"
    if capture_on_return:
        payment["tries"].append({"id": new_id("try"), "status": "pending", "code": None})
        session["status"] = payment["status"] = "approved"
        return "session.approved"
    payment["tries"].append({"id": new_id("try"), "status": "approved", "code": None})
    return _take(session, only_authorize=outcome == "authorized")


def complete(session: Json) -> str:
    """The merchant takes the money that the shopper approved; the event's type."""
    if session["status"] != "approved":
        raise (
            not_open(session)
            if session["status"] != "open"
            else Refused(409, "not_approved", "The shopper has not approved this checkout.")
        )
    session["payment"]["tries"][-1]["status"] = "approved"
    return _take(session)


def pay_late(session: Json, outcome: str) -> str:
    """Money arrives though nobody waits for it any more: after the session expired, or was cancelled."""
    if session["status"] == "complete":
        raise not_open(session)
    payment = session["payment"] = session["payment"] or _begun(session["amount"])
    payment["tries"].append({"id": new_id("try"), "status": "approved", "code": None})
    return _take(session, only_authorize=outcome == "authorized")


def _take(session: Json, *, only_authorize: bool = False) -> str:
    payment = session["payment"]
    session["status"] = "complete"
    sale = session["capture"] == "automatic" and not only_authorize
    payment["status"] = "captured" if sale else "authorized"
    _total(payment)
    return "session.paid" if sale else "session.authorized"


def capture(session: Json, amount: Json | None, reference: str | None, final: bool, state: str) -> Json:
    """Takes all or part of what is authorized; `final` gives the rest back."""
    payment = paid(session)
    taken = within(amount, capturable_minor(payment), payment, "capturable")
    made = _movement("cap", taken, reference, state)
    payment["captures"].append(made)
    rest_minor = capturable_minor(payment)
    if final and rest_minor:
        payment["voids"].append(_void(payment, rest_minor, None, "final_capture"))
    _total(payment)
    return made


def void(session: Json, reference: str | None, state: str, reason: str | None = None) -> Json:
    """Gives back whatever is authorized and not captured."""
    payment = paid(session)
    rest_minor = capturable_minor(payment)
    if not rest_minor:
        raise Refused(409, "nothing_to_void", "Nothing is authorized and not captured.")
    made = _void(payment, rest_minor, reference, reason, state)
    payment["voids"].append(made)
    _total(payment)
    return made


def refund(session: Json, amount: Json | None, reference: str | None, reason: str | None, state: str) -> Json:
    """Gives back all or part of what was captured; one without reference began at the PSP."""
    payment = paid(session)
    given = within(amount, refundable_minor(payment), payment, "refundable")
    made = _movement("ref", given, reference, state) | {"reason": reason}
    payment["refunds"].append(made)
    _total(payment)
    return made


def settle(session: Json, movement_id: str, state: str) -> str | None:
    """A movement ends, or a sale's own capture fails; the event's type, or None where there is no such movement.

    Raises Refused 409 where it ended already; only a capture or a refund that succeeded can still fail.
    """
    payment = paid(session)
    if movement_id == payment["id"] and _is_sale(payment):
        _end(payment, SALE_BEFORE, state, {"succeeded": "captured", "failed": "failed"}[state])
        _total(payment)
        return f"capture.{state}"
    for list_, name, before in MOVEMENTS:
        for one in payment[list_]:
            if one["id"] == movement_id:
                _end(one, before, state, state)
                _total(payment)
                return f"{name}.{state}"
    return None


def _end(one: Json, before: Mapping[str, tuple[str, ...]], state: str, status: str) -> None:
    if one["status"] not in before[state]:
        raise Refused(409, "settled", f"What is {one['status']} can not be {state} now.")
    one["status"] = status


def captured_minor(payment: Json) -> int:
    if _is_sale(payment):
        return int(payment["amount"]["value"]) if payment["status"] == "captured" else 0
    return _sum(payment["captures"], "succeeded")


def capturable_minor(payment: Json) -> int:
    """Pending captures and voids reserve what they ask for."""
    if payment["status"] not in ("authorized", "captured", "voided") or _is_sale(payment):
        return 0
    reserved_minor = _sum(payment["captures"], *RESERVED) + _sum(payment["voids"], *RESERVED)
    return int(payment["amount"]["value"]) - reserved_minor


def refundable_minor(payment: Json) -> int:
    """Pending refunds reserve what they ask for, and money in dispute is not there to give back."""
    disputed = payment["dispute"]
    held = disputed["amount"]["value"] if disputed and disputed["state"] in ("opened", "lost") else 0
    return captured_minor(payment) - _sum(payment["refunds"], *RESERVED) - int(held)


def paid(session: Json) -> Json:
    """The session's payment, once there is money in it. Raises Refused 409."""
    if session["status"] != "complete":
        raise Refused(409, "not_paid", f"This checkout is {session['status']}: there is no money to move.")
    payment: Json = session["payment"]
    return payment


def _is_sale(payment: Json) -> bool:
    return payment["status"] in ("captured", "failed") and not payment["captures"]


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


def within(amount: Json | None, most_minor: int, payment: Json, what: str) -> Json:
    if amount is not None and amount["currency"] != payment["amount"]["currency"]:
        raise Refused(422, "currency_mismatch", f"The payment is in {payment['amount']['currency']}.")
    asked_minor = most_minor if amount is None else amount["value"]
    if not 0 < asked_minor <= most_minor:
        raise Refused(422, f"amount_exceeds_{what}", f"At most {most_minor} minor units are {what}.")
    return _money(payment, asked_minor)


def _movement(prefix: str, amount: Json, reference: str | None, state: str) -> Json:
    return {"id": new_id(prefix), "status": state, "amount": amount, "reference": reference}


def _void(payment: Json, minor: int, reference: str | None, reason: str | None, state: str = "succeeded") -> Json:
    return _movement("void", _money(payment, minor), reference, state) | {"reason": reason}


def _money(payment: Json, minor: int) -> Json:
    return {"value": minor, "currency": payment["amount"]["currency"]}


def _sum(movements: list[Json], *states: str) -> int:
    return sum(one["amount"]["value"] for one in movements if one["status"] in states)


def _total(payment: Json) -> None:
    """The sums, and what an authorization has become: until all of it is captured or given back it is held."""
    if payment["status"] in ("authorized", "captured", "voided") and not _is_sale(payment):
        undecided = capturable_minor(payment) or _sum(payment["captures"] + payment["voids"], "pending")
        done = "captured" if _sum(payment["captures"], "succeeded") else "voided"
        payment["status"] = "authorized" if undecided else done
    payment["amount_captured"] = _money(payment, captured_minor(payment))
    payment["amount_refunded"] = _money(payment, _sum(payment["refunds"], "succeeded"))
