"""The circuit of a connection: what opens it, when somebody may find out, and what closes it."""

from __future__ import annotations

from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.routing.health import (
    BUCKET_S,
    BUCKETS,
    COOL_DOWN_S,
    PROBE_LEASE_S,
    SLOW_MS,
    Bucket,
    Circuit,
    CircuitState,
    ConnectionHealth,
    Figures,
    Outcome,
    Probe,
    Window,
    merged,
    overridden,
    probing,
    recorded,
)

T = 1_000_000.0  # the beginning of a bucket
NEW = ConnectionHealth("default", "psp-1")


def call(at_s: float, answered: bool = True, took_s: float = 0.1) -> Outcome:
    return Outcome(at_s - took_s, at_s, answered)


def after(*outcomes: Outcome, start: ConnectionHealth = NEW) -> ConnectionHealth:
    return reduce(recorded, outcomes, start)


def failures(count: int, at_s: float = T, every_s: float = 0.001) -> list[Outcome]:
    return [call(at_s + number * every_s, answered=False) for number in range(count)]


OPENED = after(*failures(5))
UNTIL_S = OPENED.circuit.until_s or 0.0


def test_a_new_connection_is_healthy() -> None:
    assert NEW.circuit.state(T) is CircuitState.CLOSED
    assert not NEW.circuit.may_probe(T)
    assert NEW.window.figures(T) == Figures(0, 0, None, None)
    assert NEW.window.figures(T).failure_share == 0


@pytest.mark.parametrize(("count", "state"), [(4, CircuitState.CLOSED), (5, CircuitState.OPEN)])
def test_five_failures_in_a_row_open_it(count: int, state: CircuitState) -> None:
    assert after(*failures(count)).circuit.state(T + 1) is state


def test_a_call_that_works_begins_the_row_anew() -> None:
    health = after(*failures(4), call(T + 1), *failures(4, T + 2))
    assert health.window.failures_in_a_row == 4
    assert health.circuit.state(T + 3) is CircuitState.CLOSED


def test_a_failure_at_the_moment_of_a_success_is_not_after_it() -> None:
    assert after(call(T), *failures(1, T), *failures(1, T + 1)).window.failures_in_a_row == 1


def test_a_row_counts_by_time_not_by_arrival() -> None:
    """Another process's success was earlier than all these failures, and is heard of last."""
    health = merged(after(*failures(4, T + 1)), [call(T)])
    assert health.window.failures_in_a_row == 4
    assert after(call(T + 2), *failures(5, T + 1)).circuit.state(T + 3) is CircuitState.CLOSED


@pytest.mark.parametrize(
    ("bad", "good", "state"), [(10, 10, CircuitState.OPEN), (9, 11, CircuitState.CLOSED), (9, 10, CircuitState.CLOSED)]
)
def test_half_of_twenty_calls_failing_opens_it(bad: int, good: int, state: CircuitState) -> None:
    outcomes = [call(T + 1 + number, number % 2 == 0) for number in range(2 * min(bad, good))]
    outcomes += [call(T + number / 100, bad < good) for number in range(abs(bad - good))]
    assert len(outcomes) == bad + good
    health = after(*sorted(outcomes, key=lambda one: one.ended_at_s))
    assert health.circuit.state(T + 21) is state
    assert health.circuit.reason == (None if state is CircuitState.CLOSED else "10 of 20 calls failed")


def test_a_call_that_works_opens_nothing() -> None:
    half_bad = after(*(call(T + number, number % 2 == 1) for number in range(19)))
    assert half_bad.window.figures(T + 19) == Figures(19, 10, 100, 100)
    worked = after(call(T + 19), start=half_bad)
    assert worked.circuit.state(T + 19) is CircuitState.CLOSED
    assert after(call(T + 20, answered=False), start=worked).circuit.reason == "11 of 21 calls failed"


def test_what_is_older_than_a_minute_does_not_count_towards_the_share() -> None:
    old = [call(T + number, number % 2 == 0) for number in range(18)]
    health = after(*old, call(T + 90), call(T + 91, answered=False))
    assert health.window.figures(T + 91).calls == 2
    assert health.circuit.state(T + 91) is CircuitState.CLOSED


@pytest.mark.parametrize(("latency_ms", "worked"), [(0, True), (SLOW_MS, True), (SLOW_MS + 1, False)])
def test_a_call_that_is_too_slow_has_failed(latency_ms: int, worked: bool) -> None:
    outcome = Outcome(T, T + latency_ms / 1000, answered=True)
    assert (outcome.latency_ms, outcome.worked) == (latency_ms, worked)


