"""Rolls payments' movements up: hours that are over are closed and never change again, the open rest is kept up to date.

Each merchant account has one document `open` with the rows of all hours that are not closed, told up to some time; and one
for each closed hour that has any rows. Closing recounts the hour from the payments in full, so that what was committed late
is not missed:

    |  closed hours, one document each  |  `open`: rows until …  |  counted when it is asked for
                                      since                    until                           now

Any number of workers may do this at once, and each may be killed anywhere: an hour's document is only ever inserted, and
`open` moves on by a conditional put, after the hours that it leaves behind are there.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from chalicelib import telemetry
from chalicelib.contracts.store import NEW, PAGE_MAX, Store
from chalicelib.domain.errors import PaymentServerError, StaleVersion
from chalicelib.domain.statistics import HOUR, RollUp, Row, Rows, added, count_into, hour_of, rows_of
from chalicelib.domain.view import text_of
from chalicelib.services import roll_up_store
from chalicelib.services.audit import merchants_of
from chalicelib.services.kinds import PAYMENT
from chalicelib.services.moved import listings
from chalicelib.services.ports import Ports
from chalicelib.services.roll_up_store import Whole

log = logging.getLogger("paymentserver.statistics")
OPEN = "open"
CLOSES_AFTER = timedelta(minutes=10)  # a commit that its process' clock dates earlier is in by then
SETTLES_AFTER = timedelta(seconds=30)  # nearly all are in by then; closing finds the others
HOURS_AT_ONCE = 31 * 24  # of a backlog, so that its rows fit in memory


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """How many closed hours were recounted, and how many of them came out differently."""

    hours: int
    changed: int


def roll_up_all(ports: Ports, go_on: Callable[[], bool] = lambda: True) -> None:
    """For every merchant account while `go_on` says so, in a new order each time so that none is always the last; to be
    called each minute. What goes wrong with one stops no other."""
    merchants = merchants_of(ports.store)
    random.shuffle(merchants)
    for merchant_id in merchants:
        if not go_on():
            log.warning("statistics of some merchant accounts wait for the next minute")
            return
        with telemetry.bind(merchant_id=merchant_id):
            try:
                roll_up(ports, merchant_id)
            except StaleVersion:
                log.info("another worker rolled up first")
            except PaymentServerError as error:
                log.error("statistics were not rolled up", extra={"fields": {"detail": error.detail}})


def roll_up(ports: Ports, merchant_id: str) -> None:
    """Raises StaleVersion where another worker was faster."""
    now = ports.clock.now()
    due, settled = hour_of(now - CLOSES_AFTER), now - SETTLES_AFTER
    known = roll_up_store.read(ports.store, merchant_id, OPEN)
    if known is None:
        first = _first_hour(ports.store, merchant_id)
        if first is None:
            return
        known = Whole(RollUp(merchant_id, OPEN, first, first, ()), (), NEW)
    while known.roll_up.since < due:
        ends = min(due, known.roll_up.since + HOURS_AT_ONCE * HOUR)
        by_hour = _by_hour(_all(ports, merchant_id, known.roll_up.since, settled if ends == due else ends))
        if ends == due and not by_hour and not known.rows:
            return  # nothing has happened since
        known = _closed(ports.store, known, by_hour, ends, settled if ends == due else ends)
    _extend(ports, known, settled)


def gathered(
    ports: Ports, merchant_id: str, since: datetime, until: datetime, payments_max: int | None = None
) -> Rows | None:
    """What all payments' movements in this time add up to; None where more than `payments_max` moved since.

    A payment that moves on while its page is turned comes again at a later place, and is counted the first time.
    """
    rows: Rows = {}
    seen: set[str] = set()
    for listing in listings(since, until):
        after = None
        while True:
            page = ports.store.find(
                PAYMENT,
                listing.index,
                merchant_id,
                since=listing.since,
                until=listing.until,
                newest_first=False,
                after=after,
                limit=PAGE_MAX,
                lagging=True,
            )
            for stored in page.items:
                if stored.value.id not in seen:
                    seen.add(stored.value.id)
                    count_into(rows, stored.value, since, until)
            after = page.after
            if after is None:
                break
            if payments_max is not None and len(seen) >= payments_max:
                return None
    return rows


def _closed(
    store: Store, known: Whole, by_hour: Mapping[datetime, tuple[Row, ...]], ends: datetime, until: datetime
) -> Whole:
    """Closes the hours before `ends`, and begins `open` anew from there with the others."""
    merchant_id = known.roll_up.merchant_id
    for hour, rows in by_hour.items():
        if hour < ends:
            try:
                roll_up_store.write(store, _hour(merchant_id, hour), rows, NEW)
            except StaleVersion:
                continue  # closed before, by another worker or before a crash: it stays as it is
    rest = [row for hour, rows in by_hour.items() if hour >= ends for row in rows]
    return _moved_on(store, known, RollUp(merchant_id, OPEN, ends, until, ()), rest)


def _extend(ports: Ports, known: Whole, until: datetime) -> None:
    """Adds what happened since `open` was written."""
    roll_up = known.roll_up
    if until <= roll_up.until:
        return
    more = _all(ports, roll_up.merchant_id, roll_up.until, until)
    if more:
        made = RollUp(roll_up.merchant_id, OPEN, roll_up.since, until, ())
        _moved_on(ports.store, known, made, rows_of(added(known.rows, more)))


def _moved_on(store: Store, known: Whole, made: RollUp, rows: Iterable[Row]) -> Whole:
    written = roll_up_store.write(store, made, rows, known.version)
    roll_up_store.drop_parts(store, known.roll_up)
    return written


def rebuild(ports: Ports, merchant_id: str, since: datetime, until: datetime) -> Rebuilt:
    """Recounts the closed hours from `since` until `until` from the payments' journals, and replaces those that differ.

    Raises StaleVersion where something else rebuilds or closes the same hours at once.
    """
    roll_up(ports, merchant_id)
    known = roll_up_store.read(ports.store, merchant_id, OPEN)
    first = _first_hour(ports.store, merchant_id)
    if known is None or first is None:
        return Rebuilt(0, 0)
    begins, ends = max(hour_of(since), first), min(until, known.roll_up.since)
    hours = changed = 0
    while begins < ends:
        window = list(_hours(begins, min(ends, begins + HOURS_AT_ONCE * HOUR)))
        by_hour = _by_hour(_all(ports, merchant_id, begins, window[-1] + HOUR))
        changed += sum(_replaced(ports.store, merchant_id, hour, by_hour.get(hour, ())) for hour in window)
        hours += len(window)
        begins = window[-1] + HOUR
    return Rebuilt(hours, changed)


def _replaced(store: Store, merchant_id: str, hour: datetime, rows: tuple[Row, ...]) -> bool:
    made = _hour(merchant_id, hour)
    known = roll_up_store.read(store, merchant_id, made.name)
    if (known.rows if known is not None else ()) == rows:
        return False
    roll_up_store.write(store, made, rows, known.version if known is not None else NEW)
    if known is not None:
        roll_up_store.drop_parts(store, known.roll_up)
    return True


def _all(ports: Ports, merchant_id: str, since: datetime, until: datetime) -> Rows:
    rows = gathered(ports, merchant_id, since, until)
    assert rows is not None, "there is no limit"
    return rows


def _hour(merchant_id: str, hour: datetime) -> RollUp:
    return RollUp(merchant_id, text_of(hour), hour, hour + HOUR, (), is_closed=True)


def _hours(since: datetime, until: datetime) -> Iterator[datetime]:
    while since < until:
        yield since
        since += HOUR


def _by_hour(rows: Rows) -> dict[datetime, tuple[Row, ...]]:
    by_hour: dict[datetime, list[Row]] = {}
    for row in rows_of(rows):
        by_hour.setdefault(row.hour, []).append(row)
    return {hour: tuple(found) for hour, found in by_hour.items()}


def _first_hour(store: Store, merchant_id: str) -> datetime | None:
    """No payment has a movement before it; None where there is no payment. An hour to spare: clocks differ."""
    oldest = store.find(PAYMENT, "by_time", merchant_id, newest_first=False, limit=1).items
    return hour_of(oldest[0].value.created_at) - HOUR if oldest else None
