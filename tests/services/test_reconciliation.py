"""Reconciliation: PSPs are asked on the schedule of the architecture, and what nobody can settle comes to an operator."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from chalicelib.domain.order import CaptureMode
from chalicelib.domain.payment import Payment, Status
from chalicelib.services.kinds import PAYMENT
from tests.builders import NOW
from tests.psp import DECLINE, LOST, SILENT, SimulatedConnector
from tests.services.histories import (
    REFUND,
    amounts,
    attempts,
    hear,
    held,
    operations,
    pay,
    queue_of_operators,
    sold,
    timeline,
    told,
)
from tests.world import World

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86_400


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def asked_at_s(world: World, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When the PSP was asked, in seconds since the world began."""
    times: list[float] = []

    def reach(self: SimulatedConnector) -> None:
        times.append((world.clock.at - NOW).total_seconds())

    monkeypatch.setattr(SimulatedConnector, "_reach", reach)
    return times


def minute_by_minute(world: World, minutes: int) -> None:
    for _ in range(minutes):
        world.settle(MINUTE_S)


def due_times_s(world: World, payment: Payment, count: int) -> list[float]:
    """The next `count` times at which something is due, living through each."""
    times = []
    for _ in range(count):
        at = world.payment(payment.id).due_at
        assert at is not None, f"nothing is due after {times}"
        times.append((at - NOW).total_seconds())
        world.clock.at = at + timedelta(milliseconds=1)
        world.settle()
    return [round(one) for one in times]


def quiet(world: World) -> None:
    """Lets events reach their subscribers, so that only questions are due."""
    world.settle(11)


def test_an_unanswered_call_is_asked_about_ever_more_rarely_and_then_daily_for_a_week(
    world: World, asked_at_s: list[float]
) -> None:
    """By whose silence nothing is proven; after 15 minutes an operator is told so."""
    payment = sold(world)
    quiet(world)
    world.offer("psp-1", names_operations=False, key_lives_s={})
    world.psps["psp-1"].plan = lambda kind, order: LOST
    began_s = (world.clock.at - NOW).total_seconds()
    world.do(REFUND, payment.id, "r1")
    due_times_s(world, payment, 9)
    assert [round(one - began_s) for one in asked_at_s] == [10, 70, 370, 900, 2700, 9900, 96_300, 182_700]


def test_the_schedule_is_used_up_after_a_week_and_an_operator_is_asked(world: World) -> None:
    payment = sold(world)
    world.psps["psp-1"].plan = lambda kind, order: DECLINE if order.repeats else LOST
    world.offer("psp-1", key_lives_s={"refund": 30 * DAY_S})
    world.do(REFUND, payment.id, "r1")
    for seconds in (11, 61, 301, 1801, 7201, *(DAY_S + 1,) * 6):
        world.settle(seconds)
        assert queue_of_operators(world) == []
    world.settle(DAY_S + 1)
    assert queue_of_operators(world) == [payment.id]


def test_an_open_page_is_asked_about_after_a_quarter_and_a_minute_after_its_end(
    world: World, asked_at_s: list[float]
) -> None:
    payment = world.open().payment
    minute_by_minute(world, 35)
    assert world.payment(payment.id).status is Status.EXPIRED
    assert [round(one / MINUTE_S) for one in asked_at_s] == [15 + 1, 31 + 1, 31 + 1], "read, read and closed"


def test_a_settled_sale_is_not_asked_about(world: World, asked_at_s: list[float]) -> None:
    sold(world)
    for _ in range(3):
        world.settle(DAY_S)
    assert asked_at_s == []


def test_what_is_processed_is_asked_about_hourly_and_then_daily(world: World, asked_at_s: list[float]) -> None:
    payment = world.open().payment
    world.psps["psp-1"].pay(payment.attempts[0].id)
    world.psps["psp-1"].sessions[payment.attempts[0].id]["payment"]["status"] = "pending"
    hear(world, payment)
    quiet(world)
    times = due_times_s(world, payment, 26)
    waits = [later - earlier for earlier, later in pairwise(times)]
    assert waits == [HOUR_S] * 23 + [DAY_S] * 2


