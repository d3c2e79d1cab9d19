"""What PSPs say happened, and how two sayings become one.

A fact is about one movement, named by (attempt_id, kind, id). Two facts with one name join to the greater, by a total order
over everything they say, so that neither the order of arrival nor the number of repeats can matter: `join` is
commutative, associative and idempotent.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from chalicelib.domain.money import Money

TRIES_KEPT = 20
RENAMED = "renamed"
IN_DOUBT = "in doubt"  # whether it was made, no answer of its PSP's tells


class Kind(StrEnum):
    OPEN = "open"  # our own call to open a checkout; its id is the attempt's
    CHECKOUT = "checkout"  # the PSP's session, link or order
    TRY = "try"  # one card or account; it never ends an attempt
    AUTHORIZATION = "authorization"
    RELEASE = "release"  # a void, an expiry, or what a final capture gives back; no amount means the uncaptured rest
    CAPTURE = "capture"
    REFUND = "refund"
    DISPUTE = "dispute"  # no amount means all that was captured


class State(StrEnum):
    STARTED = "started"
    UNANSWERED = "unanswered"
    ABSENT = "absent"
    REFUSED = "refused"
    OPENED = "opened"
    OPEN = "open"
    PROCESSING = "processing"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    PENDING = "pending"
    DECLINED = "declined"
    APPROVED = "approved"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    INQUIRY = "inquiry"
    WON = "won"
    LOST = "lost"


RISING: dict[Kind, tuple[State, ...]] = {
    Kind.OPEN: (State.STARTED, State.UNANSWERED, State.ABSENT, State.REFUSED, State.OPENED),
    Kind.CHECKOUT: (State.OPEN, State.PROCESSING, State.EXPIRED, State.CANCELLED, State.FAILED),
    Kind.TRY: (State.PENDING, State.DECLINED, State.APPROVED),
    Kind.AUTHORIZATION: (State.PENDING, State.FAILED, State.SUCCEEDED),
    Kind.RELEASE: (State.PENDING, State.FAILED, State.SUCCEEDED),
    Kind.CAPTURE: (State.PENDING, State.SUCCEEDED, State.FAILED),
    Kind.REFUND: (State.PENDING, State.SUCCEEDED, State.FAILED),
    Kind.DISPUTE: (State.INQUIRY, State.OPENED, State.WON, State.LOST),
}
_RANK = {(kind, state): rank for kind, states in RISING.items() for rank, state in enumerate(states)}


class DeclineClass(StrEnum):
    HARD = "hard"  # this card or account will never do
    SOFT = "soft"  # later, or another way, may do
    FRAUD = "fraud"  # never tried at another PSP


@dataclass(frozen=True, slots=True)
class Decline:
    """Why a PSP said no. `code` is PaymentServer's own word (`contracts.decline_codes`), `psp_code` the PSP's, `message` for a
    merchant's eyes."""

    cls: DeclineClass
    code: str
    psp_code: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Fact:
    """`revision` is 0, or the PSP's own version or event time for objects that can go back; then from every source."""

    attempt_id: str
    kind: Kind
    id: str
    state: State
    amount: Money | None = None
    revision: int = 0
    operation_id: str | None = None
    decline: Decline | None = None
    reason: str = ""  # a word for what the state alone does not tell: "not_sent", "misconfigured", …
    respond_by: str = ""  # until when a dispute can be answered, RFC 3339

    def __post_init__(self) -> None:
        if (self.kind, self.state) not in _RANK:
            raise ValueError(f"a {self.kind} can not be {self.state}; it can be {', '.join(RISING[self.kind])}")


def storable(fact: Fact) -> Fact:
    """The fact without halves of characters in what it tells people: some PSPs cut texts at UTF-16 units, and no database
    takes those."""
    decline = fact.decline
    if decline is not None:
        told = replace(decline, psp_code=_whole(decline.psp_code), message=_whole(decline.message))
        decline = decline if told == decline else told
    reason, respond_by = _whole(fact.reason), _whole(fact.respond_by)
    if (reason, respond_by) == (fact.reason, fact.respond_by) and decline is fact.decline:
        return fact
    return replace(fact, reason=reason, respond_by=respond_by, decline=decline)


def _whole(text: str) -> str:
    return text if text.isascii() else text.encode(errors="replace").decode()


def renamed(attempt_id: str, id: str) -> Fact:
    """What takes a capture's name away: another name tells of that movement from here on, whatever this one said or says."""
    return Fact(attempt_id, Kind.CAPTURE, id, State.FAILED, reason=RENAMED)


def is_renamed(fact: Fact) -> bool:
    """Whether it counts for nothing. The reason alone says nothing: it may be a PSP's own text."""
    return fact.reason == RENAMED and replace(fact, revision=0) == renamed(fact.attempt_id, fact.id)


Name = tuple[str, str, str]


def name_of(fact: Fact) -> Name:
    return (fact.attempt_id, fact.kind, fact.id)


def _order(fact: Fact) -> tuple[object, ...]:
    amount, decline = fact.amount, fact.decline
    return (
        is_renamed(fact),
        fact.revision,
        _RANK[fact.kind, fact.state],
        () if amount is None else (amount.value, amount.currency),  # nothing is less than anything
        fact.reason,
        fact.respond_by,
        () if decline is None else (decline.cls, decline.code, decline.psp_code, decline.message),
    )


def joined(one: Fact, other: Fact) -> Fact:
    """The greater of two facts with one name; a known operation id fills an absent one."""
    if one == other:
        return one
    greater = max(one, other, key=_order)
    return replace(greater, operation_id=max(one.operation_id or "", other.operation_id or "") or None)


def join(known: Iterable[Fact], said: Iterable[Fact]) -> tuple[Fact, ...]:
    """All facts of both, one for each name, in the order of their names; of each attempt the newest 20 tries."""
    facts: dict[Name, Fact] = {}
    for fact in (*known, *said):
        name = name_of(fact)
        facts[name] = joined(facts[name], fact) if name in facts else fact
    kept = [facts[name] for name in sorted(facts)]
    return tuple(kept) if len(kept) <= TRIES_KEPT else tuple(_without_old_tries(kept))


def _without_old_tries(facts: list[Fact]) -> list[Fact]:
    tries: dict[str, list[Fact]] = {}
    for fact in facts:
        if fact.kind is Kind.TRY:
            tries.setdefault(fact.attempt_id, []).append(fact)
    newest = {
        name_of(fact)
        for of_attempt in tries.values()
        for fact in sorted(of_attempt, key=lambda fact: (fact.revision, fact.id))[-TRIES_KEPT:]
    }
    return [fact for fact in facts if fact.kind is not Kind.TRY or name_of(fact) in newest]
