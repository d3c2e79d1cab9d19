"""One payment, and several calls on it at once: what each was answered, and whether the PSP's books bear it out.

The PSP here pays out whatever it is told to and keeps no limit of its own, so that only PaymentServer can keep it.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chalicelib.contracts.calls import MoneyOrder
from chalicelib.contracts.store import NEW, Kind, Stored, Version
from chalicelib.contracts.webhooks import Delivery
from chalicelib.domain.errors import Conflict, InProgress, StaleVersion
from chalicelib.domain.fold import fold
from chalicelib.domain.operation import UNSURE, OperationKind, OperationStatus
from chalicelib.domain.order import CaptureMode
from chalicelib.domain.payment import Payment
from chalicelib.services.intake import message_of
from chalicelib.services.kinds import PAYMENT
from chalicelib.services.operate import Keyed
from chalicelib.services.turns import Answer
from chalicelib.storage.memory import MemoryStore
from tests.builders import NOW
from tests.faults.scheduler import Choose, Scheduler
from tests.psp import Json, SimulatedPsp, sum_of
from tests.world import PlainDriver, World

MOODS = ("answer", "answer", "silent", "lost", "not_sent", "decline")
GATED = ("get", "put", "find")
CONFIGURED = ("connections", "routes", "subscriptions")  # read once and cached; they move nothing


class TrustingPsp(SimulatedPsp):
    """Does what it is told, once for a key, however much it is."""

    def operate(self, kind: str, order: MoneyOrder) -> Json:
        self.operated.append(order.operation_id)
        if order.operation_id not in self.answers:
            assert order.amount is not None, "an operation that moves money says how much"
            attempt_id = order.attempt.attempt_id
            self.answers[order.operation_id] = self.move(attempt_id, kind, order.amount.value, order.operation_id)
            rest = self.left(attempt_id, "captures")
            if kind == "captures" and order.final and rest > 0:
                self.move(attempt_id, "voids", rest, order.operation_id)
        return self.answers[order.operation_id]


class ObjectStore(MemoryStore):
    """Keeps payments as they are, which are never changed: turning them into documents would be most of a race."""

    def __init__(self) -> None:
        super().__init__()
        self.payments: dict[str, Stored[Any]] = {}

    def get(self, kind: Kind[Any], id: str) -> Stored[Any]:
        return self.payments[id] if kind is PAYMENT else super().get(kind, id)

    def put(self, kind: Kind[Any], value: Any, *, expect: Version) -> Version:
        if kind is not PAYMENT:
            return super().put(kind, value, expect=expect)
        known = self.payments.get(value.id)
        if (NEW if known is None else known.version) != expect:
            raise StaleVersion("somebody else was first")
        self.payments[value.id] = Stored(value, Version(expect + 1))
        return Version(expect + 1)


class Unqueued:
    """A queue that keeps nothing: here the due index alone brings work, as after a crash."""

    def send(self, topic: object, body: bytes, *, delay_s: float = 0) -> None: ...

    def send_all(self, topic: object, bodies: object, *, delay_s: float = 0) -> None: ...


@dataclass(frozen=True)
class Call:
    """One racer; `twin` calls share a key and a body."""

    name: str
    kind: OperationKind | None = None
    value: int | None = None
    final: bool = False
    twin: bool = False

    def key(self, number: int) -> str:
        return f"{self.name}-twin" if self.twin else f"{self.name}-{number}"


REFUND, CAPTURE, CANCEL = OperationKind.REFUND, OperationKind.CAPTURE, OperationKind.CANCELLATION
CALLS = {
    one.name: one
    for one in (
        Call("refund 600", REFUND, 600),
        Call("refund 500", REFUND, 500),
        Call("refund all", REFUND),
        Call("refund twin", REFUND, 600, twin=True),
        Call("capture 600", CAPTURE, 600),
        Call("capture 400", CAPTURE, 400),
        Call("capture 300, the last", CAPTURE, 300, final=True),
        Call("capture all", CAPTURE),
        Call("cancel", CANCEL),
        Call("webhook"),
        Call("sync"),
    )
}
_REFUNDS = ("refund 600", "refund 500", "refund all", "refund twin")
_HOLDS = ("capture 600", "capture 400", "capture 300, the last", "capture all", "cancel")

# stage: (how it is captured, what is captured before the race, who may race)
STAGES: dict[str, tuple[CaptureMode, int, tuple[str, ...]]] = {
    "paid": (CaptureMode.AUTOMATIC, 0, (*_REFUNDS, "webhook", "sync")),
    "held": (CaptureMode.MANUAL, 0, (*_HOLDS, "webhook", "sync")),
    "partly captured": (CaptureMode.MANUAL, 600, (*_REFUNDS[:3], *_HOLDS[1:], "webhook", "sync")),
}


class Race:
    """A payment at a stage, which each `run` begins from anew."""

    def __init__(self, folder: Path, stage: str) -> None:
        self.scheduler = Scheduler()
        self.psp = TrustingPsp("psp-1")
        self.world = World(folder, ObjectStore(), psps={"psp-1": self.psp})
        capture, captured, self.names = STAGES[stage]
        self.payment_id = self.world.open(capture=capture).payment.id
        self.attempt_id = self.world.payment(self.payment_id).attempts[0].id
        self.psp.pay(self.attempt_id)
        self.world.attend.sync(self.payment_id)
        if captured:
            self.world.do(CAPTURE, self.payment_id, "before", captured)
        self._gate()
        self._payments = dict(self.world.store.payments)
        self._books = json.dumps([self.psp.sessions, self.psp.answers])

    def _gate(self) -> None:
        """From here on whoever reads or writes the payment, or calls the PSP, waits for its turn."""
        store, ports = self.world.store, self.world.ports
        for name in GATED:
            setattr(store, name, self._gated(getattr(store, name)))
        driver = PlainDriver()
        driver.converse = self.scheduler.gated(driver.converse)  # type: ignore[method-assign]
        for port, stand_in in (("driver", driver), ("queue", Unqueued())):
            object.__setattr__(ports, port, stand_in)  # ports are frozen for the product, not for a test

    def _gated(self, call: Callable[..., Any]) -> Callable[..., Any]:
        gated = self.scheduler.gated(call)
        return lambda kind, *rest, **named: (call if kind.name in CONFIGURED else gated)(kind, *rest, **named)

    def run(self, names: Sequence[str], choose: Choose, trouble: int | None = None) -> list[Any]:
        """Races the calls by one schedule; raises AssertionError where an answer or the books are wrong. `trouble` is the
        seed of a PSP that loses requests and answers, declines, and settles later."""
        self.world.store.payments = dict(self._payments)
        self.psp.sessions, self.psp.answers = json.loads(self._books)
        self.psp.operated.clear()
        self.world.clock.at = NOW
        chance = random.Random(trouble)
        if trouble is not None:
            self.psp.plan = lambda kind, order: chance.choice(MOODS)
            self.psp.settles = chance.choice(("succeeded", "pending"))
        calls = [CALLS[name] for name in names]
        works = [lambda call=call, number=number: self._make(call, number) for number, call in enumerate(calls)]
        results = self.scheduler.run(works, choose)
        self._check_books()
        self.psp.plan, self.psp.settles = (lambda kind, order: "answer"), "succeeded"
        self._settle(chance)
        self._recover()
        self._check_books()
        self._check_payment()
        for number, (call, result) in enumerate(zip(calls, results, strict=True)):
            if call.kind is not None:
                self._check_answer(call, call.key(number), result)
        if trouble is None and any(call.kind for call in calls):
            assert any(isinstance(one, Answer) and "succeeded" in one.rendered.body for one in results), results
        return results

    def _settle(self, chance: random.Random) -> None:
        """What the PSP still had under way comes to its end; what a last capture gives back shares its fate."""
        payment = self.psp.sessions[self.attempt_id]["payment"]
        fates: dict[str, str] = {}
        for movement in (one for kind in ("captures", "voids", "refunds") for one in payment[kind]):
            if movement["status"] == "pending":
                fate = fates.setdefault(movement["reference"], chance.choice(("succeeded", "failed")))
                movement["status"] = fate

    def _recover(self) -> None:
        """The PSP answers again, and is asked until nothing is in doubt: a call's lease ends after a minute."""
        for _ in range(3):
            payment = self.world.attend.sync(self.payment_id)
            if not any(one.called in UNSURE for one in payment.operations):
                return
            self.world.clock.forward(61)

    def _make(self, call: Call, number: int) -> Any:
        if call.name == "sync":
            return self.world.attend.sync(self.payment_id)
        if call.name == "webhook":
            delivery = Delivery({}, self.attempt_id.encode(), NOW)
            return self.world.apply.message(json.loads(message_of("default", "psp-1", delivery, "verified")))
        assert call.kind is not None, "a call that is neither moves money"
        return self.world.do(call.kind, self.payment_id, call.key(number), call.value, final=call.final)

    def _check_books(self) -> None:
        """The PSP's own: nothing beyond what there was, nothing twice for one operation."""
        payment = self.psp.sessions[self.attempt_id]["payment"]
        paid, sale = payment["amount"]["value"], payment["status"] == "captured"
        captures, voids, refunds = (sum_of(payment[kind]) for kind in ("captures", "voids", "refunds"))
        assert refunds <= (paid if sale else captures), f"{refunds} refunded"
        assert captures + voids <= (0 if sale else paid), f"{captures} captured and {voids} given back of {paid}"
        for kind in ("captures", "voids", "refunds"):
            made = [one["reference"] for one in payment[kind]]
            assert len(made) == len(set(made)), f"{kind} twice for one operation"

    def _check_payment(self) -> None:
        """What PaymentServer says is what the PSP has."""
        payment: Payment = self.world.payment(self.payment_id)
        folded, books = fold(payment), self.psp.sessions[self.attempt_id]["payment"]
        captured = books["amount"]["value"] if books["status"] == "captured" else sum_of(books["captures"])
        amounts = folded.amounts
        assert (amounts.captured, amounts.refunded) == (captured, sum_of(books["refunds"]))
        assert amounts.refundable == captured - sum_of(books["refunds"])
        assert amounts.capturable == self.psp.left(self.attempt_id, "captures")
        in_doubt = [one.id for one in payment.operations if folded.operations[one.id] is OperationStatus.UNKNOWN]
        assert not in_doubt, in_doubt

    def _check_answer(self, call: Call, key: str, result: Any) -> None:
        """201 and 202 are in the books, as they said and once they are settled; 409 moved nothing."""
        if isinstance(result, InProgress) or (call.twin and isinstance(result, Conflict)):
            return  # its twin is answered; what was refused with nothing stored may be taken a moment later
        assert call.kind is not None, "only calls that move money are answered"
        moved = self._moved(key)
        if isinstance(result, Conflict):
            assert not moved, f"{call.name} was refused, and moved {moved}"
            return
        assert isinstance(result, Answer), repr(result)
        later = self.world.do(call.kind, self.payment_id, key, call.value)
        assert result.rendered.status in (201, 202), result.rendered
        assert result.rendered.status == 202 or later.rendered == result.rendered, "a final answer stays"
        payment = self.world.payment(self.payment_id)
        operation_id = json.loads(later.rendered.body)["id"]
        status, operation = fold(payment).operations[operation_id], payment.operation(operation_id)
        assert status in (OperationStatus.SUCCEEDED, OperationStatus.FAILED), status
        assert operation is not None, "what was answered is there"
        assert operation.amount is not None, "it moves money"
        wanted = [operation.amount.value] if status is OperationStatus.SUCCEEDED else []
        assert moved == wanted, f"{call.name} {status}, and moved {moved}"

    def _moved(self, key: str) -> list[int]:
        """Minor units of the movements at the PSP that are this call's own."""
        operation_id = Keyed("default", self.payment_id, key, "").operation_id
        payment = self.psp.sessions[self.attempt_id]["payment"]
        own = [one for kind in ("captures", "refunds", "voids") for one in payment[kind]]
        values = [
            one["amount"]["value"] for one in own if one["reference"] == operation_id and one["status"] != "failed"
        ]
        return values[:1] if payment["captures"] and len(values) == 2 else values  # a last capture gives the rest back
