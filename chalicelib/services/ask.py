"""Asks PSPs about attempts: on schedule, when a shopper returned, and to close what was sealed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from chalicelib import telemetry
from chalicelib.contracts.connector import CallFailed, Opened, Refusal
from chalicelib.domain.amend import Change
from chalicelib.domain.errors import NotFound, PaymentServerError
from chalicelib.domain.facts import Fact, Kind, State
from chalicelib.domain.fold import fold
from chalicelib.domain.payment import Attempt, Entry, Payment
from chalicelib.domain.telling import words_of
from chalicelib.outbound.driver import Deadline
from chalicelib.services.attempts import ref_of
from chalicelib.services.configuration import Configuration, LiveConnection
from chalicelib.services.open_attempt import tried_of
from chalicelib.services.ports import Ports

ABSENT_AFTER_S = 900  # "not found" proves absence only then
BUDGET_S = 20.0


def ask(ports: Ports, configuration: Configuration, payment: Payment, attempt: Attempt) -> Change:
    """What the PSP says of `attempt` now, as a change; a question that failed is one too, so that it is put off."""
    now = ports.clock.now()
    try:
        live = configuration.connection(payment.merchant_id, attempt.connection_id)
        with telemetry.bind(connector=live.connector.name, payment_id=payment.id):
            attempt, facts = _asked(ports, live, payment, attempt, now)
    except (CallFailed, NotFound, PaymentServerError) as error:
        started = Fact(attempt.id, Kind.OPEN, attempt.id, State.UNANSWERED)
        facts = (started,) if attempt.psp_reference is None else ()
        return Change(facts=facts, asked=attempt.id, entries=(_told(now, attempt, (), error.detail),))
    return Change(facts=facts, attempts=(attempt,), asked=attempt.id, entries=(_told(now, attempt, facts, ""),))


def _asked(
    ports: Ports, live: LiveConnection, payment: Payment, attempt: Attempt, now: datetime
) -> tuple[Attempt, tuple[Fact, ...]]:
    """The attempt with its reference where it is known now, and the facts; a page that must be closed is closed."""
    deadline = Deadline(BUDGET_S)
    if attempt.psp_reference is None:
        attempt, facts = _recovered(ports, live, payment, attempt, deadline)
    else:
        facts = tuple(ports.driver.converse(live.connector.fetch(ref_of(payment, attempt)), deadline))
    if attempt.psp_reference is not None and _must_close(payment, attempt, facts, now):
        facts += tuple(ports.driver.converse(live.connector.expire(ref_of(payment, attempt)), deadline))
    return attempt, facts


def _recovered(
    ports: Ports, live: LiveConnection, payment: Payment, attempt: Attempt, deadline: Deadline
) -> tuple[Attempt, tuple[Fact, ...]]:
    """An attempt whose opening was never answered: found at the PSP, or proven absent, or still unanswered."""
    now = ports.clock.now()
    said: Opened | Refusal | None = ports.driver.converse(live.connector.recover(ref_of(payment, attempt)), deadline)
    if said is None:
        proven = (now - attempt.started_at).total_seconds() >= ABSENT_AFTER_S
        state = State.ABSENT if proven else State.UNANSWERED
        return attempt, (Fact(attempt.id, Kind.OPEN, attempt.id, state),)
    tried = tried_of(now, attempt, said)
    found = tried.attempt if attempt.closed is None else replace(tried.attempt, action=None)
    return found, tried.facts


def _must_close(payment: Payment, attempt: Attempt, facts: Sequence[Fact], now: datetime) -> bool:
    """Whether the page must be ended at the PSP: sealed, superseded, or past its time; and nothing moved or ended it."""
    known = replace(payment, facts=(), attempts=(attempt,))
    standing = fold(replace(known, facts=tuple(facts))).standings[attempt.id]
    if standing.ended is not None or standing.captured or standing.held or standing.processing:
        return False
    expires_at = attempt.action.expires_at if attempt.action else None
    return attempt.closed is not None or (expires_at is not None and expires_at <= now)


def _told(now: datetime, attempt: Attempt, facts: Sequence[Fact], problem: str) -> Entry:
    said = f"could not be asked ({problem})" if problem else f"says when asked: {words_of(facts)}"
    data = {"attempt_id": attempt.id, "connection_id": attempt.connection_id}
    return Entry(now, "psp_call", f"{attempt.connection_id} {said}.", data)
