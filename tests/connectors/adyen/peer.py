"""Adyen as its specification has it: links, modifications, idempotency keys, and the webhooks that tell of them."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from chalicelib.connectors.adyen.connector import TEST_BASE
from chalicelib.domain.view import text_of
from tests.conformance.connectors.answering import Call
from tests.connectors.adyen.profile import SECRET
from tests.connectors.peer import Json, No, Peer, Said

HOST, VERSION = TEST_BASE.removeprefix("https://").split("/")
KINDS = {"captures": "CAPTURE", "cancels": "CANCELLATION", "refunds": "REFUND"}
MESSAGES = {
    "000": "HTTP Status Response",
    "901": "Invalid Merchant Account",
    "167": "Original pspReference required for this operation",
    "111": "The link is no longer active",
}


@dataclass
class Adyen(Peer):
    """One merchant account. `told` are the items that no delivery has brought yet. `revoked`: whether its key is taken no
    more."""

    hosts = (HOST,)

    account: str
    api_key: str
    revoked: bool = False
    links: dict[str, Json] = field(default_factory=dict)
    payments: dict[str, Json] = field(default_factory=dict)
    modifications: list[Json] = field(default_factory=list)
    told: list[Json] = field(default_factory=list)
    keys: dict[str, Said] = field(default_factory=dict)

    @property
    def settings(self) -> Json:
        return {"merchant_account": self.account, "api_key": self.api_key, "hmac_key": SECRET}

    def serves(self, headers: Mapping[str, str]) -> bool:
        return headers.get("x-api-key") == self.api_key

    def answer(self, call: Call) -> Said:
        if self.revoked:
            raise No(401, "000")
        body: Json = json.loads(call.body or b"{}")
        if body.get("merchantAccount", self.account) != self.account:
            raise No(403, "901")
        key = call.headers.get("idempotency-key")
        if key in self.keys:
            return self.keys[key]
        said: Said = self.carry_out(call.line, body)
        if key is not None:
            self.keys[key] = said
        return said

    def error_of(self, no: No) -> Json:
        kind = "security" if no.status in (401, 403) else "validation"
        return {"status": no.status, "errorCode": no.word, "message": MESSAGES.get(no.word, no.word), "errorType": kind}

    def _methods(self, body: Json) -> Said:
        return 200, {"paymentMethods": [{"name": "Cards", "type": "scheme"}]}

    def _open(self, body: Json) -> Said:
        id = self._name("PL")
        self.links[id] = {**body, "id": id, "status": "active", "url": f"https://test.adyen.link/{id}"}
        return 201, copy.deepcopy(self.links[id])

    def _link(self, id: str, body: Json) -> Said:
        if id not in self.links:
            raise No(404, "000")
        return 200, copy.deepcopy(self.links[id])

    def _expire(self, id: str, body: Json) -> Said:
        self._link(id, body)
        if self.links[id]["status"] != "active":
            raise No(422, "111")
        self.links[id]["status"] = "expired"
        return self._link(id, body)

    def _modify(self, id: str, what: str, body: Json) -> Said:
        if id not in self.payments:
            raise No(422, "167")
        payment, name = self.payments[id], self._name("MOD")
        made = {**body, "pspReference": name, "paymentPspReference": payment["pspReference"]}
        self.modifications.append({**made, "event": KINDS[what]})
        self.tell(KINDS[what], name, body["reference"], body.get("amount") or payment["amount"], payment)
        return 201, {**made, "status": "received"}

    def pay(self, link_id: str) -> None:
        """The shopper pays on the page."""
        link, reference = self.links[link_id], self._name("PAY")
        assert link["status"] == "active"
        link["status"] = "completed"
        self.payments[reference] = {"pspReference": reference, "amount": link["amount"]}
        self.tell("AUTHORISATION", reference, link["reference"], link["amount"])

    def decline(self, link_id: str, reason: str) -> None:
        """The shopper's card is refused; the page stays."""
        link = self.links[link_id]
        assert link["status"] == "active"
        name = self._name("PAY")
        self.tell("AUTHORISATION", name, link["reference"], link["amount"], success="false", reason=reason)

    def tell(
        self, event: str, name: str, reference: str, amount: Json, payment: Json | None = None, **more: str
    ) -> None:
        item = {
            "eventCode": event,
            "pspReference": name,
            "merchantAccountCode": self.account,
            "merchantReference": reference,
            "amount": amount,
            "eventDate": text_of(self.now()),
            "success": "true",
            "reason": "",
            **({"originalReference": payment["pspReference"]} if payment else {}),
            **more,
        }
        self.told.append(item)

    def delivery(self) -> bytes:
        """All that nobody was told of yet, in one delivery."""
        items = [{"NotificationRequestItem": item} for item in self.told]
        self.told = []
        return json.dumps({"live": "false", "notificationItems": items}).encode()

    def _name(self, prefix: str) -> str:
        return f"{prefix}{next(self.numbers):013d}"

    calls = {
        f"POST /{VERSION}/paymentMethods": _methods,
        f"POST /{VERSION}/paymentLinks": _open,
        f"GET /{VERSION}/paymentLinks/(\\w+)": _link,
        f"PATCH /{VERSION}/paymentLinks/(\\w+)": _expire,
        f"POST /{VERSION}/payments/(\\w+)/(captures|cancels|refunds)": _modify,
    }
