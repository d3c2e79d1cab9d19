"""The machine's PSPs: they keep honest books, forget idempotency keys when those lapse, answer as their mood is, and note
what no PSP should ever be asked.

A bank refuses what does not fit beside what somebody did in its dashboard, for PaymentServer can not know of that yet. Beyond
what PaymentServer itself has moved it takes everything and notes it: a promise was broken.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from chalicelib.connectors.sandbox.facts import facts_of
from chalicelib.contracts.calls import CheckoutOrder, MoneyOrder
from chalicelib.contracts.connector import Capabilities
from chalicelib.domain.facts import Fact, Kind
from chalicelib.domain.view import text_of
from tests.psp import Declined, Json, SimulatedConnector, SimulatedPsp, sum_of

ANSWER, SILENT, LOST, SLOW = "answer", "silent", "lost", "slow"
NOT_SENT, DECLINE, FRAUD, THROTTLE, MISCONFIGURED = "not_sent", "decline", "fraud", "throttle", "misconfigured"
MOODS = (ANSWER, SILENT, LOST, SLOW, NOT_SENT, DECLINE, FRAUD, THROTTLE, MISCONFIGURED)
IN_DOUBT = (SILENT, LOST, SLOW)
PAYABLE = ("open", "approved")
PAGE_LIFE_S = 1800
HOLD_S = 7 * 86_400
IN_FLIGHT_S = 600
MOVEMENT = {"captures": Kind.CAPTURE, "voids": Kind.RELEASE, "refunds": Kind.REFUND}
_KEY = {"captures": "capture", "voids": "cancel", "refunds": "refund"}


@dataclass
class Mail:
    """A webhook as it was when the PSP made it: the whole session, though it may have changed since.

    `only_word`: of what somebody else did to a payment that was settled, nothing else would tell us, so it may be late but
    is never lost.
    """

    bank: str
    body: bytes
    only_word: bool = False


@dataclass
class Key:
    used_at: datetime
    asked: object
    answer: Json


@dataclass
class Bank(SimulatedPsp):
    """`moods` says how it takes each kind of call: open, money, read. `wrongs` are broken promises, in words."""

    capabilities: Capabilities = field(default_factory=lambda: SimulatedConnector.capabilities)
    now: Callable[[], datetime] = lambda: datetime.min
    moods: dict[str, str] = field(default_factory=dict)
    keys: dict[str, Key] = field(default_factory=dict)
    mail: list[Mail] = field(default_factory=list)
    in_flight: list[tuple[datetime, Callable[[], Any]]] = field(default_factory=list)
    wrongs: list[str] = field(default_factory=list)
    connector: str = "simulated"

    def facts_in(self, session: Json) -> tuple[Fact, ...]:
        """What a session says as it is read. Not every bank repeats our operations' names."""
        said = facts_of(session, session["reference"])
        return said if self.capabilities.names_operations else tuple(replace(one, operation_id=None) for one in said)

    def mood(self, call: str) -> str:
        return self.moods.get(call, ANSWER)

    # What PaymentServer asks

    def repeated(self, key: str, operation: str, asked: object) -> Json | None:
        """The answer that this key had, while it lives."""
        known = self.keys.get(key)
        if known is None:
            return None
        if known.asked != asked:
            self.wrongs.append(f"{key} came again with other parameters")
        lives = timedelta(seconds=self.capabilities.key_lives_s.get(operation, 0))
        if self.now() - known.used_at >= lives:
            self.wrongs.append(f"{key} was repeated after its life, which does it twice")
        return known.answer

    def open(self, order: CheckoutOrder) -> Json:
        asked = (order.order.amount, order.order.capture, order.started_at, order.return_url)
        if self.repeated(order.attempt_id, "open", asked) is not None:
            return self.sessions[order.attempt_id]
        session = super().open(order)
        session["expires_at"] = text_of(self.now() + timedelta(seconds=PAGE_LIFE_S))
        self.keys[order.attempt_id] = Key(self.now(), asked, session)
        return session

    def operate(self, kind: str, order: MoneyOrder) -> Json:
        asked = (kind, order.amount, order.final)
        known = self.repeated(order.operation_id, _KEY[kind], asked)
        if known is not None:
            return known
        attempt_id = order.attempt.attempt_id
        left = self.left(attempt_id, kind)
        value = left if order.amount is None else order.amount.value
        if value > self._left_by_us(attempt_id, kind):
            self.wrongs.append(f"{order.operation_id}: {kind} of {value} is more than PaymentServer can have left")
        elif value > left or value <= 0:
            raise Declined(f"{value} is more than the {left} left")
        movement = self.move(attempt_id, kind, value, order.operation_id)
        if kind == "captures" and order.final and left > value:
            self.move(attempt_id, "voids", left - value, order.operation_id)["final"] = True
        self.keys[order.operation_id] = Key(self.now(), asked, dict(movement))
        return movement

    def _left_by_us(self, attempt_id: str, kind: str) -> int:
        """What could still be taken had nobody used the dashboard."""
        payment = self.sessions[attempt_id]["payment"]
        if payment is None:
            return 0
        ours = {name: [one for one in payment[name] if one["reference"] and "final" not in one] for name in MOVEMENT}
        if kind == "refunds":
            return captured_of(payment) - sum_of(ours["refunds"])
        return held_at_first(payment) - sum_of(ours["captures"]) - sum_of(ours["voids"])

    def end(self, attempt_id: str, how: str) -> None:
        """Nobody may pay any more, though a payment that is on its way may still come."""
        self.sessions[attempt_id].update(status=how, ended=True)
        self.tell(attempt_id)

    def expire(self, attempt_id: str) -> Json:
        if self.sessions[attempt_id]["status"] in PAYABLE:
            self.end(attempt_id, "expired")
        return self.sessions[attempt_id]

    def save(self) -> None:
        """Every change is told by a webhook, with the session as it is then."""

    def tell(self, attempt_id: str, *, only_word: bool = False) -> None:
        self.mail.append(Mail(self.name, json.dumps(self.sessions[attempt_id]).encode(), only_word))

    # What shoppers, banks and people at the PSP do

    def decline_try(self, attempt_id: str) -> None:
        session = self.sessions[attempt_id]
        payment = session["payment"] or {
            "id": f"pay_{session['id']}", "status": "declined", "amount": session["amount"],
            "authorization_expires_at": None, "captures": [], "refunds": [], "voids": [], "tries": [],
        }  # fmt: skip
        payment["tries"].append({"id": f"try_{len(payment['tries'])}", "status": "declined", "code": "card_declined"})
        session["payment"] = payment
        self.tell(attempt_id)

    def pay(self, attempt_id: str, *, more: int = 0, late: bool = False, only_word: bool = False) -> None:
        tries = (self.sessions[attempt_id]["payment"] or {}).get("tries", [])
        super().pay(attempt_id, more=more, late=late)
        payment = self.sessions[attempt_id]["payment"]
        payment["tries"] = tries
        if payment["authorization_expires_at"]:
            payment["authorization_expires_at"] = text_of(self.now() + timedelta(seconds=HOLD_S))
        self.tell(attempt_id, only_word=only_word)

    def let_lapse(self) -> None:
        """What was held too long is given back."""
        for attempt_id, session in self.sessions.items():
            payment = session["payment"]
            if payment is None or not payment["authorization_expires_at"]:
                continue
            left = self.left(attempt_id, "voids")
            if left > 0 and payment["authorization_expires_at"] <= text_of(self.now()):
                self.move(attempt_id, "voids", left)["reason"] = "expired"
                self.tell(attempt_id)

    def settle_all(self) -> None:
        """What was pending comes to a good end."""
        for attempt_id, session in self.sessions.items():
            if session["payment"] is not None and self.pending(attempt_id):
                for _, movement in self.pending(attempt_id):
                    movement["status"] = "succeeded"
                self.tell(attempt_id)

    def pending(self, attempt_id: str) -> list[tuple[str, Json]]:
        payment = self.sessions[attempt_id]["payment"] or {}
        return [(kind, one) for kind in MOVEMENT for one in payment.get(kind, ()) if one["status"] == "pending"]

    def arrive(self) -> None:
        """What the network held back arrives, unless it is too old by now."""
        waiting, self.in_flight = self.in_flight, []
        for sent_at, call in waiting:
            if self.now() - sent_at < timedelta(seconds=IN_FLIGHT_S):
                try:
                    call()
                except Declined:
                    continue


def held_at_first(payment: Json) -> int:
    return int(payment["amount"]["value"]) if payment["authorization_expires_at"] else 0


def captured_of(payment: Json) -> int:
    """Minor units that were captured, those still under way included."""
    sale = payment["status"] == "captured" and not payment["authorization_expires_at"]
    return int(payment["amount"]["value"]) if sale else sum_of(payment["captures"])
