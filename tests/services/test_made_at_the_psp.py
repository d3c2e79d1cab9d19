"""What somebody does in the PSP's own dashboard counts, and becomes an operation until it proves to be one of ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from chalicelib.domain.errors import Conflict
from chalicelib.domain.payment import Status
from tests.psp import LOST, SILENT
from tests.services.histories import (
    CAPTURE,
    REFUND,
    amounts,
    hear,
    held,
    operations,
    queue_of_operators,
    sold,
    timeline,
    told,
)
from tests.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_refund_in_the_dashboard_becomes_an_operation_of_the_psp(world: World) -> None:
    payment = sold(world)
    world.psps["psp-1"].move(payment.attempts[0].id, "refunds", 300)
    hear(world, payment)
    assert operations(world, payment) == [("refund", "succeeded", "psp")]
    assert world.payment(payment.id).status is Status.PARTIALLY_REFUNDED
    assert told(world, payment)[-2:] == ["payment.partially_refunded", "operation.succeeded"]
    assert "refund of 3.00 EUR, made at the PSP, succeeded" in timeline(world, payment)


def test_a_refund_in_the_dashboard_takes_from_what_can_be_refunded(world: World) -> None:
    payment = sold(world)
    world.psps["psp-1"].move(payment.attempts[0].id, "refunds", 300)
    hear(world, payment)
    with pytest.raises(Conflict, match="left to refund"):
        world.do(REFUND, payment.id, "r1", 701)


def test_a_refund_that_waits_in_the_dashboard_is_reserved(world: World) -> None:
    payment = sold(world)
    world.psps["psp-1"].settles = "pending"
    world.psps["psp-1"].move(payment.attempts[0].id, "refunds", 300)
    hear(world, payment)
    assert (amounts(world, payment).refunded, amounts(world, payment).refundable) == (0, 700)


@pytest.mark.parametrize(("kind", "shown_as"), [("captures", "capture"), ("voids", "cancellation")])
def test_captures_and_voids_in_the_dashboard_become_operations_too(world: World, kind: str, shown_as: str) -> None:
    payment = held(world)
    world.psps["psp-1"].move(payment.attempts[0].id, kind, 300)
    hear(world, payment)
    assert operations(world, payment) == [(shown_as, "succeeded", "psp")]
    assert amounts(world, payment).capturable == 700


def test_it_is_one_operation_however_often_it_is_told(world: World) -> None:
    payment = sold(world)
    world.psps["psp-1"].move(payment.attempts[0].id, "refunds", 300)
    for _ in range(3):
        hear(world, payment)
    world.attend.sync(payment.id)
    assert operations(world, payment) == [("refund", "succeeded", "psp")]


def test_a_sale_is_no_operation(world: World) -> None:
    assert operations(world, sold(world)) == []


def test_an_authorization_that_lapses_was_nobodys_operation(world: World) -> None:
    payment = held(world)
    world.psps["psp-1"].move(payment.attempts[0].id, "voids", 1000)["reason"] = "expired"
    hear(world, payment)
    assert operations(world, payment) == []
    assert world.payment(payment.id).status is Status.EXPIRED


def test_a_refund_of_the_dashboard_needs_no_operator(world: World) -> None:
    payment = sold(world)
    world.psps["psp-1"].move(payment.attempts[0].id, "refunds", 300)
    hear(world, payment)
    assert queue_of_operators(world) == []


def test_until_they_are_matched_both_count(world: World) -> None:
    """Our refund got no answer, and the PSP tells of one without our id: it may be ours or another."""
    payment = sold(world)
    attempt_id = payment.attempts[0].id
    world.psps["psp-1"].plan = lambda kind, order: SILENT
    assert world.do(REFUND, payment.id, "r1", 400).rendered.status == 202
    movement = world.psps["psp-1"].sessions[attempt_id]["payment"]["refunds"][0]
    movement["reference"], ours = None, movement["reference"]
    hear(world, payment)
    assert operations(world, payment) == [("refund", "unknown", "api"), ("refund", "succeeded", "psp")]
    assert (amounts(world, payment).refunded, amounts(world, payment).refundable) == (400, 200)
    movement["reference"] = ours
    hear(world, payment)
    assert operations(world, payment) == [("refund", "succeeded", "api")]
    assert (amounts(world, payment).refunded, amounts(world, payment).refundable) == (400, 600)


def test_a_refund_of_the_dashboard_is_not_taken_for_ours_because_the_amount_is_the_same(world: World) -> None:
    payment = sold(world)
    world.psps["psp-1"].plan = lambda kind, order: LOST
    world.do(REFUND, payment.id, "r1", 400)
    world.psps["psp-1"].move(payment.attempts[0].id, "refunds", 400)
    hear(world, payment)
    assert operations(world, payment) == [("refund", "unknown", "api"), ("refund", "succeeded", "psp")]


def test_a_capture_of_the_dashboard_may_be_for_less_and_is_no_anomaly(world: World) -> None:
    payment = held(world)
    world.psps["psp-1"].move(payment.attempts[0].id, "captures", 300)
    hear(world, payment)
    assert world.payment(payment.id).status is Status.PARTIALLY_CAPTURED
    assert queue_of_operators(world) == []


def test_our_refund_after_theirs_takes_only_what_is_left(world: World) -> None:
    payment = sold(world)
    world.psps["psp-1"].move(payment.attempts[0].id, "refunds", 300)
    hear(world, payment)
    world.do(REFUND, payment.id, "r1")
    assert amounts(world, payment).refunded == 1000
    assert operations(world, payment) == [("refund", "succeeded", "psp"), ("refund", "succeeded", "api")]


def test_a_capture_of_ours_is_not_mistaken_for_theirs(world: World) -> None:
    payment = held(world)
    world.do(CAPTURE, payment.id, "c1", 300)
    hear(world, payment)
    assert operations(world, payment) == [("capture", "succeeded", "api")]
