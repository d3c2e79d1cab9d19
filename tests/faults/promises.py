"""The six promises, looked after from the banks' own books and from what was said to anybody.

Nothing here asks the product's fold what is true: what a payment should come to is summed from the banks' sessions. The
product's own sums are compared with that once everything is at rest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from chalicelib.domain.facts import Kind, join
from chalicelib.domain.fold import Folded, fold
from chalicelib.domain.ids import payment_id_in
from chalicelib.domain.operation import Operation, OperationKind, OperationStatus, Origin
from chalicelib.domain.payment import ACCEPT, Attempt, Closure, Payment, Status
from chalicelib.services.turns import Answer, Rendered
from tests.faults.bank import PAYABLE, Bank, Mail
from tests.faults.books import books_of, status_by
from tests.faults.recount import miscounted
from tests.psp import Json

if TYPE_CHECKING:
    from tests.faults.machine import Machine

PAGE = re.compile(r"https://psp-\d\.example/pay/(att_[a-z2-7]{24}_\d\d)")
_GIVEN_UP = (Closure.SEALED, Closure.SUPERSEDED)
_MOVEMENTS = {
    OperationKind.CAPTURE: "captures",
    OperationKind.CANCELLATION: "voids",
    OperationKind.REFUND: "refunds",
}
_TAKES = (Kind.AUTHORIZATION, Kind.CAPTURE)
_UNSETTLED = (OperationStatus.PENDING, OperationStatus.UNKNOWN)


class Promises:
    """`wrongs` are what was broken, in words; `check` raises them."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.wrongs: list[str] = []
        self.asked: dict[tuple[str, str], Callable[[Any], Answer]] = {}
        self.released: set[str] = set()  # attempts whose page somebody was shown
        self._final: dict[tuple[str, str], Rendered] = {}
        self._taken: list[Mail] = []

    def check(self) -> None:
        wrongs = self.wrongs + [wrong for bank in self._machine.banks.values() for wrong in bank.wrongs]
        assert not wrongs, "; ".join(wrongs)
        self._one_page_to_pay_on()

    # As it happens

    def shown(self, text: str) -> None:
        """Anything that left PaymentServer: no sealed page may be in it."""
        for attempt_id in PAGE.findall(text):
            if attempt_id not in self.released:
                self.released.add(attempt_id)
            if self._closure(attempt_id) is Closure.SEALED:
                self.wrongs.append(f"the sealed page of {attempt_id} was shown")

    def answered(self, key: tuple[str, str], answer: Answer) -> None:
        rendered = answer.rendered
        self.shown(rendered.body)
        known = self._final.get(key)
        if known is not None and known != rendered:
            self.wrongs.append(f"the answer to {key} changed from {known} to {rendered}")
        if rendered.status != 202:
            self._final[key] = rendered

    def acknowledged(self, mail: Mail) -> None:
        self._taken.append(mail)

    def committed(self, before: Payment | None, after: Payment) -> None:
        """Every version of a payment that was written."""
        folded = fold(after)
        self.wrongs += [f"{after.id}: {wrong}" for wrong in _in_itself(after, folded)]
        if before is not None:
            self.wrongs += [f"{after.id}: {wrong}" for wrong in _taken_back(before, after)]
        if after.sequence != (before.sequence if before is not None else 0):
            self.wrongs += [f"{after.id}: {wrong}" for wrong in miscounted(after, folded)]
        known = len(before.attempts) if before is not None else 0
        for number in range(known, len(after.attempts)):
            self.wrongs += [f"{after.id}: {wrong}" for wrong in self._not_over(after, number)]
        for attempt in after.attempts:
            if attempt.closed is Closure.SEALED:
                self.wrongs += [
                    f"{attempt.id} was sealed though {wrong}" for wrong in self._not_to_seal(after, attempt)
                ]

    def _not_over(self, payment: Payment, number: int) -> Iterator[str]:
        """Promise 1: when an attempt starts, each earlier one is over by the bank's books, or closed off."""
        for earlier in payment.attempts[:number]:
            session = self._session(earlier.id)
            if session is None or earlier.closed in _GIVEN_UP:
                continue
            if session["status"] in PAYABLE or (books_of(session).kept and "ended" not in session):
                yield f"another attempt starts although {earlier.id} is {session['status']} at the bank"

    def _not_to_seal(self, payment: Payment, attempt: Attempt) -> Iterator[str]:
        if attempt.id in self.released:
            yield "its page had been shown"
        if payment.route.unanswered != "next":
            yield "its route holds"
        if not self._machine.banks[attempt.connection_id].capabilities.inert_until_visited:
            yield "its bank mails pages to shoppers"

    def _one_page_to_pay_on(self) -> None:
        payable: dict[str, list[str]] = {}
        for bank in self._machine.banks.values():
            mails_pages = not bank.capabilities.inert_until_visited
            for attempt_id, session in bank.sessions.items():
                known = attempt_id in self.released or mails_pages
                if session["status"] in PAYABLE and known and self._closure(attempt_id) is not Closure.SUPERSEDED:
                    payable.setdefault(payment_id_in(attempt_id) or "", []).append(attempt_id)
        for attempts in payable.values():
            assert len(attempts) == 1, f"one shopper can pay on {' and on '.join(attempts)}"

    # At rest

    def at_rest(self) -> None:
        """What must be true once the banks answer, their webhooks are delivered and the schedules have run."""
        self.check()
        for payment in self._machine.store.payments.values():
            for wrong in self._unsettled(payment):
                raise AssertionError(f"{payment.id} ({payment.status}), at rest: {wrong}")
        for key, act in self.asked.items():
            if (known := self._final.get(key)) is not None:
                again = act(self._machine.world).rendered
                assert again == known, f"the answer to {key} changed from {known} to {again}"
        self._nothing_lost()

    def _unsettled(self, payment: Payment) -> Iterator[str]:
        folded = fold(payment)
        told = {one.event_id for one in self._machine.recorder.published}
        if payment.outbox or not told >= {entry.id for entry in payment.journal}:
            yield "an event was not delivered"
        if not payment.attention:
            yield from self._nothing_open(payment, folded)
            yield from self._money_agrees(payment, folded)
        for attempt in payment.attempts:
            session, can = self._session(attempt.id), self._bank_of(attempt.id)
            if session is not None and session["status"] in PAYABLE and can.capabilities.looks_up_references:
                yield f"the page of {attempt.id} is still open"

    def _nothing_open(self, payment: Payment, folded: Folded) -> Iterator[str]:
        if folded.status in (Status.CREATED, Status.UNKNOWN, Status.PENDING):
            yield "nobody knows, and nobody is asked to find out"
        for operation in payment.operations:
            if folded.operations[operation.id] in _UNSETTLED:
                yield f"{operation.kind} {operation.id} is {folded.operations[operation.id]}"
            elif operation.origin is not Origin.PSP and operation.amount is not None:
                done = self.was_done(operation)
                if done is not (folded.operations[operation.id] is OperationStatus.SUCCEEDED):
                    yield f"{operation.kind} {operation.id} {folded.operations[operation.id]}, the bank says {done}"

    def was_done(self, operation: Operation) -> bool:
        """Whether the bank made the movement that this operation of ours asked for."""
        return "succeeded" in self._said_of(operation)

    def is_under_way(self, operation: Operation) -> bool:
        """Whether the bank itself does not know yet."""
        return "pending" in self._said_of(operation)

    def _said_of(self, operation: Operation) -> set[str]:
        payment = (self._session(operation.attempt_id) or {}).get("payment") or {}
        movements = payment.get(_MOVEMENTS[operation.kind], ())
        return {one["status"] for one in movements if one["reference"] == operation.id}

    def _money_agrees(self, payment: Payment, folded: Folded) -> Iterator[str]:
        books = [books_of(session) for one in payment.attempts if (session := self._session(one.id)) is not None]
        said = folded.amounts
        summed = {
            "authorized": sum(max(one.authorized, one.captured) for one in books),
            "captured": sum(one.captured for one in books),
            "refunded": sum(one.refunded for one in books),
            "refundable": sum(max(one.captured - one.refunded - one.disputed, 0) for one in books),
            "capturable": sum(one.held for one in books),
            "charged_back": sum(one.disputed for one in books),
        }
        for name, value in summed.items():
            if getattr(said, name) != value:
                yield f"{name} is {getattr(said, name)}, by the banks' books {value}"
        kept, may_stay = sum(one.kept for one in books), payment.order.amount.value + _let_stay(payment)
        if kept > may_stay:
            yield f"{kept} of the shopper's money was kept, {may_stay} was asked or let stay by an operator"
        wanted = status_by(books)
        if wanted is not None and folded.status is not wanted:
            yield f"the status should be {wanted}"

    def _nothing_lost(self) -> None:
        """Promise 2: what an acknowledged webhook told is in its payment."""
        for mail in self._taken:
            bank = self._machine.banks[mail.bank]
            session = json.loads(mail.body)
            payment = self._machine.store.payments.get(payment_id_in(session["reference"]) or "")
            assert payment is not None, f"a webhook of {session['reference']} was taken for a payment that is not there"
            told = bank.facts_in(session)
            assert join(payment.facts, told) == payment.facts, f"a webhook of {session['reference']} was lost"

    def _bank_of(self, attempt_id: str) -> Bank:
        payment = self._machine.store.payments[payment_id_in(attempt_id) or ""]
        attempt = payment.attempt(attempt_id)
        assert attempt is not None, "attempts are never taken away"
        return self._machine.banks[attempt.connection_id]

    def _session(self, attempt_id: str) -> Json | None:
        found = (bank.sessions.get(attempt_id) for bank in self._machine.banks.values())
        return next((one for one in found if one is not None), None)

    def _closure(self, attempt_id: str) -> Closure | None:
        payment = self._machine.store.payments.get(payment_id_in(attempt_id) or "")
        attempt = payment.attempt(attempt_id) if payment is not None else None
        return attempt.closed if attempt is not None else None


