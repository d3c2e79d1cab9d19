"""The PSP's own dashboard: what starts at the PSP, or happens there, without the merchant's doing."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, make_response, redirect, render_template, request
from werkzeug.wrappers import Response as WerkzeugResponse

from dev.sandbox import payments
from dev.sandbox.display import money
from dev.sandbox.errors import invalid
from dev.sandbox.page import HEADERS
from dev.sandbox.psp import Change
from dev.sandbox.runtime import sandbox
from dev.sandbox.sessions import Json, amount_of

dashboard = Blueprint("dashboard", __name__, url_prefix="/<account>/dashboard")


@dashboard.get("")
def overview(account: str) -> Response:
    name = sandbox().account(account).name
    rows = [_row(session) for session in sandbox().psp.sessions(name, None)]
    response = make_response(render_template("dashboard.html", account=name, rows=rows))
    response.headers.update(HEADERS)
    return response


@dashboard.post("/sessions/<session_id>/captures")
def capture(account: str, session_id: str) -> WerkzeugResponse:
    body = _body("amount", "final")
    amount, final = _amount(body), body.get("final", False)
    if type(final) is not bool:
        raise invalid("final is true or false.")
    return _moved(account, session_id, "capture", lambda it, state: payments.capture(it, amount, None, final, state))


@dashboard.post("/sessions/<session_id>/voids")
def void(account: str, session_id: str) -> WerkzeugResponse:
    _body()
    return _moved(account, session_id, "cancel", lambda it, state: payments.void(it, None, state, "dashboard"))


@dashboard.post("/sessions/<session_id>/refunds")
def refund(account: str, session_id: str) -> WerkzeugResponse:
    amount = _amount(_body("amount"))
    return _moved(
        account, session_id, "refund", lambda it, state: payments.refund(it, amount, None, "dashboard", state)
    )


@dashboard.post("/sessions/<session_id>/movements/<movement_id>")
def settle(account: str, session_id: str, movement_id: str) -> WerkzeugResponse:
    """Ends a pending movement now, or takes back one that had succeeded."""
    name, state = sandbox().account(account).name, str(_body("status").get("status"))
    return _done(name, sandbox().psp.settle(name, session_id, movement_id, state))


@dashboard.post("/sessions/<session_id>/authorization_expiry")
def authorization_expiry(account: str, session_id: str) -> WerkzeugResponse:
    """What is authorized lapses now."""
    name = sandbox().account(account).name
    _body()
    return _done(name, sandbox().psp.lapse(name, session_id))


@dashboard.post("/sessions/<session_id>/late_payments")
def late_payment(account: str, session_id: str) -> WerkzeugResponse:
    """Money arrives for a session that is expired or cancelled, or that nobody has acted on yet."""
    name, outcome = sandbox().account(account).name, str(_body("outcome").get("outcome", "paid"))
    return _done(name, sandbox().psp.pay_late(name, session_id, outcome))


@dashboard.post("/sessions/<session_id>/disputes")
def dispute(account: str, session_id: str) -> WerkzeugResponse:
    name = sandbox().account(account).name
    body = _body("state", "amount")
    return _done(name, sandbox().psp.dispute(name, session_id, str(body.get("state")), _amount(body)))


def _moved(account: str, session_id: str, operation: str, change: Change) -> WerkzeugResponse:
    name = sandbox().account(account).name
    return _done(name, sandbox().psp.move_at_psp(name, session_id, operation, change))


def _done(account: str, made: Json) -> WerkzeugResponse:
    """A program gets what was made, a person the list again."""
    if request.mimetype == "application/x-www-form-urlencoded":
        return redirect(f"/{account}/dashboard", 303)
    return make_response(jsonify(made), 201)


def _body(*known: str) -> dict[str, Any]:
    if request.mimetype == "application/x-www-form-urlencoded":
        return {name: request.form[name] for name in known if name in request.form}
    body = request.get_json(force=True) if request.get_data() else {}
    if not isinstance(body, dict) or not set(body) <= set(known):
        raise invalid(f"The body is a JSON object with {' and '.join(known) or 'nothing'}.")
    return body


def _amount(body: dict[str, Any]) -> Json | None:
    return None if body.get("amount") is None else amount_of(body["amount"])


def _row(session: Json) -> Json:
    payment = session["payment"]
    return {
        "id": session["id"],
        "reference": session["reference"],
        "amount": money(session["amount"]),
        "status": session["status"],
        "payment": payment["status"] if payment else "none",
        "refunded": money(payment["amount_refunded"]) if payment else "",
        "dispute": payment["dispute"]["state"] if payment and payment["dispute"] else "",
        "refundable": bool(payment and payments.refundable_minor(payment) > 0),
        "capturable": bool(payment and payments.capturable_minor(payment) > 0),
        "late": session["status"] in ("expired", "cancelled"),
        "disputable": bool(payment and payment["dispute"] is None and payment["amount_captured"]["value"]),
    }
