"""The payment: one document that holds everything about one checkout, stored with one conditional put.

Its status and amounts are never set; `domain.fold` derives them from the facts, and `domain.amend` is the only place that
makes a new payment out of an old one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from chalicelib.domain.claim import Claim
from chalicelib.domain.draft import Draft
from chalicelib.domain.draft import Json as Json
from chalicelib.domain.facts import Fact
from chalicelib.domain.operation import Operation
from chalicelib.domain.order import Order

ATTEMPTS_MAX = 10
OPERATIONS_MAX = 100
JOURNAL_MAX = 200
TIMELINE_MAX = 200
ACCEPT, REFUND, REVIEW = "accept", "refund", "review"  # what becomes of money that nobody waited for, or that is odd
NOT_PAID = "not_paid"  # an operator's word that closes the question which a PSP can not answer


class Status(StrEnum):
    CREATED = "created"
    PENDING = "pending"
    AUTHORIZED = "authorized"
    PARTIALLY_CAPTURED = "partially_captured"
    CAPTURED = "captured"
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"
    CANCELLED = "cancelled"
    FAILED = "failed"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


class AttemptStatus(StrEnum):
    STARTED = "started"
    PENDING = "pending"
    AUTHORIZED = "authorized"
    CAPTURED = "captured"
    DECLINED = "declined"
    NOT_SENT = "not_sent"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    SEALED = "sealed"
    SUPERSEDED = "superseded"
    UNKNOWN = "unknown"


class Closure(StrEnum):
    """Why an attempt was closed off before its end was known (promise 1 of the architecture)."""

    SEALED = "sealed"  # unanswered, its page was never shown, and the next PSP was tried
    SUPERSEDED = "superseded"  # at the merchant's or an operator's express word
    LAPSED = (
        "lapsed"  # its page's time is over, at a PSP that can not be asked, or can not end a page that nobody paid at
    )


@dataclass(frozen=True, slots=True)
class Considered:
    """A connection that a route named, as it was when the route decided. `reason`: why it could not take the payment, None
    where it could. `health`: its circuit then (closed, open, half_open)."""

    connection_id: str
    reason: str | None = None
    health: str = "closed"


@dataclass(frozen=True, slots=True)
class Decision:
    """What routing decided, and all it was decided from; the payment keeps it whatever the route becomes.

    `rule` is the winner's name, or `otherwise`; `inputs` are the values of the fields that rules may ask for. `fallback`
    says what leads to the next PSP where the route differs from the usual, `attempts_max` and `budget_s` bound one turn.
    """

    name: str
    version: int
    chain: tuple[str, ...]
    rule: str = "otherwise"
    arm: str | None = None
    inputs: dict[str, Json] = field(default_factory=dict)
    candidates: tuple[Considered, ...] = ()
    unanswered: str = "next"
    late: str = "accept"
    fallback: dict[str, str] = field(default_factory=dict)
    attempts_max: int = ATTEMPTS_MAX
    budget_s: int | None = None


@dataclass(frozen=True, slots=True)
class NextAction:
    """Where the shopper goes. `fields` are a form's, for `method` POST."""

    url: str
    type: str = "redirect"
    method: str = "GET"
    fields: dict[str, str] | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One PSP tried. `late` overrides the route's policy for money that comes after the attempt was given up.
    `return_url` is our own return link, and `webhook_url` where the PSP is told to call, where the connector needs them; they
    are kept so that a repeat is byte-identical.
    `called_at`: when a call that may still be under way was made again; None for the first. `open_ms`: how long it took to
    open its page, the repeat of an unanswered call included.
    `completing_at`: when the PSP was last asked to take what the shopper approved, put down before it is asked;
    `completion_answered`: the last of those that it answered.

    `phase`, `asked`, `unreached` and `ask_at` say when the PSP is asked next (domain.watch).
    """

    id: str
    connection_id: str
    connector: str
    started_at: datetime
    psp_reference: str | None = None
    action: NextAction | None = None
    closed: Closure | None = None
    late: str | None = None
    return_url: str | None = None
    webhook_url: str | None = None
    called_at: datetime | None = None
    open_ms: int | None = None
    completing_at: datetime | None = None
    completion_answered: datetime | None = None
    phase: str = ""
    asked: int = 0
    unreached: int = 0
    ask_at: datetime | None = None

    def may_be_completing(self, since: datetime) -> bool:
        """Whether a completion that was asked for since then has not been answered: money may come of it at any moment."""
        asked, answered = self.completing_at, self.completion_answered
        return asked is not None and asked > since and (answered is None or answered < asked)


@dataclass(frozen=True, slots=True)
class Event:
    """A status change on its way to subscribers; `body` is the CloudEvents object, byte for byte."""

    id: str
    sequence: int
    type: str
    time: datetime
    body: str
    due_at: datetime


Count = tuple[int, str, int]
"""Position of an attempt, name of a counter (`domain.tally`), how many."""

Stand = tuple[int, Status, bool]
"""Where a payment counts in the statistics: position of its current attempt, status, whether it was ever authorized."""


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """The compact memory of an event, kept after it was delivered. `amounts` in the order of `domain.fold.Amounts`.

    What the statistics gain by it: the payment counts where it `stands` and no longer where it `stood`, which is None for
    its first event; and its attempts' counters `moved`. The first event of a change tells of all of it.
    """

    id: str
    sequence: int
    type: str
    time: datetime
    status: Status
    amounts: tuple[int, ...]
    stood: Stand | None = None
    stands: Stand | None = None
    moved: tuple[Count, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the timeline."""

    at: datetime
    kind: str
    summary: str
    data: dict[str, Json]


@dataclass(frozen=True, slots=True)
class Retry:
    """A call that asked for another attempt: its idempotency record, the connections it may try, and how many attempts
    there were before it."""

    id: str
    claim: Claim
    chain: tuple[str, ...]
    after: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Resolution:
    """What an operator found out or decided about an attempt. `accepted` are the amounts that count although they are
    not what was asked: (kind, id, value, currency) of a fact. `surplus`: how much of what the attempt had beyond what was
    asked in all may stay, in minor units."""

    attempt_id: str
    outcome: str
    note: str
    by: str
    at: datetime
    operation_id: str | None = None
    accepted: tuple[tuple[str, str, int, str], ...] = ()
    surplus: int = 0


@dataclass(frozen=True, slots=True)
class Payment:
    """`status`, and the `reviews` (attempts whose money waits for an operator), are what was published last. `counted` are
    its counters as of the newest journal entry: the sum of what all entries moved, those that are not kept included."""

    id: str
    merchant_id: str
    order: Order
    route: Decision
    claim: Claim
    created_at: datetime
    updated_at: datetime
    attempts: tuple[Attempt, ...] = ()
    operations: tuple[Operation, ...] = ()
    retries: tuple[Retry, ...] = ()
    resolutions: tuple[Resolution, ...] = ()
    facts: tuple[Fact, ...] = ()
    status: Status = Status.CREATED
    sequence: int = 0
    outbox: tuple[Event, ...] = ()
    journal: tuple[JournalEntry, ...] = ()
    counted: tuple[Count, ...] = ()
    timeline: tuple[Entry, ...] = ()
    due_at: datetime | None = None
    attention: bool = False
    reviews: tuple[str, ...] = ()
    unaudited: tuple[Draft, ...] = ()

    def operation(self, operation_id: str) -> Operation | None:
        return next((operation for operation in self.operations if operation.id == operation_id), None)

    def attempt(self, attempt_id: str) -> Attempt | None:
        return next((attempt for attempt in self.attempts if attempt.id == attempt_id), None)