def _let_stay(payment: Payment) -> int:
    """What operators let stay beyond what was asked: of the money they saw, and of nothing that came after."""
    asked = payment.order.amount.value
    words = [one for one in payment.resolutions if one.outcome == ACCEPT]
    taken = ((value - asked for kind, _, value, _ in one.accepted if kind in _TAKES) for one in words)
    return sum(max((0, *excess)) for excess in taken) + sum(one.surplus for one in words)


def _in_itself(payment: Payment, folded: Folded) -> Iterator[str]:
    sequences = [entry.sequence for entry in payment.journal]
    if sequences != list(range(1, payment.sequence + 1))[-len(sequences) :] or (payment.sequence and not sequences):
        yield f"its events are numbered {sequences}"
    if folded.status is not payment.status:
        yield f"it says {payment.status} and folds to {folded.status}"
    if any(type(value) is not int or value < 0 for value in folded.amounts):
        yield f"its amounts are {folded.amounts}"
    ids = [one.id for one in payment.operations]
    if len(ids) != len(set(ids)):
        yield "an operation is there twice"
    if (payment.due_at is None) != (not _has_work(payment)):
        yield f"it is due at {payment.due_at}"
    for attempt in payment.attempts:
        yield from _over_reserved(payment, folded, attempt.id)


