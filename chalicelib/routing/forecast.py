"""What share of payments would have been authorized, had their route begun elsewhere: an estimate from recorded outcomes.

A payment whose first PSP stays keeps its outcome. One that moves counts as the share of the payments like it (of the same
currency and payment method) that began at its new first PSP and were authorized, or of all that began there. Where none
began there, nothing can be said, and it is left out. One that nobody could have taken would not have been authorized.

It is no experiment: rules send payments to a PSP for a reason, so those that began there may be of another sort.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt

from chalicelib.routing.interval import Tally, predicted


@dataclass(frozen=True, slots=True)
class Sort:
    """What makes payments alike."""

    currency: str
    payment_method: str | None


@dataclass(frozen=True, slots=True)
class Estimate:
    """`before` and `after` are shares of the same payments: all but the `unknown` ones. None where there are none.

    `before` is what happened. `after` lies between `low` and `high` with a certainty of about 95 %, the luck of the moved
    payments included, so that it may be held against `before`.
    """

    matched: int
    estimated: int
    untaken: int
    unknown: int
    before: float | None
    after: float | None
    low: float | None
    high: float | None


class Forecast:
    """Counts payments one by one and keeps none of them."""

    def __init__(self) -> None:
        self._begun: Counter[tuple[str, Sort | None]] = Counter()  # by first PSP; None: of every sort
        self._authorized: Counter[tuple[str, Sort | None]] = Counter()
        self._matched: Counter[bool] = Counter()
        self._untaken: Counter[bool] = Counter()
        self._moved: dict[tuple[str, Sort], Counter[bool]] = {}

    def add(self, sort: Sort, before: str, after: str | None, authorized: bool) -> None:
        """A payment that came to an end. `before` and `after` are its first PSP; `after` None where nobody could take it."""
        for key in ((before, sort), (before, None)):
            self._begun[key] += 1
            self._authorized[key] += authorized
        if after is None:
            self._untaken[authorized] += 1
        elif after == before:
            self._matched[authorized] += 1
        else:
            self._moved.setdefault((after, sort), Counter())[authorized] += 1

    def estimate(self) -> Estimate:
        counted = self._matched + self._untaken
        estimated = unknown = 0
        expected = float(self._matched[True])
        below: dict[str, float] = defaultdict(float)
        above: dict[str, float] = defaultdict(float)
        for (connection_id, sort), moved in self._moved.items():
            seen, count = self._seen(connection_id, sort), moved.total()
            if seen.share is None:
                unknown += count
                continue
            estimated += count
            counted += moved
            expected += count * seen.share
            likely = predicted(seen, count)
            below[connection_id] += count * (seen.share - likely.low)
            above[connection_id] += count * (likely.high - seen.share)
        total = counted.total()
        after = expected / total if total else None
        return Estimate(
            matched=self._matched.total(),
            estimated=estimated,
            untaken=self._untaken.total(),
            unknown=unknown,
            before=counted[True] / total if total else None,
            after=after,
            low=None if after is None else max(after - _together(below) / total, 0.0),
            high=None if after is None else min(after + _together(above) / total, 1.0),
        )

    def _seen(self, connection_id: str, sort: Sort) -> Tally:
        """What became of payments that began there: of the same sort, or of all where there were none."""
        key = (connection_id, sort if self._begun[connection_id, sort] else None)
        return Tally(self._authorized[key], self._begun[key])


def _together(errors: Mapping[str, float]) -> float:
    """How far a sum is off whose parts are off by so much. PSPs err by themselves, so theirs are added as squares; what was
    added up for one PSP may come of the same payments. (Zou and Donner, "Construction of confidence limits about effect
    measures: a general approach", 2008, here with predicted shares.)"""
    return sqrt(sum(error * error for error in errors.values()))
