"""The floor: the least that could do the same work. The same gateway and token verification, the same calls, as many
durable commits; nothing else: no routing, no payment, no idempotency, no validation.

``python -m benchmarks.floor --port 8000`` serves it. FLOOR_DATABASE, FLOOR_ISSUER and FLOOR_PSP say where things are.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import os
import sqlite3
import threading
from pathlib import Path

import jwt
import requests
from chalice.app import Response

from benchmarks.constants import ACCOUNT, CHECKOUT_COMMITS, WEBHOOK_COMMITS
from chalicelib import telemetry
from chalicelib.api.threadlocal import ThreadSafeChalice
from server.metrics import share_metrics
from server.serve import GatewayServer, Serving

app = ThreadSafeChalice(app_name="floor")


class Journal:
    """Bare durable commits into one SQLite file: write-ahead log, every commit synced, one writer at a time."""

    def __init__(self, path: str) -> None:
        self._path, self._lock = path, threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def commit(self, body: bytes) -> None:
        with self._lock:
            self._opened().execute("INSERT INTO journal (body) VALUES (?)", (body,))

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            made = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
            made.execute("PRAGMA journal_mode = WAL")
            made.execute("PRAGMA synchronous = FULL")
            made.execute("CREATE TABLE IF NOT EXISTS journal (id INTEGER PRIMARY KEY, body BLOB)")
            self._connection = made
        return self._connection


class Sessions:
    """One session of requests for each thread, as it comes: its defaults are part of what a call through requests costs."""

    def __init__(self) -> None:
        self._local = threading.local()

    def get(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
        return session


_journal = Journal(os.environ.get("FLOOR_DATABASE", "floor.db"))
_issuer = os.environ.get("FLOOR_ISSUER", "")
_keys = jwt.PyJWKClient(f"{_issuer}/keys", cache_keys=True)
_sessions = Sessions()


def _caller(authorization: str) -> str:
    """One verification of the token, as anyone would write it with PyJWT; keys are fetched once."""
    token = authorization.removeprefix("Bearer ")
    key = _keys.get_signing_key_from_jwt(token)
    claims = jwt.decode(token, key, algorithms=["RS256", "ES256", "EdDSA"], audience="paymentserver", issuer=_issuer)
    return str(claims["sub"])


@app.route("/v1/checkouts", methods=["POST"])
def checkout() -> Response:
    request = app.current_request
    assert request is not None
    assert isinstance(request.raw_body, bytes)
    _caller(request.headers["authorization"])
    order = json.loads(request.raw_body)
    for _ in range(CHECKOUT_COMMITS):
        _journal.commit(request.raw_body)
    key = request.headers["idempotency-key"]
    asked = {
        "reference": key,
        "amount": order["amount"],
        "capture": "automatic",
        "return_url": order["return_url"],
        "cancel_url": order["return_url"],
        "description": order["description"],
        "metadata": {"order_reference": order["order_reference"]},
    }
    headers = {"Authorization": f"Bearer {ACCOUNT.api_key}", "Idempotency-Key": key}
    answer = _sessions.get().post(f"{os.environ['FLOOR_PSP']}/v1/sessions", json=asked, headers=headers, timeout=8)
    told = {"id": key, "next_action": {"url": answer.json()["url"]}}
    return Response(json.dumps(told), status_code=answer.status_code, headers={"Content-Type": "application/json"})


@app.route("/webhooks/{merchant_id}/{connection_id}", methods=["POST"])
def webhook(merchant_id: str, connection_id: str) -> Response:
    request = app.current_request
    assert request is not None
    assert isinstance(request.raw_body, bytes)
    body, signature = request.raw_body, request.headers["sandbox-signature"]
    time, _, given = signature.removeprefix("t=").partition(",v1=")
    wanted = hmac.new(ACCOUNT.webhook_secret.encode(), time.encode() + b"." + body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(given, wanted):
        return Response("", status_code=400)
    for _ in range(WEBHOOK_COMMITS):
        _journal.commit(body)
    return Response('{"received":true}', headers={"Content-Type": "application/json"})


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.floor")
    parser.add_argument("--port", type=int, required=True)
    port = parser.parse_args().port
    share_metrics(Path(os.environ["FLOOR_DATABASE"]).parent / "floor-metrics")
    telemetry.configure_logging("INFO")
    url = f"http://localhost:{port}"
    GatewayServer(Serving(url, port=port, workers=1, threads=8, app="benchmarks.floor:app")).run()


if __name__ == "__main__":
    main()
