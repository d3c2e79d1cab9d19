"""Retries: another attempt only when nobody can pay on the earlier ones, or at the merchant's express word."""

from __future__ import annotations

from pathlib import Path

import pytest

from chalicelib.domain.errors import Conflict, InProgress, Invalid
from chalicelib.domain.order import CaptureMode
from chalicelib.domain.payment import Closure, Status
from tests.psp import LOST, NOT_SENT, SILENT
from tests.services.histories import (
    amounts,
    answers,
    attempts,
    connections,
    declines,
    operations,
    pay,
    shown,
    timeline,
    told,
)
from tests.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_retry_opens_a_page_at_the_next_untried_psp(world: World) -> None:
    payment = world.open().payment
    answer = world.retry(payment.id, "again")
    assert answer.rendered.status == 201
    assert shown(answer)["next_action"]["url"].startswith("https://psp-2.example/")
    assert connections(world, payment) == ["psp-1", "psp-2"]


def test_the_live_page_is_closed_at_its_psp_first(world: World) -> None:
    payment = world.open().payment
    closed_when_opened: list[str] = []

    def script(order: object) -> str:
        closed_when_opened.append(world.psps["psp-1"].sessions[payment.attempts[0].id]["status"])
        return "answer"

    world.psps["psp-2"].script = script
    world.retry(payment.id, "again")
    assert closed_when_opened == ["expired"]
    assert attempts(world, payment) == ["expired", "pending"]


def test_the_same_key_replays_the_retry(world: World) -> None:
    payment = world.open().payment
    first, second = world.retry(payment.id, "again"), world.retry(payment.id, "again")
    assert second.rendered == first.rendered
    assert second.replayed
    assert len(world.payment(payment.id).attempts) == 2


def test_the_same_key_with_another_body_is_refused(world: World) -> None:
    payment = world.open().payment
    world.retry(payment.id, "again")
    with pytest.raises(Invalid) as refused:
        world.retry(payment.id, "again", fingerprint="other")
    assert refused.value.slug == "key-reused"


def test_the_checkouts_own_answer_stays_what_it_was(world: World) -> None:
    first = world.open()
    world.retry(first.payment.id, "again")
    assert world.open().rendered == first.rendered


def test_the_answer_to_a_checkout_in_doubt_is_not_taken_from_its_retry(world: World) -> None:
    declines(world, "psp-1", "psp-2", how=LOST)
    payment = world.open(route="careful").payment
    world.psps["psp-1"].can_read = False
    answers(world)
    world.retry(payment.id, "again", supersede=True)
    assert "psp-2.example" not in world.open(route="careful").rendered.body


@pytest.mark.parametrize("how", ["read", "open"])
def test_a_page_that_can_not_be_closed_is_a_conflict_of_its_own_name(world: World, how: str) -> None:
    if how == "open":
        declines(world, "psp-1", how=SILENT)
    payment = world.open(route="careful").payment
    world.psps["psp-1"].can_read = False
    with pytest.raises(Conflict) as refused:
        world.retry(payment.id, "again")
    assert refused.value.slug == "attempt-still-payable"
    assert connections(world, payment) == ["psp-1"]
    assert world.psps["psp-2"].opened == []


def test_a_page_of_a_connector_that_can_not_close_one_is_still_payable(world: World) -> None:
    payment = world.open().payment
    world.offer("psp-1", operations=frozenset({"capture", "cancel", "refund"}))
    with pytest.raises(Conflict) as refused:
        world.retry(payment.id, "again")
    assert refused.value.slug == "attempt-still-payable"


def test_that_conflict_is_not_remembered(world: World) -> None:
    payment = world.open().payment
    world.psps["psp-1"].can_read = False
    with pytest.raises(Conflict):
        world.retry(payment.id, "again")
    world.psps["psp-1"].can_read = True
    assert world.retry(payment.id, "again").rendered.status == 201


def test_superseding_goes_on_all_the_same(world: World) -> None:
    payment = world.open().payment
    world.psps["psp-1"].can_read = False
    assert world.retry(payment.id, "again", supersede=True).rendered.status == 201
    assert attempts(world, payment) == ["superseded", "pending"]
    assert "psp-1 is superseded at the merchant's word" in timeline(world, payment)


def test_superseding_still_closes_the_page_where_it_can(world: World) -> None:
    payment = world.open().payment
    world.retry(payment.id, "again", supersede=True)
    assert attempts(world, payment) == ["expired", "pending"]
    assert world.payment(payment.id).attempts[0].closed is None


