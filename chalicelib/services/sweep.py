"""Sweeps the due indexes: the truth about what is still to be done, whatever became of messages."""

from __future__ import annotations

from datetime import datetime, timedelta

from chalicelib.contracts.queue import Topic
from chalicelib.contracts.store import Kind, Place
from chalicelib.domain.view import text_of
from chalicelib.services.chores import chore
from chalicelib.services.kinds import DELIVERY, DUE, INBOX, PAYMENT
from chalicelib.services.look_again import look_again
from chalicelib.services.notify import SWEEP_GRACE_S
from chalicelib.services.ports import Ports

BACKLOG_MAX = 500  # chores that wait for a worker; more due work is left for the next round
QUEUED_MAX = 200  # of each kind in one round
LOOKED_AT_MAX = 2_000  # so that what stays due, whatever is tried, hides nothing behind it
QUEUED_AGAIN_S = 30  # what was queued and is still due is queued again only then

# What is swept, the chore it becomes, and how many seconds a delayed message is given first.
_SWEPT: tuple[tuple[Kind, str, int], ...] = (  # type: ignore[type-arg]  # kinds of different documents
    (PAYMENT, "attend", 0),
    (DELIVERY, "deliver", SWEEP_GRACE_S),
    (INBOX, "inbox", 0),
)


class Sweep:
    """One worker's; it remembers for a while what it queued. Doing a chore twice does no harm, but costs a PSP a call."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._queued: dict[tuple[str, Place], datetime] = {}

    def round(self) -> int:
        """Queues a chore for each document that is due, and says how many."""
        now = self._ports.clock.now()
        self._queued = {
            place: at
            for place, at in self._queued.items()
            if timedelta(0) <= now - at < timedelta(seconds=QUEUED_AGAIN_S)
        }
        if self._ports.queue.ready(Topic.CHORES) > BACKLOG_MAX:
            return 0
        return sum(self._swept(kind, do, now, grace_s) for kind, do, grace_s in _SWEPT) + look_again(self._ports)

    def _swept(self, kind: Kind, do: str, now: datetime, grace_s: int) -> int:  # type: ignore[type-arg]
        until = text_of(now - timedelta(seconds=grace_s))
        due = self._ports.store.due(kind, "due", DUE, until=until, limit=LOOKED_AT_MAX)
        fresh = [place for place in due if (do, place) not in self._queued][:QUEUED_MAX]
        self._ports.queue.send_all(Topic.CHORES, [chore(do, place.id) for place in fresh])
        self._queued.update({(do, place): now for place in fresh})
        return len(fresh)