def _has_work(payment: Payment) -> bool:
    asks = [one.ask_at for one in (*payment.attempts, *payment.operations)]
    return bool(payment.outbox or payment.unaudited or any(asks))


def _over_reserved(payment: Payment, folded: Folded, attempt_id: str) -> Iterator[str]:
    """Promise 4: what we asked for and has not failed never exceeds what there was to take."""
    standing = folded.standings[attempt_id]
    ours = [
        one
        for one in payment.operations
        if one.attempt_id == attempt_id
        and one.origin is not Origin.PSP
        and one.amount is not None
        and folded.operations[one.id] is not OperationStatus.FAILED
    ]
    refunds = sum(one.amount.value for one in ours if one.kind is OperationKind.REFUND and one.amount)
    takes = sum(one.amount.value for one in ours if one.kind is not OperationKind.REFUND and one.amount)
    if refunds > standing.captured:
        yield f"{refunds} of {attempt_id} are refunded or on their way, {standing.captured} were captured"
    if takes > standing.authorized:
        yield f"{takes} of {attempt_id} are captured, void or on their way, {standing.authorized} were authorized"


def _taken_back(before: Payment, after: Payment) -> Iterator[str]:
    """What is known only grows."""
    if join(after.facts, before.facts) != after.facts:
        yield "a fact was taken back"
    if after.sequence < before.sequence or len(after.attempts) < len(before.attempts):
        yield "its past became shorter"
    for was, now in zip(before.attempts, after.attempts, strict=False):
        if (
            was.closed not in (None, Closure.LAPSED, now.closed)
            or (was.psp_reference or now.psp_reference) != now.psp_reference
        ):
            yield f"{was.id} was {was.closed}, {was.psp_reference} and is {now.closed}, {now.psp_reference}"
    claims = [(before.claim, after.claim)]
    claims += [(was.claim, now.claim) for was, now in zip(before.retries, after.retries, strict=False)]
    for was_claim, now_claim in claims:
        if was_claim.answer_body is not None and was_claim != now_claim:
            yield "a final answer changed"
