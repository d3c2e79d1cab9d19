"""The product's own services against Adyen as its specification has it, over HTTP and with signed deliveries."""

from __future__ import annotations

import pytest

from chalicelib.domain.errors import Conflict
from chalicelib.domain.operation import OperationKind
from chalicelib.domain.order import CaptureMode
from chalicelib.domain.payment import Payment, Status
from tests.connectors.adyen.shop import ACCOUNTS, AdyenShop
from tests.connectors.adyen.specification import check
from tests.services.histories import queue_of_operators, timeline, told

REFUND, CAPTURE, CANCELLATION = OperationKind.REFUND, OperationKind.CAPTURE, OperationKind.CANCELLATION


def test_a_checkout_is_paid_and_refunded_in_two_parts(shop: AdyenShop) -> None:
    payment = shop.open()
    peer, page = shop.page(payment)
    assert shop.url(payment) == f"https://test.adyen.link/{page}"
    peer.pay(page)
    shop.hears()
    assert shop.status(payment) is Status.CAPTURED
    shop.world.do(REFUND, payment.id, "some", 400)
    assert shop.operations(payment) == [(REFUND, "pending")]
    assert shop.status(payment) is Status.CAPTURED, "taken in is not yet refunded"
    shop.hears()
    assert shop.status(payment) is Status.PARTIALLY_REFUNDED
    shop.world.do(REFUND, payment.id, "rest")
    shop.hears()
    assert shop.status(payment) is Status.REFUNDED
    assert [one["amount"]["value"] for one in peer.modifications] == [400, 600]


def test_an_authorization_is_captured_later_and_its_rest_goes_back(shop: AdyenShop) -> None:
    payment = shop.paid(capture=CaptureMode.MANUAL)
    assert shop.status(payment) is Status.AUTHORIZED
    shop.world.do(CAPTURE, payment.id, "a-capture", 700)
    shop.hears()
    assert (shop.status(payment), shop.amounts(payment)[:2]) == (Status.CAPTURED, (1000, 700))


def refused_by_hand(shop: AdyenShop) -> Payment:
    """A sale of which Adyen never told a capture, and then a capture that it refused."""
    payment = shop.paid()
    tell_of_refusal(shop, payment)
    return payment


def tell_of_refusal(shop: AdyenShop, payment: Payment) -> None:
    (adyens,) = shop.psp.payments.values()
    name = payment.attempts[0].id
    shop.psp.tell("CAPTURE", "CAPTURE2", name, adyens["amount"], adyens, success="false", reason="Insufficient balance")
    shop.hears()


def test_where_a_capture_is_refused_and_nobody_told_of_adyens_own_its_own_is_in_doubt(shop: AdyenShop) -> None:
    """Its own may be the one that was refused, or the reason why that by hand was."""
    payment = refused_by_hand(shop)
    amounts = shop.amounts(payment)
    assert (shop.status(payment), amounts.captured, amounts.capturable) == (Status.AUTHORIZED, 0, 0)
    assert sorted(shop.operations(payment)) == [(CAPTURE, "failed"), (CAPTURE, "pending")]
    with pytest.raises(Conflict):
        shop.world.do(CAPTURE, payment.id, "again")


def test_an_operator_is_told_of_the_doubt_once_and_why(shop: AdyenShop) -> None:
    """Nothing that is asked would tell, so it would be pending for ever."""
    payment = refused_by_hand(shop)
    tell_of_refusal(shop, payment)
    assert queue_of_operators(shop.world) == [payment.id]
    assert told(shop.world, payment).count("payment.review_required") == 1
    why = "Whether the capture of 10.00 EUR was made at the PSP, nothing that it says tells"
    assert timeline(shop.world, payment).count(why) == 1


@pytest.mark.parametrize(
    ("word", "status", "left"), [("succeeded", Status.CAPTURED, 0), ("failed", Status.AUTHORIZED, 1000)]
)
def test_an_operator_says_how_adyens_own_capture_came_out(
    shop: AdyenShop, word: str, status: Status, left: int
) -> None:
    payment = refused_by_hand(shop)
    (doubted,) = [one for one in shop.now(payment).operations if one.status == "pending"]
    shop.world.say(payment.id, doubted.attempt_id, word, operation_id=doubted.id)
    assert (shop.status(payment), shop.amounts(payment).capturable) == (status, left)
    assert queue_of_operators(shop.world) == []


