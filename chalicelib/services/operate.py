"""Captures, cancellations and refunds at a caller's word.

One conditional put decides and reserves before the PSP is called, so that calls side by side never take more than there
is; the operation's id, derived from the caller's key, is the PSP's idempotency key.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from chalicelib.contracts.store import Stored
from chalicelib.domain.amend import amend
from chalicelib.domain.change import Change
from chalicelib.domain.claim import Claim, given_back, leased, settled
from chalicelib.domain.errors import Conflict, InProgress, Invalid, NotFound, StaleVersion
from chalicelib.domain.fold import Folded, fold
from chalicelib.domain.ids import operation_id_of
from chalicelib.domain.money import Money
from chalicelib.domain.operation import NEVER_HAPPENED, UNSURE, Called, Operation, OperationKind, OperationStatus
from chalicelib.domain.payment import Attempt, Payment
from chalicelib.services.ask import ask
from chalicelib.services.commit import commit, first_commit
from chalicelib.services.configuration import Configuration
from chalicelib.services.execute import execute
from chalicelib.services.give_up import give_up
from chalicelib.services.kinds import PAYMENT
from chalicelib.services.ports import Ports
from chalicelib.services.reserve import Wanted, chosen, left_of, operation_of, refuse_odd, refuse_over, refuse_unoffered
from chalicelib.services.turns import Answer, Rendered

_TAKEN_OVER = "Another call with this Idempotency-Key has taken it over; ask again soon."

RenderOperation = Callable[[Operation, Folded], Rendered]


@dataclass(frozen=True, slots=True)
class Keyed:
    """Whose call it is: the merchant account, the payment, the Idempotency-Key and the fingerprint of the request."""

    merchant_id: str
    payment_id: str
    key: str
    fingerprint: str

    @property
    def operation_id(self) -> str:
        return operation_id_of(self.payment_id, f"key:{self.key}")


def own(ports: Ports, merchant_id: str, payment_id: str) -> Stored[Payment]:
    """Raises NotFound for a payment that is not there, or another merchant account's."""
    try:
        stored = ports.store.get(PAYMENT, payment_id)
    except NotFound:
        stored = None
    if stored is None or stored.value.merchant_id != merchant_id:
        raise NotFound("There is no such payment.")
    return stored


class Operate:
    def __init__(self, ports: Ports, configuration: Configuration) -> None:
        self._ports = ports
        self._configuration = configuration

    def operate(self, keyed: Keyed, wanted: Wanted, render: RenderOperation) -> Answer:
        """Raises NotFound, Invalid (another request for the key, a wrong currency), Conflict (over what is left, not
        offered, nothing to do), InProgress."""
        stored = own(self._ports, keyed.merchant_id, keyed.payment_id)
        if keyed.operation_id not in ids_of(stored.value):
            stored = self._asked_first(stored)
        made = False

        def reserve(newest: Payment) -> Payment:
            nonlocal made
            made = keyed.operation_id not in ids_of(newest)
            return self._reserved(newest, keyed, wanted) if made else newest

        stored = commit(self._ports, stored, reserve)
        if made:
            return self._run(stored, keyed.operation_id, render, first=True)
        return self._repeat(stored, keyed, render)

    def _asked_first(self, stored: Stored[Payment]) -> Stored[Payment]:
        """A PSP is asked before anything is done to a payment that is in doubt."""
        folded = fold(stored.value)
        doubtful = {fact.attempt_id for fact in folded.anomalies}
        doubtful |= {id_ for id_, standing in folded.standings.items() if standing.unanswered}
        doubtful |= {
            one.attempt_id for one in stored.value.operations if folded.operations[one.id] is OperationStatus.UNKNOWN
        }
        for attempt in stored.value.attempts:
            if attempt.id in doubtful:
                change = ask(self._ports, self._configuration, stored.value, attempt)
                stored = self._commit(stored, change)
        return stored

    def _commit(self, stored: Stored[Payment], change: Change) -> Stored[Payment]:
        return commit(self._ports, stored, lambda newest: amend(newest, change, self._ports.clock.now()))

    def _reserved(self, payment: Payment, keyed: Keyed, wanted: Wanted) -> Payment:
        """The payment with the operation, whose amount nobody else can take from here on."""
        folded, now = fold(payment), self._ports.clock.now()
        refuse_odd(payment, folded, wanted)
        attempt = chosen(payment, folded, wanted)
        if attempt is None and wanted.kind is OperationKind.CANCELLATION:
            operation = operation_of(
                keyed.operation_id, wanted, _to_give_up(payment, folded), None, 0, keyed.fingerprint, now
            )
            return amend(payment, Change(operations=(operation,)), now)
        currency = payment.order.amount.currency
        left = 0 if attempt is None else left_of(wanted.kind, folded, attempt.id)
        value = refuse_over(wanted, left, currency)
        assert attempt is not None, "nothing is left where there is no attempt"
        live = self._configuration.connection(payment.merchant_id, attempt.connection_id)
        refuse_unoffered(live.connector.capabilities, payment, folded, attempt, wanted, value, left)
        if attempt.psp_reference is None:
            raise Conflict("The PSP's own reference of this attempt is not known yet; ask again soon.")
        amount = Money(value, currency)
        held = folded.standings[attempt.id].held
        operation = operation_of(keyed.operation_id, wanted, attempt, amount, held, keyed.fingerprint, now)
        return amend(payment, Change(operations=(operation,)), now)

    def _run(self, stored: Stored[Payment], operation_id: str, render: RenderOperation, *, first: bool) -> Answer:
        """Calls the PSP, and settles the answer with what it said. The operation is stored and its claim held."""
        operation = stored.value.operation(operation_id)
        assert operation is not None, "it was stored before"
        lease = claim_in(stored.value, operation_id).lease_until
        if lease is None or lease <= self._ports.clock.now():
            raise InProgress(_TAKEN_OVER, 1)
        change = carry_out(self._ports, self._configuration, stored.value, operation, first=first)

        def settle(newest: Payment) -> Payment:
            now = self._ports.clock.now()
            held_by = claim_in(newest, operation_id).lease_until
            amended = amend(newest, change if held_by == lease else without_proof(change), now)
            return amended if held_by not in (lease, None) else _answered(amended, operation_id, render)

        stored = commit(self._ports, stored, settle)
        if claim_in(stored.value, operation_id).lease_until is not None:
            raise InProgress(_TAKEN_OVER, 1)
        return _answer(stored.value, operation_id, render, replayed=False)

    def _repeat(self, stored: Stored[Payment], keyed: Keyed, render: RenderOperation) -> Answer:
        """The same key again: the same answer, what the matter came to, or the same operation resumed after a crash."""
        operation = stored.value.operation(keyed.operation_id)
        claim = operation.claim if operation is not None else None
        if operation is None or claim is None or claim.fingerprint != keyed.fingerprint:
            raise Invalid(
                "This Idempotency-Key was used with another request; use a new key for a new one.", slug="key-reused"
            )
        if claim.answer_status is not None:
            return _answer(stored.value, operation.id, render, replayed=True)
        now = self._ports.clock.now()
        if claim.lease_until is not None and claim.lease_until > now:
            raise InProgress("The first call with this Idempotency-Key is still running; ask again soon.", 1)
        if claim.lease_until is not None and operation.called in UNSURE:
            try:
                held = with_claim(stored.value, operation.id, leased(claim, now))
                stored = first_commit(self._ports, held, stored.version)
            except StaleVersion:
                raise InProgress(_TAKEN_OVER, 1) from None
            return self._run(stored, operation.id, render, first=False)
        stored = commit(self._ports, stored, lambda newest: _answered(newest, operation.id, render))
        settled_now = claim_in(stored.value, operation.id).answer_status is not None
        return _answer(stored.value, operation.id, render, replayed=settled_now)


