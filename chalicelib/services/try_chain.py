"""Tries the PSPs of a chain, one after the other, as far as promise 1 allows, and settles on one answer.

Trips to the database, in sequence: one put with the outcome of each call, which starts the next attempt where there is one.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from functools import partial

from chalicelib.contracts.store import Stored
from chalicelib.domain.amend import amend, amended
from chalicelib.domain.change import Change, Closing
from chalicelib.domain.claim import given_back, leased, settled
from chalicelib.domain.errors import InProgress, Invalid, NotFound, StaleVersion, StorageFault, VaultFault
from chalicelib.domain.facts import DeclineClass, Fact, Kind, State, join
from chalicelib.domain.fold import Folded, fold
from chalicelib.domain.ids import attempt_id_of
from chalicelib.domain.late import was_cancelled
from chalicelib.domain.payment import ATTEMPTS_MAX, Attempt, AttemptStatus, Closure, Considered, Entry, Payment, Status
from chalicelib.outbound.driver import Deadline
from chalicelib.routing.onward import goes_on, outcome_of
from chalicelib.routing.plan import Candidate, chain_of, ineligible
from chalicelib.services.commit import commit, first_commit
from chalicelib.services.configuration import Configuration
from chalicelib.services.health import Health
from chalicelib.services.open_attempt import Tried, open_attempt, repeatable
from chalicelib.services.ports import Ports
from chalicelib.services.returns import return_link
from chalicelib.services.turns import Answer, Render, Rendered, Turn, Verdict, verdict_of
from chalicelib.services.webhook_links import webhook_url_of

log = logging.getLogger("paymentserver.checkout")
_TAKEN_OVER = "Another call with this Idempotency-Key has taken it over; ask again soon."
SPARE_S = 8.0  # of the time that is left, kept for the next PSP; half of it where there is less
HOP_NEEDS_S = 1.0  # with less time left the next PSP is not tried: an unanswered attempt is held rather than sealed


class TryChain:
    def __init__(self, ports: Ports, configuration: Configuration, health: Health) -> None:
        self._ports = ports
        self._configuration = configuration
        self._health = health

    def candidate(self, merchant_id: str, connection_id: str, *, looks_only: bool = False) -> Candidate:
        """`looks_only`: nothing is sent there, so that a half open circuit's probe is not taken."""
        try:
            live = self._configuration.connection(merchant_id, connection_id)
        except NotFound:
            return Candidate(connection_id, usable=False, capabilities=None)
        except (VaultFault, StorageFault) as error:  # one connection's secret must not stop the others
            log.error("connection unusable", extra={"fields": {"connection_id": connection_id, "detail": error.detail}})
            return Candidate(connection_id, usable=False, capabilities=None, fault=error)
        if looks_only:
            health = self._health.states([live.connection])[live.connection.id]
        else:
            health = self._health.state(live.connection)
        return Candidate(connection_id, live.usable, live.connector.capabilities, health=health)

    def started(self, payment: Payment, connection_id: str, now: datetime) -> Change:
        """A new attempt at `connection_id`, to be stored before its PSP is called."""
        live = self._configuration.connection(payment.merchant_id, connection_id)
        attempt_id = attempt_id_of(payment.id, len(payment.attempts) + 1)
        through_us = live.connector.needs_return_link
        attempt = Attempt(
            attempt_id,
            connection_id,
            live.connection.connector,
            now,
            return_url=return_link(self._ports, payment.id, payment.order.return_url) if through_us else None,
            webhook_url=webhook_url_of(
                self._ports, live.connection, live.connector.capabilities.webhook_address, attempt_id
            ),
        )
        return Change(attempts=(attempt,), facts=(Fact(attempt_id, Kind.OPEN, attempt_id, State.STARTED),))

    def run(self, stored: Stored[Payment], turn: Turn, render: Render) -> Answer:
        """Calls PSPs until there is an answer. The turn's last attempt is stored and started, its claim held by us.

        Raises InProgress where another call has taken the claim over: then that one decides, and what became known here
        is only told.
        """
        budget_s = stored.value.route.budget_s
        budget = Deadline(min(self._ports.checkout_budget_s, budget_s or self._ports.checkout_budget_s))
        while True:
            payment = stored.value
            attempt, lease = turn.attempts(payment)[-1], turn.claim(payment).lease_until
            if lease is None or lease <= self._ports.clock.now():
                raise InProgress(_TAKEN_OVER, 1)
            live = self._configuration.connection(payment.merchant_id, attempt.connection_id)
            deadline = self._time_for_call(payment, turn, budget)
            call = partial(open_attempt, self._ports, live, payment, attempt, deadline)
            tried = self._health.watch(payment.merchant_id, attempt.connection_id, deadline.left_s(), call)
            inert = live.connector.capabilities.inert_until_visited
            held = True

            def settle(newest: Payment, tried: Tried = tried, inert: bool = inert, lease: datetime = lease) -> Payment:
                nonlocal held
                held = turn.claim(newest).lease_until == lease
                if not held:
                    return amend(newest, tried.only_told, self._ports.clock.now())
                return self._settled(newest, turn, tried, inert, render, may_hop=budget.left_s() >= HOP_NEEDS_S)

            stored = commit(self._ports, stored, settle)
            if not held and turn.claim(stored.value).answer_status is None:
                raise InProgress(_TAKEN_OVER, 1)
            if not held or turn.attempts(stored.value)[-1].id == attempt.id:
                return self.answer(stored.value, turn, render, replayed=False)

    def repeat(self, stored: Stored[Payment], turn: Turn, fingerprint: str, render: Render) -> Answer:
        """The same key again: the same answer, or what the matter came to, or the same attempt resumed after a crash.

        Raises Invalid for another body, InProgress while the first call runs.
        """
        claim = turn.claim(stored.value)
        if claim.fingerprint != fingerprint:
            raise Invalid(
                "This Idempotency-Key was used with another request; use a new key for a new one.", slug="key-reused"
            )
        if claim.answer_status is not None:
            return self.answer(stored.value, turn, render, replayed=True)
        now = self._ports.clock.now()
        if claim.lease_until is not None and claim.lease_until > now:
            raise InProgress("The first call with this Idempotency-Key is still running; ask again soon.", 1)
        if claim.lease_until is None:
            stored = commit(self._ports, stored, lambda newest: _answered(newest, turn, render))
            settled_now = turn.claim(stored.value).answer_status is not None
            return self.answer(stored.value, turn, render, replayed=settled_now)
        try:
            held = _called_again(turn.with_claim(stored.value, leased(claim, now)), turn, now)
            stored = first_commit(self._ports, held, stored.version)
        except StaleVersion:
            raise InProgress(_TAKEN_OVER, 1) from None
        return self._resume(stored, turn, render)

    def _resume(self, stored: Stored[Payment], turn: Turn, render: Render) -> Answer:
        """After a crash: the same attempt with the same PSP key while the PSP surely knows that key, unless it is known
        meanwhile what became of it; otherwise the attempt counts as unanswered and is asked about."""
        payment, attempt = stored.value, turn.attempts(stored.value)[-1]
        if fold(payment).standings[attempt.id].status is AttemptStatus.STARTED:
            live = self._configuration.connection(payment.merchant_id, attempt.connection_id)
            if repeatable(live, attempt, self._ports.clock.now()):
                return self.run(stored, turn, render)
            change = Change(facts=(Fact(attempt.id, Kind.OPEN, attempt.id, State.UNANSWERED),))
            stored = commit(self._ports, stored, lambda newest: amend(newest, change, self._ports.clock.now()))
        stored = commit(self._ports, stored, lambda newest: _answered(newest, turn, render))
        return self.answer(stored.value, turn, render, replayed=False)

    def answer(self, payment: Payment, turn: Turn, render: Render, *, replayed: bool) -> Answer:
        claim = turn.claim(payment)
        if claim.answer_status is not None and claim.answer_body is not None:
            return Answer(payment, Rendered(claim.answer_status, claim.answer_body), replayed)
        return Answer(payment, render(payment, fold(payment), Verdict.IN_DOUBT), replayed=False)

    def _time_for_call(self, payment: Payment, turn: Turn, budget: Deadline) -> Deadline:
        """All that is left, less what the PSP behind this one needs, if there is one."""
        left_s = budget.left_s()
        more = self._hop_after(payment, turn, looks_only=True) is not None
        return Deadline(left_s - (min(SPARE_S, left_s / 2) if more else 0.0))

    def _settled(
        self, payment: Payment, turn: Turn, tried: Tried, inert: bool, render: Render, *, may_hop: bool
    ) -> Payment:
        """What follows from one call, on the newest payment: the next attempt started, or the answer settled.

        Decided on the joined facts: a webhook may have told more than the answer did.
        """
        now = self._ports.clock.now()
        onward = may_hop and not tried.found and _may_go_on(payment, tried, inert)
        hop = self._hop_after(payment, turn) if onward else None
        if hop is not None:
            change = tried.change + self._onward(payment, tried, hop, now)
            return turn.with_claim(amend(payment, change, now), leased(turn.claim(payment), now))
        newer, folded = amended(payment, tried.change, now)
        return _answered(newer, turn, render, folded)

    def _onward(self, payment: Payment, tried: Tried, hop: str, now: datetime) -> Change:
        """One put closes the earlier attempt off and starts the next one."""
        attempt = payment.attempt(tried.attempt_id)
        assert attempt is not None, "an attempt is stored before its PSP is called"
        sealed = Change()
        if _folded_with(payment, tried).standings[attempt.id].ended is None:
            text = f"{attempt.connection_id} is sealed: its page is never shown to the shopper, and it is closed at the PSP."
            entry = Entry(now, "psp_call", text, {"attempt_id": attempt.id, "outcome": "sealed"})
            sealed = Change(closings=(Closing(attempt.id, Closure.SEALED),), entries=(entry,))
        routed = Entry(now, "routing", f"The next PSP of the route is {hop}.", {"connection_id": hop})
        return sealed + self.started(payment, hop, now) + Change(entries=(routed,))

    def _hop_after(self, payment: Payment, turn: Turn, *, looks_only: bool = False) -> str | None:
        """The next connection of the turn's chain that is untried in it and could take the payment now; one whose circuit is
        open only where no other is left."""
        tried = {attempt.connection_id for attempt in turn.attempts(payment)}
        if len(payment.attempts) >= ATTEMPTS_MAX or len(tried) >= payment.route.attempts_max:
            return None
        considered = (
            Considered(one.connection_id, ineligible(payment.order, one), one.health)
            for name in turn.chain(payment)
            if name not in tried and (one := self.candidate(payment.merchant_id, name, looks_only=looks_only))
        )
        return next(iter(chain_of(tuple(considered))), None)


