"""Unpaid pages expire, at the PSP and here; nothing that may still be paid is forgotten."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chalicelib.domain.errors import Conflict
from chalicelib.domain.order import CaptureMode
from chalicelib.domain.payment import Closure, Payment, Status
from tests.psp import LOST, SILENT
from tests.services.histories import amounts, attempts, hear, held, pay, queue_of_operators, timeline, told
from tests.world import World

TO_THE_END_S = (901, 961)  # asked after a quarter of an hour, and a minute after the page's time is over


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def unanswered(world: World, **offer: Any) -> Payment:
    """A payment whose page nobody heard of, at a PSP that finds nothing by our reference and takes no call twice."""
    world.offer("psp-1", looks_up_references=False, key_lives_s={}, **offer)
    world.psps["psp-1"].script = lambda order: SILENT
    return world.open(route="careful").payment


def live_through(world: World, *waits_s: int) -> None:
    for seconds in waits_s:
        world.settle(seconds)


def session_of(world: World, payment: Payment) -> str:
    return str(world.psps["psp-1"].sessions[payment.attempts[0].id]["status"])


def test_a_page_that_nobody_pays_on_expires_at_the_psp_and_here(world: World) -> None:
    payment = world.open().payment
    live_through(world, *TO_THE_END_S)
    assert session_of(world, payment) == "expired"
    assert world.payment(payment.id).status is Status.EXPIRED
    assert told(world, payment) == ["payment.pending", "payment.expired"]


def test_before_its_time_a_page_is_left_alone(world: World) -> None:
    payment = world.open().payment
    live_through(world, 901, 800)
    assert session_of(world, payment) == "open"
    assert world.payment(payment.id).status is Status.PENDING


def test_an_expired_payment_shows_no_page_and_needs_nobody(world: World) -> None:
    payment = world.open().payment
    live_through(world, *TO_THE_END_S, 11)
    assert attempts(world, payment) == ["expired"]
    assert world.payment(payment.id).due_at is None
    assert queue_of_operators(world) == []


def test_a_shopper_who_paid_in_the_last_minute_has_paid(world: World) -> None:
    payment = world.open().payment
    live_through(world, 901)
    world.psps["psp-1"].pay(payment.attempts[0].id)
    live_through(world, 961)
    assert world.payment(payment.id).status is Status.CAPTURED


def test_a_paid_page_whose_webhook_is_lost_is_found_by_asking(world: World) -> None:
    payment = world.open().payment
    world.psps["psp-1"].pay(payment.attempts[0].id)
    live_through(world, 901)
    assert world.payment(payment.id).status is Status.CAPTURED


def test_a_psp_that_is_down_when_the_page_expires_is_asked_once_it_is_back(world: World) -> None:
    payment = world.open().payment
    live_through(world, 901)
    world.psps["psp-1"].can_read = False
    live_through(world, 961, 61, 121, 241, 241)
    assert world.payment(payment.id).status is Status.PENDING
    world.psps["psp-1"].can_read = True
    live_through(world, 241)
    assert world.payment(payment.id).status is Status.EXPIRED


def test_a_page_of_a_connector_that_can_not_close_one_is_asked_about_until_the_psp_ends_it(world: World) -> None:
    payment = world.open().payment
    world.offer("psp-1", operations=frozenset({"capture", "cancel", "refund"}))
    live_through(world, *TO_THE_END_S)
    assert "could not be asked" not in timeline(world, payment)
    assert world.payment(payment.id).status is Status.PENDING
    world.psps["psp-1"].expire(payment.attempts[0].id)
    live_through(world, 3601)
    assert world.payment(payment.id).status is Status.EXPIRED


def test_an_odd_amount_keeps_the_page_from_expiring(world: World) -> None:
    payment = world.open().payment
    pay(world, payment, more=1)
    live_through(world, *TO_THE_END_S)
    assert session_of(world, payment) == "complete"
    assert world.payment(payment.id).status is Status.UNKNOWN


ALL_QUESTIONS_S = (901, 1_801, 3_601, 86_401, 86_401, 86_401)  # about a page that stays open


@pytest.fixture
def endless(world: World) -> Payment:
    """Its page stays open for ever, and the PSP can not end it."""
    world.offer("psp-1", operations=frozenset({"refund"}), capture_modes=frozenset({CaptureMode.AUTOMATIC}))
    return world.open().payment


def test_a_page_that_never_ends_and_that_nobody_pays_at_expires_here_and_needs_nobody(
    world: World, endless: Payment
) -> None:
    live_through(world, *ALL_QUESTIONS_S[:-1])
    assert world.payment(endless.id).status is Status.PENDING
    live_through(world, ALL_QUESTIONS_S[-1])
    assert world.payment(endless.id).status is Status.EXPIRED
    live_through(world, 11, 61, 301, 1_801, 7_201, *(86_401,) * 8)
    assert (session_of(world, endless), queue_of_operators(world)) == ("open", [])
    assert world.payment(endless.id).due_at is None
    assert told(world, endless) == ["payment.pending", "payment.expired"]


def test_money_that_comes_to_a_page_that_never_ends_is_late(world: World, endless: Payment) -> None:
    live_through(world, *ALL_QUESTIONS_S)
    world.psps["psp-1"].pay(endless.attempts[0].id)
    live_through(world, 11)
    assert world.payment(endless.id).status is Status.CAPTURED
    assert "late" in timeline(world, endless)


def test_a_page_that_never_ends_may_still_be_paid_at_and_needs_superseding(world: World, endless: Payment) -> None:
    live_through(world, *ALL_QUESTIONS_S)
    with pytest.raises(Conflict, match="still pay at psp-1"):
        world.retry(endless.id, "again")


def test_an_unanswered_attempt_at_a_psp_that_can_not_be_asked_lapses(world: World) -> None:
    payment = unanswered(world)
    live_through(world, 11, 61, 301)
    assert world.payment(payment.id).status is Status.UNKNOWN
    live_through(world, 1801)
    assert world.payment(payment.id).status is Status.EXPIRED
    assert world.payment(payment.id).attempts[0].closed is Closure.LAPSED


def test_a_lapsed_attempt_is_shown_to_an_operator(world: World) -> None:
    payment = unanswered(world)
    live_through(world, 11, 61, 301, 1801)
    assert queue_of_operators(world) == [payment.id]
    assert told(world, payment)[-2:] == ["payment.expired", "payment.review_required"]


def test_a_page_that_only_a_webhook_told_of_is_shown_to_an_operator_as_its_payment_may_be_lost(world: World) -> None:
    """The PSP can not be asked by our reference, and its own is not known: the webhook of the money was the only word of it."""
    payment, bank = unanswered(world, inert_until_visited=False), world.psps["psp-1"]
    attempt_id = payment.attempts[0].id
    hear(world, payment)
    bank.pay(attempt_id)
    live_through(world, 11, 61, 301, 1801, 90_000)
    assert world.payment(payment.id).status is Status.EXPIRED
    assert queue_of_operators(world) == [payment.id]
    world.say(payment.id, attempt_id, "found", psp_reference=bank.sessions[attempt_id]["id"])
    assert world.payment(payment.id).status is Status.CAPTURED
    assert queue_of_operators(world) == []


def test_an_operator_who_finds_that_a_lapsed_attempt_was_not_paid_clears_the_queue(world: World) -> None:
    payment = unanswered(world)
    live_through(world, 11, 61, 301, 1801)
    world.say(payment.id, payment.attempts[0].id, "not_paid")
    assert queue_of_operators(world) == []


def test_an_operator_who_finds_what_the_psp_calls_it_has_it_asked_about(world: World) -> None:
    payment = unanswered(world)
    live_through(world, 11, 61, 301, 1801)
    attempt_id = payment.attempts[0].id
    session = world.psps["psp-1"].sessions[attempt_id]
    world.psps["psp-1"].pay(attempt_id)
    world.say(payment.id, attempt_id, "found", psp_reference=session["id"])
    assert world.payment(payment.id).status is Status.CAPTURED
    assert queue_of_operators(world) == []


def test_the_open_page_that_an_operator_found_is_closed_at_its_psp(world: World) -> None:
    payment = unanswered(world)
    live_through(world, 11, 61, 301, 1801)
    attempt_id = payment.attempts[0].id
    world.say(payment.id, attempt_id, "found", psp_reference=world.psps["psp-1"].sessions[attempt_id]["id"])
    assert session_of(world, payment) == "expired"
    assert queue_of_operators(world) == []


def test_what_an_operator_found_is_asked_about_until_the_psp_answers(world: World) -> None:
    payment = unanswered(world)
    live_through(world, 11, 61, 301, 1801)
    attempt_id = payment.attempts[0].id
    world.psps["psp-1"].pay(attempt_id)
    world.psps["psp-1"].can_read = False
    world.say(payment.id, attempt_id, "found", psp_reference=world.psps["psp-1"].sessions[attempt_id]["id"])
    assert queue_of_operators(world) == [payment.id]
    live_through(world, 61, 121)
    world.psps["psp-1"].can_read = True
    live_through(world, 241)
    assert world.payment(payment.id).status is Status.CAPTURED
    assert queue_of_operators(world) == []


@pytest.mark.parametrize("wrong", ["ses_of_nobody", "another payment's"])
def test_a_reference_that_an_operator_got_wrong_can_be_named_again(world: World, wrong: str) -> None:
    other = world.open("another-key", route="careful").payment
    payment = unanswered(world)
    live_through(world, 11, 61, 301, 1801)
    attempt_id, sessions = payment.attempts[0].id, world.psps["psp-1"].sessions
    world.psps["psp-1"].pay(attempt_id)
    mistake = sessions[other.attempts[0].id]["id"] if wrong == "another payment's" else wrong
    world.say(payment.id, attempt_id, "found", psp_reference=mistake)
    assert world.payment(payment.id).status is not Status.CAPTURED
    assert queue_of_operators(world) == [payment.id]
    world.say(payment.id, attempt_id, "found", psp_reference=sessions[attempt_id]["id"])
    assert world.payment(payment.id).status is Status.CAPTURED
    assert queue_of_operators(world) == []
    with pytest.raises(Conflict, match="is known"):
        world.say(payment.id, attempt_id, "found", psp_reference=mistake)


def test_a_wrong_reference_can_be_named_again_although_a_webhook_told_of_the_attempt(world: World) -> None:
    """The webhook named our attempt, and is no answer to what the operator named."""
    payment, bank = unanswered(world, inert_until_visited=False), world.psps["psp-1"]
    attempt_id = payment.attempts[0].id
    world.say(payment.id, attempt_id, "found", psp_reference="ses_of_nobody")
    bank.pay(attempt_id)
    hear(world, payment)
    assert world.payment(payment.id).status is Status.CAPTURED
    world.say(payment.id, attempt_id, "found", psp_reference=bank.sessions[attempt_id]["id"])
    bank.move(attempt_id, "refunds", 400)
    world.attend.sync(payment.id)
    assert world.payment(payment.id).status is Status.PARTIALLY_REFUNDED
    with pytest.raises(Conflict, match="is known"):
        world.say(payment.id, attempt_id, "found", psp_reference="ses_of_nobody")


def test_a_reference_that_the_psp_gave_is_no_operators_to_correct(world: World) -> None:
    payment = world.open(route="careful").payment
    with pytest.raises(Conflict, match="is known"):
        world.say(payment.id, payment.attempts[0].id, "found", psp_reference="ses_other")


def test_money_that_comes_to_a_lapsed_attempt_is_late_and_counts(world: World) -> None:
    payment = unanswered(world)
    live_through(world, 11, 61, 301, 1801)
    pay(world, payment)
    assert world.payment(payment.id).status is Status.CAPTURED


def test_a_lapsed_attempt_that_its_psp_tells_of_needs_no_operator_any_more(world: World) -> None:
    payment = unanswered(world)
    live_through(world, 11, 61, 301, 1801)
    world.psps["psp-1"].expire(payment.attempts[0].id)
    hear(world, payment)
    assert queue_of_operators(world) == []


def test_money_that_came_in_time_never_becomes_late(world: World) -> None:
    """Nobody knows what the PSP calls the attempt, but its webhook told that it is paid."""
    payment = unanswered(world)
    pay(world, payment)
    live_through(world, 11, 61, 301, 1801, 7201)
    assert world.payment(payment.id).attempts[0].closed is None
    assert world.payment(payment.id).status is Status.CAPTURED


def test_a_psp_that_can_repeat_a_call_is_asked_that_way_while_its_key_lives(world: World) -> None:
    world.offer("psp-1", looks_up_references=False, key_lives_s={"open": 3600})
    world.psps["psp-1"].script = lambda order: SILENT
    payment = world.open(route="careful").payment
    live_through(world, 11)
    assert world.payment(payment.id).status is Status.PENDING


def test_an_attempt_that_the_psp_never_knew_is_failed_not_expired(world: World) -> None:
    world.psps["psp-1"].script = lambda order: LOST
    payment = world.open(route="careful").payment
    live_through(world, 11, 61, 301, 1801)
    assert world.payment(payment.id).status is Status.FAILED


def test_an_authorization_that_the_psp_lets_lapse_expires(world: World) -> None:
    payment = held(world)
    world.psps["psp-1"].move(payment.attempts[0].id, "voids", 1000)["reason"] = "expired"
    hear(world, payment)
    assert world.payment(payment.id).status is Status.EXPIRED
    assert amounts(world, payment).capturable == 0


def test_an_authorization_is_asked_about_when_it_should_have_lapsed(world: World) -> None:
    payment = held(world, key="held")
    world.psps["psp-1"].move(payment.attempts[0].id, "voids", 1000)["reason"] = "expired"
    live_through(world, 7 * 86_400 + 1)
    assert world.payment(payment.id).status is Status.EXPIRED


def test_an_authorization_does_not_expire_with_its_page(world: World) -> None:
    payment = world.open(capture=CaptureMode.MANUAL).payment
    pay(world, payment)
    live_through(world, *TO_THE_END_S)
    assert world.payment(payment.id).status is Status.AUTHORIZED
