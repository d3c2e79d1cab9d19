"""PSPs that take nothing until the server says so, once the shopper has done her part: however that is learnt."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chalicelib.contracts.calls import AttemptRef
from chalicelib.domain.errors import Conflict
from chalicelib.domain.facts import Fact, Kind, State
from chalicelib.domain.order import CaptureMode
from chalicelib.domain.payment import Payment, Status
from chalicelib.services.returns import Returns, return_link, return_token
from tests.psp import DECLINE, LOST, SILENT, SimulatedConnector
from tests.services.histories import CANCEL, attempts, hear, pay, sealed, timeline, told
from tests.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def approved(world: World, **order: object) -> Payment:
    """The shopper has approved at psp-1, and nobody knows of it yet."""
    payment = world.open(**order).payment
    world.psps["psp-1"].approve(payment.attempts[0].id)
    return payment


def returns(world: World, payment: Payment) -> None:
    Returns(world.ports).come_back(return_token(world.ports.return_key(), payment.id, payment.order.return_url))
    world.settle()


def completions(world: World, name: str = "psp-1") -> int:
    return sum(call.endswith("-complete") for call in world.psps[name].operated)


def test_a_shopper_who_returns_has_paid(world: World) -> None:
    payment = approved(world)
    returns(world, payment)
    assert world.payment(payment.id).status is Status.CAPTURED
    assert told(world, payment) == ["payment.pending", "payment.captured"]


def test_where_a_connector_needs_it_the_shopper_returns_through_our_signed_link(world: World) -> None:
    world.offer("psp-1", needs_return_link=True)
    seen: list[str] = []

    def script(order: object) -> str:
        seen.append(order.return_url)  # type: ignore[attr-defined]
        return "answer"

    world.psps["psp-1"].script = script
    payment = world.open().payment
    assert seen == [return_link(world.ports, payment.id, payment.order.return_url)]
    assert seen[0].startswith("https://hooks.pay.example/returns/pay_")


def test_elsewhere_the_shopper_returns_straight_to_the_shop(world: World) -> None:
    assert world.open().payment.attempts[0].return_url is None


def test_the_return_link_leads_on_to_the_shop(world: World) -> None:
    payment = world.open(return_url="https://shop.example/return?basket=7").payment
    back = Returns(world.ports).come_back(return_token(world.ports.return_key(), payment.id, payment.order.return_url))
    assert back == f"https://shop.example/return?basket=7&payment_id={payment.id}"


def test_a_webhook_completes_for_a_shopper_who_never_returns(world: World) -> None:
    payment = approved(world)
    hear(world, payment)
    assert world.payment(payment.id).status is Status.CAPTURED


def test_reconciliation_completes_for_a_shopper_who_never_returns(world: World) -> None:
    payment = approved(world)
    world.settle(901)
    assert world.payment(payment.id).status is Status.CAPTURED


def test_who_approves_in_the_last_minutes_is_completed_when_the_page_expires(world: World) -> None:
    payment = world.open().payment
    world.settle(901)
    world.psps["psp-1"].approve(payment.attempts[0].id)
    world.settle(961)
    assert world.payment(payment.id).status is Status.CAPTURED


def test_an_authorization_is_completed_too(world: World) -> None:
    payment = approved(world, capture=CaptureMode.MANUAL)
    returns(world, payment)
    assert world.payment(payment.id).status is Status.AUTHORIZED


def test_it_is_completed_once_however_often_it_is_told(world: World) -> None:
    payment = approved(world)
    for _ in range(3):
        returns(world, payment)
        hear(world, payment)
        world.attend.sync(payment.id)
    assert completions(world) == 1


def test_an_answer_that_was_lost_is_read_and_not_asked_for_again(world: World) -> None:
    payment = approved(world)
    world.psps["psp-1"].completion = SILENT
    returns(world, payment)
    assert world.payment(payment.id).status is Status.PENDING
    world.settle(61)
    assert world.payment(payment.id).status is Status.CAPTURED
    assert completions(world) == 1


def test_a_call_that_was_lost_is_made_again_with_the_same_key(world: World) -> None:
    payment = approved(world)
    world.psps["psp-1"].completion = LOST
    returns(world, payment)
    world.psps["psp-1"].completion = "answer"
    world.settle(61)
    assert world.payment(payment.id).status is Status.CAPTURED
    assert set(world.psps["psp-1"].operated) == {f"{payment.attempts[0].id}-complete"}


def test_a_psp_that_refuses_to_complete_is_told_and_nothing_is_paid(world: World) -> None:
    payment = approved(world)
    world.psps["psp-1"].completion = DECLINE
    returns(world, payment)
    assert world.payment(payment.id).status is Status.PENDING
    assert "psp-1 refused to complete the payment: insufficient_funds" in timeline(world, payment)


def test_a_shopper_who_has_not_approved_has_not_paid(world: World) -> None:
    payment = world.open().payment
    returns(world, payment)
    assert world.payment(payment.id).status is Status.PENDING
    assert completions(world) == 0


def test_a_connector_that_needs_no_completion_is_never_asked_for_it(world: World) -> None:
    payment = approved(world)
    world.offer("psp-1", completes_on_return=False)
    returns(world, payment)
    hear(world, payment)
    assert completions(world) == 0


def test_a_sealed_attempt_is_closed_and_never_completed(world: World) -> None:
    payment = sealed(world)
    world.psps["psp-1"].approve(payment.attempts[0].id)
    world.psps["psp-1"].can_read = True
    hear(world, payment, 0)
    world.settle(61)
    assert completions(world) == 0
    assert world.psps["psp-1"].sessions[payment.attempts[0].id]["status"] == "expired"


def test_a_cancelled_payment_is_closed_and_never_completed(world: World) -> None:
    payment = approved(world)
    world.do(CANCEL, payment.id, "x")
    returns(world, payment)
    assert completions(world) == 0
    assert world.payment(payment.id).status is Status.CANCELLED


def test_a_payment_that_was_cancelled_while_its_psp_was_down_is_never_completed(world: World) -> None:
    payment = approved(world)
    world.psps["psp-1"].can_read = False
    world.do(CANCEL, payment.id, "x")
    world.psps["psp-1"].can_read = True
    hear(world, payment)
    returns(world, payment)
    assert completions(world) == 0
    assert attempts(world, payment) == ["superseded"]


def retried(world: World) -> Payment:
    """psp-1's page could not be closed, and psp-2's was opened."""
    payment = world.open().payment
    world.psps["psp-1"].can_read = False
    world.retry(payment.id, "again", supersede=True)
    world.settle()
    return world.payment(payment.id)


def test_nothing_is_completed_while_an_odd_amount_waits_for_an_operator(world: World) -> None:
    payment = retried(world)
    pay(world, payment, 0, more=1)
    world.psps["psp-2"].approve(payment.attempts[1].id)
    returns(world, payment)
    assert completions(world, "psp-2") == 0
    assert world.payment(payment.id).status is Status.UNKNOWN


def test_nothing_is_completed_once_another_attempt_is_paid(world: World) -> None:
    payment = retried(world)
    world.psps["psp-2"].approve(payment.attempts[1].id)
    pay(world, payment, 0)
    returns(world, payment)
    assert completions(world, "psp-2") == 0
    assert world.payment(payment.id).status is Status.CAPTURED


def while_completing(world: World, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], None]) -> None:
    """`meanwhile` happens after PaymentServer has made up its mind to complete, and before the PSP has."""
    complete, once = SimulatedConnector.complete, [meanwhile]

    def slow(self: SimulatedConnector, attempt: AttemptRef) -> Any:
        while once:
            once.pop()()
        return complete(self, attempt)

    monkeypatch.setattr(SimulatedConnector, "complete", slow)
    monkeypatch.setattr(SimulatedConnector, "expire", expired_by_our_word)


def expired_by_our_word(self: SimulatedConnector, attempt: AttemptRef) -> Any:
    """A PSP that can not end a page: it is over because nobody is to complete it."""
    session = self.psp.sessions[attempt.attempt_id]
    ended = Fact(attempt.attempt_id, Kind.CHECKOUT, session["id"], State.EXPIRED)
    return (*self._facts_of(session, attempt.attempt_id), ended)
    yield


def test_a_page_that_is_being_completed_counts_as_over_by_nobodys_word(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cancelled in that moment, the money goes back; it must not stay because the page seemed to have expired."""
    payment = approved(world)
    while_completing(world, monkeypatch, lambda: world.do(CANCEL, payment.id, "x"))
    returns(world, payment)
    world.settle(61)
    assert completions(world) == 1
    assert world.payment(payment.id).status is Status.REFUNDED


