"""When events that were queued are seen to, where each move in the due index is paid for."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from chalicelib.domain.draft import Draft
from chalicelib.domain.payment import Event, Payment
from chalicelib.domain.put_off import put_off
from tests.builders import NOW, attempt, payment

PATIENCE = timedelta(minutes=15)
SEEN_TO = NOW + timedelta(seconds=10)  # where nothing is put off


def told(ask_at: datetime | None = None, **changes: object) -> Payment:
    event = Event("evt_1", 1, "payment.pending", NOW, "{}", SEEN_TO)
    given = {"outbox": (event,), "attempts": (attempt(ask_at=ask_at),), "due_at": SEEN_TO, **changes}
    return replace(payment(), **given)  # type: ignore[arg-type]


def minutes(count: float) -> datetime:
    return NOW + timedelta(minutes=count)


def test_without_patience_nothing_changes() -> None:
    known = told(minutes(5))
    assert put_off(known, minutes(5), timedelta(0)) is known


def test_a_payment_without_events_is_due_as_it_was() -> None:
    known = told(minutes(5), outbox=(), due_at=minutes(5))
    assert put_off(known, None, PATIENCE) is known


def test_events_are_seen_to_after_the_patience() -> None:
    assert put_off(told(), None, PATIENCE).due_at == SEEN_TO + PATIENCE


@pytest.mark.parametrize("asked", [0.1, 5, 15, 59])
def test_events_are_seen_to_with_a_question_within_the_hour(asked: float) -> None:
    assert put_off(told(minutes(asked)), None, PATIENCE).due_at == minutes(asked)


def test_events_do_not_wait_for_a_later_question() -> None:
    assert put_off(told(minutes(61)), None, PATIENCE).due_at == SEEN_TO + PATIENCE


@pytest.mark.parametrize("stands", [1, 10, 15])
def test_a_place_that_the_payment_has_in_time_is_kept(stands: float) -> None:
    assert put_off(told(), minutes(stands), PATIENCE).due_at == minutes(stands)


def test_a_place_that_was_never_put_off_is_kept() -> None:
    """Whoever left the payment there could not queue its events."""
    assert put_off(told(), SEEN_TO, PATIENCE).due_at == SEEN_TO
    assert put_off(told(minutes(5)), SEEN_TO, PATIENCE).due_at == SEEN_TO
    assert put_off(told(NOW), SEEN_TO, PATIENCE).due_at == NOW


@pytest.mark.parametrize("stands", [-1, 0, 16, 600])
def test_a_place_too_early_or_too_late_is_left(stands: float) -> None:
    assert put_off(told(), minutes(stands), PATIENCE).due_at == SEEN_TO + PATIENCE


def test_a_question_is_never_put_off_to_a_place_behind_it() -> None:
    assert put_off(told(minutes(5)), minutes(12), PATIENCE).due_at == minutes(5)


def test_an_unaudited_change_is_never_put_off() -> None:
    draft = Draft("1-a", NOW, "someone", "studio", "update", "payment", "pay_1", None, None)
    assert put_off(told(unaudited=(draft,)), minutes(12), PATIENCE).due_at == NOW
