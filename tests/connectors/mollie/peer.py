"""Mollie's books in one process, as its specification has them: payments, captures, refunds and chargebacks. It remembers
Idempotency-Keys for an hour, and goes wrong when a test says so."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

Json = dict[str, Any]
HOST = "api.mollie.com"
API_KEY = "test_APeerKeyOfNobody"
KEY_LIVES = timedelta(hours=1)
LIFE, HOLD = timedelta(minutes=15), timedelta(days=7)
DOCUMENTATION = {"href": "https://docs.mollie.com", "type": "text/html"}
LIST_LINKS = {
    "self": {"href": "https://api.mollie.com/v2", "type": "application/hal+json"},
    "previous": None,
    "next": None,
    "documentation": DOCUMENTATION,
}


class No(Exception):
    """An error of Mollie's."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail


@dataclass
class Mollie:
    """`refuses`: the status that a call to a path's end is answered with. `silent`: calls to paths that end so are done, and
    not answered; `abrupt` ends their connections at once. `embeds`: whether it embeds what it is asked to. `pays_early`:
    whether a payment is paid with its first capture, though the rest of it can still be captured."""

    now: Callable[[], datetime]
    payments: dict[str, Json] = field(default_factory=dict)
    parts: dict[str, dict[str, list[Json]]] = field(default_factory=dict)
    answers: dict[str, tuple[datetime, tuple[str, bytes], tuple[int, Any]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    refuses: dict[str, int] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    unlisted: list[Json] = field(default_factory=list)
    abrupt: bool = False
    embeds: bool = True
    pays_early: bool = False
    lock: threading.RLock = field(default_factory=threading.RLock)
    made: int = 0

    def id(self, prefix: str) -> str:
        self.made += 1
        return f"{prefix}_peer{self.made}"

    def stamp(self, after: timedelta = timedelta()) -> str:
        return (self.now() + after).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00")

    def answer(self, method: str, target: str, headers: Json, body: bytes) -> tuple[int, Any]:
        path, _, query = target.partition("?")
        self.asked.append(f"{method} {path}")
        try:
            if headers.get("authorization") != f"Bearer {API_KEY}":
                raise No(401, "Missing authentication, or failed to authenticate")
            for end, status in self.refuses.items():
                if path.endswith(end) and (method != "GET" or end.startswith("re_")):
                    raise No(status, "As was asked for")
            return self._once(headers.get("idempotency-key"), method, path, dict(parse_qsl(query)), body)
        except No as no:
            links = {"documentation": DOCUMENTATION}
            return no.status, {"status": no.status, "title": "No", "detail": no.detail, "_links": links}

    def _once(self, key: str | None, method: str, path: str, query: Json, body: bytes) -> tuple[int, Any]:
        """A key is good for the same call alone, for an hour."""
        call = (f"{method} {path}", body)
        known = self.answers.get(key or "")
        if known is not None and self.now() - known[0] < KEY_LIVES:
            if known[1] != call:
                raise No(400, "The idempotency key was used for another request")
            return known[2]
        said = self._done(method, path, query, json.loads(body or b"{}"))
        if key:
            self.answers[key] = (self.now(), call, said)
        return said

    def _done(self, method: str, path: str, query: Json, body: Json) -> tuple[int, Any]:
        for wanted, pattern, do in self._routes(query):
            found = re.fullmatch(pattern, path)
            if found and method == wanted:
                return do(*found.groups(), body)
        raise No(404, "No such resource")

    def _routes(self, query: Json) -> list[tuple[str, str, Callable[..., tuple[int, Any]]]]:
        one = "/v2/payments/(tr_[A-Za-z0-9]+)"
        return [
            ("GET", "/v2/methods", lambda _: (200, {"count": 0, "_embedded": {"methods": []}, "_links": {}})),
            ("POST", "/v2/payments", self._create),
            ("GET", one, lambda id, _: (200, self._shown(id, query.get("embed", "")))),
            ("PATCH", one, self._update),
            ("DELETE", one, self._cancel),
            ("POST", f"{one}/release-authorization", self._release),
            ("POST", f"{one}/captures", self._capture),
            ("POST", f"{one}/refunds", self._refund),
            ("GET", f"{one}/(captures|refunds|chargebacks)", self._list),
            ("GET", f"{one}/refunds/(re_[A-Za-z0-9]+)", self._one_refund),
        ]

    def payment(self, id: str) -> Json:
        if id not in self.payments:
            raise No(404, "No payment exists with this id")
        return self.payments[id]

    def _create(self, body: Json) -> tuple[int, Any]:
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

    def _list(self, id: str, name: str, body: Json) -> tuple[int, Any]:
        self.payment(id)
        found = self.parts[id][name]
        return 200, {"count": len(found), "_embedded": {name: found}, "_links": LIST_LINKS}

    def _update(self, id: str, body: Json) -> tuple[int, Any]:
        self.payment(id).update(body)
        return 200, self._shown(id, "")

    def _cancel(self, id: str, body: Json) -> tuple[int, Any]:
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

    def _capture(self, id: str, body: Json) -> tuple[int, Any]:
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

    def _release(self, id: str, body: Json) -> tuple[int, Any]:
        if "captureBefore" not in self.payment(id):
            raise No(422, "The payment is not in an authorized state")
        self.payment(id)["releasing"] = True
        return 202, None

    def _refund(self, id: str, body: Json) -> tuple[int, Any]:
        payment, refunds = self.payment(id), self.parts[id]["refunds"]
        taken = self.parts[id]["captures"] or [payment]
        left = sum(map(value_of, taken)) - sum(value_of(one) for one in refunds if one["status"] != "failed")
        if payment["status"] != "paid" or value_of(body) > left:
            raise No(422, "The amount is higher than the remaining amount")
        refund = {**self._part(id, "re", "refund", body["amount"], body), "status": "pending", "description": "Refund"}
        refunds.append(refund)
        return 201, dict(refund)

    def _one_refund(self, id: str, refund_id: str, body: Json) -> tuple[int, Any]:
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


def value_of(thing: Json) -> Decimal:
    return Decimal(thing["amount"]["value"])
