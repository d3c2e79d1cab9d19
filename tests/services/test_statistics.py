"""What figures mean: late money, periods, latencies."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from chalicelib.domain.statistics import HOUR
from chalicelib.services.statistics import Interval, Latency, bounds_of, latency_of, totals
from tests.builders import NOW
from tests.services.histories import expired, hear, sealed
from tests.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def figures(world: World, *group_by: str, hours: int = 24) -> dict[str | None, dict[str, int]]:
    """By the values of the first group; zeros are left out."""
    return {
        next(iter(one.group.values()), None): {name: value for name, value in one.figures.items() if value}
        for one in totals(world.ports, "default", NOW, NOW + hours * HOUR, group_by)
    }


def test_a_payment_that_nobody_paid_counts_as_unpaid_once_it_ended(world: World) -> None:
    payment = world.open().payment
    assert "payments_unpaid" not in figures(world)[None]
    world.psps["psp-1"].expire(payment.attempts[0].id)
    hear(world, payment)
    assert figures(world)[None]["payments_unpaid"] == 1


def test_late_money_takes_that_back(world: World) -> None:
    payment = expired(world)
    world.psps["psp-1"].pay(payment.attempts[0].id, late=True)
    hear(world, payment)
    found = figures(world)[None]
    assert "payments_unpaid" not in found
    assert found["payments_authorized"] == 1


def test_late_money_takes_it_back_in_the_hour_in_which_it_comes(world: World) -> None:
    payment = expired(world)
    world.clock.at = NOW + 3 * HOUR
    world.psps["psp-1"].pay(payment.attempts[0].id, late=True)
    hear(world, payment)
    (hour,) = totals(world.ports, "default", NOW + 3 * HOUR, NOW + 4 * HOUR, ())
    assert (hour.figures["payments_unpaid"], hour.figures["payments_authorized"]) == (-1, 1)


def test_a_sealed_attempt_is_one_that_did_not_answer(world: World) -> None:
    sealed(world)
    found = figures(world, "connection_id")
    assert found["psp-1"] == {"attempts": 1, "unanswered": 1}
    assert (found["psp-2"]["payments"], found["psp-2"]["opened"]) == (1, 1)


def test_groups_have_the_order_that_was_asked_for(world: World) -> None:
    world.open()
    (total,) = totals(world.ports, "default", NOW, NOW + HOUR, ("currency", "route"))
    assert total.group == {"currency": "EUR", "route": "default"}
    assert list(total.group) == ["currency", "route"]


NOON, LATE = datetime(2026, 3, 1, 12, tzinfo=UTC), datetime(2026, 3, 1, 12, 0, 0, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("since", "until", "interval", "bounds"),
    [
        (NOON, NOON, Interval.HOUR, (NOON, NOON)),
        (NOON, LATE, Interval.HOUR, (NOON, NOON + HOUR)),
        (LATE, LATE, Interval.ALL, (NOON, NOON + HOUR)),
        (LATE, LATE, Interval.DAY, (NOON - 12 * HOUR, NOON + 12 * HOUR)),
        (NOON - 12 * HOUR, NOON + 12 * HOUR, Interval.DAY, (NOON - 12 * HOUR, NOON + 12 * HOUR)),
    ],
)
def test_a_period_is_made_of_whole_intervals(
    since: datetime, until: datetime, interval: Interval, bounds: tuple[datetime, datetime]
) -> None:
    assert bounds_of(since, until, interval) == bounds


def test_percentiles_are_the_bounds_of_their_steps() -> None:
    counted = {"open_ms": 9_400, "open_ms_100": 50, "open_ms_200": 44, "open_ms_500": 1, "open_ms_2000": 5}
    assert latency_of(counted) == Latency(100, 94, 100, 500)


def test_what_was_not_measured_has_no_latency() -> None:
    assert latency_of({"opened": 3}) == Latency(0, None, None, None)


@pytest.mark.parametrize(("took_s", "bound"), [(0.0, 10), (0.011, 20), (0.35, 500), (100.0, 60_000)])
def test_opening_a_page_is_measured(world: World, monkeypatch: pytest.MonkeyPatch, took_s: float, bound: int) -> None:
    psp, passed = world.psps["psp-1"], [0.0]
    monkeypatch.setattr("chalicelib.outbound.driver.Deadline.left_s", lambda deadline: 1_000 - passed[0])

    def slow(order: object) -> str:
        passed[0] += took_s
        return "answer"

    psp.script = slow
    world.open()
    found = figures(world)[None]
    assert found["open_ms"] == max(round(took_s * 1000), 1)
    assert found[f"open_ms_{bound}"] == 1


def test_two_hours_of_one_payment_add_up_to_a_period_of_both(world: World) -> None:
    payment = expired(world)
    world.clock.at = NOW + 3 * HOUR
    world.psps["psp-1"].pay(payment.attempts[0].id, late=True)
    hear(world, payment)
    apart = [totals(world.ports, "default", NOW + n * HOUR, NOW + (n + 1) * HOUR, ()) for n in range(4)]
    summed: dict[str, int] = {}
    for one in (total for found in apart for total in found):
        for name, value in one.figures.items():
            summed[name] = summed.get(name, 0) + value
    assert {name: value for name, value in summed.items() if value} == figures(world)[None]
