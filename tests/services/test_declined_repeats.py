"""A decline that answers a repeat proves nothing: the first call may still be under way, and open a page after it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib.contracts.calls import reference_of
from chalicelib.domain.errors import Conflict
from chalicelib.domain.payment import Payment, Status
from tests.psp import DECLINE, FRAUD, LOST
from tests.services.histories import attempts, shown, timeline
from tests.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def psp_1_says(world: World, *said: str) -> Iterator[str]:
    """What each call to open a page there comes to; those that are left."""
    left = iter(said)
    world.psps["psp-1"].script = lambda order: next(left)
    return left


def declined_by_the_worker(world: World, how: str = DECLINE) -> Payment:
    """Neither of the checkout's two calls arrived, as it seems, and the worker's own was declined."""
    psp_1_says(world, LOST, LOST, how)
    payment = world.open(route="careful").payment
    world.settle(11)
    return payment


def test_it_leaves_the_checkout_in_doubt(world: World) -> None:
    psp_1_says(world, LOST, DECLINE)
    answer = world.open(route="careful")
    assert answer.rendered.status == 202
    assert attempts(world, answer.payment) == ["unknown"]
    assert world.psps["psp-2"].opened == []


def test_where_the_route_goes_on_the_attempt_is_sealed(world: World) -> None:
    psp_1_says(world, LOST, DECLINE)
    answer = world.open()
    assert answer.rendered.status == 201
    assert attempts(world, answer.payment) == ["sealed", "pending"]


def test_for_fraud_it_leads_to_nobody_else(world: World) -> None:
    psp_1_says(world, LOST, FRAUD)
    answer = world.open()
    assert answer.rendered.status == 202
    assert world.psps["psp-2"].opened == []


def test_it_lets_no_other_page_be_opened_while_the_first_call_may_arrive(world: World) -> None:
    payment = declined_by_the_worker(world)
    assert "psp-1 declined when it was called again: insufficient_funds." in timeline(world, payment)
    with pytest.raises(Conflict, match="could still pay at psp-1"):
        world.retry(payment.id, "again")


def test_the_page_of_the_first_call_is_found_after_it(world: World) -> None:
    payment = declined_by_the_worker(world)
    world.psps["psp-1"].open(reference_of(payment.attempts[0], payment.order).checkout)
    world.settle(61)
    assert attempts(world, payment) == ["pending"]
    assert shown(world.open(route="careful"))["next_action"]["url"].startswith("https://psp-1.example/")


def test_the_worker_does_not_call_again_after_it(world: World) -> None:
    left = psp_1_says(world, LOST, LOST, DECLINE, "answer")
    world.open(route="careful")
    for seconds in (11, 61, 301):
        world.settle(seconds)
    assert list(left) == ["answer"]


def test_it_is_the_last_word_once_nothing_can_be_under_way(world: World) -> None:
    payment = declined_by_the_worker(world)
    for seconds in (61, 301):
        world.settle(seconds)
    assert world.payment(payment.id).status is Status.UNKNOWN
    world.settle(1801)
    assert attempts(world, payment) == ["declined"]
    assert world.open(route="careful").rendered.status == 402


def test_for_fraud_it_forbids_retries_for_good(world: World) -> None:
    payment = declined_by_the_worker(world, FRAUD)
    for seconds in (61, 301, 1801):
        world.settle(seconds)
    with pytest.raises(Conflict, match="suspected fraud"):
        world.retry(payment.id, "again")


def test_a_psp_that_can_only_be_called_again_stays_in_doubt_until_the_page_is_over(world: World) -> None:
    world.offer("psp-1", looks_up_references=False, key_lives_s={"open": 3600})
    world.psps["psp-1"].script = lambda order: LOST
    payment = world.open(route="careful").payment
    world.psps["psp-1"].script = lambda order: DECLINE
    for seconds in (11, 61, 301):
        world.settle(seconds)
        assert attempts(world, payment) == ["unknown"]
    world.settle(1801)
    assert attempts(world, payment) == ["expired"]