def _called_again(payment: Payment, turn: Turn, now: datetime) -> Payment:
    """The payment with the time of a call that is about to be repeated: absence is proven only long after it."""
    last = turn.attempts(payment)[-1]
    attempts = tuple(replace(one, called_at=now) if one.id == last.id else one for one in payment.attempts)
    return replace(payment, attempts=attempts)


def _folded_with(payment: Payment, tried: Tried) -> Folded:
    """The payment as it stands with what was said now."""
    return fold(replace(payment, facts=join(payment.facts, tried.facts)))


def _may_go_on(payment: Payment, tried: Tried, inert: bool) -> bool:
    """Promise 1: the newest attempt is over by the PSP's word or proof that nothing was sent, or it may be sealed; and
    nothing known of the payment forbids another one."""
    if tried.attempt_id != payment.attempts[-1].id or was_cancelled(payment):
        return False
    folded = _folded_with(payment, tried)
    standing = folded.standings[tried.attempt_id]
    if folded.anomalies or has_moved(folded) or smells_of_fraud((*payment.facts, *tried.facts)):
        return False
    if standing.ended is not None:
        facts = join(payment.facts, tried.facts)
        return standing.ended is Status.FAILED and goes_on(outcome_of(tried.attempt_id, facts), payment.route.fallback)
    untouched = payment.attempts[-1].action is None and standing.progress <= 1
    return tried.unanswered and untouched and inert and payment.route.unanswered == "next"


def has_moved(folded: Folded) -> bool:
    """Whether there is money at any attempt, one that was sealed or superseded included: then nobody else is to be paid."""
    return any(one.captured or one.held for one in folded.standings.values())


def smells_of_fraud(facts: Iterable[Fact]) -> bool:
    """Whether any PSP ever declined for fraud, by whichever way we heard of it and whatever it said later."""
    return any(fact.decline is not None and fact.decline.cls is DeclineClass.FRAUD for fact in facts)


def _answered(payment: Payment, turn: Turn, render: Render, folded: Folded | None = None) -> Payment:
    """The payment with the answer the turn settled to, or with its claim given back while the matter is in doubt."""
    claim = turn.claim(payment)
    if claim.answer_status is not None:
        return payment
    folded = folded or fold(payment)
    verdict = verdict_of(payment, folded, turn)
    if verdict is Verdict.IN_DOUBT:
        return turn.with_claim(payment, given_back(claim))
    rendered = render(payment, folded, verdict)
    return turn.with_claim(payment, settled(claim, rendered.status, rendered.body))
