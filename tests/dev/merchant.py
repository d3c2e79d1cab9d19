"""A merchant for the sandbox's tests: calls one account's API, acts as its shopper, and receives its webhooks."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests

from dev.sandbox.accounts import ACCOUNTS
from dev.sandbox.timing import Timing

Json = dict[str, Any]
RETURN_URL, CANCEL_URL = "https://shop.example/return", "https://shop.example/cancel"
EURO_1050 = {"value": 1050, "currency": "EUR"}
QUICK = Timing(
    hold_s=0.3,
    slow_s=0.2,
    late_webhook_s=0.4,
    settles_s=0.1,
    soon_s=0.1,
    dispute_s=0.1,
    webhook_timeout_s=1,
    webhook_first_wait_s=2,
    retry_after_s=(0.02,) * 11,
    tick_s=0.02,
)


def euro(minor: int) -> Json:
    return {"value": minor, "currency": "EUR"}


@dataclass
class Inbox:
    """What was received, and the statuses to answer next (200 once they are used up)."""

    url: str = ""
    received: list[tuple[Json, bytes]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    arrived: threading.Condition = field(default_factory=threading.Condition)

    def events(self, type_: str | None = None) -> list[Json]:
        found = [json.loads(body) for _, body in self.received]
        return [event for event in found if type_ in (None, event["type"])]

    def wait_for(self, type_: str, count: int = 1, timeout_s: float = 10) -> list[Json]:
        with self.arrived:
            self.arrived.wait_for(lambda: len(self.events(type_)) >= count, timeout_s)
        events = self.events(type_)
        assert len(events) >= count, f"{len(events)} of {count} {type_}"
        return events


@contextmanager
def listening() -> Iterator[Inbox]:
    inbox = Inbox()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with inbox.arrived:
                inbox.received.append(({name.lower(): value for name, value in self.headers.items()}, body))
                status = inbox.answers.pop(0) if inbox.answers else 200
                inbox.arrived.notify_all()
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    inbox.url = f"http://127.0.0.1:{server.server_port}"
    yield inbox
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass
class Merchant:
    base: str
    account: str = "sandbox-a"

    def call(self, method: str, path: str, body: Json | None = None, key: str | None = None) -> requests.Response:
        headers = {"Authorization": f"Bearer {ACCOUNTS[self.account].api_key}"}
        if key is not None:
            headers["Idempotency-Key"] = key
        return requests.request(method, f"{self.base}/{self.account}/v1{path}", json=body, headers=headers, timeout=10)

    def order(self, misbehaviour: str | None = None, **more: Any) -> Json:
        metadata = {self.account: misbehaviour} if misbehaviour else {}
        addresses = {"return_url": RETURN_URL, "cancel_url": CANCEL_URL}
        return {"reference": "att_1", "amount": EURO_1050, **addresses, "metadata": metadata, **more}

    def create(self, misbehaviour: str | None = None, key: str = "att_1", **more: Any) -> requests.Response:
        return self.call("POST", "/sessions", self.order(misbehaviour, **more), key)

    def opened(self, misbehaviour: str | None = None, **more: Any) -> Json:
        answer = self.create(misbehaviour, **more)
        assert answer.status_code == 201, answer.text
        session: Json = answer.json()
        return session

    def act(self, session: Json, outcome: str) -> requests.Response:
        return requests.post(session["url"], data={"outcome": outcome}, allow_redirects=False, timeout=10)

    def paid(self, misbehaviour: str | None = None, outcome: str = "paid", **more: Any) -> Json:
        session = self.opened(misbehaviour, **more)
        assert self.act(session, outcome).status_code == 303
        return session

    def move(self, session: Json, what: str, reference: str = "op_1", **body: Any) -> requests.Response:
        return self.call("POST", f"/sessions/{session['id']}/{what}", {"reference": reference, **body}, reference)

    def read(self, session: Json) -> Json:
        found: Json = self.call("GET", f"/sessions/{session['id']}").json()
        return found

    def control(self, method: str, path: str, body: Json | None = None) -> requests.Response:
        return requests.request(method, f"{self.base}/{self.account}{path}", json=body, timeout=10)

    def log(self) -> Json:
        found: Json = self.control("GET", "/log").json()
        return found


def is_signed(headers: Json, body: bytes, secret: str) -> bool:
    parts = [part.split("=", 1) for part in headers.get("sandbox-signature", "").split(",") if part]
    times = [value for name, value in parts if name == "t"]
    signed = b".".join([times[0].encode(), body]) if times else b""
    wanted = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    return ["v1", wanted] in parts and abs(time.time() - int(times[0])) < 5


def until(holds: Callable[[], bool], timeout_s: float = 10) -> None:
    ends = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < ends, "it did not come true in time"
        time.sleep(0.01)
