"""The product's own services against Adyen as its specification has it, over HTTP and with signed deliveries."""

from __future__ import annotations

from chalicelib.domain.fold import fold
from chalicelib.domain.operation import OperationKind, OperationStatus
from chalicelib.domain.order import CaptureMode
from chalicelib.domain.payment import Status
from chalicelib.services.configure_connections import check_connection
from tests.connectors.adyen.shop import KEYS, Adyen
from tests.connectors.adyen.specification import CHECKOUT, body_schema_of, specification

REFUND, CAPTURE, CANCELLATION = OperationKind.REFUND, OperationKind.CAPTURE, OperationKind.CANCELLATION


def test_a_checkout_is_paid_and_refunded_in_two_parts(shop: Adyen) -> None:
    payment = shop.open()
    peer, page = shop.page(payment)
    assert payment.attempts[0].action is not None
    assert payment.attempts[0].action.url == f"https://test.adyen.link/{page}"
    peer.pay(page)
    shop.deliver()
    assert shop.status(payment) is Status.CAPTURED
    shop.world.do(REFUND, payment.id, "some", 400)
    assert [one.status for one in shop.payment(payment.id).operations] == [OperationStatus.PENDING]
    assert shop.status(payment) is Status.CAPTURED, "taken in is not yet refunded"
    shop.deliver()
    assert shop.status(payment) is Status.PARTIALLY_REFUNDED
    shop.world.do(REFUND, payment.id, "rest")
    shop.deliver()
    assert shop.status(payment) is Status.REFUNDED
    assert [one["amount"]["value"] for one in peer.modifications] == [400, 600]


def test_an_authorization_is_captured_later_and_its_rest_goes_back(shop: Adyen) -> None:
    payment = shop.open(capture=CaptureMode.MANUAL)
    peer, page = shop.page(payment)
    peer.pay(page)
    shop.deliver()
    assert shop.status(payment) is Status.AUTHORIZED
    shop.world.do(CAPTURE, payment.id, "a-capture", 700)
    shop.deliver()
    found = shop.payment(payment.id)
    assert (found.status, found.journal[-1].amounts[:2]) == (Status.CAPTURED, (1000, 700))


def test_an_authorization_is_cancelled(shop: Adyen) -> None:
    payment = shop.open(capture=CaptureMode.MANUAL)
    peer, page = shop.page(payment)
    peer.pay(page)
    shop.deliver()
    shop.world.do(CANCELLATION, payment.id, "a-cancellation")
    shop.deliver()
    assert shop.status(payment) is Status.CANCELLED


def test_a_batch_of_everything_in_reverse_order_ends_the_same(shop: Adyen) -> None:
    payment = shop.open()
    peer, page = shop.page(payment)
    peer.decline(page, "Not enough balance")
    peer.pay(page)
    shop.deliver()
    shop.world.do(REFUND, payment.id, "some", 400)
    known, before = list(peer.told), shop.payment(payment.id)
    peer.told = [*reversed(known), *known]
    shop.deliver()
    assert shop.status(payment) is Status.PARTIALLY_REFUNDED
    assert before.status is Status.CAPTURED


def test_a_declined_shopper_is_sent_to_the_next_psp_and_the_first_page_is_ended(shop: Adyen) -> None:
    payment = shop.open()
    first, page = shop.page(payment)
    first.decline(page, "Not enough balance")
    shop.deliver()
    assert shop.status(payment) is Status.PENDING, "she may try again on the page"
    shop.world.retry(payment.id, "another-way", "adyen-2", supersede=True)
    shop.world.settle()
    assert first.links[page]["status"] == "expired"
    second, other_page = shop.page(shop.payment(payment.id))
    second.pay(other_page)
    shop.deliver("adyen-2")
    found = shop.payment(payment.id)
    assert (found.status, [one.connection_id for one in found.attempts]) == (Status.CAPTURED, ["adyen-1", "adyen-2"])


def test_an_account_that_may_not_open_a_page_makes_room_for_the_next(shop: Adyen) -> None:
    shop.peers["adyen-1"].account = "RenamedECOM"
    payment = shop.open()
    assert [one.connection_id for one in payment.attempts] == ["adyen-1", "adyen-2"]
    assert not shop.peers["adyen-1"].links


def test_a_page_whose_opening_was_not_answered_is_the_same_page_when_asked_again(shop: Adyen) -> None:
    shop.peers["adyen-1"].silent = 1
    payment = shop.open()
    peer, page = shop.page(payment)
    assert (len(peer.links), [one.connection_id for one in payment.attempts]) == (1, ["adyen-1"])
    peer.pay(page)
    shop.deliver()
    assert shop.status(payment) is Status.CAPTURED


