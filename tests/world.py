"""A PaymentServer in the test's own process: real services, real stores, and PSPs that do as they are told.

The PSPs here are simulated because a test decides when they fall silent, repeat themselves or lie; everything else is the
product's own code.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from chalicelib.api.problem import problem
from chalicelib.connectors.sandbox.facts import facts_of
from chalicelib.contracts.connector import (
    Acknowledgement,
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
)
from chalicelib.contracts.publisher import Publication, Receipt, Target
from chalicelib.contracts.queue import Topic
from chalicelib.contracts.store import NEW, Store
from chalicelib.domain.configuration import Connection, Route, Subscription
from chalicelib.domain.facts import Fact
from chalicelib.domain.fold import Folded
from chalicelib.domain.money import Money
from chalicelib.domain.payment import CaptureMode, NextAction, Order, Payment
from chalicelib.domain.view import view_of
from chalicelib.outbound.driver import Deadline
from chalicelib.queues.embedded import EmbeddedQueue
from chalicelib.services.apply import Apply
from chalicelib.services.attend import Attend
from chalicelib.services.checkout import Checkout, CheckoutAnswer, Rendered, Verdict
from chalicelib.services.configuration import Configuration
from chalicelib.services.intake import Intake
from chalicelib.services.kinds import CONNECTION, ROUTE, SUBSCRIPTION
from chalicelib.services.notify import Notify
from chalicelib.services.ports import Ports
from chalicelib.services.sweep import sweep
from chalicelib.services.work import Work
from chalicelib.storage.memory import MemoryStore
from tests.builders import NOW


class HandClock:
    def __init__(self, at: datetime = NOW) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def forward(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class PlainVault:
    """Seals by writing the context in front: enough to see that contexts are kept apart."""

    def seal(self, secret: str, *, context: str) -> str:
        return f"{context}|{secret}"

    def open(self, token: str, *, context: str) -> str:
        assert token.startswith(f"{context}|")
        return token.removeprefix(f"{context}|")

    def is_current(self, token: str) -> bool:
        return True


@dataclass
class SimulatedPsp:
    """Sessions of one account, by reference. `script` decides what opening does; by default it answers."""

    name: str
    sessions: dict[str, dict[str, Any]] = field(default_factory=dict)
    opened: list[str] = field(default_factory=list)  # every call that reached it
    script: Callable[[CheckoutOrder], str] = lambda order: "answer"
    can_read: bool = True

    def open(self, order: CheckoutOrder) -> dict[str, Any]:
        self.opened.append(order.attempt_id)
        return self.sessions.setdefault(
            order.attempt_id,
            {
                "id": f"ses_{self.name}_{len(self.sessions)}",
                "reference": order.attempt_id,
                "status": "open",
                "amount": {"value": order.order.amount.value, "currency": order.order.amount.currency},
                "url": f"https://{self.name}.example/pay/{order.attempt_id}",
                "expires_at": "2026-03-01T12:30:00Z",
                "payment": None,
            },
        )

    def pay(self, attempt_id: str, *, more: int = 0) -> None:
        session = self.sessions[attempt_id]
        assert session["status"] == "open", "nobody can pay on a page that is closed"
        amount = {**session["amount"], "value": session["amount"]["value"] + more}
        session["status"] = "complete"
        session["payment"] = {"id": f"pay_{session['id']}", "status": "captured", "amount": amount}
        self.save()

    def expire(self, attempt_id: str) -> dict[str, Any]:
        session = self.sessions[attempt_id]
        if session["status"] == "open":
            session["status"] = "expired"
        self.save()
        return session

    def save(self) -> None:
        """For a PSP that outlives its process."""


class SimulatedSettings(BaseModel):
    model_config = ConfigDict(extra="forbid")
    account: str


PSPS: dict[str, SimulatedPsp] = {}


class SimulatedConnector:
    """A connector whose PSP is an object of this process."""

    name: ClassVar[str] = "simulated"
    title: ClassVar[str] = "Simulated PSP"
    settings: ClassVar[type[BaseModel]] = SimulatedSettings
    acknowledgement: ClassVar[Acknowledgement] = Acknowledgement()
    verifies_offline: ClassVar[bool] = True
    capabilities: ClassVar[Capabilities] = Capabilities(
        operations=frozenset({"expire"}),
        payment_methods=frozenset({"card"}),
        currencies=frozenset({"EUR"}),
        capture_modes=frozenset({CaptureMode.AUTOMATIC}),
        partial_capture=False,
        multiple_captures=False,
        partial_refund=False,
        inert_until_visited=True,
        looks_up_references=True,
        key_lives_s={"open": 86_400},
    )

    def __init__(self, settings: SimulatedSettings) -> None:
        self.psp = PSPS[settings.account]

    def test(self) -> Conversation[Refusal | None]:
        return None
        yield

    def open_checkout(self, order: CheckoutOrder) -> Conversation[Opened | Refusal]:
        said = self.psp.script(order)
        if said == "not_sent":
            raise NotSent("nobody listens")
        if said == "lost":
            raise OutcomeUnknown("the request was lost")
        session = self.psp.open(order)
        if said == "silent":
            raise OutcomeUnknown("the answer was lost")
        return self._opened(session, order.attempt_id)
        yield

    def _opened(self, session: dict[str, Any], attempt_id: str) -> Opened:
        expires_at = datetime.fromisoformat(session["expires_at"].replace("Z", "+00:00"))
        action = NextAction(session["url"], expires_at=expires_at) if session["status"] == "open" else None
        return Opened(session["id"], action, facts_of(session, attempt_id))

    def fetch(self, attempt: AttemptRef) -> Conversation[Sequence[Fact]]:
        self._reach()
        return facts_of(self.psp.sessions[attempt.attempt_id], attempt.attempt_id)
        yield

    def recover(self, attempt: AttemptRef) -> Conversation[Opened | Refusal | None]:
        self._reach()
        session = self.psp.sessions.get(attempt.attempt_id)
        return self._opened(session, attempt.attempt_id) if session else None
        yield

    def expire(self, attempt: AttemptRef) -> Conversation[Sequence[Fact]]:
        self._reach()
        return facts_of(self.psp.expire(attempt.attempt_id), attempt.attempt_id)
        yield

    def _reach(self) -> None:
        if not self.psp.can_read:
            raise ReadFailed("the PSP can not be asked")

    def capture(self, order: MoneyOrder) -> Conversation[Sequence[Fact] | Refusal]:
        raise AssertionError("not offered")

    cancel = capture
    refund = capture

    def verify(self, delivery: Delivery) -> Conversation[None]:
        return None
        yield

    def read(self, delivery: Delivery) -> Sequence[Fact | AskPsp]:
        attempt_id = delivery.body.decode()
        return facts_of(self.psp.sessions[attempt_id], attempt_id)


class PlainDriver:
    """Runs conversations of simulated PSPs, which never make a call."""

    def converse(self, conversation: Conversation[Any], deadline: Deadline, *, fresh: bool = False) -> Any:
        try:
            next(conversation)
        except StopIteration as stop:
            return stop.value
        raise AssertionError("a simulated PSP makes no calls")


class AnyTarget(BaseModel):
    url: str = ""


class Recorder:
    """A channel that keeps what it is given; `fails` raises for a publication."""

    channel: ClassVar[str] = "recorder"
    settings: ClassVar[type[BaseModel]] = AnyTarget
    signs: ClassVar[bool] = False

    def __init__(self) -> None:
        self.published: list[Publication] = []
        self.fails: Callable[[Publication], None] = lambda publication: None

    def publish(self, publication: Publication, target: Target) -> Receipt:
        self.fails(publication)
        self.published.append(publication)
        return Receipt(200, "")

    def close(self) -> None: ...


class World:
    """Two simulated PSPs, `psp-1` and `psp-2`, behind the route `default` and the route `careful` that holds."""

    def __init__(
        self,
        folder: Path,
        store: Store | None = None,
        *,
        psps: dict[str, SimulatedPsp] | None = None,
        configure: bool = True,
    ) -> None:
        self.clock, self.recorder = HandClock(), Recorder()
        self.store: Any = store or MemoryStore()
        self.queue = EmbeddedQueue(str(folder / "queue.db"), clock=lambda: self.clock.at.timestamp())
        self.psps = psps or {name: SimulatedPsp(name) for name in ("psp-1", "psp-2")}
        self.ports = Ports(
            store=self.store,
            queue=self.queue,
            vault=PlainVault(),
            clock=self.clock,
            driver=PlainDriver(),  # type: ignore[arg-type]
            connectors={"simulated": SimulatedConnector},  # type: ignore[dict-item]
            publishers={"recorder": self.recorder},
            public_url="https://pay.example",
            return_key=b"k" * 32,
        )
        for psp in self.psps.values():
            PSPS[f"{folder}/{psp.name}"] = psp
        if configure:
            self._configure(folder)
        configuration = Configuration(self.ports)
        self.configuration = configuration
        self.checkout = Checkout(self.ports, configuration)
        self.intake = Intake(self.ports, configuration)
        self.apply = Apply(self.ports, configuration)
        self.attend = Attend(self.ports, configuration)
        self.notify = Notify(self.ports, configuration)
        self.work = Work(self.apply, self.attend, self.notify)

    def _configure(self, folder: Path) -> None:
        for name in self.psps:
            settings = {"account": f"{folder}/{name}"}
            self._put(CONNECTION, Connection("default", name, "simulated", True, settings, {}, 1, NOW, NOW))
        for name, unanswered in (("default", "next"), ("careful", "hold")):
            document = {"name": name, "otherwise": {"use": list(self.psps)}, "unanswered": unanswered, "late": "accept"}
            self._put(ROUTE, Route("default", name, document, 1, NOW, NOW))
        self._put(SUBSCRIPTION, Subscription("default", "sub_1", "one", "recorder", {}, {}, ("*",), True, 1, NOW, NOW))

    def _put(self, kind: Any, value: Any) -> None:
        self.store.put(kind, value, expect=NEW)

    def open(self, key: str = "a-key", fingerprint: str = "f", **order: Any) -> CheckoutAnswer:
        given = {
            "amount": Money(1000, "EUR"),
            "order_reference": "order-1",
            "return_url": "https://shop.example/return",
            "cancel_url": "https://shop.example/cancel",
            **order,
        }
        return self.checkout.open("default", key, fingerprint, Order(**given), render)

    def webhook(self, psp: str, attempt_id: str) -> None:
        self.intake.take("default", psp, {}, attempt_id.encode())

    def settle(self, seconds: float = 0) -> None:
        """Moves the clock, sweeps, and works the queues empty."""
        self.clock.forward(seconds)
        sweep(self.ports)
        worked = True
        while worked:
            worked = False
            for topic in Topic:
                for message in self.queue.receive(topic):
                    self.work.handle(message)
                    self.queue.done(message)
                    worked = True


def render(payment: Payment, folded: Folded, verdict: Verdict) -> Rendered:
    status = {Verdict.OPENED: 201, Verdict.IN_DOUBT: 202, Verdict.DECLINED: 402, Verdict.FAILED: 502}[verdict]
    if status < 300:
        return Rendered(status, json.dumps(view_of(payment, folded)))
    slug = "declined" if status == 402 else "no-psp-answered"
    return Rendered(
        status, problem(slug, status, "no", public_url="https://pay.example", instance="/", request_id="r").decode()
    )
