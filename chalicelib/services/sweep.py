"""Sweeps the due indexes: the truth about what is still to be done, whatever became of messages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from chalicelib.contracts.queue import Topic
from chalicelib.contracts.store import Kind, Place
from chalicelib.domain.errors import Fault
from chalicelib.domain.view import text_of
from chalicelib.services.chores import chore
from chalicelib.services.kinds import DELIVERY, DUE, INBOX, PAYMENT
from chalicelib.services.look_again import look_again
from chalicelib.services.notify import SWEEP_GRACE_S
from chalicelib.services.ports import Ports

QUEUED_AGAIN_S = 30  # what was queued and is still due is queued again only then

# What is swept, the chore it becomes, and how many seconds a delayed message is given first.
_SWEPT: tuple[tuple[Kind, str, int], ...] = (  # type: ignore[type-arg]  # kinds of different documents
    (PAYMENT, "attend", 0),
    (DELIVERY, "deliver", SWEEP_GRACE_S),
    (INBOX, "inbox", 0),
)


@dataclass(frozen=True, slots=True)
class Limits:
    """`backlog`: chores that wait for a worker; more due work is left for the next round. `queued` and `looked_at` are of each
    kind in one round; the latter so that what stays due, whatever is tried, hides nothing behind it."""

    backlog: int
    queued: int
    looked_at: int


OF_A_MACHINE = Limits(500, 200, 2_000)
OF_A_CLOUD = Limits(20_000, 2_000, 5_000)  # whose functions work off as much in well under QUEUED_AGAIN_S


class Sweep:
    """One worker's; it remembers for a while what it queued. Doing a chore twice does no harm, but costs a PSP a call.
    `is_full`: whether the last round left what is due to a later one."""

    def __init__(self, ports: Ports, limits: Limits = OF_A_MACHINE) -> None:
        self._ports, self._limits = ports, limits
        self.is_full = False
        self._queued: dict[tuple[str, Place], datetime] = {}

    def round(self) -> int:
        """Queues a chore for each document that is due, and says how many. A fault of one kind is raised once the others were
        swept: each has a table of its own, on some databases."""
        now = self._ports.clock.now()
        self._queued = {
            place: at
            for place, at in self._queued.items()
            if timedelta(0) <= now - at < timedelta(seconds=QUEUED_AGAIN_S)
        }
        self.is_full = self._ports.queue.ready(Topic.CHORES) > self._limits.backlog
        if self.is_full:
            return 0
        parts = [partial(self._swept, kind, do, now, grace_s) for kind, do, grace_s in _SWEPT]
        return _sum_of(*parts, partial(look_again, self._ports))

    def _swept(self, kind: Kind, do: str, now: datetime, grace_s: int) -> int:  # type: ignore[type-arg]
        until = text_of(now - timedelta(seconds=grace_s))
        due = self._ports.store.due(kind, "due", DUE, until=until, limit=self._limits.looked_at)
        fresh = [place for place in due if (do, place) not in self._queued][: self._limits.queued]
        self._ports.queue.send_all(Topic.CHORES, [chore(do, place.id) for place in fresh])
        self._queued.update({(do, place): now for place in fresh})
        return len(fresh)


def _sum_of(*parts: Callable[[], int]) -> int:
    count, faults = 0, list[Fault]()
    for part in parts:
        try:
            count += part()
        except Fault as fault:
            faults.append(fault)
    if faults:
        raise faults[0]
    return count
