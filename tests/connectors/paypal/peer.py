"""PayPal as its specification has it: tokens, orders, authorizations, captures, refunds, disputes, webhooks.

It remembers PayPal-Request-Ids, each for its own address.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from chalicelib.contracts.webhooks import Delivery
from tests.conformance.connectors.answering import Call
from tests.connectors.paypal.signing import CERTIFICATE_URL, chain, signed
from tests.connectors.peer import Json, No, Peer, Said

CLIENT_ID, CLIENT_SECRET = "APeerClientId", "EPeerClientSecret"
CREDENTIALS = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
WEBHOOK_ID = "8PT597110X687430L"
_ORDERS, _PAYMENTS = "/v2/checkout/orders", "/v2/payments"
_OPEN = ("POST /v1/oauth2/token", "GET /v1/notifications/certs/")  # what is answered to anybody


@dataclass
class PayPal(Peer):
    """`refuses` are issues. `refunds_are`: the status that a refund begins with."""

    hosts = ("api-m.sandbox.paypal.com", "api.sandbox.paypal.com")
    settings = {
        "environment": "sandbox",
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "webhook_id": WEBHOOK_ID,
    }

    orders: dict[str, Json] = field(default_factory=dict)
    disputes: dict[str, Json] = field(default_factory=dict)
    answers: dict[str, Said] = field(default_factory=dict)
    tokens: list[str] = field(default_factory=list)
    refunds_are: str = "COMPLETED"

    def id(self) -> str:
        return f"{next(self.numbers):02d}W21844481083AB"

    def stamp(self) -> str:
        return self.now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def answer(self, call: Call) -> Said:
        if call.line.startswith(_OPEN):
            said: Said = self.carry_out(call.line, call)
            return said
        if call.headers.get("authorization") not in [f"Bearer {one}" for one in self.tokens]:
            return 401, {"name": "AUTHENTICATION_FAILURE", "message": "Authentication failed."}
        key = call.headers.get("paypal-request-id")
        key = key and f"{key} {call.line}"
        if key and key in self.answers:
            return self.answers[key]
        if issue := self.refusal(call):
            raise No(422, issue)
        said = self.carry_out(call.line, json.loads(call.body or b"null"))
        if key:
            self.answers[key] = said
        return said

    def error_of(self, no: No) -> Json:
        details = [{"issue": no.word, "description": "As was asked for."}]
        return {"name": "UNPROCESSABLE_ENTITY", "message": "No.", "details": details}

    def _token(self, call: Call) -> Said:
        if call.headers["authorization"] != f"Basic {CREDENTIALS}":
            return 401, {"error": "invalid_client", "error_description": "Client Authentication failed"}
        self.tokens.append(f"A21AAToken{len(self.tokens)}")
        return 200, {"access_token": self.tokens[-1], "token_type": "Bearer", "expires_in": 32400}

    def _order(self, id: str) -> Json:
        if id not in self.orders:
            raise No(404, "INVALID_RESOURCE_ID")
        return self.orders[id]

    def _create(self, body: Json) -> Said:
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

    def _take(self, id: str, verb: str, body: Any) -> Said:
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

    def capture(self, id: str, body: Json) -> Said:
        unit, hold = self._movement("authorizations", id)
        captures = unit["payments"].setdefault("captures", [])
        up = {"href": f"https://api.sandbox.paypal.com/v2/payments/authorizations/{id}", "rel": "up", "method": "GET"}
        left = value_of(hold) - sum(value_of(one) for one in captures if one["links"] == [up])
        if hold["status"] not in ("CREATED", "PARTIALLY_CAPTURED"):
            raise No(422, "AUTHORIZATION_ALREADY_CAPTURED")
        if value_of(body) > left:
            raise No(422, "MAX_CAPTURE_AMOUNT_EXCEEDED")
        moved = self._moved(unit, body["amount"], body["invoice_id"])
        captures.append({**moved, "status": "COMPLETED", "final_capture": body["final_capture"], "links": [up]})
        hold["status"] = "CAPTURED" if value_of(body) == left or body["final_capture"] else "PARTIALLY_CAPTURED"
        return 201, captures[-1]

    def reauthorize(self, id: str, value: str | None = None) -> Json:
        """Somebody does, in PayPal's pages."""
        unit, hold = self._movement("authorizations", id)
        amount = {**hold["amount"], "value": value or hold["amount"]["value"]}
        again = {**hold, **self._moved(unit, amount), "status": "CREATED"}
        unit["payments"]["authorizations"].append(again)
        return again

    def _void(self, id: str, body: Any) -> Said:
        unit, hold = self._movement("authorizations", id)
        if hold is not unit["payments"]["authorizations"][0]:
            raise No(422, "CANNOT_BE_VOIDED")
        if hold["status"] not in ("CREATED", "PARTIALLY_CAPTURED"):
            raise No(422, "PREVIOUSLY_VOIDED" if hold["status"] == "VOIDED" else "PREVIOUSLY_CAPTURED")
        hold |= {"status": "VOIDED", "update_time": self.stamp()}
        return 200, hold

    def refund(self, id: str, body: Json) -> Said:
        unit, capture = self._movement("captures", id)
        refunds = unit["payments"].setdefault("refunds", [])
        up = {"href": f"https://api.sandbox.paypal.com/v2/payments/captures/{id}", "rel": "up", "method": "GET"}
        left = value_of(capture) - sum(value_of(one) for one in refunds if one["links"] == [up])
        if value_of(body) > left:
            raise No(422, "REFUND_AMOUNT_EXCEEDED")
        moved = self._moved(unit, body["amount"], body.get("invoice_id"))
        moved["custom_id"] = body.get("custom_id", unit["custom_id"])
        refunds.append({**moved, "status": self.refunds_are, "links": [up]})
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

    def _verify(self, body: Json) -> Said:
        good = body["transmission_sig"] in self.answers and body["webhook_id"] == WEBHOOK_ID
        return 200, {"verification_status": "SUCCESS" if good else "FAILURE"}

    def event(self, type: str, resource_type: str, resource: Json) -> Delivery:
        """The delivery of an event; verifying by asking back knows it again."""
        body = json.dumps(
            {"id": f"WH-{self.id()}", "event_type": type, "resource_type": resource_type, "resource": resource}
        )
        delivery = signed(body.encode(), WEBHOOK_ID, self.now())
        self.answers[delivery.headers["paypal-transmission-sig"]] = (200, {})
        return delivery

    calls = {
        "POST /v1/oauth2/token": _token,
        f"GET {urlsplit(CERTIFICATE_URL).path}": lambda paypal, call: (200, chain()),
        f"POST {_ORDERS}": _create,
        f"GET {_ORDERS}/([A-Z0-9]+)": lambda paypal, id, _: (200, paypal._order(id)),
        f"POST {_ORDERS}/([A-Z0-9]+)/(capture|authorize)": _take,
        f"POST {_PAYMENTS}/authorizations/([A-Z0-9]+)/capture": capture,
        f"POST {_PAYMENTS}/authorizations/([A-Z0-9]+)/void": _void,
        f"GET {_PAYMENTS}/captures/([A-Z0-9]+)": lambda paypal, id, _: (200, paypal._movement("captures", id)[1]),
        f"POST {_PAYMENTS}/captures/([A-Z0-9]+)/refund": refund,
        "GET /v1/customer/disputes/(PP-D-[0-9]+)": lambda paypal, id, _: (200, paypal.disputes[id]),
        "POST /v1/notifications/verify-webhook-signature": _verify,
        "GET /v1/notifications/webhooks/([A-Z0-9]+)": lambda paypal, id, _: (200, {"id": id}),
    }


def value_of(thing: Json) -> Decimal:
    return Decimal(thing["amount"]["value"])
