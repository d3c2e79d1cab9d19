"""A PaymentServer in the test's own process: real services, real stores, and PSPs that do as they are told.

The PSPs here are simulated because a test decides when they fall silent, repeat themselves or lie; everything else is the
product's own code.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel

from chalicelib.api.problem import problem
from chalicelib.contracts.conversation import Conversation
from chalicelib.contracts.publisher import Publication, Receipt, Target
from chalicelib.contracts.queue import Topic
from chalicelib.contracts.store import NEW, Store
from chalicelib.contracts.vault import Use
from chalicelib.domain.configuration import Connection, Route, RouteVersion, Subscription
from chalicelib.domain.fold import Folded
from chalicelib.domain.money import Money
from chalicelib.domain.operation import Operation, OperationKind, OperationStatus
from chalicelib.domain.order import Order
from chalicelib.domain.payment import Payment
from chalicelib.domain.view import operation_view, view_of
from chalicelib.outbound.driver import Deadline
from chalicelib.queues.embedded import EmbeddedQueue
from chalicelib.services.apply import Apply
from chalicelib.services.attend import Attend
from chalicelib.services.audit import Actor
from chalicelib.services.checkout import Checkout
from chalicelib.services.configuration import Configuration
from chalicelib.services.health import Health
from chalicelib.services.intake import Intake
from chalicelib.services.kinds import CONNECTION, PAYMENT, ROUTE, ROUTE_VERSION, SUBSCRIPTION, route_key
from chalicelib.services.notify import Notify
from chalicelib.services.operate import Keyed, Operate
from chalicelib.services.ports import Ports
from chalicelib.services.reserve import Wanted
from chalicelib.services.resolve import Resolve, Said
from chalicelib.services.retry import Retrying
from chalicelib.services.sweep import Sweep
from chalicelib.services.try_chain import TryChain
from chalicelib.services.turns import Answer, Rendered, Verdict
from chalicelib.services.work import Work
from chalicelib.storage.memory import MemoryStore
from tests.builders import NOW
from tests.psp import PSPS, SimulatedConnector, SimulatedPsp


class HandClock:
    def __init__(self, at: datetime = NOW) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def forward(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class PlainVault:
    """Seals by writing the context in front: enough to see that contexts are kept apart."""

    def seal(self, secret: str, *, context: str, use: Use = Use.CREDENTIALS) -> str:
        return f"{context}|{secret}"

    def open(self, token: str, *, context: str) -> str:
        assert token.startswith(f"{context}|")
        return token.removeprefix(f"{context}|")

    def is_current(self, token: str, *, use: Use = Use.CREDENTIALS) -> bool:
        return True


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
        clock: HandClock | None = None,
        recorder: Recorder | None = None,
        **ports: Any,
    ) -> None:
        """`ports` replace those that a world has by itself."""
        self.clock, self.recorder = clock or HandClock(), recorder or Recorder()
        self.store: Any = store or MemoryStore()
        self.queue: Any = ports.get("queue") or EmbeddedQueue(
            str(folder / "queue.db"), clock=lambda: self.clock.at.timestamp()
        )
        self.psps = psps or {name: SimulatedPsp(name) for name in ("psp-1", "psp-2")}
        own: dict[str, Any] = {
            "store": self.store,
            "queue": self.queue,
            "vault": PlainVault(),
            "clock": self.clock,
            "driver": PlainDriver(),
            "connectors": {"simulated": SimulatedConnector},
            "publishers": {"recorder": self.recorder},
            "public_url": "https://pay.example",
            "internet_url": "https://hooks.pay.example",
            "return_key": lambda: b"k" * 32,
            "webhook_key": lambda: b"w" * 32,
        }
        self.ports = Ports(**{**own, **ports})
        for psp in self.psps.values():
            PSPS[f"{folder}/{psp.name}"] = psp
        if configure:
            self._configure(folder)
        configuration = Configuration(self.ports)
        self.configuration = configuration
        self.health = Health(self.ports)
        self.try_chain = TryChain(self.ports, configuration, self.health)
        self.checkout = Checkout(self.ports, configuration, self.try_chain)
        self.operate = Operate(self.ports, configuration)
        self.retrying = Retrying(self.ports, configuration, self.try_chain)
        self.resolve = Resolve(self.ports, configuration)
        self.intake = Intake(self.ports, configuration)
        self.apply = Apply(self.ports, configuration)
        self.attend = Attend(self.ports, configuration)
        self.notify = Notify(self.ports, configuration)
        self.work = Work(self)

    def _configure(self, folder: Path) -> None:
        for name in self.psps:
            settings = {"account": f"{folder}/{name}"}
            self._put(CONNECTION, Connection("default", name, "simulated", True, settings, {}, 1, NOW, NOW))
        for name, unanswered in (("default", "next"), ("careful", "hold")):
            document = {"name": name, "otherwise": {"use": list(self.psps)}, "unanswered": unanswered, "late": "accept"}
            self._put(ROUTE, Route("default", name, document, 1, NOW, NOW))
        self._put(SUBSCRIPTION, Subscription("default", "sub_1", "one", "recorder", {}, {}, ("*",), True, 1, NOW, NOW))

    def offer(self, psp: str, *, needs_return_link: bool = False, **capabilities: Any) -> None:
        """From now on the connector of `psp` offers something else."""
        connector: Any = self.configuration.connection("default", psp).connector
        connector.capabilities = replace(connector.capabilities, **capabilities)
        connector.needs_return_link = needs_return_link

    def late(self, policy: str) -> None:
        """From now on the routes say this of late money."""
        for name in ("default", "careful"):
            self.route(name, late=policy)

    def route(self, name: str = "default", **document: Any) -> None:
        """Changes a route: its next version has these members, too, and the one before is kept."""
        stored = self.store.get(ROUTE, route_key("default", name))
        was = stored.value
        self._put(ROUTE_VERSION, RouteVersion("default", name, was.version, was.document, was.updated_at, "a test"))
        route = replace(stored.value, document={**stored.value.document, **document}, version=stored.value.version + 1)
        self.store.put(ROUTE, route, expect=stored.version)
        self.configuration.forget()

    def _put(self, kind: Any, value: Any) -> None:
        self.store.put(kind, value, expect=NEW)

    def open(self, key: str = "a-key", fingerprint: str = "f", **order: Any) -> Answer:
        given = {
            "amount": Money(1000, "EUR"),
            "order_reference": "order-1",
            "return_url": "https://shop.example/return",
            "cancel_url": "https://shop.example/cancel",
            **order,
        }
        return self.checkout.open("default", key, fingerprint, Order(**given), render)

    def do(
        self,
        kind: OperationKind,
        payment_id: str,
        key: str,
        value: int | None = None,
        *,
        fingerprint: str = "f",
        currency: str = "EUR",
        **wanted: Any,
    ) -> Answer:
        """A capture, cancellation or refund as a merchant asks for it."""
        amount = None if value is None else Money(value, currency)
        keyed = Keyed("default", payment_id, key, f"{kind} {fingerprint}")
        return self.operate.operate(keyed, Wanted(kind, amount, **wanted), render_operation)

    def retry(
        self,
        payment_id: str,
        key: str,
        connection_id: str | None = None,
        supersede: bool = False,
        fingerprint: str = "f",
    ) -> Answer:
        keyed = Keyed("default", payment_id, key, f"retry {fingerprint}")
        return self.retrying.retry(keyed, connection_id, supersede, render)

    def say(self, payment_id: str, attempt_id: str, outcome: str, **more: Any) -> Payment:
        """What an operator found out."""
        said = Said(attempt_id, outcome, "seen at the bank", **more)
        return self.resolve.resolve("default", payment_id, said, Actor("an-operator", "studio"))

    def payment(self, payment_id: str) -> Payment:
        found: Payment = self.store.get(PAYMENT, payment_id).value
        return found

    def webhook(self, psp: str, attempt_id: str) -> None:
        self.intake.take("default", psp, {}, attempt_id.encode())

    def settle(self, seconds: float = 0) -> None:
        """Moves the clock, sweeps, and works the queues empty."""
        self.clock.forward(seconds)
        Sweep(self.ports).round()
        worked = True
        while worked:
            worked = False
            for topic in Topic:
                for message in self.queue.receive(topic):
                    self.work.handle(message)
                    self.queue.done(message)
                    worked = True
            assert self.notify.rest(20), "every delivery comes to its end"


def render_operation(operation: Operation, folded: Folded) -> Rendered:
    status = 202 if folded.operations[operation.id] is OperationStatus.UNKNOWN else 201
    return Rendered(status, json.dumps(operation_view(operation, folded)))


def render(payment: Payment, folded: Folded, verdict: Verdict) -> Rendered:
    status = {Verdict.OPENED: 201, Verdict.IN_DOUBT: 202, Verdict.DECLINED: 402, Verdict.FAILED: 502}[verdict]
    if status < 300:
        return Rendered(status, json.dumps(view_of(payment, folded)))
    slug = "declined" if status == 402 else "no-psp-answered"
    return Rendered(
        status, problem(slug, status, "no", public_url="https://pay.example", instance="/", request_id="r").decode()
    )
