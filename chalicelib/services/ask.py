"""Asks PSPs about attempts: on schedule, when a shopper returned, and to close pages that nobody may pay on any more.

Where a PSP takes the money only when the server says so after the return, asking is also what completes the payment.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from chalicelib import telemetry
from chalicelib.contracts.calls import AttemptRef, Opened, Refusal, RefusalKind, reference_of
from chalicelib.contracts.conversation import CallFailed, ReadFailed
from chalicelib.domain.amend import amend
from chalicelib.domain.change import Asked, Change, Closing, Ended, Found
from chalicelib.domain.errors import NotFound, PaymentServerError
from chalicelib.domain.facts import Decline, Fact, Kind, State, join
from chalicelib.domain.fold import Folded, fold
from chalicelib.domain.late import was_cancelled
from chalicelib.domain.payment import Attempt, Closure, Entry, Payment
from chalicelib.domain.telling import words_of
from chalicelib.domain.watch import Phase, ends_at, next_ask
from chalicelib.outbound.driver import Deadline
from chalicelib.services.commit import commit
from chalicelib.services.configuration import Configuration, LiveConnection
from chalicelib.services.kinds import PAYMENT
from chalicelib.services.open_attempt import repeatable, tried_of
from chalicelib.services.ports import Ports
from chalicelib.services.secrets import concealed

ABSENT_AFTER_S = 900  # "not found" proves absence only then
AFTER_END_S = 60
BUDGET_S = 20.0
log = logging.getLogger("paymentserver.ask")


def ask(
    ports: Ports, configuration: Configuration, payment: Payment, attempt: Attempt, *, close: bool = False
) -> Change:
    """What the PSP says of `attempt` now, as a change; a question that failed is one too, so that it is put off.

    `close` ends the page at the PSP, where nobody has paid on it.
    """
    now = ports.clock.now()
    try:
        live = configuration.connection(payment.merchant_id, attempt.connection_id)
        with telemetry.bind(connector=live.connector.name, payment_id=payment.id):
            return _Question(ports, live, payment, attempt, now).put(close=close)
    except (CallFailed, NotFound, PaymentServerError) as error:
        return _put_off(now, attempt, error.detail)
    except Exception as error:  # a connector's mistake must not keep other payments from being asked about
        log.exception("an attempt could not be asked about")
        return _put_off(now, attempt, type(error).__name__)


def _put_off(now: datetime, attempt: Attempt, problem: str) -> Change:
    """Nothing is known, so the attempt is unanswered where it has no reference yet. A PSP that stays out of reach is told
    of once."""
    facts = (Fact(attempt.id, Kind.OPEN, attempt.id, State.UNANSWERED),) if attempt.psp_reference is None else ()
    entries = () if attempt.unreached else (_entry(now, attempt, f"could not be asked ({problem})"),)
    return Change(facts=facts, asked=(_asked(attempt, reached=False),), entries=entries)


def _asked(attempt: Attempt, *, reached: bool = True, again_at: datetime | None = None) -> Asked:
    return Asked(attempt.id, reached, attempt.asked + attempt.unreached, again_at)


class _Question:
    """One question about one attempt."""

    def __init__(self, ports: Ports, live: LiveConnection, payment: Payment, attempt: Attempt, now: datetime) -> None:
        self._ports, self._live, self._payment, self._attempt, self._now = ports, live, payment, attempt, now
        self._deadline = Deadline(BUDGET_S)
        self._again_at: datetime | None = None  # when the same answer would prove something

    def put(self, *, close: bool) -> Change:
        said = self._read() if self._attempt.psp_reference is not None else self._recovered()
        for found in said.found:
            reference, page = self._attempt.psp_reference, self._attempt.action
            self._attempt = replace(
                self._attempt, psp_reference=found.psp_reference or reference, action=page or found.action
            )
        said += self._sealed(said.facts)
        said += self._outlived(said.facts)
        try:
            said += self._completed(said.facts, close)
            said += self._closed(said.facts, close)
        except CallFailed as error:  # what was read before still holds
            log.info("an attempt was read, and no more", extra={"fields": {"detail": error.detail}})
            return said + _put_off(self._now, self._attempt, error.detail)
        known = (*said.facts, *(fact for one in said.ended for fact in one.facts))
        told = _entry(self._now, self._attempt, f"says when asked: {words_of(known)}")
        return said + Change(asked=(_asked(self._attempt, again_at=self._again_at),), entries=(told,))

    def _sealed(self, facts: Sequence[Fact]) -> Change:
        """Closes a page off whose address is nowhere and can not be had again: nobody was ever shown it, and as nobody ever
        will be, the shopper may be sent elsewhere. Not while a call is under way, whose answer has the address."""
        attempt = self._attempt
        if attempt.closed or attempt.action or not self._live.connector.capabilities.inert_until_visited:
            return Change()
        claims = (self._payment.claim, *(one.claim for one in self._payment.retries))
        if any(one.lease_until is not None and one.lease_until > self._now for one in claims):
            return Change()
        folded = self._folded(facts)
        standing = folded.standings[attempt.id]
        odd = any(fact.attempt_id == attempt.id for fact in folded.anomalies)
        untouched = standing.opened and standing.progress <= 1 and not standing.processing and not odd
        if not (standing.live and untouched):
            return Change()
        self._attempt = replace(attempt, closed=Closure.SEALED)
        told = _entry(self._now, attempt, "is sealed: its page is there, and its address can not be had any more")
        return Change(closings=(Closing(attempt.id, Closure.SEALED),), entries=(told,))

    def _outlived(self, facts: Sequence[Fact]) -> Change:
        """Takes a page for over at the last question about it, where nobody paid, at a PSP whose pages never end and can not be
        ended. It is asked about some days more, and money that comes is late."""
        attempt = self._attempt
        last = attempt.phase == Phase.OPEN and next_ask(attempt, Phase.OPEN, attempt.asked + 1, self._now) is None
        if not last or attempt.closed or "expire" in self._live.connector.capabilities.operations:
            return Change()
        folded = self._folded(facts)
        standing = folded.standings[attempt.id]
        odd = any(fact.attempt_id == attempt.id for fact in folded.anomalies)
        if not (standing.live and standing.opened) or standing.processing or standing.approved or odd:
            return Change()
        self._attempt = replace(attempt, closed=Closure.LAPSED)
        told = _entry(
            self._now, attempt, "never ends a page: nobody paid at this one for days, and it counts as expired"
        )
        return Change(closings=(Closing(attempt.id, Closure.LAPSED),), entries=(told,))

    def _closed(self, facts: Sequence[Fact], close: bool) -> Change:
        if not self._must_close(facts, close):
            return Change()
        conversation = self._live.connector.expire(self._reference())
        facts = tuple(self._ports.driver.converse(conversation, self._deadline))
        return Change(ended=(Ended(self._attempt.id, facts, self._attempt.completing_at),))

    def _reference(self) -> AttemptRef:
        known = self._payment
        return reference_of(self._attempt, known.order, known.facts, known.operations)

    def _read(self) -> Change:
        return Change(
            facts=tuple(self._ports.driver.converse(self._live.connector.fetch(self._reference()), self._deadline))
        )

    def _recovered(self) -> Change:
        """An attempt whose opening was never answered: found at the PSP, or proven absent, or still unanswered."""
        attempt, can = self._attempt, self._live.connector.capabilities
        if not (can.looks_up_references or repeatable(self._live, attempt, self._now)):
            return self._lapsed()
        said: Opened | Refusal | None = self._ports.driver.converse(
            self._live.connector.recover(self._reference()), self._deadline
        )
        if said is None:
            self._again_at = (attempt.called_at or attempt.started_at) + timedelta(seconds=ABSENT_AFTER_S)
            if self._now >= self._again_at:
                return Change(facts=(self._absence(),))
            return self._opened_again()
        if isinstance(said, Refusal):
            said = concealed(said, self._live.secrets)
        if isinstance(said, Refusal) and said.kind is not RefusalKind.DECLINED:
            raise ReadFailed(said.detail)  # wrong credentials prove nothing about the first call
        return self._said_again(said)

    def _opened_again(self) -> Change:
        """The call was lost, as it seems: while the shopper may still be waiting, it is made again with its key."""
        attempt = self._attempt
        waiting = (self._now - attempt.started_at).total_seconds() < ABSENT_AFTER_S and attempt.closed is None
        unanswered = Fact(attempt.id, Kind.OPEN, attempt.id, State.UNANSWERED)
        wanted = waiting and self._declined() is None and not self._is_paid()
        if not wanted or not repeatable(self._live, attempt, self._now):
            return Change(facts=(unanswered,))
        again = Change(facts=(unanswered,), found=(Found(attempt.id, called_at=self._now),))
        self._again_at = self._now + timedelta(seconds=ABSENT_AFTER_S)
        order = reference_of(attempt, self._payment.order).checkout
        try:
            said = self._ports.driver.converse(self._live.connector.open_checkout(order), self._deadline)
        except CallFailed:
            return again
        if isinstance(said, Refusal) and said.kind is not RefusalKind.DECLINED:
            return again
        if isinstance(said, Refusal):
            said = concealed(said, self._live.secrets)
        return again + self._said_again(said)

    def _said_again(self, said: Opened | Refusal) -> Change:
        """What a repeat of the call proves: a page is there; a decline may be followed by the first call's page."""
        if isinstance(said, Opened):
            return tried_of(self._now, self._attempt, said).change
        fact = Fact(self._attempt.id, Kind.OPEN, self._attempt.id, State.UNANSWERED, decline=said.decline)
        told = _entry(self._now, self._attempt, f"declined when it was called again: {said.detail}")
        return Change(facts=(fact,), entries=(told,))

    def _absence(self) -> Fact:
        """The PSP knows nothing of it, and no call can be under way any more; a decline was the last word."""
        declined, attempt_id = self._declined(), self._attempt.id
        if declined is None:
            return Fact(attempt_id, Kind.OPEN, attempt_id, State.ABSENT)
        return Fact(attempt_id, Kind.OPEN, attempt_id, State.REFUSED, decline=declined, reason=RefusalKind.DECLINED)

    def _declined(self) -> Decline | None:
        """What a repeat of the opening call was declined for."""
        mine = (one for one in self._payment.facts if one.kind is Kind.OPEN and one.attempt_id == self._attempt.id)
        return next((one.decline for one in mine), None)

    def _is_paid(self) -> bool:
        return any(one.pays for one in fold(self._payment).standings.values())

    def _lapsed(self) -> Change:
        """The PSP can not be asked. When the page's time is over the attempt counts as expired; an operator is shown it."""
        unanswered = Fact(self._attempt.id, Kind.OPEN, self._attempt.id, State.UNANSWERED)
        if self._attempt.closed is not None:
            return Change(facts=(unanswered,))
        self._again_at = ends_at(self._attempt) + timedelta(seconds=AFTER_END_S)
        if self._now < self._again_at:
            return Change(facts=(unanswered,))
        return Change(facts=(unanswered,), closings=(Closing(self._attempt.id, Closure.LAPSED),))

    def _completed(self, facts: Sequence[Fact], close: bool) -> Change:
        """Takes what the shopper approved, where the PSP waits for that and the money is still wanted."""
        if not self._live.connector.capabilities.completes_on_return or close or self._attempt.closed is not None:
            return Change()
        folded = self._folded(facts)
        standing = folded.standings[self._attempt.id]
        paid = any(one.pays for one in folded.standings.values())
        if not standing.waits_for_completion or paid or folded.anomalies or not self._knows_completion():
            return Change()
        if not self._completion_is_put_down():
            return Change()
        said = self._ports.driver.converse(self._live.connector.complete(self._reference()), self._deadline)
        answered = Change(found=(Found(self._attempt.id, completion_answered=self._attempt.completing_at),))
        if isinstance(said, Refusal):
            said = concealed(said, self._live.secrets)
            told = _entry(self._now, self._attempt, f"refused to complete the payment: {said.detail}")
            unsure = said.kind is not RefusalKind.DECLINED  # wrong credentials say nothing of an earlier call
            return Change(entries=(told,)) + (Change() if unsure else answered)
        return Change(facts=tuple(said)) + answered

    def _completion_is_put_down(self) -> bool:
        """One put before the call: whoever gives the payment up from here on knows that money may come, and who did so
        before is seen. So nobody takes the page for over while it is being paid."""
        wanted, at = True, self._ports.clock.now()
        mark = Change(found=(Found(self._attempt.id, completing_at=at),))

        def decide(newest: Payment) -> Payment:
            nonlocal wanted
            attempt, folded = newest.attempt(self._attempt.id), fold(newest)
            assert attempt is not None, "attempts are never taken away"
            elsewhere = any(one.pays for one in folded.standings.values())
            ended = folded.standings[attempt.id].ended is not None
            wanted = not (attempt.closed or ended or elsewhere or folded.anomalies or was_cancelled(newest))
            return amend(newest, mark, at) if wanted else newest

        commit(self._ports, self._ports.store.get(PAYMENT, self._payment.id), decide)
        self._attempt = replace(self._attempt, completing_at=at)
        return wanted

    def _knows_completion(self) -> bool:
        """Whether the PSP surely still knows the key of a completion that may have been called before."""
        lives_s = self._live.connector.capabilities.key_lives_s.get("complete", 0)
        return (self._now - self._attempt.started_at).total_seconds() < lives_s / 2

    def _must_close(self, facts: Sequence[Fact], close: bool) -> bool:
        """Whether the page must be ended at the PSP, where the connector can: given up, past its time, or paid for
        elsewhere; and nothing moved, is in doubt, or ended by the PSP's word."""
        attempt = self._attempt
        if attempt.psp_reference is None or "expire" not in self._live.connector.capabilities.operations:
            return False
        folded = self._folded(facts)
        standing = folded.standings[attempt.id]
        odd = any(fact.attempt_id == attempt.id for fact in folded.anomalies)
        if standing.confirmed or standing.captured or standing.held or standing.processing or odd:
            return False
        if attempt.may_be_completing(self._now - timedelta(seconds=ABSENT_AFTER_S)):
            return False
        elsewhere = any(one.pays for id_, one in folded.standings.items() if id_ != attempt.id)
        past = ends_at(attempt) <= self._now
        return close or attempt.closed is not None or past or elsewhere

    def _folded(self, facts: Sequence[Fact]) -> Folded:
        """The payment as it stands with what was said now."""
        return fold(replace(self._payment, facts=join(self._payment.facts, facts)))


def _entry(now: datetime, attempt: Attempt, what: str) -> Entry:
    data = {"attempt_id": attempt.id, "connection_id": attempt.connection_id}
    return Entry(now, "psp_call", f"{attempt.connection_id} {what}.", data)
