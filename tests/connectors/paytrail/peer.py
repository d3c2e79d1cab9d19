"""A Paytrail account with books of its own, as its OpenAPI file has them: payments, refunds, and the calls back that tell of
them. It knows no idempotency keys, and a stamp that comes again is another payment or refund: whoever asks twice pays twice.

Its objects are those of `objects.json`, which are held to the specification, with what happened put over them.
"""

from __future__ import annotations

import copy
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

from tests.conformance.connectors.answering import Answer, Call, Fault
from tests.conformance.connectors.recordings import merged, object_of
from tests.connectors.paytrail.profile import MERCHANT, SECRET, mac
from tests.connectors.peer import Json, No, Peer, Said

RETRY_AFTER_S = 7
_ID = "([0-9a-f-]{36})"
_MESSAGES = {400: "Request did not pass input validation", 401: "Signature mismatch", 422: "Refunds are not supported"}


@dataclass
class Paytrail(Peer):
    """`told` are the addresses that it has not called back yet. `key` signs what it says, and nothing does where there is none;
    it takes requests by SECRET alone. `refuses` are statuses. `names_refunds`: whether a refund's call back has the refund's
    stamp, or its payment's; `at_once`: whether refunds are made when they are asked for."""

    hosts = ("services.paytrail.com",)
    settings = {"merchant_id": MERCHANT, "secret_key": SECRET, "email": "payments@shop.example"}

    payments: dict[str, Json] = field(default_factory=dict)
    refunds: list[Json] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    nonces: set[str] = field(default_factory=set)
    key: str | None = SECRET
    names_refunds: bool = True
    at_once: bool = False

    def said(self, call: Call) -> Answer | Fault:
        """What is in front of the API signs nothing."""
        answer = super().said(call)
        if isinstance(answer, Fault):
            return answer
        if answer.status == 429:
            return replace(answer, headers={"Retry-After": str(RETRY_AFTER_S)})
        return replace(answer, headers=self._signed({"checkout-method": call.method}, answer.body))

    def answer(self, call: Call) -> Said:
        if status := self.refusal(call):
            raise No(status, _MESSAGES.get(status, "As was asked for"))
        self._check(call)
        status, said = self.carry_out(call.line, json.loads(call.body or b"{}"))
        return status, copy.deepcopy(said)

    def _check(self, call: Call) -> None:
        """Raises No for a call that this account did not sign, or that was made before."""
        said, nonce = call.headers, call.headers.get("checkout-nonce", "")
        known = said.get("checkout-account") == MERCHANT and said.get("checkout-algorithm") in ("sha256", "sha512")
        if not known or said.get("signature") != mac(SECRET, said, call.body):
            raise No(401, _MESSAGES[401])
        place = call.line.split("/")[2] if call.line.count("/") > 1 and "/payments/" in call.line else None
        about = (said.get("checkout-method"), said.get("checkout-transaction-id"))
        if about != (call.method, place) or not nonce or nonce in self.nonces:
            raise No(400, _MESSAGES[400])
        self.nonces.add(nonce)

    def _signed(self, said: Mapping[str, str], body: bytes) -> dict[str, str]:
        whole = {"checkout-account": MERCHANT, "checkout-algorithm": "sha256", **said}
        return whole if self.key is None else {**whole, "signature": mac(self.key, whole, body)}

    def error_of(self, no: No) -> Json:
        return {"status": "error", "message": no.word}

    def _made(self, like: str, **fields: Any) -> Json:
        made: Json = merged(object_of("paytrail", like), fields)
        return made

    def id(self) -> str:
        return str(uuid.UUID(int=next(self.numbers)))

    def stamp(self) -> str:
        return self.now().strftime("%Y-%m-%dT%H:%M:%S.000Z")

    def payment(self, id: str) -> Json:
        if id not in self.payments:
            raise No(404, "The specified resource was not found")
        return self.payments[id]

    def create(self, given: Json) -> Said:
        """Items come to the amount, or there is no payment."""
        if given["amount"] != sum(one["unitPrice"] * one["units"] for one in given["items"]):
            raise No(400, _MESSAGES[400])
        id = self.id()
        href = f"https://pay.paytrail.com/pay/{id}"
        names = ("amount", "currency", "stamp", "reference", "redirectUrls", "callbackUrls")
        asked = {name: given[name] for name in names}
        self.payments[id] = self._made("payment", transactionId=id, href=href, createdAt=self.stamp(), **asked)
        return 201, self._made("page", transactionId=id, href=href, reference=given["reference"])

    def read(self, id: str, given: Json) -> Said:
        """A refund is in no read."""
        return 200, {name: part for name, part in self.payment(id).items() if not name.endswith("Urls")}

    def becomes(self, id: str, status: str, amount: int | None = None) -> str:
        """Whatever happens on Paytrail's page and at banks; `amount` where it is another one than was asked. The address that
        the shopper is sent to, if she is still there."""
        payment = self.payment(id)
        payment |= {"status": status, "provider": "osuuspankki"}
        payment.pop("href", None)
        if status == "ok":
            payment["paidAt"] = self.stamp()
        if amount is not None:
            payment["amount"] = amount
        return self._tell(payment, payment["redirectUrls"])

    def pays(self, id: str, amount: int | None = None) -> str:
        assert self.payment(id)["status"] != "ok", "a page is paid once"
        return self.becomes(id, "ok", amount)

    def refund(self, id: str, given: Json) -> Said:
        payment = self.payment(id)
        mine = [one for one in self.refunds if one["of"] == id and one["status"] != "fail"]
        if payment["status"] != "ok" or not 0 < given["amount"] <= payment["amount"] - sum(
            one["amount"] for one in mine
        ):
            raise No(400, _MESSAGES[400])
        stamp = given["refundStamp"] if self.names_refunds else payment["stamp"]
        self.refunds.append(
            {
                "transactionId": self.id(), "of": id, "status": "pending", "provider": payment["provider"],
                "amount": given["amount"], "stamp": stamp, "reference": given["refundReference"],
                "callbackUrls": given["callbackUrls"],
            }
        )  # fmt: skip
        if self.at_once:
            self.settles()
        return 201, {name: self.refunds[-1][name] for name in ("transactionId", "provider", "status")}

    def settles(self, status: str = "ok") -> None:
        """Banks take their time: refunds under way come to their end."""
        for refund in self.refunds:
            if refund["status"] == "pending":
                refund["status"] = status
                self._tell(refund)

    def _tell(self, thing: Json, shoppers: Json | None = None) -> str:
        """Calls back; the shopper's address, of `shoppers`, has the same parameters and the same signature."""
        way = "cancel" if thing["status"] == "fail" else "success"
        said = {
            "checkout-amount": str(thing["amount"]),
            "checkout-stamp": thing["stamp"],
            "checkout-reference": thing["reference"],
            "checkout-transaction-id": thing["transactionId"],
            "checkout-status": thing["status"],
            "checkout-provider": thing["provider"],
        }
        query = urlencode(self._signed(said, b""))
        self.told.append(f"{thing['callbackUrls'][way]}?{query}")
        return f"{(shoppers or thing['callbackUrls'])[way]}?{query}"

    calls = {
        "GET /merchants/payment-providers": lambda paytrail, given: (200, []),
        "POST /payments": create,
        f"GET /payments/{_ID}": read,
        f"POST /payments/{_ID}/refund": refund,
    }