def test_a_refund_that_was_not_answered_is_made_once(shop: Adyen) -> None:
    payment = shop.open()
    peer, page = shop.page(payment)
    peer.pay(page)
    shop.deliver()
    peer.silent = 1
    shop.world.do(REFUND, payment.id, "a-refund", 400)
    assert [one.status for one in shop.payment(payment.id).operations] == [OperationStatus.UNKNOWN]
    shop.world.settle(20)
    assert [one.status for one in shop.payment(payment.id).operations] == [OperationStatus.PENDING]
    assert len(peer.modifications) == 1
    shop.deliver()
    found = shop.payment(payment.id)
    assert (found.status, [one.status for one in found.operations]) == (
        Status.PARTIALLY_REFUNDED,
        [OperationStatus.SUCCEEDED],
    )


def test_a_refund_whose_webhook_was_lost_is_what_an_operator_saw_of_it(shop: Adyen) -> None:
    payment = shop.open()
    peer, page = shop.page(payment)
    peer.pay(page)
    shop.deliver()
    shop.world.do(REFUND, payment.id, "a-refund", 400)
    lost, peer.told = peer.told, []
    (refund,) = shop.payment(payment.id).operations
    shop.world.say(payment.id, payment.attempts[0].id, "succeeded", operation_id=refund.id)
    assert shop.status(payment) is Status.PARTIALLY_REFUNDED
    peer.told = lost
    shop.deliver()
    found = shop.payment(payment.id)
    assert (found.status, fold(found).amounts.refunded) == (Status.PARTIALLY_REFUNDED, 400)
    assert [one.status for one in found.operations] == [OperationStatus.SUCCEEDED]


def test_a_page_is_never_taken_for_paid_because_it_was_completed(shop: Adyen) -> None:
    """Its status says that somebody paid; how much, and by which payment, only the webhook."""
    payment = shop.open()
    peer, page = shop.page(payment)
    peer.pay(page)
    shop.world.settle(16 * 60)
    assert shop.status(payment) is Status.PENDING
    shop.world.settle(2 * 3600)
    assert peer.links[page]["status"] == "completed", "a page on which somebody paid is not ended"
    shop.deliver()
    assert shop.status(payment) is Status.CAPTURED


def test_an_abandoned_page_is_ended_at_adyen_when_its_time_is_over(shop: Adyen) -> None:
    payment = shop.open()
    peer, page = shop.page(payment)
    shop.world.settle(16 * 60)
    assert peer.links[page]["status"] == "active"
    shop.world.settle(46 * 60)
    assert (shop.status(payment), peer.links[page]["status"]) == (Status.EXPIRED, "expired")


def test_a_test_of_the_connection_tells_wrong_credentials_from_an_outage(shop: Adyen) -> None:
    check = lambda: check_connection(shop.world.ports, "default", "adyen-1")  # noqa: E731
    assert check().ok
    peer = shop.peers["adyen-1"]
    peer.api_key = "another"
    assert check().problem == "credentials"
    peer.api_key, peer.silent = KEYS["adyen-1"], 1
    assert check().problem == "outage"


def test_every_request_of_a_whole_story_is_one_that_the_specification_takes(shop: Adyen) -> None:
    for number, (capture, kind) in enumerate(
        ((CaptureMode.AUTOMATIC, REFUND), (CaptureMode.MANUAL, CAPTURE), (CaptureMode.MANUAL, CANCELLATION))
    ):
        payment = shop.open(key=f"key-{number}", capture=capture)
        peer, page = shop.page(payment)
        peer.pay(page)
        shop.deliver()
        shop.world.do(kind, payment.id, f"operation-{number}")
        shop.deliver()
    shop.open(key="abandoned")
    shop.world.settle(16 * 60)
    shop.world.settle(46 * 60)
    check_connection(shop.world.ports, "default", "adyen-1")
    assert {asked.method for asked in peer.asked} == {"GET", "POST", "PATCH"}
    for asked in peer.asked:
        path = asked.path
        for known in peer.links:
            path = path.replace(f"/{known}", "/{linkId}")
        for known in peer.payments:
            path = path.replace(f"/{known}/", "/{paymentPspReference}/")
        operation = specification(CHECKOUT)["paths"][path][asked.method.lower()]
        if asked.body is not None:
            body_schema_of(CHECKOUT, operation["requestBody"]).validate(asked.body)
