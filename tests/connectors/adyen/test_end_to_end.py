"""The product's own services against Adyen as its specification has it, over HTTP and with signed deliveries."""

from __future__ import annotations

from chalicelib.domain.operation import OperationKind
from chalicelib.domain.order import CaptureMode
from chalicelib.domain.payment import Status
from tests.connectors.adyen.shop import ACCOUNTS, AdyenShop
from tests.connectors.adyen.specification import check

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
