"""Watches the A/B tests that have a guardrail, and gives all weight back to the control arm where one is breached.

The new version, its audit entry and the event for subscribers are one put on condition, and the event's id follows from the
version: however many workers watch, and wherever one is killed, a breach switches once and is told under one id.
"""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chalicelib import telemetry
from chalicelib.contracts.store import PAGE_MAX
from chalicelib.domain.configuration import Notice, Route
from chalicelib.domain.errors import NotFound, PaymentServerError, PreconditionFailed
from chalicelib.domain.ids import notice_id_of
from chalicelib.domain.view import text_of
from chalicelib.routing.experiments import experiments_of, given_all
from chalicelib.routing.interval import Tally
from chalicelib.routing.sequential import breached
from chalicelib.services.audit import Actor, merchants_of
from chalicelib.services.change import ROUTES, update
from chalicelib.services.configure_routes import read_version
from chalicelib.services.experiment_view import result_view
from chalicelib.services.experiments import (
    CLOCKS,
    Counted,
    Running,
    count,
    error_of,
    figures_of,
    result_of,
    running_in,
    tally_of,
)
from chalicelib.services.kinds import ROUTE, route_key
from chalicelib.services.ports import Ports

log = logging.getLogger("paymentserver.guardrail")
GUARDRAIL = Actor("guardrail", "paymentserver")
BREACHED = "route.guardrail_breached"
STAYS = timedelta(hours=3)  # hours that ended so long ago are closed, and are not counted every minute


@dataclass(frozen=True, slots=True)
class _Known:
    """The figures of the closed hours from `since` until `until`, kept so that a minute's round reads only what is new."""

    since: datetime
    until: datetime
    counted: Counted


class Guardrail:
    """One worker's; to be called each minute."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._known: dict[str, _Known] = {}

    def round(self, go_on: Callable[[], bool] = lambda: True) -> int:
        """How many experiments were stopped, of merchant accounts in a new order each time while `go_on` says so. One
        merchant account's trouble is not another's."""
        stopped = 0
        merchants = merchants_of(self._ports.store)
        random.shuffle(merchants)
        for merchant_id in merchants:
            if not go_on():
                log.warning("guardrails of some merchant accounts wait for the next minute")
                break
            with telemetry.bind(merchant_id=merchant_id):
                try:
                    stopped += self._merchant(merchant_id)
                except PaymentServerError as error:
                    log.error("guardrails could not be watched", extra={"fields": {"detail": error.detail}})
        return stopped

    def _merchant(self, merchant_id: str) -> int:
        guarded = [
            (route, running)
            for route in self._routes(merchant_id)
            if any(one.max_drop_points is not None for one in experiments_of(route.document))
            for running in self._running(route)
        ]
        if not guarded:
            self._known.pop(merchant_id, None)
            return 0
        counted = self._counted(merchant_id, min(running.since for _, running in guarded) - CLOCKS)
        return sum(self._held(route, running, counted) for route, running in guarded)

    def _routes(self, merchant_id: str) -> Iterator[Route]:
        after: str | None = None
        while True:
            page = self._ports.store.find(ROUTE, "by_merchant", merchant_id, after=after, limit=PAGE_MAX)
            yield from (stored.value for stored in page.items)
            after = page.after
            if after is None:
                return

    def _running(self, route: Route) -> list[Running]:
        """Those with a guardrail that still send anybody to another arm."""
        try:
            version = read_version(self._ports, route.merchant_id, route.name, route.version)
        except NotFound:
            return []  # deleted just now
        return [
            one
            for one in running_in(self._ports, version)
            if one.experiment.max_drop_points is not None
            and any(one.experiment.weights[arm] for arm in one.experiment.others)
        ]

    def _counted(self, merchant_id: str, since: datetime) -> Counted:
        now = self._ports.clock.now()
        closed = (now - STAYS).replace(minute=0, second=0, microsecond=0)
        known = self._known.get(merchant_id)
        if known is None or known.since > since or known.until > closed:
            known = _Known(since, since.replace(minute=0, second=0, microsecond=0), {})
        if known.until < closed:
            more = count(self._ports, merchant_id, known.until, closed)
            known = _Known(known.since, closed, _added(known.counted, more))
            self._known[merchant_id] = known
        return _added(known.counted, count(self._ports, merchant_id, known.until, now + CLOCKS))

    def _held(self, route: Route, running: Running, counted: Counted) -> int:
        """1 where the experiment was stopped, else 0."""
        experiment = running.experiment
        assert experiment.max_drop_points is not None, "only those with a guardrail are watched"
        control = _certain(figures_of(route.name, running, counted, experiment.control), paid=False)
        worse = [
            arm
            for arm in experiment.others
            if experiment.weights[arm]
            and breached(
                control,
                _certain(figures_of(route.name, running, counted, arm), paid=True),
                experiment.max_drop_points,
                error_of(experiment),
            )
        ]
        if not worse:
            return 0
        try:
            stop(self._ports, route, running, counted, worse)
        except (PreconditionFailed, NotFound):
            return 0  # it was changed or deleted just now: what it is like since is watched from the next round on
        return 1


def _certain(figures: Mapping[str, int], *, paid: bool) -> Tally:
    """The undecided payments count as `paid`, or as not. PSPs take their time, one a minute and another a day, to let an
    unpaid page expire: what is decided so far of two equal arms may differ as much as you like."""
    tally = tally_of(figures)
    undecided = max(figures.get("payments", 0) - tally.trials, 0)
    return Tally(tally.successes + undecided * paid, tally.trials + undecided)


def stop(ports: Ports, route: Route, running: Running, counted: Counted, worse: list[str]) -> Route:
    """A new version in which the control arm has all weight, with the event that tells of it. Raises PreconditionFailed where
    the route is not at its version any more, NotFound."""

    def decide(present: Route) -> Route:
        notice = _notice_of(present, running, counted, worse, ports.clock.now())
        document = given_all(present.document, running.experiment.rule, running.experiment.control)
        return replace(present, document=document, notices=(*present.notices, notice))

    made = update(ports, ROUTES, route_key(route.merchant_id, route.name), route.version, decide, GUARDRAIL)
    telemetry.count("guardrail_breaches_total", route=made.name)
    for arm in worse:
        fields = {"route": made.name, "version": made.version, "arm": arm}
        log.warning("a guardrail was breached", extra={"fields": fields})
    return made


def _notice_of(route: Route, running: Running, counted: Counted, worse: list[str], now: datetime) -> Notice:
    event_id = notice_id_of("route", route.merchant_id, route.name, route.version + 1)
    result = result_view(result_of(route.name, running, counted))
    body = {
        "specversion": "1.0",
        "id": event_id,
        "source": f"/paymentserver/{route.merchant_id}",
        "type": BREACHED,
        "subject": route.name,
        "time": text_of(now),
        "datacontenttype": "application/json",
        "data": {
            "route": {"name": route.name, "version": route.version + 1, "previous_version": route.version},
            "breached": worse,
            "experiment": result,
        },
    }
    return Notice(event_id, BREACHED, json.dumps(body, ensure_ascii=False, separators=(",", ":")), due_at=now)


def _added(counted: Counted, more: Counted) -> Counted:
    total = {of: dict(figures) for of, figures in counted.items()}
    for of, figures in more.items():
        into = total.setdefault(of, {})
        for name, value in figures.items():
            into[name] = into.get(name, 0) + value
    return total
