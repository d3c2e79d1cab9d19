"""A little shop for the demo: orders, pays as its shopper would, and listens for signed notifications."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests

Json = dict[str, Any]


class Failed(Exception):
    """Something was not as promised."""


def expect(holds: object, promise: str) -> None:
    if not holds:
        raise Failed(promise)


class Listener:
    """Receives notifications on a loopback port of its own."""

    def __init__(self) -> None:
        received: list[tuple[Json, bytes]] = []
        arrived = threading.Condition()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with arrived:
                    received.append(({name.lower(): value for name, value in self.headers.items()}, body))
                    arrived.notify_all()
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Quiet: the demo tells what matters."""

        self.received, self._arrived = received, arrived
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://localhost:{self._server.server_address[1]}/notifications"

    def wait_for(self, payment_id: str, type_: str, timeout_s: float = 30) -> tuple[Json, bytes]:
        def found() -> tuple[Json, bytes] | None:
            for headers, body in self.received:
                event = json.loads(body)
                if event.get("subject") == payment_id and event["type"] == type_:
                    return headers, body
            return None

        with self._arrived:
            self._arrived.wait_for(lambda: found() is not None, timeout_s)
        got = found()
        if got is None:
            raise Failed(f"a notification {type_} for {payment_id} within {timeout_s} s")
        return got

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Shop:
    def __init__(self, api: str, identity: str) -> None:
        self._api, self.subscription_id = api, ""
        self.http = requests.Session()
        self.http.trust_env = False
        answer = self.http.post(
            f"{identity}/token", data={"grant_type": "client_credentials"}, auth=("demo", "demo-secret"), timeout=10
        )
        expect(answer.status_code == 200, "a token for the client demo")
        self.http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def call(
        self, method: str, path: str, body: Json | None = None, headers: dict[str, str] | None = None
    ) -> requests.Response:
        return self.http.request(method, self._api + path, json=body, headers=headers, timeout=35)

    def subscribe(self, url: str) -> str:
        """The subscription's signing secret."""
        body = {"name": f"demo {uuid.uuid4().hex[:6]}", "channel": "webhook", "target": {"url": url}, "events": ["*"]}
        answer = self.call("POST", "/v1/subscriptions", body)
        expect(answer.status_code == 201, f"a subscription to {url}, not {answer.status_code} {answer.text}")
        self.subscription_id = str(answer.json()["id"])
        return str(answer.json()["signing_secret"])

    def unsubscribe(self) -> None:
        path = f"/v1/subscriptions/{self.subscription_id}"
        self.call("DELETE", path, headers={"If-Match": self.call("GET", path).headers["ETag"]})

    def checkout(self, order: str, **more: Any) -> requests.Response:
        body = {
            "amount": {"value": 1050, "currency": "EUR"},
            "order_reference": order,
            "payment_method": "card",
            "description": "Two books",
            "return_url": "https://shop.example/return",
            "cancel_url": "https://shop.example/cancel",
            **more,
        }
        return self.call("POST", "/v1/checkouts", body, {"Idempotency-Key": f"demo-{uuid.uuid4()}"})

    def refund(self, payment_id: str, value: int, key: str) -> requests.Response:
        body = {"amount": {"value": value, "currency": "EUR"}, "reason": "the demo"}
        return self.call("POST", f"/v1/payments/{payment_id}/refunds", body, {"Idempotency-Key": f"{payment_id}-{key}"})

    def pay(self, payment: Json, outcome: str) -> None:
        """What the shopper does on the PSP's page."""
        answer = requests.post(
            payment["next_action"]["url"], data={"outcome": outcome}, allow_redirects=False, timeout=10
        )
        expect(answer.status_code == 303, "the PSP's page sends the shopper back to the shop")

    def payment(self, payment_id: str) -> Json:
        document: Json = self.call("GET", f"/v1/payments/{payment_id}").json()
        return document

    def wait_until(self, payment_id: str, holds: Callable[[Json], bool], promise: str, timeout_s: float = 30) -> Json:
        ends = time.monotonic() + timeout_s
        while time.monotonic() < ends:
            payment = self.payment(payment_id)
            if holds(payment):
                return payment
            time.sleep(0.1)
        raise Failed(f"{promise} within {timeout_s:.0f} s; it is {self.payment(payment_id)['status']}")

    def timeline(self, payment_id: str) -> list[Json]:
        items: list[Json] = self.call("GET", f"/v1/payments/{payment_id}/timeline?limit=200").json()["items"]
        return items
