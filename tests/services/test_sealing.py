"""When a PSP falls silent the next one is tried only where that is safe, and the address of what was left behind is nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from chalicelib.contracts.calls import CheckoutOrder
from chalicelib.domain.ids import payment_id_of
from chalicelib.domain.payment import AttemptStatus, Closure, Payment, Status
from tests.psp import ANSWER, SILENT
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


@pytest.fixture
def lost(world: World) -> Payment:
    """A page that a route waits for, whose address was in the answer that was lost and is in no other."""
    world.psps["psp-1"].shows_page_again = False
    return world.open(route="careful").payment


def test_a_page_whose_address_is_lost_is_sealed_once_it_is_found_and_leaves_a_way_on(
    world: World, lost: Payment
) -> None:
    assert lost.status is Status.UNKNOWN
    world.settle(11)
    sealed = world.payment(lost.id)
    assert (sealed.status, sealed.attempts[0].closed) == (Status.EXPIRED, AttemptStatus.SEALED)
    assert world.psps["psp-1"].sessions[sealed.attempts[0].id]["status"] == "expired", "it is closed at the PSP too"
    assert world.open(route="careful").rendered.status == 502
    world.psps["psp-1"].script = lambda order: "answer"
    assert world.retry(lost.id, "again").rendered.status == 201


def test_a_retry_looks_for_it_itself(world: World, lost: Payment) -> None:
    world.offer("psp-1", operations=frozenset({"refund"}))
    after = world.retry(lost.id, "again").payment
    assert [(one.connection_id, one.closed) for one in after.attempts] == [("psp-1", Closure.SEALED), ("psp-2", None)]


def test_where_a_page_may_move_money_by_itself_it_stays_open(world: World, lost: Payment) -> None:
    world.offer("psp-1", inert_until_visited=False)
    world.settle(11)
    assert (world.payment(lost.id).status, world.payment(lost.id).attempts[0].closed) == (Status.PENDING, None)


def test_one_that_somebody_paid_on_all_the_same_is_paid(world: World, lost: Payment) -> None:
    world.psps["psp-1"].pay(lost.attempts[0].id)
    world.settle(11)
    assert (world.payment(lost.id).status, world.payment(lost.id).attempts[0].closed) == (Status.CAPTURED, None)


def test_while_the_call_runs_whose_answer_has_the_address_nothing_is_sealed(world: World) -> None:
    psp = world.psps["psp-1"]
    psp.shows_page_again = False

    def asked_meanwhile(order: CheckoutOrder) -> str:
        psp.open(order)
        world.attend.sync(payment_id_of("default", "a-key"))
        return ANSWER

    psp.script = asked_meanwhile
    answer = world.open()
    assert (answer.rendered.status, answer.payment.attempts[0].closed) == (201, None)
    assert answer.payment.attempts[0].action is not None


def test_a_superseded_page_is_forgotten(world: World) -> None:
    world.psps["psp-1"].script = lambda order: "answer"
    payment = world.open().payment
    assert payment.attempts[0].action is not None
    world.psps["psp-1"].can_read = False
    after = world.retry(payment.id, "retry", supersede=True).payment
    assert after.attempts[0].action is None
    assert after.attempts[0].closed == AttemptStatus.SUPERSEDED
