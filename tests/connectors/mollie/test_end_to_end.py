"""The real services and the real driver against Mollie over HTTP: checkouts, holds, refunds, and what goes wrong between."""

from __future__ import annotations

from pathlib import Path

from chalicelib.domain.money import Money
from chalicelib.domain.operation import OperationKind
from chalicelib.domain.order import CaptureMode
from chalicelib.domain.payment import Status
from tests.connectors.mollie.shop import MollieShop, shop_of

CAPTURE, CANCEL, REFUND = OperationKind.CAPTURE, OperationKind.CANCELLATION, OperationKind.REFUND


def test_a_checkout_is_paid_and_refunded_in_two_parts(shop: MollieShop) -> None:
    payment = shop.open(description="A book")
    assert shop.url(payment) == f"https://www.mollie.com/checkout/select-method/{shop.reference(payment)[3:]}"
    shop.hears(payment)
    assert shop.status(payment) is Status.PENDING, "a call without news changes nothing"
    shop.pays(payment)
    assert shop.status(payment) is Status.CAPTURED
    shop.world.do(REFUND, payment.id, "one", 400)
    assert shop.operations(payment) == [("refund", "pending")]
    assert shop.settled(payment).status is Status.PARTIALLY_REFUNDED
    shop.world.do(REFUND, payment.id, "two")
    assert shop.settled(payment).status is Status.REFUNDED
    refunds = shop.psp.parts[shop.reference(payment)]["refunds"]
    assert [one["amount"]["value"] for one in refunds] == ["4.00", "6.00"]
    assert shop.inbox() == []


def test_it_is_all_the_same_where_mollie_embeds_nothing(shop: MollieShop) -> None:
    shop.psp.embeds = False
    payment = shop.paid()
    shop.world.do(REFUND, payment.id, "one", 400)
    shop.psp.charges_back(shop.reference(payment))
    found = shop.settled(payment)
    assert {str(one.kind) for one in found.facts} >= {"capture", "refund", "dispute"}


def test_a_hold_is_captured_in_parts_and_the_rest_released(shop: MollieShop) -> None:
    payment = shop.held()
    assert payment.status is Status.AUTHORIZED
    shop.world.do(CAPTURE, payment.id, "one", 300)
    shop.world.do(CAPTURE, payment.id, "two", 200)
    assert shop.settled(payment).status is Status.PARTIALLY_CAPTURED
    shop.world.do(CANCEL, payment.id, "rest")
    assert shop.operations(payment)[2] == ("cancellation", "pending")
    assert shop.settled(payment).status is Status.CAPTURED
    assert [status for _, status in shop.operations(payment)] == ["succeeded"] * 3
    shop.world.do(REFUND, payment.id, "back", 500)
    assert shop.settled(payment).status is Status.REFUNDED


def test_the_last_capture_releases_the_rest(shop: MollieShop) -> None:
    payment = shop.held()
    shop.world.do(CAPTURE, payment.id, "last", 300, final=True)
    assert shop.settled(payment).status is Status.CAPTURED
    assert shop.operations(payment) == [("capture", "succeeded")]
    assert shop.psp.payments[shop.reference(payment)]["status"] == "paid"


def test_a_hold_is_given_back_whole(shop: MollieShop) -> None:
    payment = shop.held()
    shop.world.do(CANCEL, payment.id, "all")
    assert shop.settled(payment).status is Status.CANCELLED
    assert shop.operations(payment) == [("cancellation", "succeeded")]


def test_a_method_that_can_hold_nothing_is_paid_at_once_however_often_it_is_read(shop: MollieShop) -> None:
    payment = shop.paid(capture=CaptureMode.MANUAL)
    shop.hears(payment)
    assert shop.status(payment) is Status.CAPTURED
    assert shop.operations(payment) == [("capture", "succeeded")]


def test_a_hold_whose_time_is_over_is_expired(shop: MollieShop) -> None:
    payment = shop.held()
    shop.psp.becomes(shop.reference(payment), "expired")
    shop.hears(payment)
    assert shop.status(payment) is Status.EXPIRED
    assert shop.operations(payment) == []


def test_a_decline_at_the_opening_leads_to_the_next_psp(shop: MollieShop) -> None:
    shop.psp.refuses["/v2/payments"] = 422
    payment = shop.open()
    assert shop.tried(payment) == ["mollie-nl", "psp-2"]
    assert payment.status is Status.PENDING