def test_a_clock_that_went_back_measures_nothing_below_zero() -> None:
    assert Outcome(T, T - 1, answered=True).latency_ms == 0


def test_an_open_circuit_says_since_when_until_when_and_why() -> None:
    last = failures(5)[-1].ended_at_s
    assert after(*failures(5)).circuit == Circuit(
        since_s=last, until_s=last + 10, opened=1, reason="5 failures in a row"
    )


def test_it_is_half_open_once_it_has_cooled_down() -> None:
    assert OPENED.circuit.state(UNTIL_S - 0.001) is CircuitState.OPEN
    assert OPENED.circuit.state(UNTIL_S) is CircuitState.HALF_OPEN
    assert not OPENED.circuit.may_probe(UNTIL_S - 0.001)
    assert OPENED.circuit.may_probe(UNTIL_S)


def test_one_process_at_a_time_may_probe() -> None:
    leased = probing(OPENED, "one", UNTIL_S)
    assert leased.circuit.probe == Probe("one", UNTIL_S + PROBE_LEASE_S)
    assert not leased.circuit.may_probe(UNTIL_S + PROBE_LEASE_S - 0.001)
    assert leased.circuit.may_probe(UNTIL_S + PROBE_LEASE_S)


def test_two_probes_that_work_close_it_and_the_window_begins_anew() -> None:
    once = after(call(UNTIL_S + 1), start=probing(OPENED, "one", UNTIL_S))
    assert (once.circuit.passed, once.circuit.probe) == (1, None)
    assert once.circuit.state(UNTIL_S + 1) is CircuitState.HALF_OPEN
    closed = after(call(UNTIL_S + 2), start=once)
    assert closed.circuit == Circuit(since_s=UNTIL_S + 2)
    assert closed.window == Window(worked_at_s=UNTIL_S + 2)


def test_each_failed_probe_opens_it_for_longer_up_to_half_a_minute() -> None:
    health, waited = OPENED, []
    for _ in range(4):
        began = health.circuit.until_s or 0.0
        health = after(call(began + 2, took_s=1, answered=False), start=probing(health, "one", began))
        waited.append((health.circuit.until_s or 0.0) - (began + 2))
    assert waited == [20, 30, 30, 30]
    assert health.circuit.since_s == OPENED.circuit.since_s, "it has been open since it first opened"
    assert (health.circuit.reason, health.circuit.probe) == ("a probe failed", None)


def test_a_probe_that_fails_after_one_that_worked_starts_the_count_anew() -> None:
    health = after(call(UNTIL_S + 1), call(UNTIL_S + 2, answered=False), start=OPENED)
    assert (health.circuit.passed, health.circuit.state(UNTIL_S + 2)) == (0, CircuitState.OPEN)


def test_a_call_that_begins_the_moment_it_is_half_open_is_a_probe() -> None:
    assert after(Outcome(UNTIL_S, UNTIL_S + 1, True), start=OPENED).circuit.passed == 1


@pytest.mark.parametrize("answered", [True, False])
def test_a_call_from_before_it_was_half_open_decides_nothing(answered: bool) -> None:
    late = call(UNTIL_S + 1, answered, took_s=2)
    health = after(late, start=OPENED)
    assert health.circuit == OPENED.circuit
    assert health.window.figures(UNTIL_S + 1).calls == 6, "but it is counted"


def test_a_call_from_before_it_closed_is_not_held_against_it() -> None:
    closed = after(call(UNTIL_S + 1), call(UNTIL_S + 2), start=OPENED)
    assert after(call(UNTIL_S + 3, answered=False, took_s=2), start=closed) == closed
    assert after(call(UNTIL_S + 3, answered=False, took_s=1), start=closed) != closed


def test_figures_are_upper_bounds_over_the_last_minute() -> None:
    health = after(*(call(T + 1, took_s=took_s) for took_s in [0.02] * 10 + [0.07] * 9 + [1.5]))
    assert health.window.figures(T + 2) == Figures(calls=20, failures=0, p50_ms=25, p95_ms=100)
    assert health.window.figures(T + BUCKET_S * BUCKETS - 0.001).calls == 20
    assert health.window.figures(T + BUCKET_S * BUCKETS) == Figures(0, 0, None, None)


