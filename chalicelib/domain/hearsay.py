"""What operators found out about operations, beside what PSPs say of them after all.

An operator's word counts while the PSP is silent, or says no more than that something is under way: she may know how it came
out though the PSP will never tell. Not every PSP repeats our operations' names: where it tells of a movement of that kind and
amount and not whose it is, it is the one that she saw, and becomes the operation's. Counted beside it, one refund would be two.
A word about what somebody made at the PSP has that movement's name, and no operation of ours.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from chalicelib.domain.facts import Fact, State
from chalicelib.domain.operation import OPERATOR

_LIKELIEST = (State.SUCCEEDED, State.PENDING, State.FAILED)  # she saw it succeed; it may have failed since


def without_hearsay(facts: tuple[Fact, ...]) -> tuple[Fact, ...]:
    """The facts that count, an operator's word only where nothing else tells how its operation came out. The same in whatever
    order they became known."""
    words = [fact for fact in facts if fact.id.startswith(OPERATOR)]
    if not words:
        return facts
    said = [fact for fact in facts if not fact.id.startswith(OPERATOR)]
    for word in words:
        own = [fact for fact in said if _is_about(word, fact)]
        meant = own[0] if own else seen_by(word, said)
        if meant is None:
            said.append(word)
        elif not own:
            said[said.index(meant)] = replace(meant, operation_id=word.operation_id)
        elif all(fact.state is State.PENDING for fact in own):
            said[said.index(meant)] = replace(meant, state=word.state, amount=meant.amount or word.amount)
    return tuple(said)


def _is_about(word: Fact, fact: Fact) -> bool:
    """Whether the PSP says whose the movement is, and the word is about that one."""
    if fact.id.startswith(OPERATOR) or (fact.attempt_id, fact.kind) != (word.attempt_id, word.kind):
        return False
    if word.operation_id is None:
        return OPERATOR + fact.id == word.id
    return fact.operation_id == word.operation_id


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
