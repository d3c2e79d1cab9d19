"""Checkout: creates the payment from its key, tries the chain as far as promise 1 allows, and settles on one answer.

Trips to the database, in sequence: one put before the first PSP is called, one with each outcome (which starts the next
attempt, where there is one). The first put makes the call idempotent: whoever finds the payment there is a repeat.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from chalicelib.contracts.store import NEW, Stored
from chalicelib.domain.amend import Change, amend
from chalicelib.domain.errors import InProgress, Invalid, NotFound, Pointer, StaleVersion
from chalicelib.domain.facts import Fact, Kind, State, join
from chalicelib.domain.fold import Folded, Standing, fold
from chalicelib.domain.ids import attempt_id_of, payment_id_of
from chalicelib.domain.payment import (
    ATTEMPTS_MAX,
    Attempt,
    AttemptStatus,
    Claim,
    Closure,
    Decision,
    Entry,
    Order,
    Payment,
    Status,
)
from chalicelib.outbound.driver import Deadline
from chalicelib.routing.plan import Candidate, chain_of, plan
from chalicelib.services.commit import commit, first_commit
from chalicelib.services.configuration import Configuration
from chalicelib.services.kinds import PAYMENT
from chalicelib.services.open_attempt import Tried, open_attempt, repeatable
from chalicelib.services.ports import Ports

LEASE_S = 60
SPARE_S = 8.0  # kept for the next PSP before an unanswered call is repeated


class Verdict(StrEnum):
    OPENED = "opened"
    IN_DOUBT = "in_doubt"
    DECLINED = "declined"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Rendered:
    """An answer as it is sent and stored."""

    status: int
    body: str


Render = Callable[[Payment, Folded, Verdict], Rendered]


@dataclass(frozen=True, slots=True)
class CheckoutAnswer:
    payment: Payment
    rendered: Rendered
    replayed: bool


def verdict_of(payment: Payment, folded: Folded) -> Verdict:
    """Opened when a shopper can pay or money moved; else in doubt while an attempt is; else why it failed."""
    standings = folded.standings.values()
    if folded.amounts.authorized or any(
        folded.standings[one.id].live and folded.standings[one.id].opened and one.action for one in payment.attempts
    ):
        return Verdict.OPENED
    if any(standing.live for standing in standings) or folded.status is Status.UNKNOWN:
        return Verdict.IN_DOUBT
    if any(standing.status is AttemptStatus.DECLINED for standing in standings):
        return Verdict.DECLINED
    return Verdict.FAILED


class Checkout:
    def __init__(self, ports: Ports, configuration: Configuration) -> None:
        self._ports = ports
        self._configuration = configuration

    def open(self, merchant_id: str, key: str, fingerprint: str, order: Order, render: Render) -> CheckoutAnswer:
        """Raises Invalid (another body for the key, unknown route, no eligible connection), InProgress."""
        payment_id = payment_id_of(merchant_id, key)
        try:
            decision = self._decide(merchant_id, order)
        except Invalid:
            known = self._known(payment_id)
            if known is None:
                raise
            return self._repeat(known, fingerprint, render)
        payment = self._created(payment_id, merchant_id, order, decision, fingerprint)
        try:
            stored = first_commit(self._ports, payment, NEW)
        except StaleVersion:
            return self._repeat(self._ports.store.get(PAYMENT, payment_id), fingerprint, render)
        return self._run(stored, render)

    def _decide(self, merchant_id: str, order: Order) -> Decision:
        try:
            route = self._configuration.route(merchant_id, order.route)
        except NotFound:
            detail = f"There is no route {order.route!r}; name one that is configured."
            raise Invalid(detail, (Pointer("/route", detail),)) from None
        candidates = [self._candidate(merchant_id, connection_id) for connection_id in chain_of(route)]
        decision = plan(order, route, candidates)
        if not decision.chain:
            reasons = [
                f"{candidate['connection_id']}: {candidate['reason']}" for candidate in decision.trace[0]["candidates"]
            ]
            raise Invalid(
                f"No connection of route {order.route!r} can take this payment ({'; '.join(reasons)}).",
                slug="no-eligible-connection",
            )
        return decision

    def _candidate(self, merchant_id: str, connection_id: str) -> Candidate:
        try:
            live = self._configuration.connection(merchant_id, connection_id)
        except NotFound:
            return Candidate(connection_id, usable=False, capabilities=None)
        return Candidate(connection_id, live.usable, live.connector.capabilities)

    def _created(
        self, payment_id: str, merchant_id: str, order: Order, decision: Decision, fingerprint: str
    ) -> Payment:
        now = self._ports.clock.now()
        claim = Claim(fingerprint, lease_until=now + timedelta(seconds=LEASE_S))
        payment = Payment(payment_id, merchant_id, order, decision, claim, created_at=now, updated_at=now)
        then = f", then {', '.join(decision.chain[1:])}" if len(decision.chain) > 1 else ""
        summary = f"Route {decision.name} (version {decision.version}) chose {decision.chain[0]}{then}."
        entry = Entry(now, "routing", summary, {"route": decision.name, "version": decision.version})
        return amend(payment, replace(self._start(payment, decision.chain[0], now), entries=(entry,)), now)

    def _start(self, payment: Payment, connection_id: str, now: datetime) -> Change:
        live = self._configuration.connection(payment.merchant_id, connection_id)
        attempt_id = attempt_id_of(payment.id, len(payment.attempts) + 1)
        attempt = Attempt(attempt_id, connection_id, live.connection.connector, now)
        return Change(attempts=(attempt,), facts=(Fact(attempt_id, Kind.OPEN, attempt_id, State.STARTED),))

    def _run(self, stored: Stored[Payment], render: Render) -> CheckoutAnswer:
        """Calls PSPs until there is an answer. The last attempt is stored and started."""
        deadline = Deadline(self._ports.checkout_budget_s)
        while True:
            payment = stored.value
            attempt = payment.attempts[-1]
            live = self._configuration.connection(payment.merchant_id, attempt.connection_id)
            spare_s = SPARE_S if self._hop_after(payment) else 0.0
            tried = open_attempt(self._ports, live, payment, attempt, deadline, spare_s)
            inert = live.connector.capabilities.inert_until_visited
            stored = commit(
                self._ports,
                stored,
                lambda newest, tried=tried, inert=inert: self._settled(newest, tried, inert, render),  # type: ignore[misc]
            )
            if stored.value.attempts[-1].id == attempt.id:
                return self._answer(stored.value, render, replayed=False)

    def _settled(self, payment: Payment, tried: Tried, inert: bool, render: Render) -> Payment:
        """What follows from one call, on the newest payment: the next attempt started, or the answer settled.

        Decided on the joined facts: a webhook may have told more than the answer did.
        """
        now = self._ports.clock.now()
        known = payment.attempt(tried.attempt.id)
        assert known is not None, "an attempt is stored before its PSP is called"
        attempt = replace(
            known,
            psp_reference=tried.attempt.psp_reference or known.psp_reference,
            action=tried.attempt.action or known.action,
        )
        change = Change(facts=tried.facts, attempts=(attempt,), entries=(tried.entry,))
        hop = None if tried.opened or tried.fraud else self._hop_after(payment)
        standing = _standing_after(payment, attempt, tried) if hop is not None else None
        if hop is not None and standing is not None and _may_go_on(payment, attempt, standing, tried, inert):
            change = self._onward(payment, attempt, standing, change, hop, now)
            claim = replace(payment.claim, lease_until=now + timedelta(seconds=LEASE_S))
            return replace(amend(payment, change, now), claim=claim)
        return _answered(amend(payment, change, now), render)

    def _onward(
        self, payment: Payment, attempt: Attempt, standing: Standing, change: Change, hop: str, now: datetime
    ) -> Change:
        """One put closes the earlier attempt off and starts the next one."""
        if standing.ended is None:
            attempt = replace(attempt, closed=Closure.SEALED, action=None)
            text = f"{attempt.connection_id} is sealed: its page is never shown to the shopper, and it is closed at the PSP."
            sealed = Entry(now, "psp_call", text, {"attempt_id": attempt.id, "outcome": "sealed"})
            change = replace(change, entries=(*change.entries, sealed))
        started = self._start(payment, hop, now)
        routed = Entry(now, "routing", f"The next PSP of the route is {hop}.", {"connection_id": hop})
        return Change(
            facts=change.facts + started.facts,
            attempts=(attempt, *started.attempts),
            entries=(*change.entries, routed),
        )

    def _hop_after(self, payment: Payment) -> str | None:
        """The next connection of the chain that is still usable and untried."""
        if len(payment.attempts) >= ATTEMPTS_MAX:
            return None
        tried = {attempt.connection_id for attempt in payment.attempts}
        rest = (connection_id for connection_id in payment.route.chain if connection_id not in tried)
        return next((one for one in rest if self._candidate(payment.merchant_id, one).usable), None)

    def _known(self, payment_id: str) -> Stored[Payment] | None:
        try:
            return self._ports.store.get(PAYMENT, payment_id)
        except NotFound:
            return None

    def _repeat(self, stored: Stored[Payment], fingerprint: str, render: Render) -> CheckoutAnswer:
        """The same key again: the same answer, or what the matter came to, or the same attempt resumed after a crash."""
        claim = stored.value.claim
        if claim.fingerprint != fingerprint:
            raise Invalid(
                "This Idempotency-Key was used with another body; use a new key for a new checkout.", slug="key-reused"
            )
        if claim.answer_status is not None:
            return self._answer(stored.value, render, replayed=True)
        now = self._ports.clock.now()
        if claim.lease_until is not None and claim.lease_until > now:
            raise InProgress("The first call with this Idempotency-Key is still running; ask again soon.", 1)
        if claim.lease_until is None:
            stored = commit(self._ports, stored, lambda newest: _answered(newest, render))
            return self._answer(stored.value, render, replayed=stored.value.claim.answer_status is not None)
        try:
            leased = replace(stored.value, claim=replace(claim, lease_until=now + timedelta(seconds=LEASE_S)))
            stored = first_commit(self._ports, leased, stored.version)
        except StaleVersion:
            raise InProgress("Another call with this Idempotency-Key has just resumed it; ask again soon.", 1) from None
        return self._resume(stored, render)

    def _resume(self, stored: Stored[Payment], render: Render) -> CheckoutAnswer:
        """After a crash: the same attempt with the same PSP key while the PSP surely knows that key, unless it is known
        meanwhile what became of it; otherwise the attempt counts as unanswered and is asked about."""
        payment, attempt = stored.value, stored.value.attempts[-1]
        if fold(payment).standings[attempt.id].status is AttemptStatus.STARTED:
            live = self._configuration.connection(payment.merchant_id, attempt.connection_id)
            if repeatable(live, attempt, self._ports.clock.now()):
                return self._run(stored, render)
            unanswered = Fact(attempt.id, Kind.OPEN, attempt.id, State.UNANSWERED)
            change = Change(facts=(unanswered,))
            stored = commit(self._ports, stored, lambda newest: amend(newest, change, self._ports.clock.now()))
        stored = commit(self._ports, stored, lambda newest: _answered(newest, render))
        return self._answer(stored.value, render, replayed=False)

    def _answer(self, payment: Payment, render: Render, *, replayed: bool) -> CheckoutAnswer:
        claim = payment.claim
        if claim.answer_status is not None and claim.answer_body is not None:
            return CheckoutAnswer(payment, Rendered(claim.answer_status, claim.answer_body), replayed)
        return CheckoutAnswer(payment, render(payment, fold(payment), Verdict.IN_DOUBT), replayed=False)


def _with(attempts: tuple[Attempt, ...], newer: Attempt) -> tuple[Attempt, ...]:
    return tuple(newer if attempt.id == newer.id else attempt for attempt in attempts)


def _standing_after(payment: Payment, attempt: Attempt, tried: Tried) -> Standing | None:
    """How the attempt stands with what was said now; None where it is not the newest one any more."""
    if attempt.id != payment.attempts[-1].id:
        return None
    joined = replace(payment, facts=join(payment.facts, tried.facts), attempts=_with(payment.attempts, attempt))
    return fold(joined).standings[attempt.id]


def _may_go_on(payment: Payment, attempt: Attempt, standing: Standing, tried: Tried, inert: bool) -> bool:
    """Promise 1: the attempt is over by the PSP's word or proof that nothing was sent, or it may be sealed."""
    if standing.captured or standing.held:
        return False
    if standing.ended is not None:
        return standing.ended is Status.FAILED
    untouched = attempt.action is None and standing.progress <= 1
    return tried.unanswered and untouched and inert and payment.route.unanswered == "next"


def _answered(payment: Payment, render: Render) -> Payment:
    """The payment with the answer it settled to, or with the claim given back while the matter is in doubt."""
    if payment.claim.answer_status is not None:
        return payment
    folded = fold(payment)
    verdict = verdict_of(payment, folded)
    if verdict is Verdict.IN_DOUBT:
        return (
            payment
            if payment.claim.lease_until is None
            else replace(payment, claim=replace(payment.claim, lease_until=None))
        )
    rendered = render(payment, folded, verdict)
    claim = replace(payment.claim, lease_until=None, answer_status=rendered.status, answer_body=rendered.body)
    return replace(payment, claim=claim)
