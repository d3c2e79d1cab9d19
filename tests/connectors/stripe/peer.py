"""A Stripe account with books of its own, as its API reference has it: pages, payments, refunds, disputes, keys, and the
events that tell of them.

Its objects are those of `objects.json`, which are held to the specification, with what happened put over them.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from tests.conformance.connectors.answering import Call
from tests.conformance.connectors.recordings import merged, object_of
from tests.connectors.peer import Json, No, Peer, Said
from tests.connectors.stripe.form import nested
from tests.connectors.stripe.profile import SECRET

DAY_S = 86_400
_S, _I = r"/v1/checkout/sessions", r"/v1/payment_intents"


@dataclass
class Stripe(Peer):
    """`told` are the events that no delivery has brought yet. `revoked`: whether its key is taken no more. `wanted`: refunds
    that wait for an approval; None where none is needed."""

    hosts = ("api.stripe.com",)

    api_key: str
    revoked: bool = False
    wanted: list[Json] | None = None
    sessions: dict[str, Json] = field(default_factory=dict)
    intents: dict[str, Json] = field(default_factory=dict)
    charges: dict[str, Json] = field(default_factory=dict)
    refunds: dict[str, Json] = field(default_factory=dict)
    disputes: dict[str, Json] = field(default_factory=dict)
    told: list[Json] = field(default_factory=list)
    keys: dict[str, tuple[tuple[str, bytes], Said]] = field(default_factory=dict)

    @property
    def settings(self) -> Json:
        return {"api_key": self.api_key, "webhook_secret": SECRET}

    def serves(self, headers: Mapping[str, str]) -> bool:
        return headers.get("authorization") == f"Bearer {self.api_key}"

    def answer(self, call: Call) -> Said:
        """A key is good for the same call alone."""
        if self.revoked:
            raise No(401, "api_key_expired")
        key, same = call.headers.get("idempotency-key"), (call.line, call.body)
        if key in self.keys:
            before, said = self.keys[key]
            if before != same:
                raise No(400, "idempotency_error")
            return said
        said = self._carried_out(call)
        if key is not None:
            self.keys[key] = same, copy.deepcopy(said)
        return said

    def _carried_out(self, call: Call) -> Said:
        fields: Json = nested(parse_qsl(call.body.decode(), keep_blank_values=True))
        try:
            return 200, copy.deepcopy(self.carry_out(call.line, {**call.query, **fields}))
        except No as no:
            return no.status, self.error_of(no)
        except KeyError:
            return 404, self.error_of(No(404, "resource_missing"))

    def error_of(self, no: No) -> Json:
        kind = no.word if no.word == "idempotency_error" else "invalid_request_error"
        return {"error": {"type": kind, "message": "No.", "code": no.word}}

    def _list(self, things: dict[str, Json], given: Json) -> Json:
        wanted = given.get("payment_intent")
        found = [one for one in things.values() if wanted in (None, one["payment_intent"])]
        return {"object": "list", "has_more": False, "data": found}

    def open(self, given: Json) -> Json:
        lines = given["line_items"]
        total = sum(int(one["price_data"]["unit_amount"]) * int(one["quantity"]) for one in lines)
        at = int(self.now().timestamp())
        id = f"cs_test_{next(self.numbers)}"
        return self._made(
            self.sessions, "session", id, amount_subtotal=total, amount_total=total,
            currency=lines[0]["price_data"]["currency"], client_reference_id=given["client_reference_id"],
            created=at, expires_at=at + DAY_S, url=f"https://checkout.stripe.com/c/pay/{id}",
            metadata=given["metadata"], payment_intent_data=given["payment_intent_data"],
        )  # fmt: skip

    def _made(self, things: dict[str, Json], like: str, id: str, **fields: Any) -> Json:
        """The object of `objects.json` with its own fields; metadata in place of the recorded."""
        bare = {**object_of("stripe", like), "metadata": {}}
        things[id] = merged(bare, {"id": id, **fields})
        return things[id]

    def read(self, id: str, given: Json) -> Json:
        session = {name: part for name, part in self.sessions[id].items() if name != "payment_intent_data"}
        if "expand[]" in given and session["payment_intent"]:
            intent = self.intents[session["payment_intent"]]
            charge = intent["latest_charge"] and self.charges[intent["latest_charge"]]
            session["payment_intent"] = {**intent, "latest_charge": charge}
        return session

    def expire(self, id: str, given: Json) -> Json:
        session = self.sessions[id]
        if session["status"] != "open":
            raise No(400, "resource_invalid_state")
        session.update(status="expired", url=None)
        self.tell("checkout.session.expired", session)
        return session

    def _intent(self, session: Json) -> Json:
        """There is one once the shopper has tried to pay."""
        if session["payment_intent"] is None:
            session["payment_intent"] = f"pi_{next(self.numbers)}"
            wanted = session["payment_intent_data"]
            self._made(
                self.intents, "intent", session["payment_intent"], amount=session["amount_total"],
                currency=session["currency"], metadata=wanted["metadata"],
                capture_method=wanted.get("capture_method", "automatic"),
            )  # fmt: skip
        return self.intents[session["payment_intent"]]

    def pay(self, id: str) -> Json:
        """The shopper pays on the page."""
        session = self.sessions[id]
        assert session["status"] == "open"
        intent, charge = self._intent(session), f"ch_{next(self.numbers)}"
        manual = intent["capture_method"] == "manual"
        amount = intent["amount"]
        self._made(
            self.charges, "charge", charge, amount=amount, amount_captured=0 if manual else amount, captured=not manual,
            payment_intent=intent["id"], currency=intent["currency"], metadata=intent["metadata"],
        )  # fmt: skip
        intent.update(latest_charge=charge, last_payment_error=None)
        if manual:
            intent.update(status="requires_capture", amount_capturable=amount)
            self.tell("payment_intent.amount_capturable_updated", intent)
        else:
            intent.update(status="succeeded", amount_received=amount)
            self.tell("payment_intent.succeeded", intent)
        session.update(status="complete", url=None, payment_status="unpaid" if manual else "paid")
        self.tell("checkout.session.completed", session)
        return intent

    def decline(self, id: str, decline_code: str) -> None:
        """The shopper's card is refused; the page stays."""
        intent, charge = self._intent(self.sessions[id]), f"ch_{next(self.numbers)}"
        error = object_of("stripe", "intent_declined")["last_payment_error"]
        intent["last_payment_error"] = {**error, "decline_code": decline_code, "charge": charge}
        self.tell("payment_intent.payment_failed", intent)

    def tries(self, id: str, status: str, event: str) -> None:
        """The shopper's bank is being asked, or has said no; the page stays."""
        intent = self._intent(self.sessions[id])
        intent["status"] = status
        self.tell(event, intent)

    def shows_voucher(self, id: str) -> Json:
        """The shopper is done with the page, and pays days later."""
        session, intent = self.sessions[id], self._intent(self.sessions[id])
        session.update(status="complete", url=None, payment_status="unpaid")
        intent["status"] = "requires_action"
        return intent

    def name(self, id: str, given: Json) -> Json:
        self.intents[id]["metadata"] |= given["metadata"]
        return self.intents[id]

    def capture(self, id: str, given: Json) -> Json:
        intent = self.intents[id]
        amount = int(given.get("amount_to_capture", intent["amount_capturable"]))
        if intent["status"] != "requires_capture" or amount > intent["amount_capturable"]:
            raise No(400, "payment_intent_unexpected_state")
        intent.update(status="succeeded", amount_capturable=0, amount_received=amount)
        intent["metadata"] |= given["metadata"]
        charge = self.charges[intent["latest_charge"]]
        charge.update(captured=True, amount_captured=amount)
        self.tell("charge.captured", charge)
        self.tell("payment_intent.succeeded", intent)
        return intent

    def cancel(self, id: str, given: Json) -> Json:
        intent = self.intents[id]
        if intent["status"] not in ("requires_capture", "requires_payment_method"):
            raise No(400, "payment_intent_unexpected_state")
        reason = given.get("cancellation_reason")
        intent.update(status="canceled", amount_capturable=0, cancellation_reason=reason)
        self.tell("payment_intent.canceled", intent)
        return intent

    def ask_for_refund(self, given: Json) -> Json:
        if self.wanted is None:
            return self.refund(given)
        self.wanted.append(given)
        raise No(400, "approval_required")

    def refund(self, given: Json) -> Json:
        intent = self.intents[given["payment_intent"]]
        charge = self.charges[intent["latest_charge"]]
        left = charge["amount_captured"] - charge["amount_refunded"]
        amount = int(given.get("amount", left))
        if not 0 < amount <= left:
            raise No(400, "charge_already_refunded")
        charge["amount_refunded"] += amount
        charge["refunded"] = charge["amount_refunded"] == charge["amount_captured"]
        refund = self._made(
            self.refunds, "refund", f"re_{next(self.numbers)}", amount=amount, currency=charge["currency"],
            charge=charge["id"], payment_intent=intent["id"], reason=given.get("reason"), metadata=given.get("metadata", {}),
        )  # fmt: skip
        self.tell("refund.created", refund)
        self.tell("charge.refunded", charge)
        return refund

    def dispute(self, intent_id: str) -> Json:
        charge = self.charges[self.intents[intent_id]["latest_charge"]]
        charge["disputed"] = True
        made = self._made(
            self.disputes, "dispute", f"du_{next(self.numbers)}", amount=charge["amount"], currency=charge["currency"],
            charge=charge["id"], payment_intent=intent_id,
        )  # fmt: skip
        self.tell("charge.dispute.created", made)
        return made

    def close(self, dispute: Json, status: str) -> None:
        dispute["status"] = status
        self.tell("charge.dispute.closed", dispute)

    def tell(self, type: str, thing: Json) -> None:
        """A snapshot, as Stripe's events are."""
        shown = {name: part for name, part in thing.items() if name != "payment_intent_data"}
        at = int(self.now().timestamp())
        event = {"id": f"evt_{next(self.numbers)}", "type": type, "created": at, "data": {"object": shown}}
        self.told.append(copy.deepcopy({**object_of("stripe", "event"), **event}))

    calls = {
        f"GET {_S}": lambda stripe, given: stripe._list(stripe.sessions, given),
        f"POST {_S}": open,
        f"GET {_S}/(\\w+)": read,
        f"POST {_S}/(\\w+)/expire": expire,
        f"GET {_I}/(\\w+)": lambda stripe, id, given: stripe.intents[id],
        f"POST {_I}/(\\w+)": name,
        f"POST {_I}/(\\w+)/capture": capture,
        f"POST {_I}/(\\w+)/cancel": cancel,
        "POST /v1/refunds": ask_for_refund,
        "GET /v1/refunds": lambda stripe, given: stripe._list(stripe.refunds, given),
        "GET /v1/disputes": lambda stripe, given: stripe._list(stripe.disputes, given),
    }
