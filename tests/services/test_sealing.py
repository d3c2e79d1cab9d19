"""When a PSP falls silent the next one is tried only where that is safe, and the address of what was left behind is nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from chalicelib.domain.payment import AttemptStatus
from tests.psp import SILENT
from tests.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.psps["psp-1"].script = lambda order: SILENT
    return world


def test_a_silent_psp_whose_page_may_move_money_by_itself_is_waited_for(world: World) -> None:
    world.offer("psp-1", inert_until_visited=False)
    answer = world.open()
    assert answer.rendered.status == 202
    assert [one.connection_id for one in answer.payment.attempts] == ["psp-1"]
    assert world.psps["psp-2"].opened == []


def test_a_sealed_page_that_is_found_later_is_not_shown(world: World) -> None:
    payment = world.open().payment
    world.settle(11)
    sealed = world.payment(payment.id).attempts[0]
    assert sealed.psp_reference is not None
    assert sealed.action is None


def test_a_superseded_page_is_forgotten(world: World) -> None:
    world.psps["psp-1"].script = lambda order: "answer"
    payment = world.open().payment
    assert payment.attempts[0].action is not None
    world.psps["psp-1"].can_read = False
    after = world.retry(payment.id, "retry", supersede=True).payment
    assert after.attempts[0].action is None
    assert after.attempts[0].closed == AttemptStatus.SUPERSEDED
