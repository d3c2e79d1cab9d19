"""What happened to a payment, as one thing to decide on again when somebody else wrote first.

Everything in a change only adds or only rises, so that applying it to a newer payment than the one it was made from never
takes back what was written meanwhile: a sealed attempt stays sealed, a known reference stays.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime

from chalicelib.domain.facts import Decline, Fact
from chalicelib.domain.operation import Called, Operation, further
from chalicelib.domain.payment import Attempt, Closure, Entry, NextAction, Resolution


@dataclass(frozen=True, slots=True)
class Found:
    """What opening or looking an attempt up brought: the PSP's reference and the shopper's page. `called_at` is when the
    call to open was made again, if it was; `open_ms` how long the call took that brought the page. `completing_at` is when
    the PSP is asked to complete, `completion_answered` which of those times it has answered. `corrects` is the reference that
    was an operator's mistake."""

    attempt_id: str
    psp_reference: str | None = None
    action: NextAction | None = None
    called_at: datetime | None = None
    open_ms: int | None = None
    completing_at: datetime | None = None
    completion_answered: datetime | None = None
    corrects: str | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """What ending a page came to. Where the PSP takes money only at our word, it is over because nobody will say it: so it
    holds only as long as nobody has, that is while the attempt's `completing_at` is the one that was `seen`."""

    attempt_id: str
    facts: tuple[Fact, ...]
    seen: datetime | None = None


@dataclass(frozen=True, slots=True)
class Closing:
    """An attempt that is given up. `late` says what becomes of its money, where that is not the route's to say."""

    attempt_id: str
    closure: Closure | None
    late: str | None = None


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """How far the call for an operation came, the decline where the PSP refused, and when it was called, if it was;
    `undecidable` where no answer of the PSP's will tell."""

    operation_id: str
    called: Called
    decline: Decline | None = None
    at: datetime | None = None
    undecidable: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """A scheduled question about an attempt or operation that was put; `reached` is whether the PSP answered. `step` is
    how many had been put before it: of several workers that put the same one, the first moves the schedule on. `again_at` is
    when the same answer would prove something: where that is before the next question's turn, it is put then."""

    id: str
    reached: bool = True
    step: int | None = None
    again_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """`attempts` and `operations` are new ones."""

    facts: tuple[Fact, ...] = ()
    entries: tuple[Entry, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    found: tuple[Found, ...] = ()
    closings: tuple[Closing, ...] = ()
    operations: tuple[Operation, ...] = ()
    outcomes: tuple[CallOutcome, ...] = ()
    resolutions: tuple[Resolution, ...] = ()
    asked: tuple[Asked, ...] = ()
    ended: tuple[Ended, ...] = ()

    def facts_for(self, known: tuple[Attempt, ...]) -> tuple[Fact, ...]:
        """All facts that hold of a payment with these attempts."""
        if not self.ended:
            return self.facts
        completing = {attempt.id: attempt.completing_at for attempt in known}
        held = (fact for one in self.ended if completing.get(one.attempt_id) == one.seen for fact in one.facts)
        return (*self.facts, *held)

    def __add__(self, other: Change) -> Change:
        """Both, this one first."""
        return Change(*(getattr(self, name) + getattr(other, name) for name in Change.__dataclass_fields__))


def attempts_after(known: tuple[Attempt, ...], change: Change, paid: Collection[str] = ()) -> tuple[Attempt, ...]:
    """`paid` are attempts on which money moved, or is under way: no lapse of time takes that for late."""
    if not (change.attempts or change.found or change.closings):
        return known
    ids = {attempt.id for attempt in known}
    attempts = {one.id: one for one in (*known, *(one for one in change.attempts if one.id not in ids))}
    for found in change.found:
        attempts[found.attempt_id] = _with_found(attempts[found.attempt_id], found)
    for closing in change.closings:
        if closing.closure is Closure.LAPSED and closing.attempt_id in paid:
            continue
        if closing.closure is Closure.SEALED and attempts[closing.attempt_id].action is not None:
            continue  # its page came meanwhile, and the shopper may be there
        attempts[closing.attempt_id] = _with_closing(attempts[closing.attempt_id], closing)
    return tuple(attempts.values())


def _with_found(attempt: Attempt, found: Found) -> Attempt:
    """The first reference, page and measure that were found stay, but for a reference that was a mistake; a closed attempt's
    page is never shown."""
    mistaken = found.corrects is not None and found.corrects == attempt.psp_reference
    reference = found.psp_reference if mistaken else attempt.psp_reference or found.psp_reference
    action = attempt.action or (found.action if attempt.closed is None else None)
    open_ms = found.open_ms if attempt.open_ms is None else attempt.open_ms
    return replace(
        attempt,
        psp_reference=reference,
        action=action,
        called_at=_later(attempt.called_at, found.called_at),
        open_ms=open_ms,
        completing_at=_later(attempt.completing_at, found.completing_at),
        completion_answered=_later(attempt.completion_answered, found.completion_answered),
    )


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((at for at in (one, other) if at is not None), default=None)


def _with_closing(attempt: Attempt, closing: Closing) -> Attempt:
    """The first closure stays, but for one that only time brought."""
    first = attempt.closed if attempt.closed is not Closure.LAPSED else None
    closed = first or closing.closure or attempt.closed
    return replace(attempt, closed=closed, late=closing.late or attempt.late, action=None if closed else attempt.action)


def operations_after(known: tuple[Operation, ...], change: Change) -> tuple[Operation, ...]:
    if not (change.operations or change.outcomes):
        return known
    ids = {operation.id for operation in known}
    operations = {one.id: one for one in (*known, *(one for one in change.operations if one.id not in ids))}
    for outcome in change.outcomes:
        operation = operations[outcome.operation_id]
        called = further(operation.called, outcome.called)
        decline = outcome.decline if called is outcome.called and outcome.decline else operation.decline
        times = [at for at in (operation.called_at, outcome.at) if at is not None]
        operations[operation.id] = replace(
            operation,
            called=called,
            decline=decline,
            called_at=max(times, default=None),
            undecidable=operation.undecidable or outcome.undecidable,
        )
    return tuple(operations.values())


def resolutions_after(known: tuple[Resolution, ...], change: Change) -> tuple[Resolution, ...]:
    return known + tuple(one for one in change.resolutions if one not in known)
