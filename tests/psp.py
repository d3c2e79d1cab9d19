"""A simulated PSP account that keeps its own books: it pays out what it holds and no more, remembers idempotency keys, and
falls silent, repeats itself or lies when a test says so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from chalicelib.connectors.sandbox.facts import facts_of, movement_of
from chalicelib.contracts.calls import AttemptRef, CheckoutOrder, MoneyOrder, Opened, Refusal, RefusalKind
from chalicelib.contracts.connector import Capabilities, Connector
from chalicelib.contracts.conversation import Conversation, NotSent, OutcomeUnknown, ReadFailed
from chalicelib.contracts.webhooks import AskPsp, Delivery, WebhookSetup
from chalicelib.domain.facts import Decline, DeclineClass, Fact, Kind
from chalicelib.domain.order import CaptureMode
from chalicelib.domain.payment import NextAction

Json = dict[str, Any]
ANSWER, SILENT, LOST, NOT_SENT, DECLINE = "answer", "silent", "lost", "not_sent", "decline"
REFUSALS = frozenset(RefusalKind) - {RefusalKind.DECLINED}  # a script may name these, too
HARD, FRAUD = "hard", "fraud"  # declines of another class than soft


@dataclass
class SimulatedPsp:
    """Sessions of one account, by reference. `script` decides what opening does, `plan` what an operation does (answer,
    silent: done but not answered, lost: neither, not_sent, decline, hard, fraud); by default all is answered."""

    name: str
    sessions: dict[str, Json] = field(default_factory=dict)
    opened: list[str] = field(default_factory=list)  # every call that reached it
    operated: list[str] = field(default_factory=list)  # the key of every operation that reached it
    answers: dict[str, Json] = field(default_factory=dict)  # what a key was answered with
    script: Callable[[CheckoutOrder], str] = lambda order: ANSWER
    plan: Callable[[str, MoneyOrder], str] = lambda kind, order: ANSWER
    completion: str = ANSWER  # what taking approved money does: answer, silent, lost, decline
    settles: str = "succeeded"  # how an operation is at first: succeeded or pending
    can_read: bool = True
    shows_page_again: bool = True  # whether the page's address is in more answers than the first

    def open(self, order: CheckoutOrder) -> Json:
        self.opened.append(order.attempt_id)
        return self.sessions.setdefault(
            order.attempt_id,
            {
                "id": f"ses_{self.name}_{len(self.sessions)}",
                "reference": order.attempt_id,
                "status": "open",
                "capture": str(order.order.capture),
                "amount": {"value": order.order.amount.value, "currency": order.order.amount.currency},
                "url": f"https://{self.name}.example/pay/{order.attempt_id}",
                "expires_at": "2026-03-01T12:30:00Z",
                "payment": None,
            },
        )

    def pay(self, attempt_id: str, *, more: int = 0, late: bool = False) -> None:
        """The shopper pays; a late payment arrives though the page is closed."""
        session = self.sessions[attempt_id]
        assert late or session["status"] == "open", "nobody can pay on a page that is closed"
        amount = {**session["amount"], "value": session["amount"]["value"] + more}
        session["status"] = "complete"
        sale = session["capture"] == "automatic"
        session["payment"] = {
            "id": f"pay_{session['id']}",
            "status": "captured" if sale else "authorized",
            "amount": amount,
            "authorization_expires_at": None if sale else "2026-03-08T12:00:00Z",
            "captures": [],
            "refunds": [],
            "voids": [],
        }
        self.save()

    def approve(self, attempt_id: str) -> None:
        """The shopper does her part at a PSP that takes nothing until it is told to."""
        self.sessions[attempt_id]["status"] = "approved"
        self.save()

    def expire(self, attempt_id: str) -> Json:
        session = self.sessions[attempt_id]
        if session["status"] in ("open", "approved"):
            session["status"] = "expired"
        self.save()
        return session

    def left(self, attempt_id: str, kind: str) -> int:
        """Minor units that this kind of operation could still take."""
        payment = self.sessions[attempt_id]["payment"]
        if payment is None:
            return 0
        captured = sum_of(payment["captures"]) or (payment["amount"]["value"] if payment["status"] == "captured" else 0)
        if kind == "refunds":
            return captured - sum_of(payment["refunds"])
        held = payment["amount"]["value"] if payment["authorization_expires_at"] else 0
        return held - sum_of(payment["captures"]) - sum_of(payment["voids"])

    def operate(self, kind: str, order: MoneyOrder) -> Json:
        """Does it once for a key; a repeat gets the first answer. Raises Declined over what is left."""
        self.operated.append(order.operation_id)
        if order.operation_id in self.answers:
            return self.answers[order.operation_id]
        left = self.left(order.attempt.attempt_id, kind)
        value = left if order.amount is None or kind == "voids" else order.amount.value
        if value > left or value <= 0:
            raise Declined(f"{value} is more than the {left} left")
        self.answers[order.operation_id] = self.move(order.attempt.attempt_id, kind, value, order.operation_id)
        if kind == "captures" and order.final and left > value:
            self.move(order.attempt.attempt_id, "voids", left - value, order.operation_id)
        self.save()
        return self.answers[order.operation_id]

    def move(self, attempt_id: str, kind: str, value: int, reference: str | None = None) -> Json:
        """A movement in the books; without a reference, somebody made it in the PSP's dashboard."""
        payment = self.sessions[attempt_id]["payment"]
        movement = {
            "id": f"{kind}_{self.name}_{attempt_id[-12:]}_{len(payment[kind])}",
            "status": self.settles,
            "amount": {"value": value, "currency": payment["amount"]["currency"]},
            "reference": reference,
        }
        payment[kind].append(movement)
        self.save()
        return movement

    def settle(self, attempt_id: str, kind: str, status: str) -> None:
        """What was pending comes to its end; or what had succeeded fails after all."""
        for movement in self.sessions[attempt_id]["payment"][kind]:
            movement["status"] = status
        self.save()

    def dispute(self, attempt_id: str, state: str, value: int) -> None:
        payment = self.sessions[attempt_id]["payment"]
        amount = {"value": value, "currency": payment["amount"]["currency"]}
        payment["dispute"] = {"id": "dsp_1", "state": state, "amount": amount, "reason": "fraudulent"}
        self.save()

    def save(self) -> None:
        """For a PSP that outlives its process."""


