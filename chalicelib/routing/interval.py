"""How sure a share is: what was counted, and Wilson's interval around it."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

Z_95 = 1.959963984540054  # 95 % of a normal distribution lies within so many standard deviations


@dataclass(frozen=True, slots=True)
class Tally:
    """How many of `trials` succeeded. Raises ValueError for more than all, or fewer than none."""

    successes: int
    trials: int

    def __post_init__(self) -> None:
        if not 0 <= self.successes <= self.trials:
            raise ValueError(f"{self.successes} of {self.trials} can not be")

    @property
    def share(self) -> float | None:
        """From 0 to 1, None where nothing was tried."""
        return self.successes / self.trials if self.trials else None


@dataclass(frozen=True, slots=True)
class Interval:
    low: float
    high: float


def wilson(tally: Tally, z: float = Z_95) -> Interval:
    """The score interval of Wilson, "Probable inference, the law of succession, and statistical inference" (1927): the
    shares that what was counted does not speak against. All of them where nothing was tried.

    It holds for one look at a time decided beforehand; `sequential.compare` is what may be watched.
    """
    if not tally.trials:
        return Interval(0.0, 1.0)
    share, n = tally.successes / tally.trials, tally.trials
    middle = share + z * z / (2 * n)
    half = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return Interval(  # exact at the ends, whatever rounding does
        0.0 if tally.successes == 0 else (middle - half) / scale,
        1.0 if tally.successes == n else (middle + half) / scale,
    )


def predicted(tally: Tally, trials: int, z: float = Z_95) -> Interval:
    """The shares that so many further trials at the same chance may come to: those that the test of two samples by their
    pooled share does not tell from the tally's. With trials without end it is Wilson's interval.

    Krishnamoorthy and Peng, "Improved closed-form prediction intervals for binomial and Poisson distributions" (2011), the
    method of joint sampling.
    """
    share = tally.share
    if share is None or not trials:
        return Interval(0.0, 1.0)
    part, v = trials / (trials + tally.trials), z * z * (1 / trials + 1 / tally.trials)
    middle, scale = v * part * (1 - 2 * share), 1 + v * part * part
    half = sqrt(middle * middle + 4 * scale * v * share * (1 - share))
    return Interval(  # exact at the ends, whatever rounding does
        0.0 if tally.successes == 0 else max(share + (middle - half) / (2 * scale), 0.0),
        1.0 if tally.successes == tally.trials else min(share + (middle + half) / (2 * scale), 1.0),
    )
