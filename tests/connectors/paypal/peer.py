"""PayPal in one process, as its specification has it: tokens, orders, authorizations, captures, refunds, disputes, webhooks.

It keeps its own books, remembers PayPal-Request-Ids, and goes wrong when a test says so. Real HTTP; `PeerDriver` is the real
driver that finds it under PayPal's addresses.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from chalicelib.contracts.conversation import HttpRequest, HttpResponse
from chalicelib.outbound.driver import Deadline, Driver
from tests.connectors.paypal.signing import CERTIFICATE_URL, chain, signed

Json = dict[str, Any]
HOSTS = ("api-m.sandbox.paypal.com", "api.sandbox.paypal.com")
CREDENTIALS = base64.b64encode(b"APeerClientId:EPeerClientSecret").decode()
WEBHOOK_ID = "8PT597110X687430L"


class No(Exception):
    """An error of PayPal's: its status and issue."""

    def __init__(self, status: int, issue: str) -> None:
        super().__init__(issue)
        self.status, self.issue = status, issue


@dataclass
class PayPal:
    """`refuses`: the issue that a path's end is answered with. `silent`: calls to paths that end so are done, and not
    answered."""

    now: Callable[[], datetime]
    orders: dict[str, Json] = field(default_factory=dict)
    disputes: dict[str, Json] = field(default_factory=dict)
    answers: dict[str, tuple[int, Any]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    refuses: dict[str, str] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    lock: threading.RLock = field(default_factory=threading.RLock)
    made: int = 0

    def id(self) -> str:
        self.made += 1
        return f"{self.made:02d}W21844481083AB"

    def stamp(self) -> str:
        return self.now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def answer(self, method: str, path: str, headers: Json, body: bytes) -> tuple[int, Any]:
        self.asked.append(f"{method} {path}")
        if path == "/v1/oauth2/token":
            return self._token(headers["authorization"])
        if path.startswith("/v1/notifications/certs/"):
            return (200, chain()) if path == urlsplit(CERTIFICATE_URL).path else (404, {})
        if headers.get("authorization") not in [f"Bearer {one}" for one in self.tokens]:
            return 401, {"name": "AUTHENTICATION_FAILURE", "message": "Authentication failed."}
        key = headers.get("paypal-request-id")
        if key and key in self.answers:
            return self.answers[key]
        try:
            for end, issue in self.refuses.items():
                if path.endswith(end) and method == "POST":
                    raise No(422, issue)
            said = self._done(method, path, json.loads(body or b"null"))
        except No as no:
            details = [{"issue": no.issue, "description": "As was asked for."}]
            return no.status, {"name": "UNPROCESSABLE_ENTITY", "message": "No.", "details": details}
        if key:
            self.answers[key] = said
        return said

    def _token(self, authorization: str) -> tuple[int, Any]:
        if authorization != f"Basic {CREDENTIALS}":
            return 401, {"error": "invalid_client", "error_description": "Client Authentication failed"}
        self.tokens.append(f"A21AAToken{len(self.tokens)}")
        return 200, {"access_token": self.tokens[-1], "token_type": "Bearer", "expires_in": 32400}

    def _done(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        for wanted, pattern, do in self._routes():
            found = re.fullmatch(pattern, path)
            if found and method == wanted:
                return do(*found.groups(), body) if method == "POST" else do(*found.groups())
        raise No(404, "INVALID_RESOURCE_ID")

    def _routes(self) -> list[tuple[str, str, Callable[..., tuple[int, Any]]]]:
        return [
            ("POST", "/v2/checkout/orders", self._create),
            ("GET", "/v2/checkout/orders/([A-Z0-9]+)", lambda id: (200, self._order(id))),
            ("POST", "/v2/checkout/orders/([A-Z0-9]+)/(capture|authorize)", self._take),
            ("POST", "/v2/payments/authorizations/([A-Z0-9]+)/capture", self._capture),
            ("POST", "/v2/payments/authorizations/([A-Z0-9]+)/void", self._void),
            ("GET", "/v2/payments/captures/([A-Z0-9]+)", lambda id: (200, self._movement("captures", id)[1])),
            ("POST", "/v2/payments/captures/([A-Z0-9]+)/refund", self._refund),
            ("GET", "/v1/customer/disputes/(PP-D-[0-9]+)", lambda id: (200, self.disputes[id])),
            ("POST", "/v1/notifications/verify-webhook-signature", self._verify),
            ("GET", "/v1/notifications/webhooks/([A-Z0-9]+)", lambda id: (200, {"id": id})),
        ]

    def _order(self, id: str) -> Json:
        if id not in self.orders:
            raise No(404, "INVALID_RESOURCE_ID")
        return self.orders[id]

    def _create(self, body: Json) -> tuple[int, Any]:
        id = self.id()
        links = [
            {"href": f"https://www.sandbox.paypal.com/checkoutnow?token={id}", "rel": "payer-action", "method": "GET"}
        ]
        self.orders[id] = {
            "id": id, "intent": body["intent"], "status": "PAYER_ACTION_REQUIRED", "create_time": self.stamp(),
            "purchase_units": [{**body["purchase_units"][0], "reference_id": "default"}], "links": links,
        }  # fmt: skip
        return 200, self.orders[id]

    def approve(self, id: str) -> None:
        """The shopper does her part."""
        assert self.orders[id]["status"] in ("PAYER_ACTION_REQUIRED", "CREATED")
        self.orders[id] |= {"status": "APPROVED", "update_time": self.stamp()}

    def _take(self, id: str, verb: str, body: Any) -> tuple[int, Any]:
        order = self._order(id)
        if order["status"] == "COMPLETED":
            raise No(422, "ORDER_ALREADY_CAPTURED" if verb == "capture" else "ORDER_ALREADY_AUTHORIZED")
        if order["status"] != "APPROVED":
            raise No(422, "ORDER_NOT_APPROVED")
        if {"capture": "CAPTURE", "authorize": "AUTHORIZE"}[verb] != order["intent"]:
            raise No(422, "ACTION_DOES_NOT_MATCH_INTENT")
        unit = order["purchase_units"][0]
        moved = self._moved(unit, {"currency_code": unit["amount"]["currency_code"], "value": unit["amount"]["value"]})
        if verb == "capture":
            unit["payments"] = {"captures": [{**moved, "status": "COMPLETED", "final_capture": True}]}
        else:
            ends = (self.now() + timedelta(days=29)).strftime("%Y-%m-%dT%H:%M:%SZ")
            unit["payments"] = {"authorizations": [{**moved, "status": "CREATED", "expiration_time": ends}]}
        order |= {"status": "COMPLETED", "update_time": self.stamp()}
        return 201, order

    def _moved(self, unit: Json, amount: Json, invoice_id: str | None = None) -> Json:
        return {
            "id": self.id(), "amount": amount, "custom_id": unit["custom_id"], "invoice_id": invoice_id or unit["invoice_id"],
            "create_time": self.stamp(), "update_time": self.stamp(),
        }  # fmt: skip

    def _movement(self, what: str, id: str) -> tuple[Json, Json]:
        """The purchase unit, and the movement in it."""
        for order in self.orders.values():
            for one in (order["purchase_units"][0].get("payments") or {}).get(what, ()):
                if one["id"] == id:
                    return order["purchase_units"][0], one
        raise No(404, "INVALID_RESOURCE_ID")

    def _capture(self, id: str, body: Json) -> tuple[int, Any]:
        unit, hold = self._movement("authorizations", id)
        captures = unit["payments"].setdefault("captures", [])
        left = value_of(hold) - sum(map(value_of, captures))
        if hold["status"] not in ("CREATED", "PARTIALLY_CAPTURED"):
            raise No(422, "AUTHORIZATION_ALREADY_CAPTURED")
        if value_of(body) > left:
            raise No(422, "MAX_CAPTURE_AMOUNT_EXCEEDED")
        moved = self._moved(unit, body["amount"], body["invoice_id"])
        captures.append({**moved, "status": "COMPLETED", "final_capture": body["final_capture"]})
        hold["status"] = "CAPTURED" if value_of(body) == left or body["final_capture"] else "PARTIALLY_CAPTURED"
        return 201, captures[-1]

    def _void(self, id: str, body: Any) -> tuple[int, Any]:
        hold = self._movement("authorizations", id)[1]
        if hold["status"] not in ("CREATED", "PARTIALLY_CAPTURED"):
            raise No(422, "PREVIOUSLY_VOIDED" if hold["status"] == "VOIDED" else "PREVIOUSLY_CAPTURED")
        hold |= {"status": "VOIDED", "update_time": self.stamp()}
        return 200, hold

    def _refund(self, id: str, body: Json) -> tuple[int, Any]:
        unit, capture = self._movement("captures", id)
        refunds = unit["payments"].setdefault("refunds", [])
        up = {"href": f"https://api.sandbox.paypal.com/v2/payments/captures/{id}", "rel": "up", "method": "GET"}
        left = value_of(capture) - sum(value_of(one) for one in refunds if one["links"] == [up])
        if value_of(body) > left:
            raise No(422, "REFUND_AMOUNT_EXCEEDED")
        moved = self._moved(unit, body["amount"], body.get("invoice_id"))
        moved["custom_id"] = body.get("custom_id", unit["custom_id"])
        refunds.append({**moved, "status": "COMPLETED", "links": [up]})
        capture["status"] = "REFUNDED" if value_of(body) == left else "PARTIALLY_REFUNDED"
        return 201, refunds[-1]

    def dispute(self, capture_id: str, **more: Any) -> Json:
        """Without what we called the payment, as PayPal's own examples are."""
        amount = self._movement("captures", capture_id)[1]["amount"]
        dispute = {
            "dispute_id": f"PP-D-{len(self.disputes) + 1}", "create_time": self.stamp(), "update_time": self.stamp(),
            "disputed_transactions": [{"seller_transaction_id": capture_id}], "reason": "UNAUTHORISED", "status": "OPEN",
            "dispute_life_cycle_stage": "CHARGEBACK", "dispute_amount": amount, **more,
        }  # fmt: skip
        self.disputes[dispute["dispute_id"]] = dispute
        return dispute

    def _verify(self, body: Json) -> tuple[int, Any]:
        good = body["transmission_sig"] in self.answers and body["webhook_id"] == WEBHOOK_ID
        return 200, {"verification_status": "SUCCESS" if good else "FAILURE"}

    def event(self, type: str, resource_type: str, resource: Json) -> Any:
        """The delivery of an event; verifying by asking back knows it again."""
        body = json.dumps(
            {"id": f"WH-{self.id()}", "event_type": type, "resource_type": resource_type, "resource": resource}
        )
        delivery = signed(body.encode(), WEBHOOK_ID, self.now())
        self.answers[delivery.headers["paypal-transmission-sig"]] = (200, {})
        return delivery


def value_of(thing: Json) -> Decimal:
    return Decimal(thing["amount"]["value"])


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65_536
    server: _Server

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        paypal, path = self.server.paypal, self.path
        with paypal.lock:
            status, said = paypal.answer(self.command, path, {k.lower(): v for k, v in self.headers.items()}, body)
            text = said if isinstance(said, bytes) else json.dumps(said).encode()
        if any(path.endswith(end) for end in paypal.silent):
            self.server.released.wait(5)
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = _answer

    def log_message(self, format: str, *args: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, paypal: PayPal) -> None:
        self.paypal, self.released = paypal, threading.Event()
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that does not wait for an answer is what tests are about."""


class PeerDriver(Driver):
    """The real driver; PayPal's addresses, and no others, lead to the peer."""

    def __init__(self, url: str, *, call_timeout_s: float = 5.0) -> None:
        super().__init__(call_timeout_s=call_timeout_s)
        self._url = url

    def _send(self, request: HttpRequest, deadline: Deadline) -> HttpResponse:
        parts = urlsplit(request.url)
        assert (parts.scheme, parts.netloc in HOSTS) == ("https", True), request.url
        return super()._send(replace(request, url=self._url + request.url.partition(parts.netloc)[2]), deadline)


@contextmanager
def serving(paypal: PayPal) -> Iterator[str]:
    server = _Server(paypal)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
