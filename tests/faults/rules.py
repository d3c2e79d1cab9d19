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
from chalicelib.domain.operation import OperationKind, OperationStatus, Origin
from chalicelib.domain.payment import CaptureMode, Closure, Payment
from chalicelib.domain.view import view_of
from chalicelib.services.returns import come_back, return_token
from tests.faults import bank as banks
from tests.faults.bank import PAYABLE, Bank
from tests.faults.machine import ROUTES, Machine
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
    token = return_token(machine.world.ports.return_key, payment.id)
    machine.call(lambda world: come_back(world.ports, token))
    return True


def shopper(machine: Machine, chance: Random) -> object:
    """Only ever on a page that she was given."""
    found = some_session(machine, chance, PAYABLE, given=True)
    if found is None:
        return False
    bank, attempt_id = found
    act = chance.choice(("pay", "pay", "pay", "approve", "decline", "cancel", "odd"))
    if act == "pay" or (act == "odd" and chance.random() < 0.7):
        bank.pay(attempt_id, late=True)
    elif act == "odd":
        asked = bank.sessions[attempt_id]["amount"]["value"]
        bank.pay(attempt_id, more=chance.choice((-1, 1)) if asked > 1 else 1, late=True)
    elif act == "approve" and bank.capabilities.completes_on_return:
        bank.approve(attempt_id)
        bank.tell(attempt_id)
    elif act == "decline":
        bank.decline_try(attempt_id)
    else:
        bank.end(attempt_id, "cancelled")
    return True


def late_payment(machine: Machine, chance: Random) -> object:
    """It was on its way when the page was closed."""
    found = some_session(machine, chance, ("expired", "cancelled"), given=True)
    if found is None or (found[0].sessions[found[1]]["payment"] or {"status": "declined"})["status"] != "declined":
        return False
    found[0].pay(found[1], late=True, only_word=True)
    return True


def webhook(machine: Machine, chance: Random) -> object:
    """Delivered in any order, twice, or lost."""
    bank = chance.choice(list(machine.banks.values()))
    if not bank.mail:
        return False
    fate = chance.choice(("deliver", "deliver", "deliver", "twice", "drop"))
    number = chance.randrange(len(bank.mail))
    mail = bank.mail[number]
    lost = fate == "drop" and not mail.only_word
    if (lost or machine.deliver(mail)) and fate != "twice" and mail in bank.mail:
        bank.mail.remove(mail)
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


def moods(machine: Machine, chance: Random) -> object:
    bank, call = chance.choice(list(machine.banks.values())), chance.choice(("open", "money", "read"))
    mood = chance.choice((*banks.MOODS, *banks.IN_DOUBT * 2) if call != "read" else (banks.LOST, banks.ANSWER))
    if chance.random() < 0.5:
        bank.moods.pop(call, None)
    else:
        bank.moods[call] = mood
    bank.settles = chance.choice(("succeeded", "succeeded", "pending"))
    return True


def network(machine: Machine, chance: Random) -> object:
    waiting = [bank for bank in machine.banks.values() if bank.in_flight]
    return bool(waiting) and (chance.choice(waiting).arrive(), True)


def dashboard(machine: Machine, chance: Random) -> object:
    """Somebody at the PSP captures, voids or refunds by hand; she sees what is left there."""
    found = some_session(machine, chance, ("complete",))
    if found is None:
        return False
    bank, attempt_id = found
    kind = chance.choice(("captures", "voids", "refunds"))
    left = bank.left(attempt_id, kind)
    if left <= 0:
        return False
    bank.move(attempt_id, kind, left if kind == "voids" else chance.choice((left, max(left // 2, 1))))
    bank.tell(attempt_id, only_word=True)
    return True


def dispute(machine: Machine, chance: Random) -> object:
    found = some_session(machine, chance, ("complete",))
    if found is None:
        return False
    bank, attempt_id = found
    left = bank.left(attempt_id, "refunds")
    payment = bank.sessions[attempt_id]["payment"]
    known = payment.get("dispute")
    if known is None and left > 0:
        bank.dispute(attempt_id, "opened", chance.choice((left, max(left // 2, 1))))
    elif known is not None and known["state"] == "opened":
        known["state"] = chance.choice(("won", "lost"))
    else:
        return False
    bank.tell(attempt_id, only_word=True)
    return True


def movement_ends(machine: Machine, chance: Random) -> object:
    """What was pending succeeds or fails; a refund may fail after it had succeeded."""
    found = some_session(machine, chance, ("complete",))
    if found is None:
        return False
    bank, attempt_id = found
    pending = bank.pending(attempt_id)
    if pending:
        chance.choice(pending)[1]["status"] = chance.choice(("succeeded", "succeeded", "failed"))
    else:
        refunds = [one for one in bank.sessions[attempt_id]["payment"]["refunds"] if one["status"] == "succeeded"]
        if not refunds:
            return False
        chance.choice(refunds)["status"] = "failed"
    bank.tell(attempt_id, only_word=True)
    return True


def page_ends(machine: Machine, chance: Random) -> object:
    """The PSP closes a page by itself when its time is over."""
    found = some_session(machine, chance, PAYABLE)
    if found is None or found[0].sessions[found[1]]["expires_at"] > machine.clock.at.strftime("%Y-%m-%dT%H:%M:%S"):
        return False
    found[0].expire(found[1])
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


def operator(machine: Machine, chance: Random) -> object:
    """An honest one: what she says is in the bank's books."""
    waiting = [one for one in machine.store.payments.values() if one.attention]
    if not waiting:
        return False
    payment = chance.choice(waiting)
    folded = fold(payment)
    for attempt in payment.attempts:
        bank = machine.banks[attempt.connection_id]
        odd = [fact for fact in folded.anomalies if fact.attempt_id == attempt.id]
        if odd or attempt.id in payment.reviews:
            outcome = chance.choice(("accept", "refund"))
            machine.call(lambda world, attempt=attempt: world.say(payment.id, attempt.id, outcome))
            return True
        if bank.in_flight:
            continue
        session = bank.sessions.get(attempt.id)
        lapsed = attempt.closed is Closure.LAPSED or attempt.ask_at is None
        if folded.standings[attempt.id].unanswered and attempt.psp_reference is None and lapsed:
            more = {"outcome": "not_paid"} if session is None else {"outcome": "found", "psp_reference": session["id"]}
            machine.call(lambda world, attempt=attempt, more=more: world.say(payment.id, attempt.id, **more))
            return True
        for one in payment.operations:
            stuck = folded.operations[one.id] in (OperationStatus.PENDING, OperationStatus.UNKNOWN)
            if one.attempt_id != attempt.id or not stuck or one.ask_at is not None or one.origin is Origin.PSP:
                continue
            outcome = "succeeded" if machine.promises.was_done(attempt.id, one.id) else "failed"
            machine.call(
                lambda world, attempt=attempt, one=one, outcome=outcome: world.say(
                    payment.id, attempt.id, outcome, operation_id=one.id
                )
            )
            return True
    return False


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


def some_session(
    machine: Machine, chance: Random, statuses: tuple[str, ...], *, given: bool = False
) -> tuple[Bank, str] | None:
    """(bank, attempt_id) of a session that is so; `given`: whose page a shopper was shown, or mailed by the bank."""
    found = [
        (bank, attempt_id)
        for bank in machine.banks.values()
        for attempt_id, session in bank.sessions.items()
        if session["status"] in statuses
        and (not given or attempt_id in machine.promises.released or not bank.capabilities.inert_until_visited)
    ]
    return chance.choice(found) if found else None
