"""The health of a connection: what its calls came to lately, and whether new payments should avoid it. Pure.

Many processes record outcomes, and tell each other late and in any order: a window counts the same whatever came first. A
circuit opens when too many calls fail, is half open once it has cooled down (single calls may find out), and closes when
they work. Times are seconds since 1970.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

BUCKET_S = 10.0
BUCKETS = 6  # together the window: the last minute
SLOW_MS = 2_500  # a shopper has left by then: a slower call counts as failed
IN_A_ROW = 5  # so many failures in a row open a circuit,
SHARE, SHARE_CALLS = 0.5, 20  # and so does this share of the window's calls, once there were that many
COOL_DOWN_S = (10.0, 20.0, 30.0)  # after the first opening, the second in a row, and every further one
PROBES = 2  # so many calls in a row must work to close it
PROBE_LEASE_S = 10.0
LATENCIES_MS = (25, 50, 100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600)  # upper bounds; none takes longer


class CircuitState(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One opening call. `answered`: the PSP did its work, be it to decline."""

    began_at_s: float
    ended_at_s: float
    answered: bool

    @property
    def latency_ms(self) -> int:
        return max(round((self.ended_at_s - self.began_at_s) * 1000), 0)

    @property
    def worked(self) -> bool:
        return self.answered and self.latency_ms <= SLOW_MS


@dataclass(frozen=True, slots=True)
class Bucket:
    """Ten seconds; `number` counts them since 1970. `latencies` are calls by LATENCIES_MS."""

    number: int
    calls: int = 0
    failures: int = 0
    latencies: tuple[int, ...] = (0,) * len(LATENCIES_MS)

    def plus(self, outcome: Outcome) -> Bucket:
        place = min(bisect_left(LATENCIES_MS, outcome.latency_ms), len(LATENCIES_MS) - 1)
        latencies = tuple(count + (number == place) for number, count in enumerate(self.latencies))
        return Bucket(self.number, self.calls + 1, self.failures + (not outcome.worked), latencies)


@dataclass(frozen=True, slots=True)
class Figures:
    """Sums over the window. `p50_ms` and `p95_ms` are upper bounds; None without calls."""

    calls: int
    failures: int
    p50_ms: int | None
    p95_ms: int | None

    @property
    def failure_share(self) -> float:
        return self.failures / self.calls if self.calls else 0.0


@dataclass(frozen=True, slots=True)
class Window:
    """`failed_at_s` holds when the last calls failed, IN_A_ROW at most; `worked_at_s` when one last worked."""

    buckets: tuple[Bucket, ...] = ()
    failed_at_s: tuple[float, ...] = ()
    worked_at_s: float = 0.0

    @property
    def failures_in_a_row(self) -> int:
        return sum(at_s > self.worked_at_s for at_s in self.failed_at_s)

    def plus(self, outcome: Outcome) -> Window:
        by_number = {bucket.number: bucket for bucket in self.buckets}
        number = _bucket_at(outcome.ended_at_s)
        by_number[number] = by_number.get(number, Bucket(number)).plus(outcome)
        oldest = max(by_number) - BUCKETS + 1
        buckets = tuple(by_number[one] for one in sorted(by_number) if one >= oldest)
        if outcome.worked:
            return replace(self, buckets=buckets, worked_at_s=max(self.worked_at_s, outcome.ended_at_s))
        failed_at_s = tuple(sorted((*self.failed_at_s, outcome.ended_at_s))[-IN_A_ROW:])
        return replace(self, buckets=buckets, failed_at_s=failed_at_s)

    def figures(self, at_s: float) -> Figures:
        oldest = _bucket_at(at_s) - BUCKETS + 1
        counted = [bucket for bucket in self.buckets if bucket.number >= oldest]
        latencies = [sum(counts) for counts in zip(*(bucket.latencies for bucket in counted), strict=True)]
        return Figures(
            calls=sum(bucket.calls for bucket in counted),
            failures=sum(bucket.failures for bucket in counted),
            p50_ms=_percentile_ms(latencies, 50),
            p95_ms=_percentile_ms(latencies, 95),
        )