@pytest.mark.parametrize(
    ("event", "name", "status", "left"),
    [
        ("CAPTURE", "CAPTURE1", Status.CAPTURED, 0),
        ("CAPTURE_FAILED", "CAPTURE1", Status.AUTHORIZED, 1000),
        ("CANCELLATION", "CANCEL1", Status.CANCELLED, 0),
    ],
)
def test_an_event_that_tells_of_it_ends_the_doubt(
    shop: AdyenShop, event: str, name: str, status: Status, left: int
) -> None:
    payment = refused_by_hand(shop)
    (adyens,) = shop.psp.payments.values()
    shop.psp.tell(event, name, payment.attempts[0].id, adyens["amount"], adyens)
    shop.hears()
    assert (shop.status(payment), shop.amounts(payment).capturable) == (status, left)
    assert "pending" not in dict(shop.operations(payment)).values()
    assert queue_of_operators(shop.world) == []


def test_a_capture_that_is_refused_once_adyens_own_is_known_changes_nothing(shop: AdyenShop) -> None:
    payment = shop.paid()
    (adyens,) = shop.psp.payments.values()
    for name, success in (("CAPTURE1", "true"), ("CAPTURE2", "false")):
        shop.psp.tell("CAPTURE", name, payment.attempts[0].id, adyens["amount"], adyens, success=success)
    shop.hears()
    assert (shop.status(payment), shop.amounts(payment).refundable) == (Status.CAPTURED, 1000)
    assert "pending" not in dict(shop.operations(payment)).values()


@pytest.mark.parametrize(
    ("in_parts", "status", "left"), [(False, Status.CAPTURED, 0), (True, Status.PARTIALLY_CAPTURED, 600)]
)
def test_what_a_capture_by_hand_leaves_is_held_only_where_the_account_captures_in_parts(
    shop: AdyenShop, in_parts: bool, status: Status, left: int
) -> None:
    shop.change("adyen-1", captures_in_parts=in_parts)
    payment = shop.paid(capture=CaptureMode.MANUAL)
    (adyens,) = shop.psp.payments.values()
    name = f"{payment.attempts[0].id}-manual"
    shop.psp.tell("CAPTURE", "CAPTURE1", name, {"value": 400, "currency": "EUR"}, adyens)
    shop.hears()
    assert (shop.status(payment), shop.amounts(payment).capturable) == (status, left)
    assert shop.operations(payment) == [(CAPTURE, "succeeded")]


def test_an_authorization_is_cancelled(shop: AdyenShop) -> None:
    payment = shop.paid(capture=CaptureMode.MANUAL)
    shop.world.do(CANCELLATION, payment.id, "a-cancellation")
    shop.hears()
    assert shop.status(payment) is Status.CANCELLED


def test_a_batch_of_everything_in_reverse_order_ends_the_same(shop: AdyenShop) -> None:
    payment = shop.open()
    peer, page = shop.page(payment)
    peer.decline(page, "Not enough balance")
    peer.pay(page)
    shop.hears()
    shop.world.do(REFUND, payment.id, "some", 400)
    known, before = list(peer.told), shop.now(payment)
    peer.told = [*reversed(known), *known]
    shop.hears()
    assert shop.status(payment) is Status.PARTIALLY_REFUNDED
    assert before.status is Status.CAPTURED


def test_a_declined_shopper_is_sent_to_the_next_psp_and_the_first_page_is_ended(shop: AdyenShop) -> None:
    payment = shop.open()
    first, page = shop.page(payment)
    first.decline(page, "Not enough balance")
    shop.hears()
    assert shop.status(payment) is Status.PENDING, "she may try again on the page"
    shop.world.retry(payment.id, "another-way", "adyen-2", supersede=True)
    shop.world.settle()
    assert first.links[page]["status"] == "expired"
    second, other_page = shop.page(payment)
    second.pay(other_page)
    shop.hears("adyen-2")
    assert (shop.status(payment), shop.tried(payment)) == (Status.CAPTURED, list(ACCOUNTS))


def test_an_account_that_may_not_open_a_page_makes_room_for_the_next(shop: AdyenShop) -> None:
    shop.psp.account = "RenamedECOM"
    payment = shop.open()
    assert shop.tried(payment) == list(ACCOUNTS)
    assert not shop.psp.links


