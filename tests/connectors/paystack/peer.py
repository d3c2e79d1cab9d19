"""A Paystack account with books of its own, as its OpenAPI file has them: pages, refunds, disputes, and the events that tell of
them. It knows no idempotency keys, and takes a reference once.

Its objects are those of `objects.json`, which are held to the specification, with what happened put over them.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from typing import Any

from tests.conformance.connectors.answering import Call
from tests.conformance.connectors.recordings import merged, object_of
from tests.connectors.paystack.profile import SECRET
from tests.connectors.peer import Json, No, Peer, Said

PER_PAGE = 50
FIRST_NUMBER = 4_099_260_516
_MESSAGES = {
    "duplicate_reference": "Duplicate Transaction Reference",
    "invalid_Key": "Invalid key",
    "not_found": "Entity not found",
    "transaction_not_found": "Transaction reference not found.",
}


@dataclass
class Paystack(Peer):
    """`told` are the events that no delivery has brought yet. `fees` are what it takes of a payment, and `shopper_bears` says
    who pays them. `filters`: whether it lists what belongs to one transaction; `notes`: whether it keeps a refund's note.
    `refuses` are errors' codes."""

    hosts = ("api.paystack.co",)
    settings = {"business": "peer", "mode": "test", "secret_key": SECRET, "email": "payments@shop.example"}

    transactions: dict[str, Json] = field(default_factory=dict)
    refunds: list[Json] = field(default_factory=list)
    disputes: list[Json] = field(default_factory=list)
    told: list[Json] = field(default_factory=list)
    fees: int = 16
    shopper_bears: bool = False
    filters: bool = True
    notes: bool = True

    def answer(self, call: Call) -> Said:
        if call.headers.get("authorization") != f"Bearer {SECRET}":
            raise No(401, "invalid_Key")
        if code := self.refusal(call):
            raise No(400, code)
        said = self.carry_out(call.line, {**call.query, **json.loads(call.body or b"{}")})
        return 200, copy.deepcopy({"status": True, "message": "Done", **said})

    def error_of(self, no: No) -> Json:
        return {"status": False, "message": _MESSAGES[no.word], "type": "validation_error", "code": no.word}

    def number(self) -> int:
        return FIRST_NUMBER + next(self.numbers)

    def stamp(self) -> str:
        return self.now().strftime("%Y-%m-%dT%H:%M:%S.000Z")

    def _made(self, like: str, **fields: Any) -> Json:
        made: Json = merged(object_of("paystack", like), fields)
        return made

    def transaction(self, reference: str) -> Json:
        if reference not in self.transactions:
            raise No(404, "transaction_not_found")
        return self.transactions[reference]

    def initialize(self, given: Json) -> Json:
        if given["reference"] in self.transactions:
            raise No(400, "duplicate_reference")
        reference, code = given["reference"], f"code{next(self.numbers)}"
        self.transactions[reference] = self._made(
            "transaction", id=self.number(), reference=reference, amount=given["amount"], currency=given["currency"],
            requested_amount=given["amount"], metadata=given["metadata"], created_at=self.stamp(), createdAt=self.stamp(),
        )  # fmt: skip
        page = {"authorization_url": f"https://checkout.paystack.com/{code}", "access_code": code}
        return {"data": {**page, "reference": reference}}

    def pays(self, reference: str, amount: int | None = None) -> Json:
        """The shopper does; `amount` where it is another one than was asked."""
        transaction = self.transaction(reference)
        assert transaction["status"] in ("abandoned", "failed", "ongoing"), "a page is paid once"
        asked = transaction["requested_amount"] + (self.fees if self.shopper_bears else 0)
        transaction |= {
            "status": "success", "amount": asked if amount is None else amount, "fees": self.fees,
            "gateway_response": "Successful", "paid_at": self.stamp(), "paidAt": self.stamp(),
        }  # fmt: skip
        self.tell("charge.success", transaction)
        return transaction

    def declines(self, reference: str, why: str) -> None:
        """The shopper's card is refused, of which no event tells; the page stays."""
        self.transaction(reference).update(status="failed", gateway_response=why)

    def refund(self, given: Json) -> Json:
        transaction = self.transaction(given["transaction"])
        mine = [one for one in self.refunds if one["transaction"] == transaction["id"]]
        left = transaction["amount"] - sum(one["amount"] for one in mine if one["status"] != "failed")
        if transaction["status"] != "success" or not 0 < given["amount"] <= left:
            raise No(400, "not_found")
        note = given.get("merchant_note") if self.notes else None
        refund = self._made(
            "refund", id=self.number(), transaction=transaction["id"], transaction_reference=transaction["reference"],
            amount=given["amount"], currency=transaction["currency"], status="pending",
            merchant_note=note or f"Refund for transaction {transaction['reference']}", createdAt=self.stamp(),
        )  # fmt: skip
        self.refunds.append(refund)
        self._tell_refund(refund)
        names = ("id", "amount", "currency", "merchant_note", "status")
        about = {name: transaction[name] for name in ("id", "reference", "amount", "currency")}
        return {"data": self._made("refund_made", transaction=about, **{name: refund[name] for name in names})}

    def settles(self, status: str = "processed") -> None:
        """Banks take their time: refunds under way come to their end, and made ones may come back."""
        for refund in self.refunds:
            if refund["status"] not in ("failed", status):
                refund["status"] = status
                self._tell_refund(refund)

    def _tell_refund(self, refund: Json) -> None:
        names = ("status", "transaction_reference", "currency")
        told = self._made("refund_told", amount=str(refund["amount"]), **{name: refund[name] for name in names})
        self.tell(f"refund.{refund['status']}", told)

    def disputed(self, reference: str) -> Json:
        """About everything that was paid."""
        transaction = self.transaction(reference)
        fields = {
            name: transaction[name] for name in ("id", "reference", "amount", "requested_amount", "fees", "currency")
        }
        dispute = self._made(
            "dispute", id=self.number(), refund_amount=transaction["amount"], currency=transaction["currency"],
            transaction=fields,
        )  # fmt: skip
        self.disputes.append(dispute)
        self.tell("charge.dispute.create", dispute)
        return dispute

    def resolves(self, dispute: Json, resolution: str) -> None:
        """One that is lost is paid by a refund that names it."""
        dispute.update(status="resolved", resolution=resolution, resolvedAt=self.stamp())
        if resolution != "declined":
            amount, reference = dispute["refund_amount"], dispute["transaction"]["reference"]
            self.refund({"transaction": reference, "amount": amount})
            self.refunds[-1].update(dispute=dispute["id"], status="processed")
        self.tell("charge.dispute.resolve", dispute)

    def _list(self, things: list[Json], given: Json) -> Json:
        """Newest first, as its answers are; `transaction` is a number in one and an object in the other."""
        wanted = int(given["transaction"]) if self.filters and "transaction" in given else None
        found = [one for one in reversed(things) if wanted in (None, _number_in(one["transaction"]))]
        size, page = int(given.get("perPage", PER_PAGE)), int(given.get("page", 1))
        pages = max(-(-len(found) // size), 1)
        meta = {"total": len(found), "skipped": 0, "perPage": str(size), "page": page, "pageCount": pages}
        return {"data": found[(page - 1) * size : page * size], "meta": meta}

    def tell(self, event: str, thing: Json) -> None:
        """A snapshot, as its events are."""
        self.told.append(copy.deepcopy({"event": event, "data": thing}))

    calls = {
        "POST /transaction/initialize": initialize,
        r"GET /transaction/verify/([A-Za-z0-9.=-]+)": lambda paystack, id, given: {"data": paystack.transaction(id)},
        "POST /refund": refund,
        "GET /refund": lambda paystack, given: paystack._list(paystack.refunds, given),
        "GET /dispute": lambda paystack, given: paystack._list(paystack.disputes, given),
    }


def _number_in(transaction: Any) -> int:
    number: int = transaction["id"] if isinstance(transaction, dict) else transaction
    return number