class Declined(Exception):
    pass


def sum_of(movements: Sequence[Json]) -> int:
    return sum(int(one["amount"]["value"]) for one in movements if one["status"] != "failed")


class SimulatedSettings(BaseModel):
    model_config = ConfigDict(extra="forbid")
    account: str


PSPS: dict[str, SimulatedPsp] = {}
DECLINES = {DECLINE: DeclineClass.SOFT, HARD: DeclineClass.HARD, FRAUD: DeclineClass.FRAUD}
_MOVEMENT = {"captures": Kind.CAPTURE, "voids": Kind.RELEASE, "refunds": Kind.REFUND}


class SimulatedConnector(Connector):
    """A connector whose PSP is an object of this process."""

    needs_return_link: bool = False  # a test may say otherwise
    name: ClassVar[str] = "simulated"
    title: ClassVar[str] = "Simulated PSP"
    settings: ClassVar[type[BaseModel]] = SimulatedSettings
    signature_headers: ClassVar[frozenset[str]] = frozenset({"x-signature", "authorization"})
    capabilities: ClassVar[Capabilities] = Capabilities(
        operations=frozenset({"capture", "cancel", "refund", "expire"}),
        payment_methods=frozenset({"card"}),
        currencies=frozenset({"EUR"}),
        capture_modes=frozenset({CaptureMode.AUTOMATIC, CaptureMode.MANUAL}),
        partial_capture=True,
        multiple_captures=True,
        partial_refund=True,
        inert_until_visited=True,
        looks_up_references=True,
        key_lives_s={"open": 86_400, "capture": 86_400, "cancel": 86_400, "refund": 86_400, "complete": 86_400},
        names_operations=True,
        completes_on_return=True,
    )

    def __init__(self, settings: SimulatedSettings) -> None:
        self.psp = PSPS[settings.account]

    def test(self) -> Conversation[Refusal | None]:
        return None
        yield

    def open_checkout(self, order: CheckoutOrder) -> Conversation[Opened | Refusal]:
        said = self.psp.script(order)
        if said == NOT_SENT:
            raise NotSent("nobody listens")
        if said == LOST:
            raise OutcomeUnknown("the request was lost")
        if said in DECLINES:
            return _declined("insufficient_funds", DECLINES[said])
        if said in REFUSALS:
            return Refusal(RefusalKind(said), "not today")
        session = self.psp.open(order)
        if said == SILENT:
            raise OutcomeUnknown("the answer was lost")
        return self._opened(session, order.attempt_id)
        yield

    def _opened(self, session: Json, attempt_id: str) -> Opened:
        expires_at = datetime.fromisoformat(session["expires_at"].replace("Z", "+00:00"))
        action = NextAction(session["url"], expires_at=expires_at) if session["status"] == "open" else None
        return Opened(session["id"], action, facts_of(session, attempt_id))

    def fetch(self, attempt: AttemptRef) -> Conversation[Sequence[Fact]]:
        self._reach()
        named = [one for one in self.psp.sessions.values() if one["id"] == attempt.psp_reference]
        if not named:
            raise ReadFailed("the PSP knows none of that name")
        return self._facts_of(named[0], attempt.attempt_id)
        yield

    def recover(self, attempt: AttemptRef) -> Conversation[Opened | Refusal | None]:
        self._reach()
        session = self.psp.sessions.get(attempt.attempt_id)
        found = self._opened(session, attempt.attempt_id) if session else None
        return found if found is None or self.psp.shows_page_again else replace(found, action=None)
        yield

    def expire(self, attempt: AttemptRef) -> Conversation[Sequence[Fact]]:
        assert "expire" in self.capabilities.operations, "what a connector does not offer is never called"
        self._reach()
        return facts_of(self.psp.expire(attempt.attempt_id), attempt.attempt_id)
        yield

    def complete(self, attempt: AttemptRef) -> Conversation[Sequence[Fact] | Refusal]:
        self._reach()
        session = self.psp.sessions[attempt.attempt_id]
        self.psp.operated.append(f"{attempt.attempt_id}-complete")
        if self.psp.completion == DECLINE:
            return _declined("insufficient_funds")
        if self.psp.completion == LOST:
            raise OutcomeUnknown("the request was lost")
        if session["status"] == "approved":
            self.psp.pay(attempt.attempt_id, late=True)
        if self.psp.completion == SILENT:
            raise OutcomeUnknown("the answer was lost")
        return facts_of(session, attempt.attempt_id)
        yield

    def _reach(self) -> None:
        if not self.psp.can_read:
            raise ReadFailed("the PSP can not be asked")

    def capture(self, order: MoneyOrder) -> Conversation[Sequence[Fact] | Refusal]:
        return (yield from self._operate("captures", order))

    def cancel(self, order: MoneyOrder) -> Conversation[Sequence[Fact] | Refusal]:
        return (yield from self._operate("voids", order))

    def refund(self, order: MoneyOrder) -> Conversation[Sequence[Fact] | Refusal]:
        return (yield from self._operate("refunds", order))

    def _operate(self, kind: str, order: MoneyOrder) -> Conversation[Sequence[Fact] | Refusal]:
        said = self.psp.plan(kind, order)
        if said == NOT_SENT:
            raise NotSent("nobody listens")
        if said == LOST:
            raise OutcomeUnknown("the request was lost")
        if said in DECLINES:
            return _declined("refused", DECLINES[said])
        try:
            movement = self.psp.operate(kind, order)
        except Declined as why:
            return _declined(str(why))
        if said == SILENT:
            raise OutcomeUnknown("the answer was lost")
        return (movement_of(movement, _MOVEMENT[kind], order.attempt.attempt_id),)
        yield

    def verify(self, delivery: Delivery) -> Conversation[None]:
        return None
        yield

    def webhook_setup(self, url: str) -> WebhookSetup:
        return WebhookSetup(url, (), "nowhere: it is an object of this process")

    def read(self, delivery: Delivery) -> Sequence[Fact | AskPsp]:
        attempt_id = delivery.body.decode()
        return self._facts_of(self.psp.sessions[attempt_id], attempt_id)

    def _facts_of(self, session: Json, attempt_id: str) -> tuple[Fact, ...]:
        """A PSP that does not name operations shows their movements without our ids."""
        facts = facts_of(session, attempt_id)
        named = self.capabilities.names_operations
        return facts if named else tuple(replace(fact, operation_id=None) for fact in facts)


def _declined(code: str, cls: DeclineClass = DeclineClass.SOFT) -> Refusal:
    return Refusal(RefusalKind.DECLINED, code, Decline(cls, "declined", code))
