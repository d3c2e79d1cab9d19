"""What happens outside PaymentServer: shoppers, PSPs, their webhooks, the people who work there, and an operator who looks."""

from __future__ import annotations

from random import Random

from chalicelib.domain.fold import fold
from chalicelib.domain.late import refused_of
from chalicelib.domain.operation import OperationStatus, Origin
from chalicelib.domain.payment import Closure, Payment
from tests.faults import bank as banks
from tests.faults.bank import PAYABLE, Bank
from tests.faults.machine import Machine


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


def operator(machine: Machine, chance: Random) -> object:
    waiting = [one for one in machine.store.payments.values() if one.attention]
    return bool(waiting) and decide(machine, chance, chance.choice(waiting))


def decide(machine: Machine, chance: Random, payment: Payment) -> bool:
    """An operator sees to a payment; False where she finds nothing to say. An honest one: it is in the bank's books."""
    told = {one.attempt_id for one in payment.resolutions if one.outcome == "not_paid"}
    folded = fold(payment)
    refused = {one.attempt_id for one in refused_of(payment, folded)}
    for attempt in payment.attempts:
        bank = machine.banks[attempt.connection_id]
        odd = [fact for fact in folded.anomalies if fact.attempt_id == attempt.id]
        if odd or attempt.id in payment.reviews or attempt.id in refused:
            outcome = chance.choice(("accept", "refund"))
            machine.call(lambda world, attempt=attempt, outcome=outcome: world.say(payment.id, attempt.id, outcome))
            return True
        if bank.in_flight:
            continue
        session = bank.sessions.get(attempt.id)
        lapsed = attempt.closed is Closure.LAPSED or attempt.ask_at is None
        lost = folded.standings[attempt.id].unanswered or session is not None
        if lost and attempt.psp_reference is None and lapsed and (session is not None or attempt.id not in told):
            more = {"outcome": "not_paid"} if session is None else {"outcome": "found", "psp_reference": session["id"]}
            machine.call(lambda world, attempt=attempt, more=more: world.say(payment.id, attempt.id, **more))
            return True
        for one in payment.operations:
            stuck = folded.operations[one.id] in (OperationStatus.PENDING, OperationStatus.UNKNOWN)
            if one.attempt_id != attempt.id or not stuck or one.ask_at is not None or one.origin is Origin.PSP:
                continue
            if machine.promises.is_under_way(one):
                continue
            outcome = "succeeded" if machine.promises.was_done(one) else "failed"
            machine.call(
                lambda world, attempt=attempt, one=one, outcome=outcome: world.say(
                    payment.id, attempt.id, outcome, operation_id=one.id
                )
            )
            return True
    return False


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
