"""Replays the payments of the last days through a route, or a draft of it: who would have got them, and what would likely
have become of them. Nothing is stored, and no PSP is called.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache

from chalicelib.contracts.store import PAGE_MAX
from chalicelib.domain.configuration import Route
from chalicelib.domain.errors import Invalid, Pointer, Unreadable
from chalicelib.domain.fold import fold
from chalicelib.domain.payment import Payment, Status
from chalicelib.domain.view import text_of
from chalicelib.routing.engine import Engine, engine_of
from chalicelib.routing.forecast import Forecast, Sort
from chalicelib.routing.plan import Candidate
from chalicelib.routing.replay import Replayed, replay
from chalicelib.services.kinds import PAYMENT
from chalicelib.services.ports import Ports
from chalicelib.services.simulate import Candidates

READ_MAX = 10_000  # payments that one call looks at
REPLAY_S = 20.0  # an API gateway ends a call at 29 s
UNDECIDED = frozenset({Status.CREATED, Status.PENDING, Status.UNKNOWN})


@dataclass(frozen=True, slots=True)
class Changed:
    payment_id: str
    created_at: datetime
    replayed: Replayed


@dataclass
class Report:
    """`read` counts the payments of all routes that were looked at, `untraced` those of this route that kept too little to
    be replayed; all else is about the `replayed` ones. `before` and `after` count first PSPs. `cursor` is None at the end."""

    since: datetime
    until: datetime
    read: int = 0
    untraced: int = 0
    replayed: int = 0
    changed: int = 0
    moved: int = 0
    untaken: int = 0
    not_concluded: int = 0
    before: Counter[str] = field(default_factory=Counter)
    after: Counter[str] = field(default_factory=Counter)
    authorized: Forecast = field(default_factory=Forecast)
    at_first: Forecast = field(default_factory=Forecast)
    payments: list[Changed] = field(default_factory=list)
    cursor: str | None = None


def replay_days(
    ports: Ports,
    candidate: Candidates,
    route: Route,
    days: int,
    *,
    cursor: str | None,
    limit: int,
    monotonic: Callable[[], float] = time.monotonic,
) -> Report:
    """The newest payments first, as many as a call may take; then a cursor. At most `limit` changed ones are listed.

    Raises Invalid for a cursor that is none of ours.
    """
    now, ends = ports.clock.now(), monotonic() + REPLAY_S
    report = Report(now - timedelta(days=days), now, cursor=cursor)
    engine = engine_of(route.merchant_id, route.name, route.document)
    today = lru_cache(maxsize=None)(lambda connection_id: candidate(route.merchant_id, connection_id))
    while True:
        for payment in _page(ports, route.merchant_id, report):
            if payment.route.name == route.name:
                _count(report, payment, engine, today, limit)
        if report.cursor is None or report.read + PAGE_MAX > READ_MAX or monotonic() >= ends:
            return report


def _page(ports: Ports, merchant_id: str, report: Report) -> list[Payment]:
    """The next payments; the report's cursor moves behind them."""
    since = text_of(report.since)
    try:
        page = ports.store.find(
            PAYMENT, "by_time", merchant_id, since=since, after=report.cursor, newest_first=True, limit=PAGE_MAX
        )
    except Unreadable as error:
        raise Invalid(f"/cursor: {error.detail}", (Pointer("/cursor", error.detail),)) from None
    report.cursor = page.after
    report.read += len(page.items)
    return [stored.value for stored in page.items]


def _count(report: Report, payment: Payment, engine: Engine, today: Callable[[str], Candidate], limit: int) -> None:
    decision = payment.route
    if not decision.inputs or not decision.chain:
        report.untraced += 1
        return
    found = replay(engine, payment.id, payment.order, decision, today)
    first, instead = decision.chain[0], found.after.first
    report.replayed += 1
    report.changed += found.changed
    report.moved += found.moved
    report.before[first] += 1
    if instead is None:
        report.untaken += 1
    else:
        report.after[instead] += 1
    if found.changed and len(report.payments) < limit:
        report.payments.append(Changed(payment.id, payment.created_at, found))
    outcome = outcome_of(payment)
    if outcome is None:
        report.not_concluded += 1
        return
    sort = Sort(payment.order.amount.currency, payment.order.payment_method)
    at_all, at_first = outcome
    report.authorized.add(sort, first, instead, at_all)
    report.at_first.add(sort, first, instead, at_first)


def outcome_of(payment: Payment) -> tuple[bool, bool] | None:
    """Whether it was ever authorized, and whether at its first attempt; None while that is not decided."""
    folded = fold(payment)
    authorized = [folded.standings[attempt.id].authorized > 0 for attempt in payment.attempts]
    if not any(authorized):
        return None if folded.status in UNDECIDED else (False, False)
    return True, authorized[0]
