"""docs/scale.md says what the code comes to."""

from __future__ import annotations

import pytest

from benchmarks.cost_report import BEGIN, END
from benchmarks.scale import PAGE, RATE, Life, limits, lived, text_of


@pytest.fixture(scope="module")
def life() -> Life:
    return lived()


def test_the_tables_of_the_page_are_what_a_life_comes_to(life: Life) -> None:
    """`python -m benchmarks.scale --write` writes them anew."""
    written = PAGE.read_text().partition(BEGIN)[2].partition(END)[0]
    assert written.strip() == text_of(life)


def test_the_figures_between_the_tables_are_the_same(life: Life) -> None:
    """Those that a sentence of the page repeats."""
    page = " ".join(PAGE.read_text().split())
    closing, sweep = (
        round(next(rate for rate, what, _ in limits(life) if what.startswith(begins)), -1)
        for begins in ("closing an hour", "one sweep")
    )
    sweeps = life.chores * RATE / 1_000
    assert f"statistics at about {closing:.0f} payments a second" in page
    assert f"the sweep at about {sweep:.0f}." in page
    assert f"it takes {sweeps:.0f} of them" in page
    assert f"which every payment moves in {_words(life.writes['payments', 'due'])} times" in page
    assert f"wants at least {life.writes['payments', 'due'] * RATE / 1_000:.0f} at this rate" in page
    assert f"{_words(life.psp_calls).capitalize()} calls a payment" in page


def test_what_ends_first_comes_first(life: Life) -> None:
    rates = [rate for rate, _, _ in limits(life)]
    assert rates == sorted(rates)
    assert rates[0] > 1


def _words(count: float) -> str:
    return {4: "four", 5: "five", 6: "six", 7: "seven", 8: "eight"}[int(count)]