def test_a_debit_that_settles_days_later_is_found_without_a_webhook(world: World) -> None:
    payment = world.open().payment
    world.psps["psp-1"].pay(payment.attempts[0].id)
    world.psps["psp-1"].sessions[payment.attempts[0].id]["payment"]["status"] = "pending"
    hear(world, payment)
    for _ in range(24):
        world.settle(HOUR_S + 1)
    world.psps["psp-1"].sessions[payment.attempts[0].id]["payment"]["status"] = "captured"
    world.settle(DAY_S + 1)
    assert world.payment(payment.id).status is Status.CAPTURED


def test_what_is_processed_does_not_expire_with_its_page(world: World) -> None:
    payment = world.open().payment
    world.psps["psp-1"].pay(payment.attempts[0].id)
    world.psps["psp-1"].sessions[payment.attempts[0].id]["payment"]["status"] = "pending"
    hear(world, payment)
    for seconds in (901, 961, HOUR_S):
        world.settle(seconds)
    assert world.psps["psp-1"].sessions[payment.attempts[0].id]["status"] == "complete"
    assert world.payment(payment.id).status is Status.PENDING


def test_an_authorization_is_asked_about_after_a_week(world: World, asked_at_s: list[float]) -> None:
    payment = held(world)
    quiet(world)
    assert due_times_s(world, payment, 1) == [7 * DAY_S]
    assert len(asked_at_s) == 1


def test_refunds_are_asked_about_after_an_hour_a_day_a_week_and_a_month(world: World, asked_at_s: list[float]) -> None:
    payment = sold(world)
    world.do(REFUND, payment.id, "r1", 400)
    quiet(world)
    assert world.payment(payment.id).due_at is None, "no place among what is due is needed for it"
    stored = world.store.get(PAYMENT, payment.id)
    for at_s in (HOUR_S, DAY_S, 7 * DAY_S, 30 * DAY_S, 60 * DAY_S):
        world.clock.at = NOW + timedelta(seconds=at_s)
        world.settle()
        world.settle(MINUTE_S)
    assert [round(one) for one in asked_at_s] == [one + MINUTE_S for one in (HOUR_S, DAY_S, 7 * DAY_S, 30 * DAY_S)]
    assert world.store.get(PAYMENT, payment.id).version == stored.version, "nothing new was said, nothing was written"


def test_a_refund_that_could_not_be_asked_about_is_asked_about_soon(world: World) -> None:
    payment = sold(world)
    world.do(REFUND, payment.id, "r1", 400)
    quiet(world)
    world.psps["psp-1"].can_read = False
    world.settle(HOUR_S)
    assert [one - HOUR_S for one in due_times_s(world, payment, 2)] == [11 + 60, 11 + 180]
    world.psps["psp-1"].settle(payment.attempts[0].id, "refunds", "failed")
    world.psps["psp-1"].can_read = True
    due_times_s(world, payment, 1)
    assert operations(world, payment) == [("refund", "failed", "api")]


def test_a_refund_is_asked_about_again_after_the_next_one_too(world: World, asked_at_s: list[float]) -> None:
    payment = sold(world)
    world.do(REFUND, payment.id, "r1", 400)
    world.settle(2 * DAY_S)
    asked_at_s.clear()
    world.do(REFUND, payment.id, "r2", 300)
    for at_s in (2 * DAY_S + HOUR_S, 3 * DAY_S, 7 * DAY_S, 9 * DAY_S, 30 * DAY_S, 32 * DAY_S):
        world.clock.at = NOW + timedelta(seconds=at_s + MINUTE_S)
        world.settle()
    assert [round(one / DAY_S, 1) for one in asked_at_s] == [2.0, 3.0, 9.0, 32.0]


def test_a_refund_that_failed_after_three_weeks_is_found(world: World) -> None:
    payment = sold(world)
    world.do(REFUND, payment.id, "r1", 400)
    for seconds in (HOUR_S + 1, DAY_S, 6 * DAY_S):
        world.settle(seconds)
    world.psps["psp-1"].settle(payment.attempts[0].id, "refunds", "failed")
    world.settle(23 * DAY_S + 1)
    assert operations(world, payment) == [("refund", "failed", "api")]
    assert amounts(world, payment).refundable == 1000