def test_a_page_whose_opening_was_not_answered_is_the_same_page_when_asked_again(shop: AdyenShop) -> None:
    with shop.psp.silent("/paymentLinks", times=1):
        payment = shop.open()
    peer, page = shop.page(payment)
    assert (len(peer.links), shop.tried(payment)) == (1, ["adyen-1"])
    peer.pay(page)
    shop.hears()
    assert shop.status(payment) is Status.CAPTURED


def test_a_refund_that_was_not_answered_is_made_once(shop: AdyenShop) -> None:
    payment, peer = shop.paid(), shop.psp
    with peer.silent("/refunds"):
        shop.world.do(REFUND, payment.id, "a-refund", 400)
    assert shop.operations(payment) == [(REFUND, "unknown")]
    shop.world.settle(20)
    assert shop.operations(payment) == [(REFUND, "pending")]
    assert len(peer.modifications) == 1
    shop.hears()
    assert (shop.status(payment), shop.operations(payment)) == (Status.PARTIALLY_REFUNDED, [(REFUND, "succeeded")])


def test_a_refund_whose_webhook_was_lost_is_what_an_operator_saw_of_it(shop: AdyenShop) -> None:
    payment = shop.open()
    peer, page = shop.page(payment)
    peer.pay(page)
    shop.hears()
    shop.world.do(REFUND, payment.id, "a-refund", 400)
    lost, peer.told = peer.told, []
    (refund,) = shop.now(payment).operations
    shop.world.say(payment.id, payment.attempts[0].id, "succeeded", operation_id=refund.id)
    assert shop.status(payment) is Status.PARTIALLY_REFUNDED
    peer.told = lost
    shop.hears()
    found = shop.now(payment)
    assert (found.status, shop.amounts(payment).refunded) == (Status.PARTIALLY_REFUNDED, 400)
    assert [one.status for one in found.operations] == ["succeeded"]


def test_a_page_is_never_taken_for_paid_because_it_was_completed(shop: AdyenShop) -> None:
    """Its status says that somebody paid; how much, and by which payment, only the webhook."""
    payment = shop.open()
    peer, page = shop.page(payment)
    peer.pay(page)
    shop.world.settle(16 * 60)
    assert shop.status(payment) is Status.PENDING
    shop.world.settle(2 * 3600)
    assert peer.links[page]["status"] == "completed", "a page on which somebody paid is not ended"
    shop.hears()
    assert shop.status(payment) is Status.CAPTURED


def test_an_abandoned_page_is_ended_at_adyen_when_its_time_is_over(shop: AdyenShop) -> None:
    payment = shop.open()
    peer, page = shop.page(payment)
    shop.world.settle(16 * 60)
    assert peer.links[page]["status"] == "active"
    shop.world.settle(46 * 60)
    assert (shop.status(payment), peer.links[page]["status"]) == (Status.EXPIRED, "expired")


def test_a_test_of_the_connection_tells_wrong_credentials_from_an_outage(shop: AdyenShop) -> None:
    assert shop.check().ok
    with shop.psp.silent("/paymentMethods"):
        assert shop.check().problem == "outage"
    shop.psp.revoked = True
    assert shop.check().problem == "credentials"


def test_every_request_of_a_whole_story_is_one_that_the_specification_takes(shop: AdyenShop) -> None:
    for number, (capture, kind) in enumerate(
        ((CaptureMode.AUTOMATIC, REFUND), (CaptureMode.MANUAL, CAPTURE), (CaptureMode.MANUAL, CANCELLATION))
    ):
        payment = shop.paid(key=f"key-{number}", capture=capture)
        shop.world.do(kind, payment.id, f"operation-{number}")
        shop.hears()
    shop.open(key="abandoned")
    shop.world.settle(16 * 60)
    shop.world.settle(46 * 60)
    shop.check()
    assert {f"{one.method} {check(one)[0]}" for one in shop.driver.requests} == {
        "GET /paymentLinks/{linkId}", "PATCH /paymentLinks/{linkId}", "POST /paymentLinks", "POST /paymentMethods",
        *(f"POST /payments/{{paymentPspReference}}/{what}" for what in ("captures", "cancels", "refunds")),
    }  # fmt: skip
