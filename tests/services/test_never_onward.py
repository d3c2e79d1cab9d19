"""What is known of any attempt ends a chain and forbids a retry, not only what is known of the newest."""

from __future__ import annotations

from pathlib import Path

import pytest

from chalicelib.contracts.calls import CheckoutOrder
from chalicelib.domain.change import Change
from chalicelib.domain.errors import Conflict
from chalicelib.domain.facts import Decline, DeclineClass, Fact, Kind, State
from tests.builders import PAYMENT_ID
from tests.psp import DECLINE, NOT_SENT, SILENT, SimulatedPsp
from tests.services.histories import changed, connections, declines, during_the_call, pay
from tests.world import World

THREE = ("psp-1", "psp-2", "psp-3")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, psps={name: SimulatedPsp(name) for name in THREE})


@pytest.mark.parametrize("said", [DECLINE, NOT_SENT, SILENT])
def test_once_a_sealed_page_is_paid_the_chain_ends(world: World, said: str) -> None:
    """It can not be paid by what we know of it, but the PSP's word counts."""
    declines(world, "psp-1", how=SILENT)

    def paid(order: CheckoutOrder) -> None:
        pay(world, world.payment(PAYMENT_ID), 0)

    during_the_call(world, paid, said, "psp-2")
    payment = world.open().payment
    assert connections(world, payment) == ["psp-1", "psp-2"]


def test_once_a_superseded_page_is_paid_the_retry_tries_nobody_else(world: World) -> None:
    payment = world.open().payment
    world.psps["psp-1"].can_read = False

    def paid(order: CheckoutOrder) -> None:
        world.psps["psp-1"].can_read = True
        pay(world, payment)

    during_the_call(world, paid, DECLINE, "psp-2")
    world.retry(payment.id, "again", supersede=True)
    assert connections(world, payment) == ["psp-1", "psp-2"]
    assert world.psps["psp-3"].opened == []


def test_a_suspicion_of_fraud_outlives_a_later_decline_on_the_same_page(world: World) -> None:
    payment = world.open().payment
    attempt_id = payment.attempts[0].id
    tries = (
        Fact(attempt_id, Kind.TRY, f"try-{number}", State.DECLINED, decline=Decline(cls, "declined"))
        for number, cls in enumerate((DeclineClass.FRAUD, DeclineClass.SOFT))
    )
    changed(world, Change(facts=tuple(tries)))
    with pytest.raises(Conflict, match="fraud"):
        world.retry(payment.id, "again")
