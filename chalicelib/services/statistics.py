"""Reads the statistics: closed hours and the open rest from their roll-ups, what is newer from the payments.

`totals` is for whoever needs figures of a whole period, such as an experiment's per arm:

    totals(ports, merchant_id, since, until, ("route", "route_version", "arm"))

gives one `Total` for each combination that has figures, with `figures` by name (`domain.statistics`, `domain.tally`): for
example `payments_authorized` and `payments_unpaid` (the trials that came to an end, and how), `attempts`,
`captured_minor` (group by currency too), `declined_hard`, and `open_ms` with its histogram (`latency_of`). A name that is
not there is 0. Periods are whole hours: `since` is rounded down, `until` up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import chain

from chalicelib.domain.statistics import HOUR, OPEN_MS, Of, Row, order_of, rows_of
from chalicelib.domain.view import text_of
from chalicelib.services import roll_up_store
from chalicelib.services.ports import Ports
from chalicelib.services.roll_up import OPEN, gathered
from chalicelib.services.roll_up_store import Whole

GROUPS = Of._fields
LIVE_MAX = 10_000  # payments that are counted at the time of asking; more wait for the next roll-up
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Interval(StrEnum):
    HOUR = "hour"
    DAY = "day"
    ALL = "all"


_LENGTH = {Interval.HOUR: HOUR, Interval.DAY: timedelta(days=1)}


@dataclass(frozen=True, slots=True)
class Total:
    """Figures of what has these values, from `since` until `until`, not included."""

    since: datetime
    until: datetime
    group: Mapping[str, str | None]
    figures: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Statistics:
    """`totals` are in the order of time, then of their group's values. Nothing after `complete_until` is counted yet."""

    totals: tuple[Total, ...]
    complete_until: datetime


@dataclass(frozen=True, slots=True)
class Latency:
    """In ms; the percentiles are the upper bounds of where they lie in a histogram. None where nothing was measured."""

    count: int
    mean: int | None
    p50: int | None
    p95: int | None


def totals(
    ports: Ports, merchant_id: str, since: datetime, until: datetime, group_by: Sequence[str]
) -> tuple[Total, ...]:
    """Of the whole period. `group_by` are names of GROUPS; in their order the totals are sorted."""
    return statistics(ports, merchant_id, since, until, group_by, Interval.ALL).totals


def statistics(
    ports: Ports, merchant_id: str, since: datetime, until: datetime, group_by: Sequence[str], interval: Interval
) -> Statistics:
    """`since` is rounded down and `until` up to the interval, to whole hours for all of them in one; days are UTC's."""
    since, until = bounds_of(since, until, interval)
    rows, complete_until = _counted(ports, merchant_id, since, until)
    begin_of = _beginning(since, interval)
    positions = [GROUPS.index(name) for name in group_by]
    sums: dict[tuple[datetime, tuple[str | None, ...]], dict[str, int]] = {}
    for row in rows:
        key = begin_of(row.hour), tuple(row.of[position] for position in positions)
        figures = sums.setdefault(key, {})
        for name, value in row.figures.items():
            figures[name] = figures.get(name, 0) + value
    found = []
    for (begin, values), figures in sorted(sums.items(), key=lambda one: (one[0][0], order_of(one[0][1]))):
        if any(figures.values()):
            end = until if interval is Interval.ALL else begin + _LENGTH[interval]
            found.append(Total(begin, end, dict(zip(group_by, values, strict=True)), figures))
    return Statistics(tuple(found), complete_until)


def bounds_of(since: datetime, until: datetime, interval: Interval) -> tuple[datetime, datetime]:
    """The whole intervals that hold all of the period."""
    length = _LENGTH.get(interval, HOUR)
    rest = (until - _EPOCH) % length
    return since - (since - _EPOCH) % length, until + (length - rest if rest else timedelta(0))


def latency_of(figures: Mapping[str, int]) -> Latency:
    counts = [max(figures.get(f"open_ms_{bound}", 0), 0) for bound in OPEN_MS]
    count = sum(counts)
    if not count:
        return Latency(0, None, None, None)
    return Latency(count, round(figures.get("open_ms", 0) / count), _percentile(counts, 0.5), _percentile(counts, 0.95))


def _percentile(counts: Sequence[int], share: float) -> int:
    reached, wanted = 0, share * sum(counts)
    for bound, count in zip(OPEN_MS, counts, strict=True):
        reached += count
        if reached >= wanted:
            return bound
    return OPEN_MS[-1]


def _beginning(since: datetime, interval: Interval) -> Callable[[datetime], datetime]:
    if interval is Interval.ALL:
        return lambda hour: since
    length = _LENGTH[interval]
    return lambda hour: hour - (hour - _EPOCH) % length


def _counted(ports: Ports, merchant_id: str, since: datetime, until: datetime) -> tuple[Iterable[Row], datetime]:
    """All rows of the period, and until when it is complete.

    `open` is read first: the hours that it has left behind are closed, and what came after it is counted live.
    """
    complete_until = min(until, ports.clock.now())
    known = roll_up_store.read(ports.store, merchant_id, OPEN)
    begins = since if known is None else max(known.roll_up.until, since)
    live: Iterable[Row] = ()
    if begins < until:
        found = gathered(ports, merchant_id, begins, until, LIVE_MAX)
        if found is None:
            complete_until = begins
        else:
            live = rows_of(found)
    return chain(_rolled_up(ports, known, since, until) if known is not None else (), live), complete_until


def _rolled_up(ports: Ports, known: Whole, since: datetime, until: datetime) -> Iterator[Row]:
    roll_up = known.roll_up
    ends = min(until, roll_up.since)
    if since < ends:
        for whole in roll_up_store.closed(ports.store, roll_up.merchant_id, text_of(since), text_of(ends)):
            yield from whole.rows
    yield from (row for row in known.rows if since <= row.hour < until)