def test_a_page_that_is_being_completed_can_not_be_tried_elsewhere(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment, refused = approved(world), []

    def retry() -> None:
        with pytest.raises(Conflict) as error:
            world.retry(payment.id, "again")
        refused.append(error.value.slug)

    while_completing(world, monkeypatch, retry)
    returns(world, payment)
    assert refused == ["attempt-still-payable"]
    assert world.payment(payment.id).status is Status.CAPTURED


@pytest.mark.parametrize("how", ["cancelled", "superseded"])
def test_what_was_given_up_since_it_was_read_is_not_completed(
    world: World, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    payment = approved(world)
    fetch, once = SimulatedConnector.fetch, [True]

    def slow(self: SimulatedConnector, attempt: AttemptRef) -> Any:
        facts = yield from fetch(self, attempt)
        if once:
            once.pop()
            self.psp.can_read = False
            if how == "cancelled":
                world.do(CANCEL, payment.id, "x")
            else:
                world.retry(payment.id, "again", supersede=True)
            self.psp.can_read = True
        return facts

    monkeypatch.setattr(SimulatedConnector, "fetch", slow)
    returns(world, payment)
    assert completions(world) == 0


def test_a_page_whose_completion_came_to_nothing_is_closed_when_no_call_can_be_under_way(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = approved(world)
    world.psps["psp-1"].completion = LOST
    returns(world, payment)
    world.psps["psp-1"].completion = DECLINE
    world.do(CANCEL, payment.id, "x")
    assert attempts(world, payment) == ["superseded"]
    for _ in range(5):
        world.settle(901)
    assert world.psps["psp-1"].sessions[payment.attempts[0].id]["status"] == "expired"
