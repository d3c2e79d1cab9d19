"""The machine's PSPs: they keep honest books, forget idempotency keys when those lapse, answer as their mood is, and note
what no PSP should ever be asked.

A bank refuses what does not fit beside what somebody did in its dashboard, for PaymentServer can not know of that yet. Beyond
what PaymentServer itself has moved it takes everything and notes it: a promise was broken.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, ClassVar

from chalicelib.connectors.sandbox.facts import facts_of, movement_of
from chalicelib.contracts.connector import (
    AskPsp,
    AttemptRef,
    Capabilities,
    CheckoutOrder,
    Conversation,
    Delivery,
    MoneyOrder,
    NotSent,
    Opened,
    OutcomeUnknown,
    ReadFailed,
    Refusal,
    RefusalKind,
)
from chalicelib.domain.facts import Decline, DeclineClass, Fact, Kind
from chalicelib.domain.payment import CaptureMode
from chalicelib.domain.view import text_of
from tests.psp import PSPS, Declined, Json, SimulatedConnector, SimulatedPsp, SimulatedSettings, sum_of

ANSWER, SILENT, LOST, SLOW = "answer", "silent", "lost", "slow"
NOT_SENT, DECLINE, FRAUD, THROTTLE, MISCONFIGURED = "not_sent", "decline", "fraud", "throttle", "misconfigured"
MOODS = (ANSWER, SILENT, LOST, SLOW, NOT_SENT, DECLINE, FRAUD, THROTTLE, MISCONFIGURED)
IN_DOUBT = (SILENT, LOST, SLOW)
PAYABLE = ("open", "approved")
PAGE_LIFE_S = 1800
HOLD_S = 7 * 86_400
IN_FLIGHT_S = 600
_MOVEMENT = {"captures": Kind.CAPTURE, "voids": Kind.RELEASE, "refunds": Kind.REFUND}
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
        ours = {name: [one for one in payment[name] if one["reference"] and "final" not in one] for name in _MOVEMENT}
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
        return [(kind, one) for kind in _MOVEMENT for one in payment.get(kind, ()) if one["status"] == "pending"]

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


class BankConnector(SimulatedConnector):
    """Speaks to a bank as its mood allows."""

    def __init__(self, settings: SimulatedSettings) -> None:
        bank = PSPS[settings.account]
        assert isinstance(bank, Bank)
        self.bank = self.psp = bank

    def _call(self, kind: str, do: Callable[[], Any], reach: bool = False) -> Any:
        """`do` in the bank's mood; a Refusal where it says no."""
        mood = self.bank.mood(kind)
        if mood == NOT_SENT:
            raise NotSent("nobody listens")
        if mood == LOST:
            raise OutcomeUnknown("the request was lost")
        if mood == SLOW:
            self.bank.in_flight.append((self.bank.now(), do))
            raise OutcomeUnknown("the request is still under way")
        refusal = _REFUSALS.get(mood)
        if refusal is not None:
            return refusal
        try:
            said = do()
        except Declined as why:
            return _declined(str(why))
        if mood == SILENT:
            raise OutcomeUnknown("the answer was lost")
        return said

    def open_checkout(self, order: CheckoutOrder) -> Conversation[Opened | Refusal]:
        session = self._call("open", lambda: self.bank.open(order))
        return session if isinstance(session, Refusal) else self._opened(session, order.attempt_id)
        yield

    def _reach(self) -> None:
        if self.bank.mood("read") != ANSWER:
            raise ReadFailed("the PSP can not be asked")

    def _facts(self, session: Json, attempt_id: str) -> tuple[Fact, ...]:
        return self.bank.facts_in(session)

    def recover(self, attempt: AttemptRef) -> Conversation[Opened | Refusal | None]:
        self._reach()
        if not self.capabilities.looks_up_references:
            return (yield from self.open_checkout(attempt.checkout))
        session = self.bank.sessions.get(attempt.attempt_id)
        return self._opened(session, attempt.attempt_id) if session else None

    def fetch(self, attempt: AttemptRef) -> Conversation[Sequence[Fact]]:
        self._reach()
        return self._facts(self.bank.sessions[attempt.attempt_id], attempt.attempt_id)
        yield

    def expire(self, attempt: AttemptRef) -> Conversation[Sequence[Fact]]:
        said = self._call("money", lambda: self.bank.expire(attempt.attempt_id))
        if isinstance(said, Refusal):
            raise ReadFailed(said.detail)
        return self._facts(said, attempt.attempt_id)
        yield

    def complete(self, attempt: AttemptRef) -> Conversation[Sequence[Fact] | Refusal]:
        said = self._call("money", lambda: self._completed(attempt.attempt_id))
        return said if isinstance(said, Refusal) else self._facts(said, attempt.attempt_id)
        yield

    def _completed(self, attempt_id: str) -> Json:
        session = self.bank.sessions[attempt_id]
        self.bank.operated.append(f"{attempt_id}-complete")
        if session["status"] == "approved":
            self.bank.pay(attempt_id, late=True)
        return session

    def _operate(self, kind: str, order: MoneyOrder) -> Conversation[Sequence[Fact] | Refusal]:
        attempt_id = order.attempt.attempt_id
        movement = self._call("money", lambda: self._moved(kind, order))
        if isinstance(movement, Refusal):
            return movement
        return (movement_of(movement, _MOVEMENT[kind], attempt_id),)
        yield

    def _moved(self, kind: str, order: MoneyOrder) -> Json:
        movement = self.bank.operate(kind, order)
        self.bank.tell(order.attempt.attempt_id)
        return movement

    def read(self, delivery: Delivery) -> Sequence[Fact | AskPsp]:
        session = json.loads(delivery.body)
        return self._facts(session, session["reference"])


class ReticentConnector(BankConnector):
    """The hardest PSP: nothing can be looked up by our names, keys live for an hour, and it mails shoppers its pages."""

    name: ClassVar[str] = "reticent"
    capabilities: ClassVar[Capabilities] = Capabilities(
        operations=frozenset({"capture", "cancel", "refund", "expire"}),
        payment_methods=frozenset({"card"}),
        currencies=frozenset({"EUR"}),
        capture_modes=frozenset({CaptureMode.AUTOMATIC, CaptureMode.MANUAL}),
        partial_capture=True,
        multiple_captures=False,
        partial_refund=True,
        inert_until_visited=False,
        looks_up_references=False,
        key_lives_s={"open": 3600, "capture": 3600, "cancel": 3600, "refund": 3600},
    )


def _declined(code: str, cls: DeclineClass = DeclineClass.SOFT) -> Refusal:
    return Refusal(RefusalKind.DECLINED, code, Decline(cls, "declined", code))


_REFUSALS = {
    DECLINE: _declined("insufficient_funds"),
    FRAUD: _declined("suspected_fraud", DeclineClass.FRAUD),
    THROTTLE: Refusal(RefusalKind.RATE_LIMITED, "slow down", retry_after_s=30),
    MISCONFIGURED: Refusal(RefusalKind.MISCONFIGURED, "the key is wrong"),
}
CONNECTORS = {"simulated": BankConnector, "reticent": ReticentConnector}
