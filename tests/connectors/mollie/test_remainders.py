"""What a capture leaves of a hold: given back only where Mollie says so, or where nobody can capture it any more."""

from __future__ import annotations

import pytest

from chalicelib.domain.fold import fold
from chalicelib.domain.operation import OperationKind
from chalicelib.domain.payment import Payment, Status
from tests.connectors.mollie.shop import MollieShop

CAPTURE, CANCEL = OperationKind.CAPTURE, OperationKind.CANCELLATION
DAY_S = 86_400


def partly_captured(shop: MollieShop) -> Payment:
    payment = shop.held()
    shop.world.do(CAPTURE, payment.id, "first", 400)
    return shop.settled(payment)


def stands(shop: MollieShop, payment: Payment) -> tuple[Status, int, int]:
    amounts = fold(shop.now(payment)).amounts
    return shop.now(payment).status, amounts.captured, amounts.capturable


@pytest.fixture
def early(shop: MollieShop) -> MollieShop:
    """Mollie calls a payment paid once something was captured, though the rest can still be captured until its date."""
    shop.psp.pays_early = True
    return shop


def test_a_rest_that_can_still_be_captured_is_not_given_back(early: MollieShop) -> None:
    payment = partly_captured(early)
    assert early.psp.payments[early.reference(payment)]["status"] == "paid"
    assert stands(early, payment) == (Status.PARTIALLY_CAPTURED, 400, 600)
    early.world.do(CAPTURE, payment.id, "second", 600)
    early.settled(payment)
    assert stands(early, payment) == (Status.CAPTURED, 1000, 0)


def test_a_rest_is_given_back_by_the_date_until_which_it_can_be_captured(early: MollieShop) -> None:
    payment = partly_captured(early)
    for _ in range(6):
        early.world.settle(DAY_S)
        assert stands(early, payment) == (Status.PARTIALLY_CAPTURED, 400, 600)
    for _ in range(3):
        early.world.settle(DAY_S)
    assert stands(early, payment) == (Status.CAPTURED, 400, 0)
    assert early.operations(payment) == [("capture", "succeeded")]


def test_a_rest_that_was_asked_to_be_given_back_is_so_when_the_payment_is_paid(early: MollieShop) -> None:
    payment = partly_captured(early)
    early.world.do(CANCEL, payment.id, "rest")
    early.settled(payment)
    assert stands(early, payment) == (Status.CAPTURED, 400, 0)
    assert early.operations(payment) == [("capture", "succeeded"), ("cancellation", "succeeded")]


def test_while_mollie_calls_it_authorized_a_rest_is_held(shop: MollieShop) -> None:
    payment = partly_captured(shop)
    assert shop.psp.payments[shop.reference(payment)]["status"] == "authorized"
    assert stands(shop, payment) == (Status.PARTIALLY_CAPTURED, 400, 600)


def test_a_rest_that_was_given_back_in_the_dashboard_is_held_no_longer(shop: MollieShop) -> None:
    """A payment that is paid and names no date until which it is to be captured is not authorized any more."""
    payment = partly_captured(shop)
    shop.psp.release(shop.reference(payment), {})
    shop.settled(payment)
    assert stands(shop, payment) == (Status.CAPTURED, 400, 0)
    assert shop.operations(payment) == [("capture", "succeeded"), ("cancellation", "succeeded")]
