"""A PSP is read again as soon as what it does not say proves something, whatever the schedule's next turn."""

from __future__ import annotations

from pathlib import Path

import pytest

from chalicelib.domain.payment import Status
from tests.builders import NOW
from tests.psp import LOST, SimulatedConnector
from tests.services.histories import REFUND, operations, sold
from tests.services.test_reconciliation import MINUTE_S, due_times_s, quiet
from tests.world import World


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


def test_an_operation_that_never_happened_is_known_so_as_soon_as_that_can_be_proven(
    world: World, asked_at_s: list[float]
) -> None:
    payment = sold(world)
    quiet(world)
    world.offer("psp-1", key_lives_s={})
    world.psps["psp-1"].plan = lambda kind, order: LOST
    began = world.clock.at
    world.do(REFUND, payment.id, "r1")
    due_times_s(world, payment, 4)
    assert [round(one - (began - NOW).total_seconds()) for one in asked_at_s] == [10, 70, 370, 900]
    assert operations(world, payment) == [("refund", "failed", "api")]


def test_a_page_that_was_never_opened_is_known_so_as_soon_as_that_can_be_proven(
    world: World, asked_at_s: list[float]
) -> None:
    world.psps["psp-1"].script = lambda order: LOST
    world.offer("psp-1", key_lives_s={})
    payment = world.open(route="careful").payment
    due_times_s(world, payment, 4)
    assert [round(one) for one in asked_at_s] == [10, 70, 370, 900]
    assert world.payment(payment.id).status is Status.FAILED


def test_after_a_short_outage_silence_is_proof_no_later(world: World) -> None:
    """The PSP is back after a few minutes, in the middle of the schedule."""
    payment = sold(world)
    quiet(world)
    world.offer("psp-1", key_lives_s={})
    world.psps["psp-1"].plan = lambda kind, order: LOST
    world.psps["psp-1"].can_read = False
    began = world.clock.at
    world.do(REFUND, payment.id, "r1")
    due_times_s(world, payment, 3)
    world.psps["psp-1"].can_read = True
    due_times_s(world, payment, 4)
    assert operations(world, payment) == [("refund", "failed", "api")]
    assert (world.clock.at - began).total_seconds() <= 900 + 1


def test_a_page_that_nobody_can_be_asked_about_ends_a_minute_after_its_time(world: World) -> None:
    world.psps["psp-1"].script = lambda order: LOST
    world.offer("psp-1", looks_up_references=False, key_lives_s={})
    payment = world.open(route="careful").payment
    due_times_s(world, payment, 4)
    assert world.payment(payment.id).status is Status.EXPIRED
    assert (world.clock.at - NOW).total_seconds() <= 31 * MINUTE_S + 1
