"""Builds domain objects for tests."""

from __future__ import annotations

from datetime import UTC, datetime

from chalicelib.domain.amend import amend
from chalicelib.domain.change import Change
from chalicelib.domain.claim import Claim
from chalicelib.domain.facts import Fact, Kind, State
from chalicelib.domain.ids import attempt_id_of, payment_id_of
from chalicelib.domain.money import Money
from chalicelib.domain.order import CaptureMode, Order
from chalicelib.domain.payment import Attempt, Decision, NextAction, Payment

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PAYMENT_ID = payment_id_of("default", "a-key")


def attempt_id(number: int = 1) -> str:
    return attempt_id_of(PAYMENT_ID, number)


def money(value: int = 1000, currency: str = "EUR") -> Money:
    return Money(value, currency)


def attempt(number: int = 1, **changes: object) -> Attempt:
    made = {"id": attempt_id(number), "connection_id": f"psp-{number}", "connector": "sandbox", "started_at": NOW}
    return Attempt(**{**made, **changes})  # type: ignore[arg-type]


def fact(kind: Kind, id: str, state: State, value: int | None = None, number: int = 1, **more: object) -> Fact:
    amount = None if value is None else money(value)
    return Fact(attempt_id(number), kind, id, state, amount, **more)  # type: ignore[arg-type]


def opened(number: int = 1) -> Fact:
    return Fact(attempt_id(number), Kind.OPEN, attempt_id(number), State.OPENED)


def payment(
    attempts: int = 1, asked: int = 1000, capture: CaptureMode = CaptureMode.AUTOMATIC, currency: str = "EUR"
) -> Payment:
    """A payment with so many attempts that have been started."""
    order = Order(
        Money(asked, currency), "order-1", "https://shop.example/r", "https://shop.example/c", capture=capture
    )
    route = Decision("default", 1, tuple(f"psp-{number + 1}" for number in range(attempts)))
    bare = Payment(PAYMENT_ID, "default", order, route, Claim("f", None), NOW, NOW)
    return amend(
        bare,
        Change(
            attempts=tuple(attempt(number + 1) for number in range(attempts)),
            facts=tuple(
                Fact(attempt_id(number + 1), Kind.OPEN, attempt_id(number + 1), State.STARTED)
                for number in range(attempts)
            ),
        ),
        NOW,
    )


def page() -> NextAction:
    return NextAction("https://psp.example/pay/1")
