"""What Paytrail says, as facts.

A movement is named by the stamp that we gave it, which a read, an answer and a callback have in common: the payment by its
attempt's id, a refund by its operation's. A read (GET /payments/{transactionId}) shows the payment and no refund, so that a
refund's own callback alone says how it ended and how much it was.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from chalicelib.connectors.paytrail.tables import AMOUNTS, CURRENCY, PAYMENT_STATUS, REFUND_STATUS
from chalicelib.contracts.webhooks import AskPsp
from chalicelib.domain.errors import Unreadable
from chalicelib.domain.facts import Fact, Kind, State
from chalicelib.domain.ids import payment_id_in

_CENTS = re.compile(r"0|[1-9][0-9]{0,14}")


def facts_of_payment(document: Mapping[str, Any], attempt_id: str, transaction_id: str) -> list[Fact]:
    """Of a read. One that failed may be paid after all, so a failure is the page's and never the money's. Raises ValueError,
    KeyError or TypeError for what is not the attempt's payment."""
    named = (document["transactionId"], document["stamp"], document["reference"])
    if named != (transaction_id, attempt_id, attempt_id):
        raise ValueError("the answer is about another payment")
    amount = AMOUNTS.read(document["amount"], document["currency"])
    state, reason = PAYMENT_STATUS.of(document["status"]), PAYMENT_STATUS.note(document["status"])
    if state is State.SUCCEEDED:
        return [Fact(attempt_id, Kind.CAPTURE, attempt_id, state, amount)]
    return [Fact(attempt_id, Kind.CHECKOUT, transaction_id, state, reason=reason)]


def facts_of_refund(document: Mapping[str, Any], attempt_id: str, operation_id: str) -> list[Fact]:
    """Of the answer to the call. It names no amount, so even `ok` is the word that it was taken; how much was given back is
    the callback's to say. Raises ValueError or KeyError for what is no answer."""
    status = document["status"]
    if not isinstance(document["transactionId"], str):
        raise ValueError("a refund has a transaction")
    state, reason = REFUND_STATUS.of(status), REFUND_STATUS.note(status)
    state = State.FAILED if state is State.FAILED else State.PENDING
    return [Fact(attempt_id, Kind.REFUND, operation_id, state, operation_id=operation_id, reason=reason)]


def told_by_callback(said: Mapping[str, str]) -> Sequence[Fact | AskPsp]:
    """Of a callback's parameters, verified. Nothing where the references are not ours. Raises Unreadable.

    About a payment it only says "look", by the transaction that it names where the opening was not answered: the shopper's
    redirect has the same parameters with the same signature, so whoever saw one can deliver it. A refund's callback goes from
    Paytrail to us alone, and nothing else tells how the refund ended.
    """
    stamp, attempt_id = _text(said, "stamp"), _text(said, "reference")
    payment_id = payment_id_in(attempt_id)
    if payment_id is None or payment_id != payment_id_in(stamp) or not attempt_id.startswith("att_"):
        return []
    if stamp == attempt_id:
        return [AskPsp(attempt_id, said.get("checkout-transaction-id"))]
    status, cents = _text(said, "status"), _text(said, "amount")
    if not _CENTS.fullmatch(cents):
        raise Unreadable("The callback's amount is no number of cents.")
    state, reason, amount = REFUND_STATUS.of(status), REFUND_STATUS.note(status), AMOUNTS.read(int(cents), CURRENCY)
    return [Fact(attempt_id, Kind.REFUND, stamp, state, amount, operation_id=stamp, reason=reason)]


def _text(said: Mapping[str, str], name: str) -> str:
    if f"checkout-{name}" not in said:
        raise Unreadable(f"The callback has no {name}.")
    return said[f"checkout-{name}"]
