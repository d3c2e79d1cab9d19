"""What operators found out about operations, beside what PSPs say of them after all.

An operator's word counts while the PSP is silent. Not every PSP repeats our operations' names: where it tells of a movement
of that kind and amount and not whose it is, it is the one that she saw, and becomes the operation's. Counted beside it, one
refund would be two.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from chalicelib.domain.facts import Fact, State
from chalicelib.domain.operation import OPERATOR

_LIKELIEST = (State.SUCCEEDED, State.PENDING, State.FAILED)  # she saw it succeed; it may have failed since


def without_hearsay(facts: tuple[Fact, ...]) -> tuple[Fact, ...]:
    """The facts that count, an operator's word only where nothing else tells of its operation. The same in whatever order
    they became known."""
    words = [fact for fact in facts if fact.id.startswith(OPERATOR)]
    if not words:
        return facts
    said = [fact for fact in facts if not fact.id.startswith(OPERATOR)]
    known = {(fact.attempt_id, fact.kind, fact.operation_id) for fact in said}
    for word in words:
        if (word.attempt_id, word.kind, word.operation_id) in known:
            continue
        meant = seen_by(word, said)
        if meant is None:
            said.append(word)
        else:
            said[said.index(meant)] = replace(meant, operation_id=word.operation_id)
    return tuple(said)


def seen_by(word: Fact, facts: Iterable[Fact]) -> Fact | None:
    """The movement that an operator's word is about, of those that nobody says whose they are."""
    alike = [
        fact
        for fact in facts
        if fact.operation_id is None
        and (fact.attempt_id, fact.kind, fact.amount) == (word.attempt_id, word.kind, word.amount)
        and not fact.id.startswith("expiry")
    ]
    return min(alike, key=lambda fact: (_LIKELIEST.index(fact.state), fact.id), default=None)
