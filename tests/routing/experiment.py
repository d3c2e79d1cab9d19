"""Simulated experiments: what two arms of given shares have counted whenever one looks."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterator
from itertools import accumulate
from math import comb, log
from random import Random

from chalicelib.routing.interval import Tally

X_LOG_X = [0.0, *(x * log(x) for x in range(1, 20_001))]
LIMIT = log(20)  # the evidence that speaks against something with 95 % certainty


class Arm:
    """Counts the successes of so many payments at once: one look-up in the table of their distribution."""

    def __init__(self, share: float, payments: int) -> None:
        self.payments = payments
        self._logs = (log(1 - share), log(share))
        self._up_to = list(
            accumulate(comb(payments, k) * share**k * (1 - share) ** (payments - k) for k in range(payments))
        )

    def count(self, random: Random) -> int:
        return bisect(self._up_to, random.random())

    def surplus(self, successes: int, looks: int) -> float:
        """By how much, as a logarithm, the likeliest share is likelier than the true one."""
        failures = looks * self.payments - successes
        return (
            X_LOG_X[successes] - successes * self._logs[1] + X_LOG_X[failures] - failures * self._logs[0]
        ) - X_LOG_X[successes + failures]


def looks(random: Random, control: Arm, arm: Arm, count: int) -> Iterator[tuple[Tally, Tally]]:
    """The tallies of both, each look later by the payments of each."""
    here = there = 0
    for look in range(1, count + 1):
        here += control.count(random)
        there += arm.count(random)
        yield Tally(here, look * control.payments), Tally(there, look * arm.payments)


def doubtful(random: Random, control: Arm, arm: Arm, count: int) -> Iterator[tuple[Tally, Tally]]:
    """Those of the looks at which the true shares are so much less likely than the likeliest that a test might err: none
    can at the others, as `test_no_mixture_has_more_evidence_than_the_likeliest_shares` shows."""
    here = there = 0
    for look in range(1, count + 1):
        here += control.count(random)
        there += arm.count(random)
        if control.surplus(here, look) + arm.surplus(there, look) >= LIMIT:
            yield Tally(here, look * control.payments), Tally(there, look * arm.payments)
