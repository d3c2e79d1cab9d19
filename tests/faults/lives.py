"""Payments' lives, as those outside of PaymentServer live them: the shop calls, the shopper pays, PSPs send webhooks, an
operator decides. Each can be begun again after a crash: what was answered is not asked again, everything else is.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chalicelib.domain.errors import Conflict, InProgress
from chalicelib.domain.ids import payment_id_of
from chalicelib.domain.operation import OperationKind
from chalicelib.domain.order import CaptureMode
from chalicelib.domain.payment import Status
from chalicelib.services.turns import Answer
from tests.psp import LOST, SILENT, Json, SimulatedPsp
from tests.world import World

PAYMENT_ID = payment_id_of("default", "a-key")
CAPTURE, CANCEL, REFUND = OperationKind.CAPTURE, OperationKind.CANCELLATION, OperationKind.REFUND
PATIENCE = (0, 11, 61, 61, 301, 901, 1801)  # seconds between a shop's questions while it has no final answer


class Over(Exception):
    """The life took another turn: a PSP proved to know nothing of what a crash cut off."""


class Outside:
    """`noted` is what the shop, the PSPs and the operator remember: for each call its newest answer, (status, body)."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world, self._notes = world, folder / "notes"
        self.noted: dict[str, tuple[int, str]] = {}
        if self._notes.exists():
            for line in self._notes.read_text().splitlines():
                name, status, body = json.loads(line)
                self.noted[name] = (status, body)
        self._crashed = bool(self.noted)

    def note(self, name: str, status: int, body: str = "") -> None:
        self.noted[name] = (status, body)
        with self._notes.open("a") as notes:
            notes.write(json.dumps([name, status, body]) + "\n")

    def call(self, name: str, do: Callable[[], Answer]) -> Json:
        """The final answer: a careful shop repeats its call with the same key until it has one."""
        for seconds in PATIENCE:
            known = self.noted.get(name)
            if known is None or known[0] == 202:
                if known is not None:
                    self.world.settle(seconds)
                known = self.once_more(name, do)
            if known[0] != 202:
                return self._gone_on(known)
        raise AssertionError(f"{name} has no final answer")

    def once_more(self, name: str, do: Callable[[], Answer]) -> tuple[int, str]:
        try:
            rendered = do().rendered
        except InProgress:  # the crash left the call's lease behind
            self.world.clock.forward(61)
            rendered = do().rendered
        self.note(name, rendered.status, rendered.body)
        return self.noted[name]

    def _gone_on(self, answer: tuple[int, str]) -> Json:
        document: Json = json.loads(answer[1])
        if answer[0] != 201 or document["status"] == "failed":
            raise Over
        return document

    def open(self, **order: Any) -> str:
        """The attempt that the shopper can pay on."""
        attempt: str = self.call("open", lambda: self.world.open(**order))["attempts"][-1]["id"]
        return attempt

    def do(self, kind: OperationKind, key: str, value: int | None = None, **wanted: Any) -> Json:
        return self.call(key, lambda: self.world.do(kind, PAYMENT_ID, key, value, **wanted))

    def retry(self, key: str, **how: Any) -> str:
        attempt: str = self.call(key, lambda: self.world.retry(PAYMENT_ID, key, **how))["attempts"][-1]["id"]
        return attempt

    def resolve(self, attempt_id: str, outcome: str) -> None:
        """An operator whose word may have been taken although no answer came is told so when he repeats it."""
        if "resolve" not in self.noted:
            try:
                self.world.say(PAYMENT_ID, attempt_id, outcome)
            except Conflict:
                pass
            self.note("resolve", 200)

    def once(self, name: str, do: Callable[[], object]) -> None:
        """Something at a PSP; its books are its memory, and no kill comes between."""
        if name not in self.noted:
            do()
            self.note(name, 0)

    def psp_of(self, attempt_id: str) -> SimulatedPsp:
        """Where the page is; after a crash it may be at another PSP than without one."""
        return next(psp for psp in self.world.psps.values() if attempt_id in psp.sessions)

    def pay(self, attempt_id: str, **how: Any) -> None:
        psp = self.psp_of(attempt_id)
        session = psp.sessions[attempt_id]
        if not how.get("late") and session["payment"] is None and session["status"] != "open":
            raise Over
        self.once(f"pay {attempt_id}", lambda: psp.pay(attempt_id, **how))
        self.webhook(attempt_id, "paid")

    def wind_up(self) -> None:
        """What the PSPs still have under way comes to its end, and they say so."""
        for psp in self.world.psps.values():
            psp.can_read = True
            for attempt_id, session in psp.sessions.items():
                if session["payment"] is not None:
                    psp.settle(attempt_id, "refunds", "succeeded")
                    self.webhook(attempt_id, "wound up")

    def webhook(self, attempt_id: str, about: str) -> None:
        """The PSP sends it until it is acknowledged, and then never again; the worker does what there is to do."""
        name = f"webhook {attempt_id} {about}"
        if name not in self.noted:
            self.world.webhook(self.psp_of(attempt_id).name, attempt_id)
            self.note(name, 200)
        self.world.settle(61 if self._crashed else 0)  # what the dead worker had in hand is leased for a minute
        self._crashed = False


@dataclass(frozen=True)
class Life:
    """`ends`: the status it comes to where nothing cut it short; `net`: minor units that stay at the PSPs then. `keyed`: only
    a PSP that knows idempotency keys lets it come so far."""

    live: Callable[[Outside], None]
    ends: Status
    net: int
    keyed: bool = False