def test_a_declined_card_ends_the_payment_and_another_psp_can_be_tried(shop: MollieShop) -> None:
    payment = shop.open()
    details = {"failureReason": "insufficient_funds", "failureMessage": "Not enough. " + "x" * 300}
    shop.psp.becomes(shop.reference(payment), "failed", method="creditcard", details=details)
    shop.hears(payment)
    found = shop.now(payment)
    assert found.status is Status.FAILED
    (declined,) = [one.decline for one in found.facts if one.decline]
    assert (declined.cls, declined.code) == ("soft", "insufficient_funds")
    assert declined.message == "Not enough. " + "x" * 188
    shop.world.retry(payment.id, "again")
    assert shop.tried(payment) == ["mollie-nl", "psp-2"]


def test_wrong_credentials_lead_to_the_next_psp_and_are_told_from_an_outage(tmp_path: Path) -> None:
    with shop_of(tmp_path, api_key="test_AnotherKey") as shop:
        assert shop.tried(shop.open()) == ["mollie-nl", "psp-2"]
        tested = shop.check()
        assert (tested.ok, tested.problem) == (False, "credentials")


def test_a_payment_whose_creation_was_not_answered_is_the_same_one_when_it_is_asked_for_again(shop: MollieShop) -> None:
    with shop.psp.silent("/v2/payments"):
        payment = shop.open(route="careful")
    shop.world.settle(11)
    found = shop.now(payment)
    assert found.status is Status.PENDING
    assert list(shop.psp.payments) == [found.attempts[0].psp_reference]


def test_after_half_an_hour_a_creation_is_not_asked_for_again(shop: MollieShop) -> None:
    """Mollie forgets the key after one hour, and would make another payment."""
    with shop.psp.silent("/v2/payments"):
        payment = shop.open(route="careful")
    made = shop.psp.asked.count("POST /v2/payments")
    shop.world.settle(1_801)
    shop.world.settle(7_200)
    assert shop.psp.asked.count("POST /v2/payments") == made
    assert shop.now(payment).attempts[0].psp_reference is None


def test_a_refund_whose_answer_was_lost_is_known_by_its_metadata(shop: MollieShop) -> None:
    payment = shop.paid()
    with shop.psp.silent("/refunds"):
        shop.world.do(REFUND, payment.id, "one", 400)
    assert shop.operations(payment) == [("refund", "unknown")]
    shop.world.settle(3_600)
    shop.psp.settles(shop.reference(payment))
    shop.hears(payment)
    assert shop.operations(payment) == [("refund", "succeeded")]
    assert len(shop.psp.parts[shop.reference(payment)]["refunds"]) == 1


def test_a_release_whose_answer_was_lost_is_known_by_the_payments_metadata(shop: MollieShop) -> None:
    payment = shop.held()
    with shop.psp.silent("/release-authorization"):
        shop.world.do(CANCEL, payment.id, "all")
    assert shop.operations(payment) == [("cancellation", "unknown")]
    shop.psp.settles(shop.reference(payment))
    shop.world.settle(11)
    assert shop.operations(payment) == [("cancellation", "succeeded")]


def test_a_refund_that_looks_like_the_one_before_is_made_when_mollie_takes_it(shop: MollieShop) -> None:
    payment = shop.paid()
    shop.psp.refuses["/refunds"] = 409
    shop.world.do(REFUND, payment.id, "two", 400)
    assert shop.operations(payment) == [("refund", "unknown")]
    shop.psp.refuses.clear()
    shop.world.settle(11)
    shop.world.settle(60)
    assert shop.settled(payment).status is Status.PARTIALLY_REFUNDED
    assert shop.operations(payment) == [("refund", "succeeded")]


def test_a_page_that_nobody_paid_on_ends_by_itself(shop: MollieShop) -> None:
    payment = shop.open()
    shop.psp.becomes(shop.reference(payment), "expired")
    shop.world.settle(901)
    shop.world.settle(61)
    assert shop.status(payment) is Status.EXPIRED


def test_a_refund_made_in_the_dashboard_and_a_chargeback_are_found(shop: MollieShop) -> None:
    payment = shop.paid()
    shop.psp.refund(shop.reference(payment), {"amount": {"currency": "EUR", "value": "2.50"}})
    assert shop.settled(payment).status is Status.PARTIALLY_REFUNDED
    assert [(str(one.origin), one.amount) for one in shop.now(payment).operations] == [("psp", Money(250, "EUR"))]
    chargeback = shop.psp.charges_back(shop.reference(payment))
    shop.hears(payment)
    assert ("dispute", "opened") in {(str(one.kind), str(one.state)) for one in shop.now(payment).facts}
    chargeback["reversedAt"] = shop.psp.stamp()
    shop.hears(payment)
    assert ("dispute", "won") in {(str(one.kind), str(one.state)) for one in shop.now(payment).facts}
