"""Wilson's interval: published values, the ends, and what holds for any count."""

from __future__ import annotations

from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.routing.interval import Z_95, Interval, Tally, predicted, wilson

tallies = st.integers(1, 10**9).flatmap(lambda n: st.builds(Tally, st.integers(0, n), st.just(n)))


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_it_is_as_published(successes: int, trials: int, low: float, high: float) -> None:
    """Newcombe, "Two-sided confidence intervals for the single proportion" (1998), table I, method 3."""
    found = wilson(Tally(successes, trials))
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


@pytest.mark.parametrize(
    ("tally", "low", "high"),
    [
        (Tally(0, 0), 0.0, 1.0),
        (Tally(0, 1), 0.0, 0.7935),
        (Tally(1, 1), 0.2065, 1.0),
        (Tally(20, 20), 0.8389, 1.0),
        (Tally(0, 10**9), 0.0, 0.0),
    ],
)
def test_none_and_all_are_no_certainty_and_nothing_tried_is_anything(tally: Tally, low: float, high: float) -> None:
    found = wilson(tally)
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


@given(tallies)
def test_the_share_lies_within_and_the_interval_between_0_and_1(tally: Tally) -> None:
    found = wilson(tally)
    assert 0 <= found.low <= tally.successes / tally.trials <= found.high <= 1


@given(tallies)
def test_failures_have_the_mirrored_interval(tally: Tally) -> None:
    here, there = wilson(tally), wilson(Tally(tally.trials - tally.successes, tally.trials))
    assert (here.low, here.high) == pytest.approx((1 - there.high, 1 - there.low), abs=1e-12)


def test_more_certainty_is_wider() -> None:
    assert wilson(Tally(80, 100), z=3).low < wilson(Tally(80, 100)).low
    assert wilson(Tally(80, 100), z=0) == Interval(0.8, 0.8)


@pytest.mark.parametrize(("successes", "trials"), [(1, 0), (-1, 5), (6, 5), (0, -1)])
def test_more_than_all_or_fewer_than_none_can_not_be(successes: int, trials: int) -> None:
    with pytest.raises(ValueError, match="can not be"):
        Tally(successes, trials)


def test_a_share_of_nothing_is_none() -> None:
    assert (Tally(0, 0).share, Tally(3, 4).share) == (None, 0.75)


@given(tallies.filter(lambda tally: tally.trials < 10**6))
def test_trials_without_end_come_to_the_share_that_wilson_tells(tally: Tally) -> None:
    further, likely = predicted(tally, 10**15), wilson(tally)
    assert (further.low, further.high) == pytest.approx((likely.low, likely.high), abs=1e-5)


@given(tallies, st.integers(1, 10**6))
def test_the_share_of_further_trials_is_less_sure_than_the_chance(tally: Tally, trials: int) -> None:
    further, likely = predicted(tally, trials), wilson(tally)
    assert 0 <= further.low <= likely.low + 1e-9
    assert likely.high - 1e-9 <= further.high <= 1


@pytest.mark.parametrize("tally", [Tally(1, 2), Tally(3, 10), Tally(70, 100), Tally(999, 1_000)])
def test_at_its_ends_the_share_is_just_as_far_off_as_the_test_of_one_sample_allows(tally: Tally) -> None:
    share, found = tally.successes / tally.trials, wilson(tally)
    for end, sign in ((found.low, -1), (found.high, 1)):
        assert (end - share) / sqrt(end * (1 - end) / tally.trials) == pytest.approx(sign * Z_95)


@pytest.mark.parametrize("tally", [Tally(30, 100), Tally(70, 100), Tally(500, 1_000)])
@pytest.mark.parametrize("trials", [50, 200, 10_000])
@pytest.mark.parametrize("z", [1.0, Z_95])
def test_at_its_ends_further_trials_are_just_as_far_off_as_the_test_of_two_samples_allows(
    tally: Tally, trials: int, z: float
) -> None:
    share, found = tally.successes / tally.trials, predicted(tally, trials, z)
    for end, sign in ((found.low, -1), (found.high, 1)):
        pooled = (tally.successes + end * trials) / (tally.trials + trials)
        error = sqrt(pooled * (1 - pooled) * (1 / trials + 1 / tally.trials))
        assert (end - share) / error == pytest.approx(sign * z)


def test_no_share_is_below_0_or_above_1() -> None:
    assert predicted(Tally(1, 2), 1) == Interval(0.0, 1.0)


@pytest.mark.parametrize(("tally", "trials"), [(Tally(0, 0), 5), (Tally(3, 5), 0)])
def test_without_trials_before_or_further_on_any_share_may_come(tally: Tally, trials: int) -> None:
    assert predicted(tally, trials) == Interval(0.0, 1.0)


def test_further_trials_after_none_or_all_succeeded() -> None:
    assert (predicted(Tally(0, 20), 20).low, predicted(Tally(20, 20), 20).high) == (0.0, 1.0)
    assert predicted(Tally(20, 20), 20).low == pytest.approx(1 - predicted(Tally(0, 20), 20).high)
