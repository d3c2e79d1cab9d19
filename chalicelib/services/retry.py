"""Another attempt for a payment that was not paid, at a merchant's word.

Pages on which the shopper could still pay are closed at their PSPs first. One put gives the earlier attempts up and starts
the new one, before any call.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from chalicelib.contracts.store import Stored
from chalicelib.domain.amend import amend
from chalicelib.domain.change import Change, Closing
from chalicelib.domain.claim import Claim, leased
from chalicelib.domain.errors import Conflict, Invalid, Pointer
from chalicelib.domain.facts import DeclineClass
from chalicelib.domain.fold import Folded, fold
from chalicelib.domain.late import was_cancelled
from chalicelib.domain.payment import ATTEMPTS_MAX, AttemptStatus, Closure, Considered, Entry, Payment, Retry
from chalicelib.domain.view import decline_of
from chalicelib.routing.plan import chain_of, ineligible
from chalicelib.services.ask import ask
from chalicelib.services.commit import commit
from chalicelib.services.configuration import Configuration
from chalicelib.services.operate import Keyed, ids_of, own
from chalicelib.services.ports import Ports
from chalicelib.services.try_chain import TryChain, has_moved, smells_of_fraud
from chalicelib.services.turns import Answer, Render, Turn

STILL_PAYABLE = "attempt-still-payable"


class Retrying:
    def __init__(self, ports: Ports, configuration: Configuration, try_chain: TryChain) -> None:
        self._ports = ports
        self._configuration = configuration
        self._try_chain = try_chain

    def retry(self, keyed: Keyed, connection_id: str | None, supersede: bool, render: Render) -> Answer:
        """Raises NotFound, Invalid (another request for the key, an ineligible connection), Conflict (money moved, a page
        that can still be paid on, nobody left to try), InProgress."""
        turn = Turn(keyed.operation_id)
        stored = own(self._ports, keyed.merchant_id, keyed.payment_id)
        if not _is_known(stored.value, keyed):
            self._refuse(stored.value)
            stored = self._closed(stored)
        made = False

        def start(newest: Payment) -> Payment:
            nonlocal made
            made = not _is_known(newest, keyed)
            return self._started(newest, keyed, connection_id, supersede) if made else newest

        stored = commit(self._ports, stored, start)
        if made:
            return self._try_chain.run(stored, turn, render)
        if keyed.operation_id not in {one.id for one in stored.value.retries}:
            raise Invalid(
                "This Idempotency-Key was used with another request; use a new key for a new one.", slug="key-reused"
            )
        return self._try_chain.repeat(stored, turn, keyed.fingerprint, render)

    def _refuse(self, payment: Payment) -> Folded:
        """Raises Conflict for a payment that takes no further attempt, whatever becomes of its pages."""
        folded = fold(payment)
        if has_moved(folded):
            raise Conflict("Money has moved; the payment takes no further attempt.")
        if folded.anomalies:
            raise Conflict(
                "The PSP reports an amount that was not asked for; an operator decides first (POST …/resolutions)."
            )
        if was_cancelled(payment):
            raise Conflict("The payment was cancelled; open a new checkout instead.")
        if len(payment.attempts) >= ATTEMPTS_MAX:
            raise Conflict(f"The payment has had {ATTEMPTS_MAX} attempts; open a new checkout instead.")
        if smells_of_fraud(payment.facts):
            raise Conflict("A PSP declined the payment for suspected fraud; it is not tried again.")
        return folded

    def _closed(self, stored: Stored[Payment]) -> Stored[Payment]:
        """Asks every PSP where the shopper could still pay to end the page."""
        for attempt in stored.value.attempts:
            if fold(stored.value).standings[attempt.id].live:
                change = ask(self._ports, self._configuration, stored.value, attempt, close=True)
                stored = commit(
                    self._ports,
                    stored,
                    lambda newest, change=change: amend(newest, change, self._ports.clock.now()),  # type: ignore[misc]
                )
        return stored

    def _started(self, payment: Payment, keyed: Keyed, connection_id: str | None, supersede: bool) -> Payment:
        folded, now = self._refuse(payment), self._ports.clock.now()
        payable = [
            one
            for one in payment.attempts
            if folded.standings[one.id].live
            or (one.closed is Closure.LAPSED and not folded.standings[one.id].confirmed)
        ]
        if payable and not supersede:
            names = ", ".join(one.connection_id for one in payable)
            raise Conflict(
                f"The shopper could still pay at {names}, whose page could not be closed. Ask again soon, or send "
                '"supersede": true to go on all the same.',
                slug=STILL_PAYABLE,
            )
        chain = self._chain(payment, folded, connection_id)
        retry = Retry(
            keyed.operation_id, leased(Claim(keyed.fingerprint, None), now), chain, len(payment.attempts), now
        )
        given_up = Change(
            closings=tuple(Closing(one.id, Closure.SUPERSEDED) for one in payable),
            entries=tuple(_superseded(one.connection_id, one.id, now) for one in payable),
        )
        routed = Entry(now, "routing", f"A retry goes to {chain[0]}.", {"connection_id": chain[0]})
        change = given_up + self._try_chain.started(payment, chain[0], now) + Change(entries=(routed,))
        return amend(replace(payment, retries=(*payment.retries, retry)), change, now)

    def _chain(self, payment: Payment, folded: Folded, connection_id: str | None) -> tuple[str, ...]:
        """The connections to try. Raises Invalid for a named one that can't take the payment, Conflict for none, and the
        Fault that keeps them from being read."""
        named = payment.route.chain if connection_id is None else (connection_id,)
        candidates = [self._try_chain.candidate(payment.merchant_id, one) for one in named]
        if connection_id is not None and candidates[0].fault is None:
            reason = ineligible(payment.order, candidates[0])
            if reason is not None:
                detail = f"The connection {connection_id!r} can not take this payment: {reason}."
                raise Invalid(detail, (Pointer("/connection_id", detail),))
            return (connection_id,)
        eligible = chain_of(
            tuple(Considered(one.connection_id, ineligible(payment.order, one), one.health) for one in candidates)
        )
        tried = {attempt.connection_id for attempt in payment.attempts}
        untried = tuple(one for one in eligible if one not in tried)
        chain = untried or tuple(one for one in eligible if one not in _hard_declined(payment, folded))
        if not chain:
            for candidate in candidates:
                if candidate.fault is not None:
                    raise candidate.fault
            raise Conflict("Every PSP of the route has declined this payment for good; open a new checkout instead.")
        return chain


def _is_known(payment: Payment, keyed: Keyed) -> bool:
    return keyed.operation_id in ids_of(payment)


def _hard_declined(payment: Payment, folded: Folded) -> set[str]:
    """Connections that declined the payment itself for good; a card declined on a page says nothing of the next card."""
    declined = [one for one in payment.attempts if folded.standings[one.id].status is AttemptStatus.DECLINED]
    declines = ((attempt.connection_id, decline_of(attempt, payment.facts)) for attempt in declined)
    return {name for name, decline in declines if decline is not None and decline.cls is DeclineClass.HARD}


def _superseded(connection_id: str, attempt_id: str, now: datetime) -> Entry:
    text = f"{connection_id} is superseded at the merchant's word, though its page could not be closed."
    return Entry(now, "psp_call", text, {"attempt_id": attempt_id, "outcome": "superseded"})
