"""The sandbox PSPs as one Flask app, each account below its own name."""

from __future__ import annotations

from pathlib import Path

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from dev.sandbox.accounts import WEBHOOK_BASE, accounts_at
from dev.sandbox.api import api
from dev.sandbox.controls import controls
from dev.sandbox.dashboard import dashboard
from dev.sandbox.errors import Refused
from dev.sandbox.page import page
from dev.sandbox.runtime import EXTENSION, Sandbox
from dev.sandbox.timing import Timing

BODY_BYTES_MAX = 65_536
LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "[::1]")
LOOPBACK_PEERS = ("127.", "::1", "::ffff:127.")


def create_app(state_dir: Path, *, webhook_base: str = WEBHOOK_BASE, timing: Timing | None = None) -> Flask:
    """Opens the state in `state_dir` and starts delivering; `sandbox_in(app).close()` ends it."""
    app = Flask("dev.sandbox")
    app.config["MAX_CONTENT_LENGTH"] = BODY_BYTES_MAX
    app.json.sort_keys = False  # type: ignore[attr-defined]  # the default provider has it, its base class does not
    app.extensions[EXTENSION] = Sandbox(state_dir, accounts_at(webhook_base), timing or Timing())
    app.before_request(_only_loopback)
    app.register_error_handler(Refused, refused)
    app.register_error_handler(HTTPException, _http_error)
    for blueprint in (controls, api, page, dashboard):
        app.register_blueprint(blueprint)
    return app


def refused(error: Refused) -> Response:
    response = jsonify(error.body)
    response.status_code = error.status
    if error.retry_after_s is not None:
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response


def _only_loopback() -> None:
    """A name that some page elsewhere made point at this machine is no loopback host either."""
    host = request.host.rsplit(":", 1)[0] if not request.host.endswith("]") else request.host
    if host not in LOOPBACK_HOSTS or not (request.remote_addr or "").startswith(LOOPBACK_PEERS):
        raise Refused(403, "loopback_only", "The sandbox answers this machine alone.")


def _http_error(error: HTTPException) -> Response:
    code = (error.name or "error").lower().replace(" ", "_")
    return refused(Refused(error.code or 500, code, error.description or "Something went wrong."))
