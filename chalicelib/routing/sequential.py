"""Two arms compared by a test that may be looked at at any time, as often as one likes, and stopped whenever it pleases.

For one arm and a supposed share t, take the likelihood of what was counted under shares drawn from Beta(kt, k(1 - t)), and
divide it by the likelihood under t itself. Where t is the true share, the quotient is a nonnegative martingale that starts
at 1. So is the product of both arms' quotients at both true shares, and a mean of such products over several k; by Ville's
inequality the chance that it ever reaches 1/error is at most `error`. A difference d is ruled out once the mean is at least
1/error at every pair of shares d apart, the true one thus among them. Nothing is approximated: it holds at every share, at
every number of payments, for unequal arms, and however often one looks.

The logarithm of a quotient is convex in t (a constant and terms ln(k + i/t)), and so is that of the mean in both shares.
So the least evidence against d is convex in d, what is not ruled out is one interval, and searches by halving find it.

Sources: Ville, "Étude critique de la notion de collectif" (1939); Robbins, "Statistical methods related to the law of the
iterated logarithm" (1970), for mixtures of likelihoods that may be watched for ever; Kaufmann, Koolen, "Mixture martingales
revisited" (2021), for products over arms; Turner, Grünwald, "Exact anytime-valid confidence intervals for contingency
tables and beyond" (2023), for the interval of a difference.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from math import exp, lgamma, log, log1p, sqrt

from chalicelib.routing.interval import Tally

ERROR = 0.05  # how often, at most, a difference is seen where none is
STRENGTHS = (10.0, 400.0)  # k: any are right; these see a PSP that fails altogether, and a few points, soonest
EDGE = 1e-9  # shares nearer to 0 or 1 count as this near
HALVINGS = 20  # of the interval's ends: to a millionth
SECTIONS = 36  # golden ones: to a ten-millionth of the shares searched
GOLDEN = (sqrt(5) - 1) / 2


class Verdict(StrEnum):
    BETTER = "better"
    WORSE = "worse"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Comparison:
    """An arm beside the control arm. `difference` is the arm's share less the control's, None until both have payments;
    it lies between `low` and `high` with a certainty of 1 - error, at this look and all others together. `p_value` is
    valid at this look, however it came to be the one."""

    difference: float | None
    low: float
    high: float
    p_value: float
    verdict: Verdict


def compare(control: Tally, arm: Tally, error: float = ERROR) -> Comparison:
    """The interval misses the true difference in at most `error` of all experiments, whenever and however often one looks."""
    difference = _difference(control, arm)
    return Comparison(
        difference=difference,
        low=_end(control, arm, difference or 0.0, -1.0, error),
        high=_end(control, arm, difference or 0.0, 1.0, error),
        p_value=exp(-max(_evidence(control, arm, 0.0), 0.0)),
        verdict=verdict(control, arm, error),
    )


def verdict(control: Tally, arm: Tally, error: float = ERROR) -> Verdict:
    """What `compare` says, without its interval. Of two equal arms, at most `error` are ever said to differ."""
    difference = _difference(control, arm)
    if difference is None or not _ruled_out(control, arm, 0.0, error):
        return Verdict.UNDECIDED
    return Verdict.BETTER if difference > 0 else Verdict.WORSE


def breached(control: Tally, arm: Tally, max_drop_points: float, error: float = ERROR) -> bool:
    """Whether the arm is certainly worse than the control by more than so many points (5: 75 % instead of 80 %).

    Of the arms that are not, at most `error` are ever said to be, looked at after each payment for ever.
    """
    difference, allowed = _difference(control, arm), -max_drop_points / 100
    return difference is not None and difference < allowed and _ruled_out(control, arm, allowed, error)


def _difference(control: Tally, arm: Tally) -> float | None:
    return None if control.share is None or arm.share is None else arm.share - control.share


def _end(control: Tally, arm: Tally, inside: float, outside: float, error: float) -> float:
    """The end of the interval towards `outside`. The observed difference is never ruled out, so `inside` lies within."""
    for _ in range(HALVINGS):
        middle = (inside + outside) / 2
        if _ruled_out(control, arm, middle, error):
            outside = middle
        else:
            inside = middle
    return outside


def _ruled_out(control: Tally, arm: Tally, difference: float, error: float) -> bool:
    """One likely pair of shares tells most that are not, and saves the search for the likeliest."""
    weight = control.trials + arm.trials
    likely = (control.successes + arm.successes - arm.trials * difference) / weight if weight else 0.5
    likely = min(max(likely, 0.0, -difference), 1.0, 1.0 - difference)
    limit = -log(error)
    return _against(control, likely, arm, likely + difference) >= limit and _evidence(control, arm, difference) >= limit


def _evidence(control: Tally, arm: Tally, difference: float) -> float:
    """The logarithm of the mean product at those shares, `difference` apart, where it is least."""
    return _least(
        lambda share: _against(control, share, arm, share + difference),
        max(0.0, -difference),
        min(1.0, 1.0 - difference),
    )


def _against(control: Tally, control_share: float, arm: Tally, arm_share: float) -> float:
    products = [_quotient(control, control_share, k) + _quotient(arm, arm_share, k) for k in STRENGTHS]
    greatest = max(products)
    return greatest + log(sum(exp(product - greatest) for product in products) / len(products))


def _quotient(tally: Tally, share: float, k: float) -> float:
    """The logarithm of the mixture's likelihood over that of the share."""
    share = min(max(share, EDGE), 1 - EDGE)
    successes, failures = tally.successes, tally.trials - tally.successes
    a, b = k * share, k * (1 - share)
    mixed = (
        (lgamma(a + successes) - lgamma(a))
        + (lgamma(b + failures) - lgamma(b))
        - (lgamma(k + tally.trials) - lgamma(k))
    )
    return mixed - successes * log(share) - failures * log1p(-share)


def _least(of: Callable[[float], float], low: float, high: float) -> float:
    """The least value of a convex function between two places, by golden sections."""
    left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    at_left, at_right = of(left), of(right)
    for _ in range(SECTIONS):
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - GOLDEN * (high - low)
            at_left = of(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + GOLDEN * (high - low)
            at_right = of(right)
    return min(at_left, at_right)
