"""Which lists of an account's payments hold all that moved since some time.

Most payments have their first event as they are made, and are found by the time of that. Only those with an event at another
time stand in the index of newest events too: entering an index costs a write, on some databases, and moving in it two.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chalicelib.domain.view import text_of
from chalicelib.services.kinds import EARLY


@dataclass(frozen=True, slots=True)
class Listing:
    """Of payments, by an index: from `since`, until `until` where that is set. What moved may be in several."""

    index: str
    since: str
    until: str | None


def listings(since: datetime, until: datetime | None = None) -> tuple[Listing, ...]:
    """Together they hold each payment with an event from `since` until `until`, and others.

    To be read in this order: a payment that has its second event meanwhile stays in the first list and enters the second.
    """
    made_until = None if until is None else text_of(until)
    return Listing("by_time", text_of(since - EARLY), made_until), Listing("by_journal", text_of(since), None)
