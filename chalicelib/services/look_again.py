"""Looks again at refunds that were made: a bank may give one back weeks later.

A payment stands in an index by the time of its newest refund, and never moves there for a question: four walks follow that
index, an hour, a day, a week and thirty days behind the present, and queue a chore for each payment that they pass.

    | … 30 days walked … | … 7 days … | … 1 day … | … 1 h … | refunds of the last hour      time of refund →

How far each has come is put after its chores are queued, so that a crash asks twice rather than never. What can not be asked
gets a place among what is due (services.attend).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from chalicelib.contracts.queue import Topic
from chalicelib.contracts.store import NEW, Place, Stored
from chalicelib.domain.errors import NotFound, StaleVersion
from chalicelib.domain.view import text_of
from chalicelib.domain.walk import Walk
from chalicelib.domain.watch import LOOKED_AGAIN_AFTER_S
from chalicelib.services.chores import chore
from chalicelib.services.kinds import DUE, PAYMENT, WALK
from chalicelib.services.ports import Ports

AT_ONCE = 200  # places of one step
NOTED_EVERY = timedelta(hours=1)  # a walk that meets nobody
_BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)


def look_again(ports: Ports) -> int:
    """One step of each walk; how many chores were queued. Safe side by side, and to be killed."""
    return sum(_step(ports, after_s) for after_s in LOOKED_AGAIN_AFTER_S)


def _step(ports: Ports, after_s: int) -> int:
    name, until = f"refunds-{after_s}", ports.clock.now() - timedelta(seconds=after_s)
    walk = _walk(ports, name)
    if walk.value.until >= until:
        return 0
    places = ports.store.due(
        PAYMENT, "refunded", DUE, since=text_of(walk.value.until), until=text_of(until), limit=AT_ONCE
    )
    ports.queue.send_all(Topic.CHORES, [chore("look_again", place.id) for place in places])
    reached = _reached(places, until)
    if places or reached - walk.value.until >= NOTED_EVERY:
        try:
            ports.store.put(WALK, Walk(name, reached), expect=walk.version)
        except StaleVersion:  # another sweep was faster, and has queued the same
            return 0
    return len(places)


def _reached(places: Sequence[Place], until: datetime) -> datetime:
    """The last place, where there may be more: what stands at its very microsecond is met again rather than missed."""
    if len(places) < AT_ONCE:
        return until
    return datetime.fromisoformat(places[-1].sort.replace("Z", "+00:00"))


def _walk(ports: Ports, name: str) -> Stored[Walk]:
    try:
        return ports.store.get(WALK, name)
    except NotFound:
        return Stored(Walk(name, _BEGINNING), NEW)
