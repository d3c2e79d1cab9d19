"""What becomes of a refund that Mollie took and does not list any more."""

from __future__ import annotations

from chalicelib.domain.fold import fold
from chalicelib.domain.operation import OperationKind
from chalicelib.domain.payment import Payment, Status
from tests.connectors.mollie.shop import MollieShop

REFUND = OperationKind.REFUND
PENDING, FAILED, SUCCEEDED = [("refund", "pending")], [("refund", "failed")], [("refund", "succeeded")]
HOUR_S = 3_601


def refunding(shop: MollieShop) -> Payment:
    payment = shop.paid()
    shop.world.do(REFUND, payment.id, "one", 400)
    assert shop.operations(payment) == PENDING
    return payment


def refundable(shop: MollieShop, payment: Payment) -> int:
    return fold(shop.now(payment)).amounts.refundable


def test_a_refund_that_was_cancelled_in_the_dashboard_has_failed(shop: MollieShop) -> None:
    payment = refunding(shop)
    shop.psp.cancels_refund(shop.reference(payment))
    shop.world.settle(HOUR_S)
    assert shop.operations(payment) == FAILED
    assert (shop.now(payment).status, refundable(shop, payment)) == (Status.CAPTURED, 1000)


def test_a_refund_that_is_not_listed_yet_is_no_cancelled_one(shop: MollieShop) -> None:
    """A list may be a moment behind, and whoever took it for a proof would refund twice."""
    payment = refunding(shop)
    hidden = shop.psp.parts[shop.reference(payment)]["refunds"].pop()
    for seconds in (1, 60, 700):
        shop.world.clock.forward(seconds)
        shop.hears(payment)
        assert (shop.operations(payment), refundable(shop, payment)) == (PENDING, 600)
    shop.psp.parts[shop.reference(payment)]["refunds"].append(hidden)
    assert shop.settled(payment).status is Status.PARTIALLY_REFUNDED
    assert shop.operations(payment) == SUCCEEDED


def test_a_refund_that_is_in_no_list_and_found_by_its_id_is_what_it_is(shop: MollieShop) -> None:
    payment = refunding(shop)
    shop.psp.forgets_to_list(shop.reference(payment))
    shop.world.settle(HOUR_S)
    assert (shop.operations(payment), refundable(shop, payment)) == (PENDING, 600)
    shop.psp.unlisted[0]["status"] = "refunded"
    shop.world.settle(23 * HOUR_S)
    assert shop.operations(payment) == SUCCEEDED


def test_while_mollie_can_not_say_what_a_refund_is_it_stays_pending(shop: MollieShop) -> None:
    payment = refunding(shop)
    shop.psp.cancels_refund(shop.reference(payment))
    shop.psp.down = (f"GET /v2/payments/{shop.reference(payment)}/refunds/{shop.refund_id(payment)}",)
    shop.world.settle(HOUR_S)
    assert (shop.operations(payment), refundable(shop, payment)) == (PENDING, 600)
    shop.psp.down = ()
    shop.world.settle(300)
    assert shop.operations(payment) == FAILED


def test_a_refund_that_was_made_and_cancelled_in_the_dashboard_holds_nothing_back(shop: MollieShop) -> None:
    payment = shop.paid()
    shop.psp.refund(shop.reference(payment), {"amount": {"currency": "EUR", "value": "2.50"}})
    shop.hears(payment)
    assert (shop.operations(payment), refundable(shop, payment)) == (PENDING, 750)
    shop.psp.cancels_refund(shop.reference(payment))
    shop.world.settle(HOUR_S)
    assert (shop.operations(payment), refundable(shop, payment)) == (FAILED, 1000)


def test_a_refund_of_the_dashboard_whose_webhook_was_lost_is_asked_about(shop: MollieShop) -> None:
    payment = shop.paid()
    shop.psp.refund(shop.reference(payment), {"amount": {"currency": "EUR", "value": "2.50"}})
    shop.hears(payment)
    shop.psp.settles(shop.reference(payment))
    shop.world.settle(HOUR_S)
    assert shop.operations(payment) == SUCCEEDED


def test_a_refund_that_was_made_is_not_undone_by_a_list_without_it(shop: MollieShop) -> None:
    payment = refunding(shop)
    shop.settled(payment)
    shop.psp.cancels_refund(shop.reference(payment))
    shop.world.settle(23 * HOUR_S)
    assert shop.operations(payment) == SUCCEEDED
