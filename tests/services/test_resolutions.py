"""What an operator decides on odd amounts: taken, given back, and audited exactly once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from chalicelib.domain.errors import Conflict
from chalicelib.domain.order import CaptureMode
from chalicelib.domain.payment import Payment, Status
from chalicelib.services import resolve, settle_drafts
from chalicelib.services.kinds import AUDIT
from tests.psp import DECLINE
from tests.services.histories import (
    CAPTURE,
    amounts,
    foreign,
    hear,
    odd,
    operations,
    psp_1_does,
    queue_of_operators,
    shown,
    sold,
    timeline,
    told,
)
from tests.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


class Killed(BaseException):
    """The process dies here."""


def resolved(world: World, payment: Payment, outcome: str) -> None:
    world.say(payment.id, payment.attempts[0].id, outcome)
    world.settle(11)


def audited(world: World) -> list[tuple[str, str]]:
    entries = [one.value for one in world.store.find(AUDIT, "by_merchant", "default").items]
    return [(entry.draft.action, entry.draft.object_id) for entry in entries]


@pytest.mark.parametrize("value", [999, 1001])
def test_an_accepted_amount_is_the_payments(world: World, value: int) -> None:
    payment = odd(world, value - 1000)
    resolved(world, payment, "accept")
    assert world.payment(payment.id).status is Status.CAPTURED
    assert (amounts(world, payment).captured, amounts(world, payment).refundable) == (value, value)
    assert amounts(world, payment).surplus == 0


def test_an_accepted_amount_clears_the_queue_and_is_told(world: World) -> None:
    payment = odd(world)
    resolved(world, payment, "accept")
    assert queue_of_operators(world) == []
    assert told(world, payment)[-1] == "payment.captured"
    assert "resolution: An operator resolved psp-1: accept (seen at the bank)." in timeline(world, payment)


def test_an_accepted_amount_is_not_given_back_as_a_surplus(world: World) -> None:
    payment = odd(world, 500)
    resolved(world, payment, "accept")
    hear(world, payment)
    assert operations(world, payment) == []


def test_an_accepted_authorization_can_be_captured_as_it_is(world: World) -> None:
    payment = odd(world, 500, capture=CaptureMode.MANUAL)
    resolved(world, payment, "accept")
    world.do(CAPTURE, payment.id, "c1")
    assert amounts(world, payment).captured == 1500


def test_an_accepted_amount_that_changes_again_is_odd_again(world: World) -> None:
    payment = odd(world)
    resolved(world, payment, "accept")
    world.psps["psp-1"].sessions[payment.attempts[0].id]["payment"]["amount"]["value"] = 1002
    hear(world, payment)
    assert queue_of_operators(world) == [payment.id]
    assert told(world, payment).count("payment.review_required") == 2


@pytest.mark.parametrize("more", [-1, 1])
def test_a_refused_amount_goes_back_as_it_came(world: World, more: int) -> None:
    payment = odd(world, more)
    resolved(world, payment, "refund")
    assert operations(world, payment) == [("refund", "succeeded", "policy")]
    assert world.payment(payment.id).status is Status.REFUNDED
    assert amounts(world, payment).refunded == 1000 + more
    assert queue_of_operators(world) == []


def test_a_refused_authorization_is_voided(world: World) -> None:
    payment = odd(world, capture=CaptureMode.MANUAL)
    resolved(world, payment, "refund")
    assert operations(world, payment) == [("cancellation", "succeeded", "policy")]
    assert world.payment(payment.id).status is Status.CANCELLED


def test_an_accepted_amount_can_be_given_back_in_the_dashboard(world: World) -> None:
    payment = odd(world)
    resolved(world, payment, "accept")
    world.psps["psp-1"].move(payment.attempts[0].id, "refunds", 1001)
    hear(world, payment)
    assert world.payment(payment.id).status is Status.REFUNDED
    assert queue_of_operators(world) == []


def test_money_in_another_currency_can_not_be_accepted(world: World) -> None:
    payment = foreign(world)
    with pytest.raises(Conflict, match="another currency"):
        resolved(world, payment, "accept")
    assert world.payment(payment.id).status is Status.UNKNOWN


def test_money_in_another_currency_goes_back_in_that_currency(world: World) -> None:
    payment = foreign(world)
    resolved(world, payment, "refund")
    (refund,) = world.payment(payment.id).operations
    assert str(refund.amount) == "10.00 USD"
    assert operations(world, payment) == [("refund", "succeeded", "policy")]
    assert world.payment(payment.id).status is Status.FAILED
    assert queue_of_operators(world) == []


def test_an_authorization_in_another_currency_is_voided_in_that_currency(world: World) -> None:
    payment = foreign(world, capture=CaptureMode.MANUAL)
    resolved(world, payment, "refund")
    assert operations(world, payment) == [("cancellation", "succeeded", "policy")]
    assert world.payment(payment.id).status is Status.FAILED
    assert queue_of_operators(world) == []


def test_money_in_another_currency_never_counts(world: World) -> None:
    payment = foreign(world)
    resolved(world, payment, "refund")
    hear(world, payment)
    assert (amounts(world, payment).captured, amounts(world, payment).refunded) == (0, 0)


@pytest.mark.parametrize("outcome", ["accept", "refund"])
def test_where_nothing_is_odd_there_is_nothing_to_resolve(world: World, outcome: str) -> None:
    payment = sold(world)
    with pytest.raises(Conflict):
        resolved(world, payment, outcome)
    assert audited(world) == []


@pytest.mark.parametrize("again", ["accept", "refund"])
def test_an_odd_amount_is_decided_once(world: World, again: str) -> None:
    payment = odd(world)
    resolved(world, payment, "refund")
    with pytest.raises(Conflict):
        resolved(world, payment, again)
    assert len(world.psps["psp-1"].operated) == 1


def test_after_a_refused_amount_went_back_nothing_goes_back_again(world: World) -> None:
    payment = odd(world)
    resolved(world, payment, "refund")
    for _ in range(2):
        hear(world, payment)
        world.attend.sync(payment.id)
    assert len(world.psps["psp-1"].operated) == 1


@pytest.mark.parametrize("given", [odd, foreign])
@pytest.mark.parametrize("capture", list(CaptureMode))
def test_what_the_psp_refuses_to_give_back_stays_with_the_operators(
    world: World, given: Callable[..., Payment], capture: CaptureMode
) -> None:
    payment = given(world, capture=capture)
    psp_1_does(world, DECLINE)
    resolved(world, payment, "refund")
    assert [status for _, status, _ in operations(world, payment)] == ["failed"]
    assert queue_of_operators(world) == [payment.id]


@pytest.mark.parametrize("given", [odd, foreign])
@pytest.mark.parametrize("capture", list(CaptureMode))
def test_an_operator_can_have_it_given_back_again_until_it_succeeds(
    world: World, given: Callable[..., Payment], capture: CaptureMode
) -> None:
    payment = given(world, capture=capture)
    psp_1_does(world, DECLINE)
    for _ in range(2):
        resolved(world, payment, "refund")
    psp_1_does(world, "answer")
    resolved(world, payment, "refund")
    assert [status for _, status, _ in operations(world, payment)] == ["failed", "failed", "succeeded"]
    assert queue_of_operators(world) == []


@pytest.mark.parametrize("given", [odd, foreign])
def test_an_operator_can_leave_what_the_psp_refuses_to_give_back(world: World, given: Callable[..., Payment]) -> None:
    payment = given(world)
    psp_1_does(world, DECLINE)
    resolved(world, payment, "refund")
    resolved(world, payment, "accept")
    assert len(operations(world, payment)) == 1
    assert queue_of_operators(world) == []


def test_what_an_operator_says_is_audited(world: World) -> None:
    payment = odd(world)
    resolved(world, payment, "accept")
    (entry,) = (one.value.draft for one in world.store.find(AUDIT, "by_merchant", "default").items)
    assert (entry.action, entry.object_kind, entry.object_id) == ("resolve", "payment", payment.id)
    assert (entry.actor, entry.client) == ("an-operator", "studio")
    assert entry.after == {
        "attempt_id": payment.attempts[0].id,
        "outcome": "accept",
        "note": "seen at the bank",
    }


def test_a_crash_before_the_entry_is_appended_does_not_lose_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    payment = odd(world)

    def die(*arguments: object) -> None:
        raise Killed

    with monkeypatch.context() as crashing:
        crashing.setattr(resolve, "settle_drafts", die)
        with pytest.raises(Killed):
            resolved(world, payment, "accept")
    assert audited(world) == []
    world.settle(1)
    assert audited(world) == [("resolve", payment.id)]


def test_a_crash_after_the_entry_was_appended_does_not_write_it_twice(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = odd(world)

    def die(*arguments: object) -> None:
        raise Killed

    with monkeypatch.context() as crashing:
        crashing.setattr(settle_drafts, "commit", die)
        with pytest.raises(Killed):
            resolved(world, payment, "accept")
    assert audited(world) == [("resolve", payment.id)]
    for seconds in (1, 11):
        world.settle(seconds)
    assert audited(world) == [("resolve", payment.id)]
    assert world.payment(payment.id).unaudited == ()


def test_a_refused_resolution_is_not_audited(world: World) -> None:
    payment = foreign(world)
    with pytest.raises(Conflict):
        resolved(world, payment, "accept")
    world.settle()
    assert audited(world) == []


def test_the_answer_shows_what_the_resolution_came_to(world: World) -> None:
    payment = odd(world)
    assert world.say(payment.id, payment.attempts[0].id, "accept").status is Status.CAPTURED
    assert shown(world.open())["status"] == "pending", "the checkout's own answer stays what it was"
