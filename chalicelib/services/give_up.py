"""Gives a payment up at the merchant's word: every page is closed at its PSP, or, where that can't be, superseded with the
late policy `refund`, so that money which comes all the same goes back."""

from __future__ import annotations

from dataclasses import replace

from chalicelib.domain.amend import amend
from chalicelib.domain.change import CallOutcome, Change, Closing
from chalicelib.domain.facts import Decline, DeclineClass
from chalicelib.domain.fold import Folded, fold
from chalicelib.domain.operation import Called, Operation
from chalicelib.domain.payment import REFUND, Attempt, Closure, Entry, Payment
from chalicelib.services.ask import ask
from chalicelib.services.configuration import Configuration
from chalicelib.services.execute import asked_of
from chalicelib.services.ports import Ports

_PAID = Decline(DeclineClass.HARD, "already_paid", message="The shopper has paid meanwhile; refund or void the money.")
_DOUBTFUL = Decline(
    DeclineClass.HARD, "amount_in_doubt", message="The PSP reports another amount than was asked; an operator decides."
)


def give_up(ports: Ports, configuration: Configuration, payment: Payment, operation: Operation) -> Change:
    """What closing every page came to; `operation` is the cancellation, stored as started."""
    now = ports.clock.now()
    change = Change(asked=(asked_of(operation),))
    for attempt in payment.attempts:
        if fold(payment).standings[attempt.id].ended is None:
            said = ask(ports, configuration, payment, attempt, close=True)
            change += said
            payment = amend(payment, said, now)
    folded = fold(payment)
    refused = _refusal(folded)
    if refused is not None:
        return change + Change(outcomes=(CallOutcome(operation.id, Called.REFUSED, refused),))
    closings = tuple(_closing(attempt) for attempt in payment.attempts if folded.standings[attempt.id].ended is None)
    entries = tuple(
        Entry(now, "psp_call", f"{attempt.connection_id} could not close its page; money that comes goes back.", {})
        for attempt in payment.attempts
        if folded.standings[attempt.id].live
    )
    entries = tuple(replace(one, data={"operation_id": operation.id}) for one in entries)
    done = CallOutcome(operation.id, Called.ANSWERED)
    return change + Change(closings=closings, outcomes=(done,), entries=entries)


def _refusal(folded: Folded) -> Decline | None:
    if any(standing.has_money or standing.captured for standing in folded.standings.values()):
        return _PAID
    return _DOUBTFUL if folded.anomalies else None


def _closing(attempt: Attempt) -> Closing:
    return Closing(attempt.id, Closure.SUPERSEDED, REFUND)