def test_the_numbers_are_those_that_the_documentation_gives() -> None:
    assert (BUCKET_S * BUCKETS, SLOW_MS, PROBE_LEASE_S) == (60, 2_500, 10)


def test_nineteen_of_twenty_calls_are_within_the_95th_percentile() -> None:
    some = [call(T, took_s=0.02)] * 189 + [call(T, took_s=0.2)] * 11
    assert after(*some).window.figures(T).p95_ms == 200
    assert after(*some, call(T, took_s=0.02), *[call(T, took_s=0.02)] * 19).window.figures(T).p95_ms == 25


@pytest.mark.parametrize("bound_ms", [25, 50, 100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800])
def test_latencies_are_told_in_steps_of_two(bound_ms: int) -> None:
    within, beyond = (after(Outcome(0, ms / 1000, True)).window.figures(0).p95_ms for ms in (bound_ms, bound_ms + 1))
    assert (within, beyond) == (bound_ms, 2 * bound_ms)


@pytest.mark.parametrize(("took_s", "bound_ms"), [(0.0, 25), (25.6, 25_600), (60.0, 25_600)])
def test_a_latency_is_told_by_the_next_bound(took_s: float, bound_ms: int) -> None:
    assert after(Outcome(T, T + took_s, True)).window.figures(T).p95_ms == bound_ms


def test_the_share_of_failures_is_of_the_windows_calls() -> None:
    assert after(call(T), call(T, False), call(T), call(T)).window.figures(T).failure_share == 0.25


@pytest.mark.parametrize("state", CircuitState)
def test_an_operators_word_wins(state: CircuitState) -> None:
    assert overridden("open", state) is CircuitState.OPEN
    assert overridden("closed", state) is CircuitState.CLOSED
    assert overridden(None, state) is state


def test_a_bucket_counts_what_came_and_what_failed() -> None:
    assert Bucket(7).plus(call(T, answered=False, took_s=0.01)) == Bucket(7, 1, 1, (1, *(0,) * 10))


OUTCOMES = st.lists(
    st.builds(call, st.integers(0, 200_000).map(lambda ms: T + ms / 1000), st.booleans(), st.sampled_from([0.0, 0.1, 3.0])),
    max_size=40,
)  # fmt: skip


@given(OUTCOMES, st.randoms(use_true_random=False))
def test_a_window_is_the_same_whatever_was_heard_of_first(outcomes: list[Outcome], chance: object) -> None:
    shuffled = list(outcomes)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert reduce(Window.plus, shuffled, Window()) == reduce(Window.plus, outcomes, Window())


@given(OUTCOMES, st.integers(0, 40))
def test_it_does_not_matter_in_how_many_batches_they_come(outcomes: list[Outcome], cut: int) -> None:
    ordered = sorted(outcomes, key=lambda one: one.ended_at_s)
    assert merged(merged(NEW, ordered[:cut]), ordered[cut:]) == merged(NEW, ordered)


@given(OUTCOMES)
def test_no_circuit_stays_open_for_ever_without_traffic(outcomes: list[Outcome]) -> None:
    health = after(*outcomes)
    latest = max((one.ended_at_s for one in outcomes), default=T)
    later = latest + max(COOL_DOWN_S)
    assert health.circuit.state(later) is not CircuitState.OPEN
    leased = probing(health, "one", later)
    assert leased.circuit.state(later) is CircuitState.CLOSED or leased.circuit.may_probe(later + PROBE_LEASE_S)


@given(OUTCOMES)
def test_two_good_calls_after_the_cool_down_close_any_circuit(outcomes: list[Outcome]) -> None:
    health = after(*outcomes)
    later = T + 200 + max(COOL_DOWN_S)
    assert after(call(later + 1), call(later + 2), start=health).circuit.state(later + 2) is CircuitState.CLOSED


@given(OUTCOMES)
def test_the_sums_of_a_window_are_those_of_its_calls(outcomes: list[Outcome]) -> None:
    window = reduce(Window.plus, outcomes, Window())
    newest = max((one.ended_at_s for one in outcomes), default=T)
    oldest_s = (newest // BUCKET_S - BUCKETS + 1) * BUCKET_S
    counted = [one for one in outcomes if one.ended_at_s >= oldest_s]
    figures = window.figures(newest)
    assert (figures.calls, figures.failures) == (len(counted), sum(not one.worked for one in counted))
    assert sum(sum(bucket.latencies) for bucket in window.buckets) == figures.calls