def test_a_psp_that_is_out_of_reach_is_asked_every_few_minutes(world: World) -> None:
    payment = world.open().payment
    quiet(world)
    world.psps["psp-1"].can_read = False
    times = due_times_s(world, payment, 6)
    waits = [round((later - earlier) / MINUTE_S) for earlier, later in pairwise(times)]
    assert waits == [1, 2, 4, 4, 4]


def test_a_psp_that_is_out_of_reach_is_told_of_once(world: World) -> None:
    payment = world.open().payment
    quiet(world)
    world.psps["psp-1"].can_read = False
    due_times_s(world, payment, 6)
    assert timeline(world, payment).count("could not be asked") == 1


def test_an_outage_does_not_use_the_schedule_up(world: World) -> None:
    world.psps["psp-1"].script = lambda order: SILENT
    payment = world.open(route="careful").payment
    world.psps["psp-1"].can_read = False
    minute_by_minute(world, 600)
    world.psps["psp-1"].can_read = True
    minute_by_minute(world, 5)
    assert world.payment(payment.id).status is Status.EXPIRED, "the page was found, and closed as its time is over"


def test_when_the_psp_is_back_an_unknown_payment_is_settled_within_five_minutes(world: World) -> None:
    world.psps["psp-1"].script = lambda order: SILENT
    payment = world.open(route="careful").payment
    world.psps["psp-1"].can_read = False
    minute_by_minute(world, 47)
    world.psps["psp-1"].pay(payment.attempts[0].id)
    world.psps["psp-1"].can_read = True
    minute_by_minute(world, 5)
    assert world.payment(payment.id).status is Status.CAPTURED
    assert told(world, payment)[0] == "payment.unknown"


def test_an_attempt_that_a_crash_cut_off_is_recovered(world: World) -> None:
    class Killed(BaseException):
        pass

    def die(order: object) -> str:
        world.psps["psp-1"].open(order)  # type: ignore[arg-type]
        raise Killed

    world.psps["psp-1"].script = die
    with pytest.raises(Killed):
        world.open()
    world.settle(66)
    (found,) = world.store.find(PAYMENT, "by_time", "default").items
    assert found.value.status is Status.PENDING
    assert len(world.psps["psp-1"].sessions) == 1


def test_a_sealed_attempt_is_asked_about_until_it_is_closed(world: World) -> None:
    world.psps["psp-1"].script = lambda order: SILENT
    world.psps["psp-1"].can_read = False
    payment = world.open().payment
    minute_by_minute(world, 12)
    assert world.psps["psp-1"].sessions[payment.attempts[0].id]["status"] == "open"
    world.psps["psp-1"].can_read = True
    minute_by_minute(world, 5)
    assert world.psps["psp-1"].sessions[payment.attempts[0].id]["status"] == "expired"
    assert attempts(world, payment) == ["sealed", "pending"]


def test_a_sealed_attempt_that_never_came_about_needs_nobody(world: World) -> None:
    world.psps["psp-1"].script = lambda order: LOST
    payment = world.open().payment
    pay(world, payment)
    for seconds in (11, 61, 301, 1801):
        world.settle(seconds)
    assert queue_of_operators(world) == []
    assert world.payment(payment.id).due_at is None


def test_a_sealed_attempt_that_can_never_be_asked_about_comes_to_an_operator(world: World) -> None:
    world.offer("psp-1", looks_up_references=False, key_lives_s={})
    world.psps["psp-1"].script = lambda order: SILENT
    payment = world.open().payment
    pay(world, payment)
    for seconds in (11, 61, 301, 1801, 7201, *(DAY_S + 1,) * 8):
        world.settle(seconds)
    assert queue_of_operators(world) == [payment.id]
    world.say(payment.id, payment.attempts[0].id, "not_paid")
    assert queue_of_operators(world) == []


def test_a_sync_asks_now_whatever_is_due(world: World) -> None:
    payment = world.open(capture=CaptureMode.MANUAL).payment
    world.psps["psp-1"].pay(payment.attempts[0].id)
    assert world.attend.sync(payment.id).status is Status.AUTHORIZED


def test_a_sync_while_the_psp_is_down_changes_nothing(world: World) -> None:
    payment = world.open().payment
    world.psps["psp-1"].can_read = False
    assert world.attend.sync(payment.id).status is Status.PENDING