def test_a_superseded_page_is_watched_until_it_is_closed(world: World) -> None:
    payment = world.open().payment
    world.psps["psp-1"].can_read = False
    world.retry(payment.id, "again", supersede=True)
    world.settle(61)
    world.psps["psp-1"].can_read = True
    world.settle(241)
    assert world.psps["psp-1"].sessions[payment.attempts[0].id]["status"] == "expired"


def test_money_at_a_superseded_page_is_taken_where_nothing_else_is_paid(world: World) -> None:
    payment = world.open().payment
    world.psps["psp-1"].can_read = False
    world.retry(payment.id, "again", supersede=True)
    pay(world, payment)
    assert world.payment(payment.id).status is Status.CAPTURED
    assert operations(world, payment) == []


def test_once_a_superseded_page_is_paid_the_other_one_is_closed(world: World) -> None:
    payment = world.open().payment
    world.psps["psp-1"].can_read = False
    world.retry(payment.id, "again", supersede=True)
    pay(world, payment)
    second = world.payment(payment.id).attempts[1]
    assert world.psps["psp-2"].sessions[second.id]["status"] == "expired"
    assert attempts(world, payment) == ["captured", "expired"]


def test_a_retry_may_name_its_connection(world: World) -> None:
    payment = world.open().payment
    world.retry(payment.id, "again", connection_id="psp-1")
    assert connections(world, payment) == ["psp-1", "psp-1"]


def test_an_unknown_connection_is_pointed_at(world: World) -> None:
    payment = world.open().payment
    with pytest.raises(Invalid) as refused:
        world.retry(payment.id, "again", connection_id="psp-9")
    assert [one.pointer for one in refused.value.errors] == ["/connection_id"]


def test_a_retry_that_is_declined_everywhere_says_so(world: World) -> None:
    declines(world, "psp-1", "psp-2")
    payment = world.open().payment
    answer = world.retry(payment.id, "again")
    assert answer.rendered.status == 402
    assert world.retry(payment.id, "again").rendered == answer.rendered


def test_a_retry_that_reaches_nobody_says_so(world: World) -> None:
    declines(world, "psp-1", "psp-2", how=NOT_SENT)
    payment = world.open().payment
    assert world.retry(payment.id, "again").rendered.status == 502


def test_a_retry_in_doubt_answers_202_until_it_is_settled(world: World) -> None:
    payment = world.open().payment
    declines(world, "psp-2", how=SILENT)
    assert world.retry(payment.id, "again").rendered.status == 202
    assert world.retry(payment.id, "again").rendered.status == 202
    world.settle(11)
    settled = world.retry(payment.id, "again")
    assert (settled.rendered.status, settled.replayed) == (201, True)


def test_a_retry_is_told_in_events_and_timeline(world: World) -> None:
    declines(world, "psp-1", "psp-2")
    payment = world.open().payment
    answers(world)
    world.retry(payment.id, "again")
    assert told(world, payment) == ["payment.failed", "payment.pending"]
    assert "routing: A retry goes to psp-1." in timeline(world, payment)


def test_a_retry_of_an_expired_payment_revives_it(world: World) -> None:
    payment = world.open().payment
    world.settle(901)
    world.settle(961)
    assert world.payment(payment.id).status is Status.EXPIRED
    world.retry(payment.id, "again")
    assert world.payment(payment.id).status is Status.PENDING


def test_a_retry_keeps_the_capture_mode(world: World) -> None:
    payment = world.open(capture=CaptureMode.MANUAL).payment
    world.retry(payment.id, "again")
    pay(world, world.payment(payment.id))
    assert amounts(world, payment).capturable == 1000


def test_a_lapsed_attempt_may_still_be_paid_and_needs_superseding(world: World) -> None:
    world.offer("psp-1", looks_up_references=False, key_lives_s={})
    declines(world, "psp-1", how=SILENT)
    payment = world.open(route="careful").payment
    for seconds in (11, 61, 301, 1801):
        world.settle(seconds)
    assert world.payment(payment.id).attempts[0].closed is Closure.LAPSED
    with pytest.raises(Conflict) as refused:
        world.retry(payment.id, "again")
    assert refused.value.slug == "attempt-still-payable"
    world.retry(payment.id, "again", supersede=True)
    assert world.payment(payment.id).attempts[0].closed is Closure.SUPERSEDED


def test_while_a_retry_runs_its_repeat_is_told_to_wait(world: World) -> None:
    payment = world.open().payment
    waited: list[int] = []

    def script(order: object) -> str:
        with pytest.raises(InProgress) as busy:
            world.retry(payment.id, "again")
        waited.append(busy.value.retry_after_s)
        return "answer"

    world.psps["psp-2"].script = script
    world.retry(payment.id, "again")
    assert waited[0] >= 1
    assert len(world.psps["psp-2"].opened) == 1
