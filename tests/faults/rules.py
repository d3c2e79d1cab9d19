"""All that can happen, as a table: what it is called, how often it should, and what it does.

A rule says False where there was nothing for it to do. Rules take every choice from the machine's `chance`, so that a seed
is a whole history.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import accumulate
from random import Random

from chalicelib.contracts.queue import Topic
from chalicelib.domain.fold import fold
from chalicelib.domain.ids import payment_id_of
from chalicelib.domain.money import Money
from chalicelib.domain.operation import OperationKind
from chalicelib.domain.order import CaptureMode
from chalicelib.domain.payment import Payment
from chalicelib.domain.view import view_of
from chalicelib.services.returns import Returns, return_token
from tests.faults.machine import ROUTES, Machine
from tests.faults.outside import (
    dashboard,
    dispute,
    late_payment,
    moods,
    movement_ends,
    network,
    operator,
    page_ends,
    shopper,
    webhook,
)
from tests.faults.trouble import FAULT, KILL, MEANWHILE, Armed

PAYMENTS_MAX = 4
AMOUNTS = (1000, 1000, 999, 1)
HOUR_S, DAY_S = 3600, 86_400
JUMPS_S = (
    *(1, 5, 11, 30, 59, 61, 70) * 4,
    *(300, 900, 905) * 2,
    1800,
    1900,
    HOUR_S,
    2 * HOUR_S,
    DAY_S,
    8 * DAY_S,
    40 * DAY_S,
)
KINDS = (*(OperationKind.REFUND, OperationKind.CAPTURE) * 3, OperationKind.CANCELLATION)
Rule = Callable[[Machine, Random], object]


def open_checkout(machine: Machine, chance: Random) -> object:
    number = len({payment_id for payment_id, key in machine.promises.asked if key == "checkout"})
    if number >= PAYMENTS_MAX:
        return False
    key, route = f"key-{number}", chance.choice(sorted(ROUTES))
    amount = Money(chance.choice(AMOUNTS), "EUR")
    capture = chance.choice((CaptureMode.AUTOMATIC, CaptureMode.MANUAL))
    payment_id = payment_id_of("default", key)
    machine.ask((payment_id, "checkout"), lambda world: world.open(key, route=route, amount=amount, capture=capture))
    return True


def repeat(machine: Machine, chance: Random) -> object:
    """The shop lost an answer, or simply asks again."""
    keys = sorted(machine.promises.asked)
    if not keys:
        return False
    key = chance.choice(keys)
    machine.ask(key, machine.promises.asked[key])
    return True


def operate(machine: Machine, chance: Random) -> object:
    payment = some_payment(machine, chance)
    if payment is None:
        return False
    kind = chance.choice(KINDS)
    amount, key = payment.order.amount.value, f"op-{len(machine.promises.asked)}"
    value = chance.choice((None, amount, max(amount // 2, 1), max(amount // 3, 1), amount + 1))
    value = None if kind is OperationKind.CANCELLATION else value
    final = kind is OperationKind.CAPTURE and chance.random() < 0.3
    attempt_id = chance.choice((None, None, chance.choice(payment.attempts).id))
    machine.ask(
        (payment.id, key),
        lambda world: world.do(kind, payment.id, key, value, final=final, attempt_id=attempt_id),
    )
    return True


def retry(machine: Machine, chance: Random) -> object:
    payment = some_payment(machine, chance)
    if payment is None:
        return False
    key, supersede = f"retry-{len(machine.promises.asked)}", chance.random() < 0.4
    connection = chance.choice((None, None, *sorted(machine.banks)))
    machine.ask((payment.id, key), lambda world: world.retry(payment.id, key, connection, supersede))
    return True


def sync(machine: Machine, chance: Random) -> object:
    payment = some_payment(machine, chance)
    return payment is not None and (machine.call(lambda world: world.attend.sync(payment.id)), True)


def look(machine: Machine, chance: Random) -> object:
    """The shop reads the payment and sends the shopper where that says."""
    payment = some_payment(machine, chance)
    if payment is None:
        return False
    seen = machine.call(lambda world: world.payment(payment.id))
    if seen is not None:
        machine.promises.shown(json.dumps(view_of(seen, fold(seen))))
    return True


def come_back_from_page(machine: Machine, chance: Random) -> object:
    payment = some_payment(machine, chance)
    if payment is None:
        return False
    token = return_token(machine.world.ports.return_key(), payment.id, payment.order.return_url)
    machine.call(lambda world: Returns(world.ports).come_back(token))
    return True


def work(machine: Machine, chance: Random) -> object:
    return machine.work_one(chance.choice(tuple(Topic)))


def drain(machine: Machine, chance: Random) -> object:
    machine.drain()
    return True


def sweeper(machine: Machine, chance: Random) -> object:
    machine.call(lambda world: world.sweep.round())
    return True


def jump(machine: Machine, chance: Random) -> object:
    machine.forward(chance.choice(JUMPS_S))
    return True


def trouble(machine: Machine, chance: Random) -> object:
    kind = chance.choice((FAULT, KILL, MEANWHILE, MEANWHILE))
    machine.trouble.armed.append(Armed(kind, chance.randrange(9)))
    return True


def restart(machine: Machine, chance: Random) -> object:
    machine.restart()
    return True


def subscriber(machine: Machine, chance: Random) -> object:
    machine.deaf = not machine.deaf
    return True


RULES: dict[Rule, int] = {
    open_checkout: 6,
    repeat: 6,
    operate: 12,
    retry: 5,
    sync: 3,
    look: 6,
    come_back_from_page: 2,
    shopper: 16,
    late_payment: 2,
    webhook: 12,
    work: 8,
    drain: 4,
    sweeper: 2,
    jump: 8,
    moods: 6,
    network: 2,
    dashboard: 3,
    dispute: 1,
    movement_ends: 3,
    page_ends: 1,
    trouble: 8,
    restart: 1,
    subscriber: 1,
    operator: 2,
}
_IN_ORDER = list(RULES)
_SHARES = list(accumulate(RULES.values()))
TRIES = 30


def happen(machine: Machine, rule: Rule, chance: Random) -> bool:
    """One step: the rule, and whatever strikes meanwhile; then the promises are looked at."""
    machine.chance = chance
    machine.meanwhile = lambda: anything(machine, chance)
    did = rule(machine, chance) is not False
    machine.promises.check()
    return did


def anything(machine: Machine, chance: Random) -> str:
    """Some rule that has something to do; its name."""
    for _ in range(TRIES):
        (rule,) = chance.choices(_IN_ORDER, cum_weights=_SHARES)
        if rule(machine, chance) is not False:
            return rule.__name__
    return ""


def some_payment(machine: Machine, chance: Random) -> Payment | None:
    payments: list[Payment] = list(machine.store.payments.values())
    return chance.choice(payments) if payments else None
