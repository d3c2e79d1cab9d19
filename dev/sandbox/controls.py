"""What is not a PSP's: health, the behaviour switch, where webhooks go, and the log. No key, this machine alone."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, jsonify, request

from dev.sandbox import calls
from dev.sandbox.accounts import Account
from dev.sandbox.errors import invalid
from dev.sandbox.faults import OPERATIONS, Fault, fault_of, faults_for, set_fault
from dev.sandbox.options import Options, options_of, set_options
from dev.sandbox.runtime import sandbox
from dev.sandbox.switches import MODES, Switches, set_switches, switches_of

controls = Blueprint("controls", __name__)
TIMES_MAX = 1000
KEY_LIFE_MAX_S = 10 * 86_400


@controls.get("/healthz")
def healthz() -> Response:
    with sandbox().database.transaction() as tx:
        tx.execute("SELECT 1")
    return jsonify({"status": "ok", "accounts": list(sandbox().accounts)})


@controls.get("/<account>/behaviour")
def get_behaviour(account: str) -> Response:
    """`?operation=` tells how that one goes wrong."""
    operation = request.args.get("operation")
    if operation is None:
        return jsonify({"mode": _switches(sandbox().account(account)).mode})
    with sandbox().database.transaction() as tx:
        return _behaviour(operation, fault_of(tx, sandbox().account(account).name, _operation(operation)))


@controls.put("/<account>/behaviour")
def put_behaviour(account: str) -> Response:
    """Takes the whole account down and up again, or lets one operation go wrong, always or some `times`."""
    body = _body("mode", "operation", "times")
    mode, operation, times = body.get("mode"), body.get("operation"), body.get("times")
    if operation is not None:
        return _put_fault(account, _operation(operation), mode, times)
    if mode is not None and mode not in MODES:
        raise invalid(f"mode is one of {', '.join(MODES)}, or null.")
    return jsonify({"mode": _changed(account, mode=mode).mode})


def _put_fault(account: str, operation: str, mode: object, times: object) -> Response:
    known = faults_for(operation)
    if mode is not None and mode not in known:
        raise invalid(f"mode of {operation} is one of {', '.join(known)}, or null.")
    if times is not None and (type(times) is not int or not 1 <= times <= TIMES_MAX):
        raise invalid(f"times is an integer, 1 to {TIMES_MAX}, or null for always.")
    fault = None if mode is None else Fault(str(mode), times)
    with sandbox().database.transaction() as tx:
        set_fault(tx, sandbox().account(account).name, operation, fault)
    return _behaviour(operation, fault)


def _operation(operation: object) -> str:
    if operation not in OPERATIONS:
        raise invalid(f"operation is one of {', '.join(OPERATIONS)}.")
    return str(operation)


def _behaviour(operation: str, fault: Fault | None) -> Response:
    return jsonify(
        {"operation": operation, "mode": fault.mode if fault else None, "times": fault.times if fault else None}
    )


@controls.get("/<account>/options")
def get_options(account: str) -> Response:
    with sandbox().database.transaction() as tx:
        return jsonify(asdict(options_of(tx, sandbox().account(account).name)))


@controls.put("/<account>/options")
def put_options(account: str) -> Response:
    """How the account works; what is left out is as it came."""
    body = _body("capture_on_return", "key_life_s")
    on_return, life_s = body.get("capture_on_return", False), body.get("key_life_s")
    if type(on_return) is not bool:
        raise invalid("capture_on_return is true or false.")
    if life_s is not None and (type(life_s) is not int or not 0 <= life_s <= KEY_LIFE_MAX_S):
        raise invalid(f"key_life_s is an integer, 0 to {KEY_LIFE_MAX_S}, or null.")
    options = Options(on_return, life_s)
    with sandbox().database.transaction() as tx:
        set_options(tx, sandbox().account(account).name, options)
    return jsonify(asdict(options))


@controls.get("/<account>/webhook")
def get_webhook(account: str) -> Response:
    known = sandbox().account(account)
    return _webhook(known, _switches(known))


@controls.put("/<account>/webhook")
def put_webhook(account: str) -> Response:
    """Where events go from now on, and a second secret that signs beside the first while a merchant replaces it."""
    body = _body("url", "second_secret")
    known = sandbox().account(account)
    changes: dict[str, str | None] = {}
    if "url" in body:
        changes["webhook_url"] = None if body["url"] is None else _address(body["url"])
    if "second_secret" in body:
        changes["second_secret"] = _secret(body["second_secret"])
    return _webhook(known, _changed(account, **changes))


@controls.get("/<account>/log")
def log(account: str) -> Response:
    name = sandbox().account(account).name
    with sandbox().database.transaction() as tx:
        return jsonify(calls.log_of(tx, name, request.args.get("reference")))


def _webhook(account: Account, switches: Switches) -> Response:
    url = switches.webhook_url or account.webhook_url
    return jsonify({"url": url, "secrets": 2 if switches.second_secret else 1})


def _switches(account: Account) -> Switches:
    with sandbox().database.transaction() as tx:
        return switches_of(tx, account.name)


def _changed(account: str, **changes: str | None) -> Switches:
    name = sandbox().account(account).name
    with sandbox().database.transaction() as tx:
        switches = replace(switches_of(tx, name), **changes)
        set_switches(tx, name, switches)
    return switches


def _body(*known: str) -> dict[str, Any]:
    body = request.get_json(force=True)
    if not isinstance(body, dict) or not set(body) <= set(known):
        raise invalid(f"The body is a JSON object with {' and '.join(known)}.")
    return body


def _address(url: object) -> str:
    if isinstance(url, str) and len(url) <= 500 and url.isprintable() and " " not in url:
        try:
            parts = urlsplit(url)
            if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
                return url
        except ValueError:
            pass
    raise invalid("url is an http or https address.")


def _secret(secret: object) -> str | None:
    if secret is None:
        return None
    if not isinstance(secret, str) or not 8 <= len(secret) <= 200:
        raise invalid("second_secret is a text of 8 to 200 characters, or null.")
    return secret
