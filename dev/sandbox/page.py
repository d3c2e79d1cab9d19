"""The hosted page: where the shopper pays, and what its buttons do."""

from __future__ import annotations

from flask import Blueprint, Response, make_response, redirect, render_template, request
from werkzeug.wrappers import Response as WerkzeugResponse

from dev.sandbox import connection
from dev.sandbox.display import money
from dev.sandbox.errors import Refused
from dev.sandbox.runtime import sandbox
from dev.sandbox.sessions import Json, not_open
from dev.sandbox.switches import switches_of

page = Blueprint("page", __name__, url_prefix="/<account>/pay")

HEADERS = {
    # No form-action: browsers apply it to the redirect back to the shop too.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@page.before_request
def be_down() -> Response | None:
    """A PSP that refuses connections shows no pages either."""
    account = sandbox().account((request.view_args or {})["account"])
    with sandbox().database.transaction() as tx:
        mode = switches_of(tx, account.name).mode
    if mode != "refuse":
        return None
    connection.drop(request.environ)
    return Response(status=503)


@page.get("/<session_id>")
def show(account: str, session_id: str) -> Response:
    session = sandbox().psp.session(account, session_id)
    if session["status"] != "open":
        return _closed(not_open(session), session)
    return _html("pay.html", 200, **_order(session), account=account, tried=_tries(session))


@page.post("/<session_id>")
def act(account: str, session_id: str) -> WerkzeugResponse:
    where = sandbox().psp.act(account, session_id, request.form.get("outcome", ""))
    response = redirect(where, 303)
    response.headers.update(HEADERS)
    return response


@page.errorhandler(Refused)
def refused(error: Refused) -> Response:
    """What is wrong, as a page: nothing was changed."""
    if error.status not in (409, 410):
        return _html("closed.html", error.status, title="This does not work", message=error.message, back=None)
    view = request.view_args or {}
    return _closed(error, sandbox().psp.session(view["account"], view["session_id"]), error.status)


def _closed(why: Refused, session: Json, status: int = 200) -> Response:
    titles = {
        "complete": "This order is paid",
        "approved": "You approved this payment",
        "expired": "This page has expired",
        "cancelled": "Payment cancelled",
    }
    back = session["return_url" if session["status"] in ("complete", "approved") else "cancel_url"]
    return _html(
        "closed.html",
        status,
        title=titles.get(session["status"], why.message),
        message=why.message,
        back=back,
        **_order(session),
    )


def _order(session: Json) -> Json:
    return {
        "amount": money(session["amount"]),
        "description": session["description"],
        "order_reference": session["metadata"].get("order_reference", session["reference"]),
        "manual": session["capture"] == "manual",
    }


def _tries(session: Json) -> int:
    return len(session["payment"]["tries"]) if session["payment"] else 0


def _html(template: str, status: int, **values: object) -> Response:
    response = make_response(render_template(template, **values), status)
    response.headers.update(HEADERS)
    return response
