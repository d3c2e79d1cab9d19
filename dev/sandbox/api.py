"""The merchant's API of an account, below `/{account}/v1`."""

from __future__ import annotations

import hmac
import json
from typing import Any

from flask import Blueprint, Response, g, jsonify, request

from dev.sandbox import calls, connection, faults, payments
from dev.sandbox.answers import Answer
from dev.sandbox.errors import Refused, invalid, not_found
from dev.sandbox.misbehaviour import misbehaviour_of
from dev.sandbox.psp import Change
from dev.sandbox.runtime import sandbox
from dev.sandbox.sessions import Json, amount_of, shown, text_of
from dev.sandbox.switches import switches_of

api = Blueprint("api", __name__, url_prefix="/<account>/v1")
MOVEMENTS = ("captures", "refunds", "voids")
BEARER = "Bearer "


@api.before_request
def behave_and_authenticate() -> Response | None:
    """Counts the call, plays the outage that is switched on, and checks the key, in this order."""
    account = sandbox().account((request.view_args or {})["account"])
    operation = (request.endpoint or "").removeprefix("api.")
    with sandbox().database.transaction() as tx:
        calls.count(tx, account.name, operation, request.headers.get("Idempotency-Key", ""))
        mode = switches_of(tx, account.name).mode
    if mode == "refuse":
        connection.drop(request.environ)
        return Response(status=503)
    if mode == "error_500":
        raise Refused(500, "internal_error", "Something went wrong on our side.")
    if mode == "slow":
        _slow()
    given = request.headers.get("Authorization", "")
    if not hmac.compare_digest(given.encode(), (BEARER + account.api_key).encode()):
        raise Refused(401, "unauthorized", "The API key is not this account's.")
    g.fault = _fault(account.name, faults.OPERATION_OF[operation])
    return faults.play_before(g.fault, _never_answered, _slow)


@api.after_request
def answer_or_not(response: Response) -> Response:
    return faults.play_after(g.pop("fault", None), response, _never_answered)


@api.post("/sessions")
def create_session(account: str) -> Response:
    body = _body()
    key = _key()
    answer, first_event = sandbox().psp.create(account, key, request.path, body, request.host_url, g.fault)
    if first_event is not None:
        sandbox().courier.wait_until_delivered(first_event, sandbox().timing.webhook_first_wait_s)
    return _told(answer)


@api.get("/sessions")
def list_sessions(account: str) -> Response:
    found = sandbox().psp.sessions(account, request.args.get("reference"))
    return jsonify({"items": [shown(session) for session in found]})


@api.get("/sessions/<session_id>")
def get_session(account: str, session_id: str) -> Response:
    return jsonify(shown(sandbox().psp.session(account, session_id)))


@api.post("/sessions/<session_id>/expire")
def expire(account: str, session_id: str) -> Response:
    return _told(sandbox().psp.expire(account, session_id, _key(), request.path, _body()))


@api.post("/sessions/<session_id>/complete")
def complete(account: str, session_id: str) -> Response:
    """Where the shopper only approves: this takes the money."""
    body = _body("reference")
    text_of(body, "reference", 255)
    return _told(sandbox().psp.complete(account, session_id, _key(), request.path, body, g.fault))


@api.post("/sessions/<session_id>/captures")
def capture(account: str, session_id: str) -> Response:
    body = _body("amount", "reference", "final")
    amount, reference = _amount(body), text_of(body, "reference", 255)
    final = body.get("final", False)
    if type(final) is not bool:
        raise invalid("final is true or false.")
    return _moved(
        account, session_id, body, "capture", lambda it, state: payments.capture(it, amount, reference, final, state)
    )


@api.post("/sessions/<session_id>/cancel")
def cancel(account: str, session_id: str) -> Response:
    body = _body("reference")
    reference = text_of(body, "reference", 255)
    return _moved(account, session_id, body, "cancel", lambda it, state: payments.void(it, reference, state))


@api.post("/sessions/<session_id>/refunds")
def refund(account: str, session_id: str) -> Response:
    body = _body("amount", "reference", "reason")
    amount, reference = _amount(body), text_of(body, "reference", 255)
    reason = None if body.get("reason") is None else text_of(body, "reason", 500, least=0)
    return _moved(
        account, session_id, body, "refund", lambda it, state: payments.refund(it, amount, reference, reason, state)
    )


@api.get(f"/sessions/<session_id>/<any({','.join(MOVEMENTS)}):kind>")
def list_movements(account: str, session_id: str, kind: str) -> Response:
    reference = request.args.get("reference")
    found = _movements(account, session_id, kind)
    return jsonify({"items": [one for one in found if reference is None or one["reference"] == reference]})


@api.get(f"/sessions/<session_id>/<any({','.join(MOVEMENTS)}):kind>/<movement_id>")
def get_movement(account: str, session_id: str, kind: str, movement_id: str) -> Response:
    for one in _movements(account, session_id, kind):
        if one["id"] == movement_id:
            return jsonify(one)
    raise not_found(kind.removesuffix("s"))


def _movements(account: str, session_id: str, kind: str) -> list[Json]:
    payment = sandbox().psp.session(account, session_id)["payment"] or {}
    return [one | {"session": session_id} for one in payment.get(kind, ())]


def _moved(account: str, session_id: str, body: Json, operation: str, change: Change) -> Response:
    return _told(sandbox().psp.move(account, session_id, _key(), request.path, body, operation, g.fault, change))


def _fault(account: str, operation: str) -> str | None:
    """What this call does wrong: as the account was told to, or else as its session's metadata says."""
    with sandbox().database.transaction() as tx:
        mode = faults.take_fault(tx, account, operation)
    if mode is not None:
        return mode
    session_id = (request.view_args or {}).get("session_id")
    if session_id is None:
        sent = request.get_json(force=True, silent=True)
        metadata = sent.get("metadata") if isinstance(sent, dict) else None
    else:
        metadata = sandbox().psp.session(account, session_id)["metadata"]
    return misbehaviour_of(account, metadata).faults.get(operation) if isinstance(metadata, dict) else None


def _body(*known: str) -> Json:
    """The JSON object that was sent, or an empty one for nothing. Where `known` is given, other fields are refused."""
    raw = request.get_data()
    try:
        body: Any = json.loads(raw) if raw else {}
    except (ValueError, RecursionError):
        raise invalid("The body is not JSON.") from None
    if not isinstance(body, dict):
        raise invalid("The body is a JSON object.")
    if known and (unknown := sorted(set(body) - set(known))):
        raise invalid(f"Unknown fields: {', '.join(unknown)}.")
    return body


def _amount(body: Json) -> Json | None:
    return None if body.get("amount") is None else amount_of(body["amount"])


def _key() -> str:
    key = request.headers.get("Idempotency-Key", "")
    if not 1 <= len(key) <= 255:
        raise invalid("This call needs an Idempotency-Key of 1 to 255 characters.")
    return key


def _told(answer: Answer) -> Response:
    response = Response(answer.text, answer.status, mimetype="application/json")
    if answer.replayed:
        response.headers["Idempotent-Replayed"] = "true"
    return response


def _slow() -> None:
    sandbox().stopping.wait(sandbox().timing.slow_s)


def _never_answered() -> Response:
    connection.hold(request.environ, sandbox().timing.hold_s, sandbox().stopping)
    connection.drop(request.environ)
    return Response(status=503)
