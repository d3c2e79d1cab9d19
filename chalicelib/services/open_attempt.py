"""Opens one attempt at its PSP and says what is certain about it, as facts."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime

from chalicelib import telemetry
from chalicelib.contracts.calls import CheckoutOrder, Opened, Refusal, reference_of
from chalicelib.contracts.conversation import NOTHING_MOVED, CallFailed, OutcomeUnknown
from chalicelib.domain.change import Change, Found
from chalicelib.domain.errors import PaymentServerError
from chalicelib.domain.facts import Decline, Fact, Kind, State
from chalicelib.domain.payment import Attempt, Entry, Json, Payment
from chalicelib.outbound.driver import Deadline
from chalicelib.services.configuration import LiveConnection
from chalicelib.services.ports import Ports
from chalicelib.services.secrets import concealed

log = logging.getLogger("paymentserver.open")
REPEAT_NEEDS_S = 2.0


@dataclass(frozen=True, slots=True)
class Tried:
    """What a call to open a checkout came to."""

    attempt_id: str
    facts: tuple[Fact, ...]
    entry: Entry
    found: Found | None = None
    unanswered: bool = False

    @property
    def change(self) -> Change:
        return Change(facts=self.facts, found=(self.found,) if self.found else (), entries=(self.entry,))

    @property
    def only_told(self) -> Change:
        """What may be kept of a call whose claim somebody else holds by now: a page that is there, but no proof that there
        is none, since the other call may have made one."""
        if self.found is not None:
            return self.change
        return Change(facts=(Fact(self.attempt_id, Kind.OPEN, self.attempt_id, State.UNANSWERED),))


def open_attempt(ports: Ports, live: LiveConnection, payment: Payment, attempt: Attempt, deadline: Deadline) -> Tried:
    """Calls the PSP, once more on a fresh connection when no answer came and it honours our key.

    The attempt must be stored before. Where it was called before, only a
    page proves anything.
    """
    order = reference_of(attempt, payment.order).checkout
    young = repeatable(live, attempt, ports.clock.now())
    began_s = deadline.left_s()
    tries, before = 0, 0 if attempt.called_at is None else 1
    while True:
        tries += 1
        try:
            said = _say(ports, live, order, deadline, fresh=tries > 1)
        except NOTHING_MOVED as error:
            return _not_sent(ports.clock.now(), attempt, error, tries + before)
        except CallFailed as error:
            left_s = deadline.left_s()
            if tries == 1 and young and left_s > REPEAT_NEEDS_S:
                continue
            return _unanswered(ports.clock.now(), attempt, error, tries + before)
        if tries + before > 1 and isinstance(said, Refusal):
            # The first call may still be under way, and open a page after this no: not every PSP's key remembers it.
            unknown = OutcomeUnknown(said.detail)
            return _unanswered(ports.clock.now(), attempt, unknown, tries + before, said.decline)
        open_ms = max(round((began_s - deadline.left_s()) * 1000), 1)
        return tried_of(ports.clock.now(), attempt, said, open_ms)


def repeatable(live: LiveConnection, attempt: Attempt, now: datetime) -> bool:
    """Whether the PSP surely still knows the attempt's key: inside half of the key's life."""
    lives_s = live.connector.capabilities.key_lives_s.get("open", 0)
    return (now - attempt.started_at).total_seconds() < lives_s / 2


def _say(
    ports: Ports, live: LiveConnection, order: CheckoutOrder, deadline: Deadline, *, fresh: bool
) -> Opened | Refusal:
    with telemetry.bind(connector=live.connector.name):
        try:
            said = ports.driver.converse(live.connector.open_checkout(order), deadline, fresh=fresh)
        except (CallFailed, PaymentServerError):
            raise
        except Exception as error:  # a connector's mistake: nobody knows how far it came
            log.exception("a checkout could not be opened")
            raise OutcomeUnknown(type(error).__name__) from None
    return concealed(said, live.secrets) if isinstance(said, Refusal) else said


def tried_of(now: datetime, attempt: Attempt, said: Opened | Refusal, open_ms: int | None = None) -> Tried:
    """The PSP's own word about opening. `open_ms`: how long its answer took, None where it was only looked up."""
    if isinstance(said, Opened):
        opened = Fact(attempt.id, Kind.OPEN, attempt.id, State.OPENED)
        summary = f"{attempt.connection_id} opened a checkout ({said.psp_reference})."
        entry = _entry(now, attempt, summary, outcome="opened", psp_reference=said.psp_reference)
        found = Found(attempt.id, said.psp_reference, said.action, open_ms=open_ms)
        return Tried(attempt.id, (opened, *said.facts), entry, found)
    refused = Fact(attempt.id, Kind.OPEN, attempt.id, State.REFUSED, decline=said.decline, reason=said.kind)
    summary = f"{attempt.connection_id} refused to open a checkout: {said.detail}."
    entry = _entry(now, attempt, summary, outcome=said.kind, detail=said.detail)
    return Tried(attempt.id, (refused,), entry)


def _not_sent(now: datetime, attempt: Attempt, error: CallFailed, tries: int) -> Tried:
    """Only the last try is proven not sent: when an earlier one may have arrived, nothing is proven."""
    if tries > 1:
        return _unanswered(now, attempt, OutcomeUnknown(error.detail), tries)
    absent = Fact(attempt.id, Kind.OPEN, attempt.id, State.ABSENT, reason="not_sent")
    summary = f"{attempt.connection_id} could not be reached; nothing was sent ({error.detail})."
    return Tried(attempt.id, (absent,), _entry(now, attempt, summary, outcome="not_sent", detail=error.detail))


def _unanswered(
    now: datetime, attempt: Attempt, error: CallFailed, tries: int, decline: Decline | None = None
) -> Tried:
    """`decline` is what a repeat was answered with: it proves nothing, and must not be forgotten where it is for fraud."""
    fact = Fact(attempt.id, Kind.OPEN, attempt.id, State.UNANSWERED, decline=decline)
    times = "once" if tries == 1 else f"{tries} times"
    summary = f"{attempt.connection_id} was asked {times} and gave no usable answer ({error.detail})."
    entry = _entry(now, attempt, summary, outcome="unanswered", detail=error.detail, tries=tries)
    return Tried(attempt.id, (fact,), entry, unanswered=True)


def _entry(now: datetime, attempt: Attempt, summary: str, **data: Json) -> Entry:
    return Entry(now, "psp_call", summary, {"attempt_id": attempt.id, "connection_id": attempt.connection_id, **data})
