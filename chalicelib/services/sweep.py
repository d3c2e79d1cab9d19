"""Sweeps the due indexes: the truth about what is still to be done, whatever became of messages."""

from __future__ import annotations

from datetime import timedelta

from chalicelib.contracts.queue import Topic
from chalicelib.contracts.store import PAGE_MAX, Kind
from chalicelib.domain.view import text_of
from chalicelib.services.commit import chore
from chalicelib.services.kinds import DELIVERY, DUE, INBOX, PAYMENT
from chalicelib.services.notify import SWEEP_GRACE_S
from chalicelib.services.ports import Ports

BACKLOG_MAX = 500  # chores waiting; more due work is left for the next round

# What is swept, the chore it becomes, and how many seconds a delayed message is given first.
_SWEPT: tuple[tuple[Kind, str, int], ...] = (  # type: ignore[type-arg]  # kinds of different documents
    (PAYMENT, "attend", 0),
    (DELIVERY, "deliver", SWEEP_GRACE_S),
    (INBOX, "inbox", 0),
)


def sweep(ports: Ports) -> int:
    """Queues a chore for each document that is due, and says how many. Doing a chore twice does no harm."""
    waiting, _ = ports.queue.depth(Topic.CHORES)
    if waiting > BACKLOG_MAX:
        return 0
    queued = 0
    for kind, do, grace_s in _SWEPT:
        until = text_of(ports.clock.now() - timedelta(seconds=grace_s))
        page = ports.store.find(kind, "due", DUE, until=until, newest_first=False, limit=PAGE_MAX)
        for stored in page.items:
            ports.queue.send(Topic.CHORES, chore(do, kind.id_of(stored.value)))
            queued += 1
    return queued
