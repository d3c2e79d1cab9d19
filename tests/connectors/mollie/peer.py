"""Mollie's books, as its specification has them: payments, captures, refunds and chargebacks. It remembers Idempotency-Keys
for an hour."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.conformance.connectors.answering import Call
from tests.connectors.peer import Json, No, Peer, Said

HOST = "api.mollie.com"
API_KEY, EVENT_SECRET = "test_APeerKeyOfNobody", "APeerSigningSecret"
KEY_LIVES = timedelta(hours=1)
LIFE, HOLD = timedelta(minutes=15), timedelta(days=7)
_ONE = "/v2/payments/(tr_[A-Za-z0-9]+)"
DOCUMENTATION = {"href": "https://docs.mollie.com", "type": "text/html"}
LIST_LINKS = {
    "self": {"href": "https://api.mollie.com/v2", "type": "application/hal+json"},
    "previous": None,
    "next": None,
    "documentation": DOCUMENTATION,
}


@dataclass
class Mollie(Peer):
    """`refuses` are statuses. `embeds`: whether it embeds what it is asked to. `pays_early`: whether a payment is paid with its
    first capture, though the rest of it can still be captured. `unlisted`: refunds that are there, and in no list."""

    hosts = (HOST,)
    settings = {"api_key": API_KEY, "webhook_secret": EVENT_SECRET}

    payments: dict[str, Json] = field(default_factory=dict)
    parts: dict[str, dict[str, list[Json]]] = field(default_factory=dict)
    keys: dict[str, tuple[datetime, tuple[str, bytes], Said]] = field(default_factory=dict)
    embeds: bool = True
    pays_early: bool = False
    unlisted: list[Json] = field(default_factory=list)

    def id(self, prefix: str) -> str:
        return f"{prefix}_peer{next(self.numbers)}"

    def stamp(self, after: timedelta = timedelta()) -> str:
        return (self.now() + after).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00")

    def answer(self, call: Call) -> Said:
        """A key is good for the same call alone, for an hour."""
        if call.headers.get("authorization") != f"Bearer {API_KEY}":
            raise No(401, "Missing authentication, or failed to authenticate")
        if status := self.refusal(call):
            raise No(status, "As was asked for")
        key, same = call.headers.get("idempotency-key"), (call.line, call.body)
        known = self.keys.get(key or "")
        if known is not None and self.now() - known[0] < KEY_LIVES:
            if known[1] != same:
                raise No(400, "The idempotency key was used for another request")
            return known[2]
        said: Said = self.carry_out(call.line, {**call.query, **json.loads(call.body or b"{}")})
        if key:
            self.keys[key] = (self.now(), same, said)
        return said

    def error_of(self, no: No) -> Json:
        links = {"documentation": DOCUMENTATION}
        return {"status": no.status, "title": "No", "detail": no.word, "_links": links}

    def payment(self, id: str) -> Json:
        if id not in self.payments:
            raise No(404, "No payment exists with this id")
        return self.payments[id]

    def _create(self, body: Json) -> Said:
        total = sum(Decimal(one["totalAmount"]["value"]) for one in body.get("lines") or ())
        if body.get("lines") and total != Decimal(body["amount"]["value"]):
            raise No(422, "The lines do not add up")
        id = self.id("tr")
        self.payments[id] = {
            "resource": "payment", "id": id, "mode": "test", "createdAt": self.stamp(), "status": "open", "isCancelable": False,
            "profileId": "pfl_peer1", "sequenceType": "oneoff", "expiresAt": self.stamp(LIFE),
            **{name: value for name, value in body.items() if name != "lines"},
            "_links": {
                "self": {"href": f"https://{HOST}/v2/payments/{id}", "type": "application/hal+json"},
                "checkout": {"href": f"https://www.mollie.com/checkout/select-method/{id[3:]}", "type": "text/html"},
                "dashboard": {"href": f"https://my.mollie.com/dashboard/org_1/payments/{id}", "type": "text/html"},
            },
        }  # fmt: skip
        self.parts[id] = {"captures": [], "refunds": [], "chargebacks": []}
        return 201, json.loads(json.dumps(self.payments[id]))

    def _shown(self, id: str, embed: str) -> Json:
        payment = json.loads(json.dumps(self.payment(id)))
        for name, parts in self.parts[id].items():
            if parts:
                payment["_links"][name] = {
                    "href": f"https://{HOST}/v2/payments/{id}/{name}",
                    "type": "application/hal+json",
                }
        if embed and self.embeds:
            payment["_embedded"] = {name: self.parts[id][name] for name in embed.split(",")}
        assert isinstance(payment, dict)
        return payment

    def _list(self, id: str, name: str, body: Json) -> Said:
        self.payment(id)
        found = self.parts[id][name]
        return 200, {"count": len(found), "_embedded": {name: found}, "_links": LIST_LINKS}

    def _update(self, id: str, body: Json) -> Said:
        self.payment(id).update(body)
        return 200, self._shown(id, "")

    def _cancel(self, id: str, body: Json) -> Said:
        if not self.payment(id)["isCancelable"]:
            raise No(422, "The payment can not be canceled")
        return 200, self.becomes(id, "canceled")

    def becomes(self, id: str, status: str, **more: Any) -> Json:
        """Whatever happens on Mollie's pages and at banks."""
        payment = self.payment(id)
        payment |= {"status": status, f"{status}At": self.stamp(), **more}
        if status != "open":
            payment["_links"].pop("checkout", None)
            payment.pop("expiresAt", None)
        if status in ("canceled", "expired", "failed"):
            payment.pop("captureBefore", None)
        return payment

    def pays(self, id: str, method: str = "ideal") -> None:
        """The shopper does, by a method that holds money where it was asked for."""
        assert self.payment(id)["status"] in ("open", "pending")
        held = self.payment(id)["captureMode"] == "manual" and method == "creditcard"
        more = {"captureBefore": self.stamp(HOLD)} if held else {}
        self.becomes(id, "authorized" if held else "paid", method=method, **more)

    def _left(self, id: str) -> Decimal:
        taken = [one for one in self.parts[id]["captures"] if one["status"] != "failed"]
        return value_of(self.payment(id)) - sum(map(value_of, taken))

    def _capture(self, id: str, body: Json) -> Said:
        payment = self.payment(id)
        amount = body.get("amount") or {**payment["amount"], "value": str(self._left(id))}
        if "captureBefore" not in payment or Decimal(amount["value"]) > self._left(id):
            raise No(422, "The payment can not be captured")
        capture = {**self._part(id, "cpt", "capture", amount, body), "status": "pending"}
        self.parts[id]["captures"].append(capture)
        return 201, dict(capture)

    def settles(self, id: str) -> None:
        """Banks take their time: captures, releases and refunds come to their end."""
        payment, parts = self.payment(id), self.parts[id]
        for one in parts["captures"]:
            one["status"] = "succeeded" if one["status"] == "pending" else one["status"]
        for one in parts["refunds"]:
            one["status"] = "refunded" if one["status"] in ("pending", "processing") else one["status"]
        over = payment.pop("releasing", False) or self._left(id) == 0
        if "captureBefore" in payment and (over or (self.pays_early and parts["captures"])):
            self.becomes(id, "paid" if parts["captures"] else "canceled")
            payment["amountCaptured"] = {**payment["amount"], "value": str(value_of(payment) - self._left(id))}
        if over:
            payment.pop("captureBefore", None)

    def release(self, id: str, body: Json) -> Said:
        if "captureBefore" not in self.payment(id):
            raise No(422, "The payment is not in an authorized state")
        self.payment(id)["releasing"] = True
        return 202, None

    def refund(self, id: str, body: Json) -> Said:
        payment, refunds = self.payment(id), self.parts[id]["refunds"]
        taken = self.parts[id]["captures"] or [payment]
        left = sum(map(value_of, taken)) - sum(value_of(one) for one in refunds if one["status"] != "failed")
        if payment["status"] != "paid" or value_of(body) > left:
            raise No(422, "The amount is higher than the remaining amount")
        refund = {**self._part(id, "re", "refund", body["amount"], body), "status": "pending", "description": "Refund"}
        refunds.append(refund)
        return 201, dict(refund)

    def _one_refund(self, id: str, refund_id: str, body: Json) -> Said:
        """404 for one that was cancelled, as for one that never was."""
        self.payment(id)
        found = [one for one in self.parts[id]["refunds"] + self.unlisted if one["id"] == refund_id]
        if not found:
            raise No(404, "No refund exists with this id")
        return 200, dict(found[0])

    def cancels_refund(self, id: str) -> None:
        """Somebody does, in the Dashboard: it is as if it had never been."""
        self.parts[id]["refunds"].pop()

    def forgets_to_list(self, id: str) -> None:
        """A refund that is there is in no list for a while."""
        self.unlisted.append(self.parts[id]["refunds"].pop())

    def charges_back(self, id: str) -> Json:
        chargeback = {**self._part(id, "chb", "chargeback", self.payment(id)["amount"], {}), "reversedAt": None}
        self.parts[id]["chargebacks"].append(chargeback)
        return chargeback

    def _part(self, payment_id: str, prefix: str, resource: str, amount: Json, body: Json) -> Json:
        id = self.id(prefix)
        href = f"https://{HOST}/v2/payments/{payment_id}"
        return {
            "resource": resource, "id": id, "mode": "test", "amount": amount, "paymentId": payment_id,
            "createdAt": self.stamp(), "metadata": body.get("metadata"),
            "_links": {
                "self": {"href": f"{href}/{resource}s/{id}", "type": "application/hal+json"},
                "payment": {"href": href, "type": "application/hal+json"},
                "documentation": DOCUMENTATION,
            },
        }  # fmt: skip

    def reads_of(self, id: str) -> int:
        return self.asked.count(f"GET /v2/payments/{id}")

    calls = {
        "GET /v2/methods": lambda mollie, _: (200, {"count": 0, "_embedded": {"methods": []}, "_links": {}}),
        "POST /v2/payments": _create,
        f"GET {_ONE}": lambda mollie, id, given: (200, mollie._shown(id, given.get("embed", ""))),
        f"PATCH {_ONE}": _update,
        f"DELETE {_ONE}": _cancel,
        f"POST {_ONE}/release-authorization": release,
        f"POST {_ONE}/captures": _capture,
        f"POST {_ONE}/refunds": refund,
        f"GET {_ONE}/(captures|refunds|chargebacks)": _list,
        f"GET {_ONE}/refunds/(re_[A-Za-z0-9]+)": _one_refund,
    }


def value_of(thing: Json) -> Decimal:
    return Decimal(thing["amount"]["value"])
