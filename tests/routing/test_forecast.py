"""What share of payments would have been authorized elsewhere, and how sure that is."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.routing.forecast import Estimate, Forecast, Sort
from chalicelib.routing.interval import Tally, predicted, wilson

CARD, IDEAL = Sort("EUR", "card"), Sort("EUR", "ideal")
Row = tuple[Sort, str, str | None, bool]


def estimate(*rows: Row) -> Estimate:
    forecast = Forecast()
    for row in rows:
        forecast.add(*row)
    return forecast.estimate()


def some(authorized: int, of: int, before: str, after: str | None, sort: Sort = CARD) -> list[Row]:
    return [(sort, before, after, number < authorized) for number in range(of)]


def test_nothing_was_seen() -> None:
    assert estimate() == Estimate(0, 0, 0, 0, None, None, None, None)


def test_what_stays_keeps_its_outcome_for_sure() -> None:
    assert estimate(*some(7, 10, "a", "a")) == Estimate(10, 0, 0, 0, 0.7, 0.7, 0.7, 0.7)


def test_what_moves_counts_as_those_that_began_there_did() -> None:
    found = estimate(*some(3, 10, "a", "b"), *some(8, 10, "b", "b"))
    assert (found.matched, found.estimated, found.before, found.after) == (10, 10, 0.55, 0.8)


def test_those_that_began_there_count_even_if_they_move_away() -> None:
    found = estimate(*some(4, 10, "a", "b"), *some(9, 10, "b", "a"))
    assert (found.before, found.after) == (0.65, 0.65)


def test_only_payments_of_the_same_sort_count_where_there_are_some() -> None:
    rows = [*some(0, 10, "a", "b"), *some(10, 10, "b", "b"), *some(0, 90, "b", "b", IDEAL)]
    assert estimate(*rows).after == pytest.approx(20 / 110)


def test_payments_of_every_sort_count_where_there_are_none_of_the_same() -> None:
    rows = [*some(0, 10, "a", "b"), *some(5, 10, "b", "b", IDEAL)]
    found = estimate(*rows)
    assert (found.estimated, found.unknown, found.after) == (10, 0, 0.5)


def test_what_moves_to_where_nothing_began_is_left_out_of_both_shares() -> None:
    found = estimate(*some(1, 10, "a", "c"), *some(8, 10, "b", "b"))
    assert (found.unknown, found.before, found.after) == (10, 0.8, 0.8)


def test_where_all_is_unknown_there_is_no_share() -> None:
    assert estimate(*some(1, 10, "a", "c")) == Estimate(0, 0, 0, 10, None, None, None, None)


def test_what_nobody_could_take_is_not_authorized() -> None:
    found = estimate(*some(6, 10, "a", None), *some(8, 10, "a", "a"))
    assert (found.untaken, found.before, found.after, found.low, found.high) == (10, 0.7, 0.4, 0.4, 0.4)


def test_what_one_moved_payment_comes_to_is_not_known() -> None:
    found = estimate(*some(0, 1, "a", "b"), *some(50_000, 100_000, "b", "b"))
    assert (found.after, found.low, found.high) == pytest.approx(
        (50_000.5 / 100_001, 50_000 / 100_001, 50_001 / 100_001)
    )


def test_many_moved_payments_are_no_surer_than_the_few_they_are_judged_by() -> None:
    found, likely = estimate(*some(0, 10**5, "a", "b"), *some(5, 10, "b", "b")), wilson(Tally(5, 10))
    assert (found.low, found.high) == pytest.approx((likely.low, likely.high), abs=1e-3)


def test_errors_of_two_psps_do_not_add_up_in_full() -> None:
    one = estimate(*some(0, 100, "a", "b"), *some(50, 100, "b", "a"), *some(50, 100, "c", "c"))
    two = estimate(*some(0, 50, "a", "b"), *some(0, 50, "a", "c"), *some(50, 100, "b", "a"), *some(50, 100, "c", "a"))
    assert two.high is not None
    assert one.high is not None
    assert two.low is not None
    assert one.low is not None
    assert (two.high - two.low) < (one.high - one.low) * 1.2


def test_errors_of_one_psp_add_up_in_full() -> None:
    """Two sorts move to where only a third began: they are judged by the same payments."""
    begun = some(50, 100, "b", "b", Sort("JPY", "card"))
    found = estimate(*some(0, 100, "a", "b", CARD), *some(0, 100, "a", "b", IDEAL), *begun)
    apart = predicted(Tally(50, 100), 100)
    assert (found.low, found.high) == pytest.approx(
        (0.5 - 200 * (0.5 - apart.low) / 300, 0.5 + 200 * (apart.high - 0.5) / 300)
    )


rows = st.lists(
    st.tuples(
        st.sampled_from([CARD, IDEAL]), st.sampled_from("abc"), st.sampled_from(["a", "b", "d", None]), st.booleans()
    )
)


@given(rows)
def test_the_estimate_lies_in_its_interval_and_every_payment_is_counted_once(given_: list[Row]) -> None:
    found = estimate(*given_)
    assert found.matched + found.estimated + found.untaken + found.unknown == len(given_)
    if found.low is not None and found.after is not None and found.high is not None:
        assert 0 <= found.low <= found.after + 1e-9
        assert found.after <= found.high + 1e-9 <= 1 + 2e-9


@given(rows)
def test_where_nothing_moves_what_happened_is_what_would_have_happened(given_: list[Row]) -> None:
    found = estimate(*((sort, before, before, authorized) for sort, before, _, authorized in given_))
    assert found.after == found.low == found.high == found.before


@pytest.mark.parametrize(("begun", "moved", "share"), [(200, 200, 0.8), (40, 300, 0.9), (300, 20, 0.7), (30, 30, 0.9)])
def test_what_then_happens_is_in_the_interval_at_least_93_times_of_100(begun: int, moved: int, share: float) -> None:
    """A thousand times, payments like those that began at `b` are moved there, and meet the same chance."""
    chance, within = random.Random(begun), 0
    for _ in range(1_000):
        seen = sum(chance.random() < share for _ in range(begun))
        found = estimate(*some(seen, begun, "b", "b"), *some(0, moved, "a", "b"))
        happened = (seen + sum(chance.random() < share for _ in range(moved))) / (begun + moved)
        assert found.low is not None
        assert found.high is not None
        within += found.low - 1e-9 <= happened <= found.high + 1e-9
    assert within >= 930
