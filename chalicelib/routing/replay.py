"""What a route would have decided for a payment that is decided already. Pure.

Rules see what they saw then, and a connection that was a candidate then is as able and as well as it was then. One that was
none is judged by what it offers today, its circuit closed. So a version replayed on its own payments changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from chalicelib.domain.order import Order
from chalicelib.domain.payment import Considered, Decision
from chalicelib.routing.engine import OTHERWISE, Engine
from chalicelib.routing.plan import Candidate, chain_of, ineligible


@dataclass(frozen=True, slots=True)
class Choice:
    """`chain` is empty where no connection could take the payment."""

    rule: str
    arm: str | None
    chain: tuple[str, ...]

    @property
    def first(self) -> str | None:
        return self.chain[0] if self.chain else None


@dataclass(frozen=True, slots=True)
class Replayed:
    """`why` says in words what made the difference; it is empty where there is none."""

    before: Choice
    after: Choice
    why: str

    @property
    def changed(self) -> bool:
        """Whether other PSPs would have been tried, or in another order."""
        return self.before.chain != self.after.chain

    @property
    def moved(self) -> bool:
        """Whether another PSP would have been the first."""
        return self.before.first != self.after.first


def replay(
    engine: Engine, payment_id: str, order: Order, decision: Decision, today: Callable[[str], Candidate]
) -> Replayed:
    """`decision` is what the payment kept; `today` tells of connections that were no candidates then."""
    winner = engine.decide(decision.inputs, payment_id)
    known = {one.connection_id: one for one in decision.candidates}
    considered = [known.get(name) or Considered(name, ineligible(order, today(name))) for name in winner.chain.use]
    before = Choice(decision.rule, decision.arm, decision.chain)
    after = Choice(winner.rule, winner.chain.arm, chain_of(considered))
    if before.chain == after.chain:
        return Replayed(before, after, "")
    newcomers = [one.connection_id for one in considered if one.connection_id not in known]
    return Replayed(before, after, " ".join(_reasons(before, after, considered, newcomers)))


def _reasons(
    before: Choice, after: Choice, considered: Sequence[Considered], newcomers: Sequence[str]
) -> Iterator[str]:
    rule = _named(after.rule)
    if before.rule != after.rule:
        yield f"It goes by {rule} instead of {_named(before.rule)}."
    elif before.arm == after.arm:
        yield f"The chain of {rule} is another."
    elif before.arm is None:
        yield f"The split of {rule} deals it to arm {after.arm!r}, where it had none."
    elif after.arm is None:
        yield f"There is no split in {rule}, where it had arm {before.arm!r}."
    else:
        yield f"The split of {rule} deals it to arm {after.arm!r} instead of {before.arm!r}."
    for one in considered:
        if one.reason is not None:
            yield f"{one.connection_id} could not take it: {one.reason}."
    if newcomers:
        were, are = ("was no candidate", "is") if len(newcomers) == 1 else ("were no candidates", "are")
        yield f"{', '.join(newcomers)} {were} then and {are} judged as of today."


def _named(rule: str) -> str:
    return f"{rule!r}" if rule == OTHERWISE else f"rule {rule!r}"
