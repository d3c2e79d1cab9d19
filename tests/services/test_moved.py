"""The lists that hold what moved: whatever the clocks of those who wrote it said, nothing is missed."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.payment import JournalEntry, Payment, Status
from chalicelib.services.kinds import EARLY, PAYMENT, last_event
from chalicelib.services.moved import listings
from tests.builders import NOW, payment

SECONDS = st.integers(-200, 200)
KEYS: dict[str, Any] = {index.name: index.key_of for index in PAYMENT.indexes}


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def told(*seconds: float) -> Payment:
    """A payment made NOW with events at these times."""
    journal = tuple(
        JournalEntry(f"evt_{number}", number, "payment.captured", at(when), Status.CAPTURED, (0,) * 7)
        for number, when in enumerate(seconds)
    )
    return replace(payment(), created_at=NOW, journal=journal)


def found(known: Payment, since: datetime, until: datetime) -> list[str]:
    return [
        one.index
        for one in listings(since, until)
        if (key := KEYS[one.index](known)) is not None
        and one.since <= key.sort
        and (one.until is None or key.sort < one.until)
    ]


@given(st.lists(SECONDS, min_size=1, max_size=4), SECONDS, SECONDS)
def test_a_payment_with_an_event_in_a_time_is_in_a_list_of_it(events: list[int], one: int, other: int) -> None:
    since, until = sorted((one, other))
    if any(since <= when < until for when in events):
        assert found(told(*events), at(since), at(until))


@given(st.lists(SECONDS, min_size=1, max_size=4), SECONDS)
def test_a_payment_with_an_event_since_then_is_in_a_list_without_an_end(events: list[int], since: int) -> None:
    known = told(*events)
    if any(since <= when for when in events):
        names = [one.index for one in listings(at(since)) if (key := KEYS[one.index](known)) and one.since <= key.sort]
        assert names


def test_events_as_a_payment_is_made_enter_no_index() -> None:
    assert last_event(told(0, EARLY.total_seconds())) is None


def test_an_event_that_a_slow_clock_dates_before_the_payment_enters_the_index() -> None:
    assert last_event(told(0, -1)) is not None


def test_a_payment_without_events_is_in_no_index_of_events() -> None:
    assert last_event(told()) is None


def test_a_later_event_enters_the_index_at_the_newest_time() -> None:
    key = last_event(told(0, 90, 60))
    assert key is not None
    assert key.sort == "2026-03-01T12:01:30.000000Z"
