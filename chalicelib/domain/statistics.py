"""Figures by hour: a payment's movements become rows that add up, whatever they are grouped by.

figure                                   counts
payments, payments_authorized,           payments where they stand now: one more where a payment came to stand, one less
payments_unpaid                          where it stood before; unpaid ones ended without ever being authorized
the counters of `domain.tally`           what happened at attempts, in the status that the payment had afterwards
open_ms_<bound>                          pages opened in at most so many milliseconds, and in more than the bound before
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from chalicelib.domain.payment import Payment, Status
from chalicelib.domain.tally import Movement, movements_of

HOUR = timedelta(hours=1)
UNPAID = frozenset({Status.FAILED, Status.EXPIRED, Status.CANCELLED})
OPEN_MS = (10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 60_000)
"""Bounds of the histogram of how long opening a page took; what took longer than the last counts there too."""


class Of(NamedTuple):
    """What a row's figures are of; all of it can be grouped by."""

    connection_id: str | None
    route: str
    route_version: str
    rule: str
    arm: str | None
    currency: str
    payment_method: str | None
    status: str


@dataclass(frozen=True, slots=True)
class Row:
    hour: datetime
    of: Of
    figures: dict[str, int]


@dataclass(frozen=True, slots=True)
class RollUp:
    """Rows from `since` until `until`, not included. `name`: the hour it closes, `open` for what is not closed yet, or a
    name of its own for a part, which holds rows that the document listing it in `parts` has no room for."""

    merchant_id: str
    name: str
    since: datetime
    until: datetime
    rows: tuple[Row, ...]
    parts: tuple[str, ...] = ()
    is_closed: bool = False


Rows = dict[tuple[datetime, Of], dict[str, int]]


def hour_of(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def count_into(rows: Rows, payment: Payment, since: datetime, until: datetime) -> None:
    """Adds what the payment's movements in this time changed."""
    for movement in movements_of(payment):
        if since <= movement.at < until:
            hour = hour_of(movement.at)
            for of, figure, value in _figures_of(payment, movement):
                figures = rows.setdefault((hour, of), {})
                figures[figure] = figures.get(figure, 0) + value


def _figures_of(payment: Payment, movement: Movement) -> Iterator[tuple[Of, str, int]]:
    status = movement.stands[1]
    if movement.stood != movement.stands:
        for stand, value in ((movement.stood, -1), (movement.stands, 1)):
            if stand is not None:
                of = _of(payment, stand[0], stand[1])
                yield of, "payments", value
                if stand[2]:
                    yield of, "payments_authorized", value
                elif stand[1] in UNPAID:
                    yield of, "payments_unpaid", value
    for position, name, value in movement.moved:
        of = _of(payment, position, status)
        yield of, name, value
        if name == "open_ms":
            yield of, f"open_ms_{OPEN_MS[min(bisect_left(OPEN_MS, value), len(OPEN_MS) - 1)]}", 1


def _of(payment: Payment, position: int, status: Status) -> Of:
    order, route = payment.order, payment.route
    attempts = payment.attempts
    return Of(
        attempts[position].connection_id if position < len(attempts) else None,
        route.name,
        str(route.version),
        route.rule,
        route.arm,
        order.amount.currency,
        order.payment_method,
        str(status),
    )


def rows_of(rows: Rows) -> tuple[Row, ...]:
    """The rows that are not zero, in an order that the same figures always have."""
    made = (Row(hour, of, _sparse(figures)) for (hour, of), figures in rows.items())
    return tuple(sorted((row for row in made if row.figures), key=lambda row: (row.hour, order_of(row.of))))


def _sparse(figures: Mapping[str, int]) -> dict[str, int]:
    return {name: figures[name] for name in sorted(figures) if figures[name]}


def order_of(values: Iterable[str | None]) -> tuple[tuple[bool, str], ...]:
    """What has no value comes first."""
    return tuple((value is not None, value or "") for value in values)


def added(rows: Iterable[Row], more: Rows) -> Rows:
    """`more` with those rows."""
    for row in rows:
        figures = more.setdefault((row.hour, row.of), {})
        for name, value in row.figures.items():
            figures[name] = figures.get(name, 0) + value
    return more
