"""The connectors through which PaymentServer speaks to the machine's banks, each call as the bank's mood allows."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from chalicelib.connectors.sandbox.facts import movement_of
from chalicelib.contracts.calls import AttemptRef, CheckoutOrder, MoneyOrder, Opened, Refusal, RefusalKind
from chalicelib.contracts.connector import Capabilities
from chalicelib.contracts.conversation import Conversation, NotSent, OutcomeUnknown, ReadFailed
from chalicelib.contracts.webhooks import AskPsp, Delivery
from chalicelib.domain.facts import Decline, DeclineClass, Fact
from chalicelib.domain.order import CaptureMode
from tests.faults.bank import (
    ANSWER,
    DECLINE,
    FRAUD,
    LOST,
    MISCONFIGURED,
    MOVEMENT,
    NOT_SENT,
    SILENT,
    SLOW,
    THROTTLE,
    Bank,
)
from tests.psp import PSPS, Declined, Json, SimulatedConnector, SimulatedSettings


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
        return (movement_of(movement, MOVEMENT[kind], attempt_id),)
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
