"""Who gets which arm: by the weights, always the same, and moved no further than weights move."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.routing.split import choose, key_of

KEY = key_of("default", "default", "Card A/B", None)
UNITS = [f"c-{number}" for number in range(10_000)]
EVEN = [("a", 1), ("b", 1)]

names = st.text(max_size=12)
weighted = st.lists(st.tuples(names, st.integers(1, 10_000)), min_size=1, max_size=6, unique_by=lambda arm: arm[0])


def assigned(*arms: tuple[str, int], key: str = KEY) -> dict[str, str]:
    return {unit: choose(key, unit, arms) for unit in UNITS}


def moves(before: dict[str, str], after: dict[str, str]) -> Counter[tuple[str, str]]:
    return Counter((before[unit], after[unit]) for unit in UNITS if before[unit] != after[unit])


def test_ten_thousand_ids_fall_80_20_within_a_point_and_a_half() -> None:
    assert sum(arm == "a" for arm in assigned(("a", 80), ("b", 20)).values()) / 10_000 == pytest.approx(0.8, abs=0.015)


@pytest.mark.parametrize("weights", [(1, 1, 1, 1), (50, 30, 15, 5), (9_990, 10), (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)])
def test_every_arm_gets_its_weight_s_part(weights: tuple[int, ...]) -> None:
    counted = Counter(assigned(*((f"arm-{position}", weight) for position, weight in enumerate(weights))).values())
    wanted = [10_000 * weight / sum(weights) for weight in weights]
    chi_square = sum((counted[f"arm-{position}"] - want) ** 2 / want for position, want in enumerate(wanted))
    freedom = len(weights) - 1
    assert chi_square < freedom + 4 * sqrt(2 * freedom)  # four standard deviations of chance


@pytest.mark.parametrize("seed", ["0", "1", "4242"])
def test_another_process_chooses_the_same_whatever_its_hash_seed(seed: str) -> None:
    program = (
        "from chalicelib.routing.split import choose, key_of\n"
        "key = key_of('default', 'default', 'Card A/B', None)\n"
        "print(''.join(choose(key, f'c-{number}', [('a', 80), ('b', 20)]) for number in range(200)))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    told = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "".join(choose(KEY, unit, [("a", 80), ("b", 20)]) for unit in UNITS[:200])


def test_who_goes_where_is_the_same_in_every_release() -> None:
    """Another way to hash would move customers between the arms of an experiment that is under way."""
    assert KEY == "33a312f2557c71d5bfe5da73c9cf48f4"
    arms = [("a", 50), ("b", 30), ("c", 20)]
    assert (
        "".join(choose(KEY, unit, arms) for unit in [*UNITS[:20], "", "é", "\ud800", "顧客"])
        == "aabacaababababaaaaaaaaca"
    )


def test_from_80_20_to_70_30_at_most_11_percent_move_and_only_to_the_raised_arm() -> None:
    moved = moves(assigned(("a", 80), ("b", 20)), assigned(("a", 70), ("b", 30)))
    assert set(moved) == {("a", "b")}
    assert 900 <= moved["a", "b"] <= 1_100


def test_a_new_arm_takes_from_all_others_and_nothing_else_moves() -> None:
    moved = moves(assigned(("a", 50), ("b", 50)), assigned(("a", 50), ("b", 50), ("c", 25)))
    assert set(moved) == {("a", "c"), ("b", "c")}
    assert moved["a", "c"] == pytest.approx(1_000, abs=120)


def test_an_arm_without_weight_gets_nobody_and_its_units_go_to_the_others() -> None:
    before, after = assigned(("a", 50), ("b", 25), ("c", 25)), assigned(("a", 50), ("b", 0), ("c", 25))
    assert {here for here, _ in moves(before, after)} == {"b"}
    assert set(after.values()) == {"a", "c"}


def test_weights_of_the_same_proportions_move_nobody() -> None:
    assert assigned(("a", 80), ("b", 20)) == assigned(("a", 4), ("b", 1))


@pytest.mark.parametrize(
    "other",
    [
        key_of("default", "default", "Card A/B", "again"),
        key_of("default", "default", "another rule", None),
        key_of("default", "another-route", "Card A/B", None),
        key_of("another", "default", "Card A/B", None),
    ],
    ids=["salt", "rule", "route", "merchant"],
)
def test_another_salt_rule_route_or_merchant_deals_independently(other: str) -> None:
    here, there = assigned(*EVEN), assigned(*EVEN, key=other)
    pairs = Counter((here[unit], there[unit]) for unit in UNITS)
    assert len(pairs) == 4
    assert sum((count - 2_500) ** 2 / 2_500 for count in pairs.values()) < 16.3  # of 3 degrees, 1 in 1,000


def test_the_parts_of_a_key_can_not_be_taken_for_each_other() -> None:
    assert key_of("m", "a", "bc", None) != key_of("m", "ab", "c", None)
    assert key_of("m", "r", 'a", "b', "") != key_of("m", "r", "a", "b")


def test_a_unit_and_an_arm_can_not_be_taken_for_each_other() -> None:
    arms = [("1", 1), ("11", 1)]
    assert {choose(KEY, "c" + "1" * length, arms) for length in range(20)} == {"1", "11"}


def test_a_split_without_any_weight_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        choose(KEY, "c-1", [("a", 0), ("b", 0)])


@given(names, weighted, st.randoms())
def test_the_order_of_the_arms_does_not_matter(unit: str, arms: list[tuple[str, int]], random: object) -> None:
    shuffled = arms[:]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert choose(KEY, unit, shuffled) == choose(KEY, unit, arms)


@given(names, weighted, st.data())
def test_without_another_arm_the_unit_stays_where_it_was(
    unit: str, arms: list[tuple[str, int]], data: st.DataObject
) -> None:
    chosen = choose(KEY, unit, arms)
    gone = data.draw(st.sampled_from(arms))
    if gone[0] != chosen:
        assert choose(KEY, unit, [arm for arm in arms if arm != gone]) == chosen


@given(names, weighted, st.data(), st.integers(1, 10_000))
def test_raising_a_weight_moves_a_unit_to_that_arm_or_not_at_all(
    unit: str, arms: list[tuple[str, int]], data: st.DataObject, more: int
) -> None:
    raised = data.draw(st.sampled_from(arms))[0]
    after = [(arm, weight + more * (arm == raised)) for arm, weight in arms]
    assert choose(KEY, unit, after) in (choose(KEY, unit, arms), raised)
