"""The PSP's own dashboard: refunds and disputes that start at the PSP, without the merchant's doing."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, make_response, redirect, render_template, request
from werkzeug.wrappers import Response as WerkzeugResponse

from dev.sandbox import payments
from dev.sandbox.display import money
from dev.sandbox.errors import invalid
from dev.sandbox.page import HEADERS
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


@dashboard.post("/sessions/<session_id>/refunds")
def refund(account: str, session_id: str) -> WerkzeugResponse:
    name = sandbox().account(account).name
    body = _body("amount")
    return _done(name, sandbox().psp.refund_at_psp(name, session_id, _amount(body)))


@dashboard.post("/sessions/<session_id>/disputes")
def dispute(account: str, session_id: str) -> WerkzeugResponse:
    name = sandbox().account(account).name
    body = _body("state", "amount")
    return _done(name, sandbox().psp.dispute(name, session_id, str(body.get("state")), _amount(body)))


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
        raise invalid(f"The body is a JSON object with {' and '.join(known)}.")
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
        "disputable": bool(payment and payment["dispute"] is None and payment["amount_captured"]["value"]),
    }