def carry_out(
    ports: Ports, configuration: Configuration, payment: Payment, operation: Operation, *, first: bool
) -> Change:
    """What carrying the operation out came to: one call at its PSP, or the closing of every page."""
    if operation.amount is None and operation.kind is OperationKind.CANCELLATION:
        return give_up(ports, configuration, payment, operation)
    return execute(ports, configuration, payment, operation, first=first)


def without_proof(change: Change) -> Change:
    """What may be kept of a call whose claim somebody else holds by now: facts, but no proof that nothing happened, since
    the other call may have done it."""
    outcomes = tuple(
        replace(one, called=Called.UNANSWERED, decline=None) if one.called in NEVER_HAPPENED else one
        for one in change.outcomes
    )
    return replace(change, outcomes=outcomes)


def ids_of(payment: Payment) -> set[str]:
    """Of operations and retries: one key makes one of either."""
    return {one.id for one in payment.operations} | {one.id for one in payment.retries}


def _to_give_up(payment: Payment, folded: Folded) -> Attempt:
    """The attempt that a cancellation of an unpaid payment is about. Raises Conflict where there is nothing to cancel."""
    if any(one.captured for one in folded.standings.values()):
        raise Conflict("The money is captured; refund it instead.")
    live = [one for one in payment.attempts if folded.standings[one.id].live]
    if not live:
        raise Conflict(f"The payment is {folded.status}; there is nothing left to cancel.")
    return live[-1]


def claim_in(payment: Payment, operation_id: str) -> Claim:
    operation = payment.operation(operation_id)
    assert operation is not None, "a call's own operation is stored"
    assert operation.claim is not None, "a call's own operation has its claim"
    return operation.claim


def with_claim(payment: Payment, operation_id: str, claim: Claim) -> Payment:
    if claim is claim_in(payment, operation_id):
        return payment
    operations = tuple(replace(one, claim=claim) if one.id == operation_id else one for one in payment.operations)
    return replace(payment, operations=operations)


def _answered(payment: Payment, operation_id: str, render: RenderOperation) -> Payment:
    """The payment with the answer the call settled to, or with its claim given back while the outcome is unknown."""
    folded, claim = fold(payment), claim_in(payment, operation_id)
    if claim.answer_status is not None:
        return payment
    if folded.operations[operation_id] is OperationStatus.UNKNOWN:
        return with_claim(payment, operation_id, given_back(claim))
    operation = payment.operation(operation_id)
    assert operation is not None, "a call's own operation is stored"
    rendered = render(operation, folded)
    return with_claim(payment, operation_id, settled(claim, rendered.status, rendered.body))


def _answer(payment: Payment, operation_id: str, render: RenderOperation, *, replayed: bool) -> Answer:
    claim = claim_in(payment, operation_id)
    if claim.answer_status is not None and claim.answer_body is not None:
        return Answer(payment, Rendered(claim.answer_status, claim.answer_body), replayed)
    operation = payment.operation(operation_id)
    assert operation is not None, "a call's own operation is stored"
    return Answer(payment, render(operation, fold(payment)), replayed=False)