def _bucket_at(at_s: float) -> int:
    return int(at_s // BUCKET_S)


def _percentile_ms(latencies: list[int], percent: int) -> int | None:
    reached = 0
    for bound_ms, count in zip(LATENCIES_MS, latencies, strict=False):
        reached += count
        if count and reached * 100 >= sum(latencies) * percent:
            return bound_ms
    return None


@dataclass(frozen=True, slots=True)
class Probe:
    """The process `by` may send one payment there."""

    by: str
    until_s: float


@dataclass(frozen=True, slots=True)
class Circuit:
    """Closed while `until_s` is None; else open until then, and half open from then on. `since_s`: when it closed, or when
    it first opened. `opened` counts openings in a row, `passed` the calls that worked since it is half open."""

    since_s: float = 0.0
    until_s: float | None = None
    opened: int = 0
    passed: int = 0
    reason: str | None = None
    probe: Probe | None = None

    def state(self, at_s: float) -> CircuitState:
        if self.until_s is None:
            return CircuitState.CLOSED
        return CircuitState.OPEN if at_s < self.until_s else CircuitState.HALF_OPEN

    def may_probe(self, at_s: float) -> bool:
        """Whether somebody may take the lease for a probe."""
        return self.state(at_s) is CircuitState.HALF_OPEN and (self.probe is None or self.probe.until_s <= at_s)


@dataclass(frozen=True, slots=True)
class ConnectionHealth:
    merchant_id: str
    connection_id: str
    window: Window = Window()
    circuit: Circuit = Circuit()


def recorded(health: ConnectionHealth, outcome: Outcome) -> ConnectionHealth:
    """A call that began before the circuit closed, or before it was half open, says nothing of what came after."""
    circuit = health.circuit
    if circuit.until_s is None and outcome.began_at_s < circuit.since_s:
        return health
    window = health.window.plus(outcome)
    if circuit.until_s is None:
        reason = None if outcome.worked else _why_open(window, outcome.ended_at_s)
        if reason is not None:
            circuit = _opened(Circuit(since_s=outcome.ended_at_s), outcome.ended_at_s, reason)
    elif outcome.began_at_s >= circuit.until_s:
        if not outcome.worked:
            circuit = _opened(circuit, outcome.ended_at_s, "a probe failed")
        elif circuit.passed + 1 < PROBES:
            circuit = replace(circuit, passed=circuit.passed + 1, probe=None)
        else:
            window, circuit = Window(worked_at_s=outcome.ended_at_s), Circuit(since_s=outcome.ended_at_s)
    return replace(health, window=window, circuit=circuit)


def merged(health: ConnectionHealth, outcomes: Iterable[Outcome]) -> ConnectionHealth:
    """What another process saw, recorded in the order of time."""
    for outcome in sorted(outcomes, key=lambda one: one.ended_at_s):
        health = recorded(health, outcome)
    return health


def probing(health: ConnectionHealth, by: str, at_s: float) -> ConnectionHealth:
    return replace(health, circuit=replace(health.circuit, probe=Probe(by, at_s + PROBE_LEASE_S)))


def overridden(override: str | None, state: CircuitState) -> CircuitState:
    """What an operator says wins over what was measured."""
    return state if override is None else CircuitState(override)


def _why_open(window: Window, at_s: float) -> str | None:
    if window.failures_in_a_row >= IN_A_ROW:
        return f"{IN_A_ROW} failures in a row"
    figures = window.figures(at_s)
    if figures.calls >= SHARE_CALLS and figures.failure_share >= SHARE:
        return f"{figures.failures} of {figures.calls} calls failed"
    return None


def _opened(circuit: Circuit, at_s: float, reason: str) -> Circuit:
    opened = circuit.opened + 1
    until_s = at_s + COOL_DOWN_S[min(opened, len(COOL_DOWN_S)) - 1]
    return Circuit(circuit.since_s, until_s, opened, 0, reason)
