"""Payments as far as a test needs them, and short questions about where they stand."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from chalicelib.contracts.calls import CheckoutOrder
from chalicelib.domain.amend import amend
from chalicelib.domain.change import Change
from chalicelib.domain.fold import Amounts, fold
from chalicelib.domain.operation import OperationKind
from chalicelib.domain.order import CaptureMode
from chalicelib.domain.payment import Payment, Status
from chalicelib.services.kinds import PAYMENT
from chalicelib.services.turns import Answer
from tests.builders import PAYMENT_ID
from tests.psp import DECLINE, SILENT
from tests.world import World

CAPTURE, CANCEL, REFUND = OperationKind.CAPTURE, OperationKind.CANCELLATION, OperationKind.REFUND


def pay(world: World, payment: Payment, number: int = -1, **how: Any) -> None:
    """The shopper pays on the page of an attempt, the newest by default, and its PSP says so."""
    attempt = payment.attempts[number]
    world.psps[attempt.connection_id].pay(attempt.id, **how)
    hear(world, payment, number)


def hear(world: World, payment: Payment, number: int = -1) -> None:
    """The PSP tells by webhook how an attempt stands."""
    attempt = payment.attempts[number]
    world.webhook(attempt.connection_id, attempt.id)
    world.settle()


def sold(world: World, **order: Any) -> Payment:
    """1000 captured."""
    payment = world.open(**order).payment
    pay(world, payment)
    return world.payment(payment.id)


def held(world: World, **order: Any) -> Payment:
    """1000 authorized, to be captured."""
    return sold(world, capture=CaptureMode.MANUAL, **order)


def sealed(world: World, **order: Any) -> Payment:
    """psp-1 opened a page and never said so: it is sealed, and psp-2's page is shown. psp-1 can not be reached either, so
    that a shopper who has its address could still pay there."""
    world.psps["psp-1"].script = lambda order: SILENT
    world.psps["psp-1"].can_read = False
    payment = world.open(**order).payment
    world.settle()
    return world.payment(payment.id)


def odd(world: World, more: int = 1, **order: object) -> Payment:
    """The PSP says that the shopper paid `more` than the 1000 that were asked."""
    payment = world.open(**order).payment
    pay(world, payment, more=more)
    return payment


def foreign(world: World, **order: object) -> Payment:
    """The PSP says that the shopper paid 1000 of another currency."""
    payment = world.open(**order).payment
    attempt_id = payment.attempts[0].id
    world.psps["psp-1"].pay(attempt_id)
    world.psps["psp-1"].sessions[attempt_id]["payment"]["amount"]["currency"] = "USD"
    hear(world, payment)
    return payment


def expired(world: World, **order: object) -> Payment:
    """Its page's time is over, and yet a slow way of paying brings the money."""
    payment = world.open(**order).payment
    for seconds in (901, 961, 11):
        world.settle(seconds)
    assert world.payment(payment.id).status is Status.EXPIRED
    return payment


def psp_1_does(world: World, said: str) -> None:
    world.psps["psp-1"].plan = lambda kind, order: said


def declines(world: World, *names: str, how: str = DECLINE) -> None:
    for name in names:
        world.psps[name].script = lambda order: how


def answers(world: World) -> None:
    for psp in world.psps.values():
        psp.script = lambda order: "answer"


def connections(world: World, payment: Payment) -> list[str]:
    return [one.connection_id for one in world.payment(payment.id).attempts]


def amounts(world: World, payment: Payment) -> Amounts:
    return fold(world.payment(payment.id)).amounts


def attempts(world: World, payment: Payment) -> list[str]:
    now = world.payment(payment.id)
    standings = fold(now).standings
    return [str(standings[one.id].status) for one in now.attempts]


def operations(world: World, payment: Payment) -> list[tuple[str, ...]]:
    """(kind, status, origin) of each, the oldest first."""
    now = world.payment(payment.id)
    folded = fold(now)
    return [(str(one.kind), str(folded.operations[one.id]), str(one.origin)) for one in now.operations]


def told(world: World, payment: Payment) -> list[str]:
    """The types of the payment's events, the oldest first."""
    return [entry.type for entry in world.payment(payment.id).journal]


def timeline(world: World, payment: Payment) -> str:
    return "\n".join(f"{entry.kind}: {entry.summary}" for entry in world.payment(payment.id).timeline)


def shown(answer: Answer) -> Any:
    return json.loads(answer.rendered.body)


def queue_of_operators(world: World) -> list[str]:
    """Ids of the payments that wait for an operator."""
    return [one.value.id for one in world.store.find(PAYMENT, "attention", "default").items]


def during_the_call(
    world: World, do: Callable[[CheckoutOrder], object], says: str = SILENT, name: str = "psp-1"
) -> None:
    """While the call to open at a PSP runs, something else happens to the payment; then the PSP says this."""

    def script(order: CheckoutOrder) -> str:
        do(order)
        return says

    world.psps[name].script = script


def changed(world: World, change: Change) -> None:
    """Another call commits this to the payment that `open` makes."""
    stored = world.store.get(PAYMENT, PAYMENT_ID)
    world.store.put(PAYMENT, amend(stored.value, change, world.clock.now()), expect=stored.version)
