"""A Stripe account with books of its own, over HTTP, as its API reference has it: pages, payments, refunds, disputes, keys, and
the events that tell of them.

Its objects are those of `objects.json`, which are held to the specification, with what happened put over them.
"""

from __future__ import annotations

import copy
import itertools
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.conformance.connectors.recordings import merged, object_of
from tests.connectors.stripe.form import nested

Json = dict[str, Any]
Said = tuple[int, Json]
DAY_S = 86_400


@dataclass
class Stripe:
    """`told` are the events that no delivery has brought yet. `lost`: how many calls are carried out and never answered.
    `down`: calls that are answered 503 and not carried out, as the beginnings of their first lines."""

    api_key: str
    now: Callable[[], datetime]
    lost: int = 0
    down: tuple[str, ...] = ()
    sessions: dict[str, Json] = field(default_factory=dict)
    intents: dict[str, Json] = field(default_factory=dict)
    charges: dict[str, Json] = field(default_factory=dict)
    refunds: dict[str, Json] = field(default_factory=dict)
    disputes: dict[str, Json] = field(default_factory=dict)
    told: list[Json] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    keys: dict[str, tuple[tuple[str, bytes], Said]] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Said:
        line = f"{method} {target}"
        self.asked.append(line)
        if line.startswith(self.down or ("nothing",)):
            return 503, {"error": {"type": "api_error", "message": "down"}}
        if headers.get("authorization") != f"Bearer {self.api_key}":
            return _error(401, "invalid_request_error", message="Invalid API Key provided")
        key = headers.get("idempotency-key")
        if key in self.keys:
            before, said = self.keys[key]
            return said if before == (line, body) else _error(400, "idempotency_error")
        said = self._carried_out(method, target, body)
        if key is not None:
            self.keys[key] = (line, body), copy.deepcopy(said)
        return said

    def _carried_out(self, method: str, target: str, body: bytes) -> Said:
        parts = urlsplit(target)
        query = dict(parse_qsl(parts.query))
        fields: Json = nested(parse_qsl(body.decode(), keep_blank_values=True))
        for pattern, do in _CALLS.items():
            found = re.fullmatch(pattern, f"{method} {parts.path}")
            if found:
                try:
                    return 200, copy.deepcopy(do(self, *found.groups(), {**query, **fields}))
                except KeyError:
                    return _error(404, "invalid_request_error", "resource_missing")
                except NotPossible as why:
                    return _error(400, "invalid_request_error", str(why))
        return _error(404, "invalid_request_error", "unknown_path")

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
            raise NotPossible("resource_invalid_state")
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

    def name(self, id: str, given: Json) -> Json:
        self.intents[id]["metadata"] |= given["metadata"]
        return self.intents[id]

    def capture(self, id: str, given: Json) -> Json:
        intent = self.intents[id]
        amount = int(given.get("amount_to_capture", intent["amount_capturable"]))
        if intent["status"] != "requires_capture" or amount > intent["amount_capturable"]:
            raise NotPossible("payment_intent_unexpected_state")
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
            raise NotPossible("payment_intent_unexpected_state")
        reason = given.get("cancellation_reason")
        intent.update(status="canceled", amount_capturable=0, cancellation_reason=reason)
        self.tell("payment_intent.canceled", intent)
        return intent

    def refund(self, given: Json) -> Json:
        intent = self.intents[given["payment_intent"]]
        charge = self.charges[intent["latest_charge"]]
        left = charge["amount_captured"] - charge["amount_refunded"]
        amount = int(given.get("amount", left))
        if not 0 < amount <= left:
            raise NotPossible("charge_already_refunded")
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


class NotPossible(Exception):
    """Its text is the error's code."""


_S, _I = r"/v1/checkout/sessions", r"/v1/payment_intents"
_CALLS: dict[str, Callable[..., Json]] = {
    f"GET {_S}": lambda stripe, given: stripe._list(stripe.sessions, given),
    f"POST {_S}": Stripe.open,
    f"GET {_S}/(\\w+)": Stripe.read,
    f"POST {_S}/(\\w+)/expire": Stripe.expire,
    f"GET {_I}/(\\w+)": lambda stripe, id, given: stripe.intents[id],
    f"POST {_I}/(\\w+)": Stripe.name,
    f"POST {_I}/(\\w+)/capture": Stripe.capture,
    f"POST {_I}/(\\w+)/cancel": Stripe.cancel,
    "POST /v1/refunds": Stripe.refund,
    "GET /v1/refunds": lambda stripe, given: stripe._list(stripe.refunds, given),
    "GET /v1/disputes": lambda stripe, given: stripe._list(stripe.disputes, given),
}


def _error(status: int, kind: str, code: str | None = None, message: str = "No.") -> Said:
    return status, {"error": {"type": kind, "message": message, **({"code": code} if code else {})}}