def fallback(out: Outside) -> None:
    """The first PSP falls silent and is sealed; the shopper pays at the second."""
    out.world.psps["psp-1"].script = lambda order: SILENT
    out.pay(out.open())


def doubt(out: Outside) -> None:
    """The route holds: 202, until the PSP is asked."""
    out.world.psps["psp-1"].script = lambda order: SILENT
    out.pay(out.open(route="careful"))


def refunds(out: Outside) -> None:
    """One that the PSP takes its time for, and one of all that is left."""
    attempt_id = out.open()
    out.pay(attempt_id)
    out.world.psps["psp-1"].settles = "pending"
    out.do(REFUND, "refund-1", 400)
    out.do(REFUND, "refund-2")
    out.once("settled", lambda: out.world.psps["psp-1"].settle(attempt_id, "refunds", "succeeded"))
    out.webhook(attempt_id, "refunded")


def captures(out: Outside) -> None:
    """In two parts."""
    out.pay(out.open(capture=CaptureMode.MANUAL))
    out.do(CAPTURE, "capture-1", 300)
    out.do(CAPTURE, "capture-2")


def last_capture(out: Outside) -> None:
    """A part, which gives the rest back, and a refund of some of it."""
    attempt_id = out.open(capture=CaptureMode.MANUAL)
    out.pay(attempt_id)
    out.do(CAPTURE, "capture", 300, final=True)
    out.webhook(attempt_id, "captured")
    out.do(REFUND, "refund", 100)


def void(out: Outside) -> None:
    """What is held is given back."""
    out.pay(out.open(capture=CaptureMode.MANUAL))
    out.do(CANCEL, "cancel")


def give_up(out: Outside) -> None:
    """An unpaid payment is cancelled: its page is closed at the PSP."""
    out.open()
    out.do(CANCEL, "cancel")


def paid_after_giving_up(out: Outside) -> None:
    """The page can not be closed, so the attempt is superseded; money that comes all the same goes back."""
    attempt_id = out.open()
    if f"pay {attempt_id}" not in out.noted:
        out.world.psps["psp-1"].can_read = False
    out.do(CANCEL, "cancel")
    out.world.psps["psp-1"].can_read = True
    out.pay(attempt_id, late=True)


def late(out: Outside) -> None:
    """Paid after the page expired, where the route gives late money back."""
    attempt_id = out.open(route="strict")
    out.once("expired", lambda: out.world.psps["psp-1"].expire(attempt_id))
    out.webhook(attempt_id, "expired")
    out.pay(attempt_id, late=True)


def retry(out: Outside) -> None:
    """The page is closed and the next PSP tried."""
    out.open()
    out.pay(out.retry("retry"))


def surplus(out: Outside) -> None:
    """A superseded page is paid on, and the new one too: the superseded money goes back."""
    first = out.open()
    if f"pay {first}" not in out.noted:
        out.world.psps["psp-1"].can_read = False
    second = out.retry("retry", supersede=True)
    out.pay(second)
    out.world.psps["psp-1"].can_read = True
    out.pay(first, late=True)


def unknown_refund(out: Outside) -> None:
    """Done, but the answer is lost: 202, until the PSP is asked."""
    out.pay(out.open())
    out.world.psps["psp-1"].plan = lambda kind, order: SILENT
    out.do(REFUND, "refund", 600)


def lost_refund(out: Outside) -> None:
    """The request is lost on its way the first time."""
    out.pay(out.open())
    psp = out.world.psps["psp-1"]
    psp.plan = lambda kind, order: "answer" if "refund" in out.noted else LOST
    out.do(REFUND, "refund", 600)


def accepted(out: Outside) -> None:
    """Another amount than was asked, which an operator takes as it is."""
    attempt_id = out.open()
    out.pay(attempt_id, more=1)
    out.resolve(attempt_id, "accept")


def refused(out: Outside) -> None:
    """Another amount than was asked, which an operator gives back."""
    attempt_id = out.open()
    out.pay(attempt_id, more=1)
    out.resolve(attempt_id, "refund")
    out.world.settle()


def dashboard(out: Outside) -> None:
    """Somebody refunds at the PSP, and the shop a part of what is left."""
    attempt_id = out.open()
    out.pay(attempt_id)
    out.once("moved", lambda: out.world.psps["psp-1"].move(attempt_id, "refunds", 300))
    out.webhook(attempt_id, "refunded")
    out.do(REFUND, "refund", 200)


LIVES: dict[str, Life] = {
    "fallback": Life(fallback, Status.CAPTURED, 1000),
    "doubt": Life(doubt, Status.CAPTURED, 1000),
    "refunds": Life(refunds, Status.REFUNDED, 0),
    "captures": Life(captures, Status.CAPTURED, 1000),
    "last capture": Life(last_capture, Status.PARTIALLY_REFUNDED, 200),
    "void": Life(void, Status.CANCELLED, 0),
    "give up": Life(give_up, Status.CANCELLED, 0),
    "paid after giving up": Life(paid_after_giving_up, Status.REFUNDED, 0),
    "late": Life(late, Status.REFUNDED, 0),
    "retry": Life(retry, Status.CAPTURED, 1000),
    "surplus": Life(surplus, Status.PARTIALLY_REFUNDED, 1000),
    "unknown refund": Life(unknown_refund, Status.PARTIALLY_REFUNDED, 400),
    "lost refund": Life(lost_refund, Status.PARTIALLY_REFUNDED, 400, keyed=True),
    "accepted": Life(accepted, Status.CAPTURED, 1001),
    "refused": Life(refused, Status.REFUNDED, 0),
    "dashboard": Life(dashboard, Status.PARTIALLY_REFUNDED, 500),
}
