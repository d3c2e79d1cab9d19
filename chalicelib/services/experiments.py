"""The results of a route's A/B tests: each arm by itself, and each beside the control arm.

Only payments count that were dealt by the very split that is asked about: those of the route's versions since it was last
changed. A payment that has come to its end is a trial, one that was ever authorized a success, whichever PSP of the arm's
chain took it in the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from chalicelib.domain.configuration import RouteVersion
from chalicelib.domain.money import Money
from chalicelib.routing.experiments import Experiment, experiments_of, is_dealt_alike
from chalicelib.routing.interval import Tally
from chalicelib.routing.sequential import ERROR, Comparison, compare
from chalicelib.services.configure_routes import read_route, read_version
from chalicelib.services.kinds import ROUTE_VERSION, route_key
from chalicelib.services.ports import Ports
from chalicelib.services.statistics import Latency, latency_of, totals

CLOCKS = timedelta(hours=1)  # so much may the clocks of processes differ
VERSIONS_AT_ONCE = 20  # the newest few mostly tell since when
DECLINES = ("hard", "soft", "fraud")


class Of(NamedTuple):
    """What figures are counted by here; the names are those of the statistics."""

    route: str
    route_version: str
    rule: str
    arm: str | None
    currency: str


Counted = dict[Of, dict[str, int]]


@dataclass(frozen=True, slots=True)
class Running:
    """An experiment, and the versions of its route that deal alike: from `first`, made at `since`, to `last`."""

    experiment: Experiment
    first: int
    last: int
    since: datetime


@dataclass(frozen=True, slots=True)
class ArmResult:
    """`tally` counts payments that came to an end; those `undecided` may still be paid. `comparison` is None for the control
    arm itself."""

    arm: str
    weight: int
    payments: int
    attempts: int
    tally: Tally
    captured: tuple[Money, ...]
    declines: Mapping[str, int]
    latency: Latency
    comparison: Comparison | None

    @property
    def undecided(self) -> int:
        return max(self.payments - self.tally.trials, 0)


@dataclass(frozen=True, slots=True)
class Result:
    running: Running
    arms: tuple[ArmResult, ...]


@dataclass(frozen=True, slots=True)
class Results:
    route: str
    version: int
    results: tuple[Result, ...]


def read_experiments(
    ports: Ports, merchant_id: str, name: str, version: int | None = None, since: datetime | None = None
) -> Results:
    """Those of the newest version, or of an earlier one; with `since` only what happened from that hour on. Raises NotFound."""
    number = read_route(ports, merchant_id, name).version if version is None else version
    running = running_in(ports, read_version(ports, merchant_id, name, number))
    if not running:
        return Results(name, number, ())
    begins = min(one.since for one in running) - CLOCKS
    now = ports.clock.now()
    counted = count(ports, merchant_id, begins if since is None else min(max(since, begins), now), now + CLOCKS)
    return Results(name, number, tuple(result_of(name, one, counted) for one in running))


def running_in(ports: Ports, version: RouteVersion) -> list[Running]:
    """The experiments of a version of a route, each as far back as its split was the same."""
    firsts = {one.rule: version for one in experiments_of(version.document)}
    changing = set(firsts)
    for earlier in _before(ports, version):
        changing = {rule for rule in changing if is_dealt_alike(rule, version.document, earlier.document)}
        if not changing:
            break
        firsts.update(dict.fromkeys(changing, earlier))
    return [
        Running(one, firsts[one.rule].version, version.version, firsts[one.rule].created_at)
        for one in experiments_of(version.document)
    ]


def count(ports: Ports, merchant_id: str, since: datetime, until: datetime) -> Counted:
    """All figures of a period in whole hours, so that those of periods side by side add up."""
    found = totals(ports, merchant_id, since, until, Of._fields)
    return {Of(**one.group): dict(one.figures) for one in found}  # type: ignore[arg-type]  # only an arm may be None


def result_of(route: str, running: Running, counted: Counted) -> Result:
    experiment = running.experiment
    control = tally_of(figures_of(route, running, counted, experiment.control))
    return Result(
        running,
        tuple(
            _arm_result(experiment, control, arm, _of_arm(route, running, counted, arm)) for arm in experiment.weights
        ),
    )


def figures_of(route: str, running: Running, counted: Counted, arm: str) -> dict[str, int]:
    """An arm's figures in all currencies: for what is no money."""
    return _sum(figures for _, figures in _of_arm(route, running, counted, arm))


def tally_of(figures: Mapping[str, int]) -> Tally:
    """A payment that ended before the period and is paid in it is counted down where it was never counted up."""
    authorized, unpaid = figures.get("payments_authorized", 0), figures.get("payments_unpaid", 0)
    return Tally(max(authorized, 0), max(authorized, 0) + max(unpaid, 0))


def error_of(experiment: Experiment) -> float:
    """Several arms share the chance of an error, so that it holds for the experiment as a whole."""
    return ERROR / max(len(experiment.others), 1)


def _arm_result(experiment: Experiment, control: Tally, arm: str, parts: list[tuple[str, dict[str, int]]]) -> ArmResult:
    figures = _sum(part for _, part in parts)
    tally = tally_of(figures)
    captured: dict[str, int] = {}
    for currency, part in parts:
        captured[currency] = captured.get(currency, 0) + part.get("captured_minor", 0)
    return ArmResult(
        arm=arm,
        weight=experiment.weights[arm],
        payments=max(figures.get("payments", 0), 0),
        attempts=figures.get("attempts", 0),
        tally=tally,
        captured=tuple(Money(value, currency) for currency, value in sorted(captured.items()) if value),
        declines={cls: figures.get(f"declined_{cls}", 0) for cls in DECLINES},
        latency=latency_of(figures),
        comparison=None if arm == experiment.control else compare(control, tally, error_of(experiment)),
    )


def _of_arm(route: str, running: Running, counted: Counted, arm: str) -> list[tuple[str, dict[str, int]]]:
    """(currency, figures) of an arm in the versions that deal alike."""
    return [
        (of.currency, figures)
        for of, figures in counted.items()
        if (of.route, of.rule, of.arm) == (route, running.experiment.rule, arm)
        and running.first <= int(of.route_version) <= running.last
    ]


def _sum(parts: Iterator[dict[str, int]]) -> dict[str, int]:
    figures: dict[str, int] = {}
    for part in parts:
        for name, value in part.items():
            figures[name] = figures.get(name, 0) + value
    return figures


def _before(ports: Ports, version: RouteVersion) -> Iterator[RouteVersion]:
    """The versions before one, the newest first."""
    until, after = f"{version.version:09d}", None
    while True:
        key = route_key(version.merchant_id, version.name)
        page = ports.store.find(ROUTE_VERSION, "by_route", key, until=until, after=after, limit=VERSIONS_AT_ONCE)
        yield from (stored.value for stored in page.items)
        after = page.after
        if after is None:
            return
