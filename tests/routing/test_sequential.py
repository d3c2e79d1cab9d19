"""Looking at an experiment at any time does not mislead, and a difference that is there is found."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import exp
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.routing.interval import Tally
from chalicelib.routing.sequential import ERROR, Verdict, breached, compare, verdict
from tests.routing.experiment import Arm, doubtful, looks

tallies = st.integers(0, 3_000).flatmap(lambda n: st.builds(Tally, st.integers(0, n), st.just(n)))


def cries_wolf(
    says: Callable[[Tally, Tally], bool],
    control: tuple[float, int],
    arm: tuple[float, int],
    experiments: int,
    count: int,
) -> float:
    """In which part of the experiments `says` is true at any look; arms are of (true share, payments between looks)."""
    random, here, there, cried = Random(4), Arm(*control), Arm(*arm), 0
    for _ in range(experiments):
        cried += any(says(*tallies) for tallies in doubtful(random, here, there, count))
    return cried / experiments


def decided(control: Tally, arm: Tally) -> bool:
    return verdict(control, arm) is not Verdict.UNDECIDED


@pytest.mark.parametrize("share", [0.5, 0.8, 0.95, 0.02])
def test_of_two_equal_arms_looked_at_after_every_100_payments_it_cries_wolf_in_5_percent_at_most(share: float) -> None:
    assert cries_wolf(decided, (share, 50), (share, 50), experiments=2_000, count=200) <= 0.05


@pytest.mark.parametrize("share", [0.5, 0.95])
def test_it_does_not_with_arms_of_90_and_10_either(share: float) -> None:
    assert cries_wolf(decided, (share, 90), (share, 10), experiments=2_000, count=100) <= 0.05


@pytest.mark.parametrize("share", [0.5, 0.95])
def test_nor_when_looked_at_after_each_payment(share: float) -> None:
    assert cries_wolf(decided, (share, 1), (share, 1), experiments=400, count=1_000) <= 0.05


@pytest.mark.parametrize(("control", "arm"), [(0.8, 0.85), (0.5, 0.55), (0.85, 0.8)])
def test_a_difference_of_5_points_is_found_within_10000_payments_of_each_arm(control: float, arm: float) -> None:
    random, here, there = Random(5), Arm(control, 1_000), Arm(arm, 1_000)
    wanted = Verdict.BETTER if arm > control else Verdict.WORSE
    found = sum(any(verdict(*at) is wanted for at in looks(random, here, there, 10)) for _ in range(500))
    assert found / 500 >= 0.98


def test_it_is_found_with_arms_of_90_and_10_of_20000_payments() -> None:
    random, here, there = Random(6), Arm(0.8, 900), Arm(0.85, 100)
    found = sum(any(verdict(*at) is Verdict.BETTER for at in looks(random, here, there, 20)) for _ in range(200))
    assert found / 200 >= 0.85


@cache
def rules_out_equality(successes: int, others: int, payments: int) -> bool:
    return decided(Tally(successes, payments), Tally(others, payments))


@pytest.mark.parametrize("share", [0.5, 0.7, 0.9])
def test_in_all_that_can_happen_in_20_payments_of_each_arm_it_is_wrong_in_5_percent_at_most(share: float) -> None:
    """No sample: the chance of every way there is, looked at after each pair of payments."""
    step = {0: 1 - share, 1: share}
    alive, cried = {(0, 0): 1.0}, 0.0
    for payments in range(1, 21):
        reached: dict[tuple[int, int], float] = {}
        for (here, there), chance in alive.items():
            for one, of_one in step.items():
                for other, of_other in step.items():
                    place = here + one, there + other
                    reached[place] = reached.get(place, 0.0) + chance * of_one * of_other
        cried += sum(chance for place, chance in reached.items() if rules_out_equality(*place, payments))
        alive = {place: chance for place, chance in reached.items() if not rules_out_equality(*place, payments)}
    assert 0 < cried <= 0.05
    assert cried + sum(alive.values()) == pytest.approx(1)


def test_five_payments_of_each_arm_decide_nothing() -> None:
    counts = [Tally(successes, trials) for trials in range(6) for successes in range(trials + 1)]
    assert not any(decided(control, arm) for control in counts for arm in counts)


def test_an_arm_that_fails_altogether_is_seen_in_a_dozen_payments() -> None:
    assert verdict(Tally(11, 12), Tally(0, 12)) is Verdict.WORSE
    assert verdict(Tally(90, 100), Tally(0, 10)) is Verdict.WORSE


@pytest.mark.parametrize(
    ("control", "arm", "difference", "low", "high", "p_value", "said"),
    [
        ((8_000, 10_000), (8_500, 10_000), 0.05, 0.0297, 0.0704, 0.0, Verdict.BETTER),
        ((850, 1_000), (800, 1_000), -0.05, -0.1123, 0.0120, 0.2852, Verdict.UNDECIDED),
        ((90, 100), (0, 10), -0.9, -0.9727, -0.1869, 0.0003, Verdict.WORSE),
        ((0, 0), (0, 0), None, -1.0, 1.0, 1.0, Verdict.UNDECIDED),
        ((80, 100), (0, 0), None, -0.9097, 0.3471, 1.0, Verdict.UNDECIDED),
        ((0, 0), (80, 100), None, -0.3471, 0.9097, 1.0, Verdict.UNDECIDED),
    ],
)
def test_a_comparison_says_how_much_between_what_and_how_surely(
    control: tuple[int, int],
    arm: tuple[int, int],
    difference: float | None,
    low: float,
    high: float,
    p_value: float,
    said: Verdict,
) -> None:
    found = compare(Tally(*control), Tally(*arm))
    assert found.difference == (None if difference is None else pytest.approx(difference))
    assert (round(found.low, 4), round(found.high, 4), round(found.p_value, 4)) == (low, high, p_value)
    assert found.verdict is said


@pytest.mark.parametrize("difference", [0.0, 0.05])
def test_the_interval_holds_the_true_difference_at_every_look(difference: float) -> None:
    def misses(control: Tally, arm: Tally) -> bool:
        found = compare(control, arm)
        return not found.low <= difference <= found.high

    assert cries_wolf(misses, (0.8, 250), (0.8 + difference, 250), experiments=100, count=20) <= 0.05


@settings(max_examples=50)
@given(tallies, tallies, st.floats(0.01, 0.99))
def test_no_mixture_has_more_evidence_than_the_likeliest_shares(control: Tally, arm: Tally, share: float) -> None:
    surplus = Arm(share, 1).surplus
    most = surplus(control.successes, control.trials) + surplus(arm.successes, arm.trials)
    assert compare(control, arm).p_value >= exp(-most) * (1 - 1e-9)


@settings(max_examples=50)
@given(tallies, tallies)
def test_verdict_interval_and_p_value_agree(control: Tally, arm: Tally) -> None:
    found = compare(control, arm)
    assert found.verdict is verdict(control, arm)
    assert (found.verdict is Verdict.UNDECIDED) == (found.p_value > ERROR)
    assert (found.verdict is Verdict.BETTER) == (found.low > 1e-6) or abs(found.low) < 1e-6
    assert (found.verdict is Verdict.WORSE) == (found.high < -1e-6) or abs(found.high) < 1e-6
    assert found.difference is None or found.low <= found.difference <= found.high


@settings(max_examples=50)
@given(tallies, tallies)
def test_the_other_way_round_it_says_the_opposite(control: Tally, arm: Tally) -> None:
    here, there = compare(control, arm), compare(arm, control)
    assert (here.low, here.high) == pytest.approx((-there.high, -there.low), abs=1e-5)
    assert here.p_value == pytest.approx(there.p_value, rel=1e-3)


def test_less_error_is_a_wider_interval_and_a_later_verdict() -> None:
    control, arm = Tally(1_000, 1_250), Tally(1_085, 1_250)
    usual, strict = compare(control, arm), compare(control, arm, error=0.001)
    assert strict.low < usual.low < usual.high < strict.high
    assert (usual.verdict, strict.verdict) == (Verdict.BETTER, Verdict.UNDECIDED)


@pytest.mark.parametrize("control", [Tally(10**7, 2 * 10**7), Tally(3, 10**7), Tally(10**7, 10**7)])
def test_ten_million_payments_are_no_trouble(control: Tally) -> None:
    found = compare(control, control)
    assert found.difference == 0
    assert -0.003 < found.low <= 0 <= found.high < 0.003


@pytest.mark.parametrize(
    ("control", "arm", "max_drop_points", "said"),
    [
        (Tally(800, 1_000), Tally(700, 1_000), 2.0, True),
        (Tally(800, 1_000), Tally(700, 1_000), 5.0, False),  # worse, but by more than 5 points only perhaps
        (Tally(800, 1_000), Tally(700, 1_000), 20.0, False),
        (Tally(700, 1_000), Tally(800, 1_000), 0.0, False),
        (Tally(8, 10), Tally(7, 10), 0.0, False),
        (Tally(800, 1_000), Tally(0, 0), 0.0, False),
        (Tally(0, 0), Tally(0, 10), 0.0, False),
        (Tally(90, 100), Tally(0, 20), 5.0, True),
    ],
)
def test_a_guardrail_is_breached_by_an_arm_that_is_certainly_worse_by_more_than_is_allowed(
    control: Tally, arm: Tally, max_drop_points: float, said: bool
) -> None:
    assert breached(control, arm, max_drop_points) is said


@settings(max_examples=50)
@given(tallies, tallies, st.sampled_from([0.0, 1.0, 5.0, 20.0]))
def test_a_guardrail_is_breached_where_the_whole_interval_lies_below_it(
    control: Tally, arm: Tally, max_drop_points: float
) -> None:
    high, allowed = compare(control, arm).high, -max_drop_points / 100
    assert breached(control, arm, max_drop_points) == (high < allowed) or abs(high - allowed) < 1e-6


@pytest.mark.parametrize("share", [0.5, 0.8, 0.95, 0.02])
def test_equal_arms_breach_a_guardrail_of_nothing_in_5_percent_at_most(share: float) -> None:
    says = lambda control, arm: breached(control, arm, 0.0)  # noqa: E731
    assert cries_wolf(says, (share, 10), (share, 10), experiments=1_000, count=300) <= 0.05


def test_an_arm_that_is_just_as_much_worse_as_allowed_breaches_in_5_percent_at_most() -> None:
    says = lambda control, arm: breached(control, arm, 5.0)  # noqa: E731
    assert cries_wolf(says, (0.8, 50), (0.75, 50), experiments=1_000, count=200) <= 0.05


def test_an_arm_that_drops_by_10_points_breaches_a_guardrail_of_2_within_3000_payments_of_each() -> None:
    random, here, there = Random(7), Arm(0.85, 500), Arm(0.75, 500)
    found = sum(any(breached(*at, 2.0) for at in looks(random, here, there, 6)) for _ in range(200))
    assert found / 200 >= 0.95


@pytest.mark.parametrize(("arm", "is_breached"), [(85_010_000, False), (84_900_000, True)])
def test_a_guardrail_allows_exactly_its_points(arm: int, is_breached: bool) -> None:
    many = 100_000_000
    assert breached(Tally(90_000_000, many), Tally(arm, many), 5) is is_breached
