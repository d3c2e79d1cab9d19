"""What becomes of a hold that is to be given back, when Mollie does not answer, refuses, or takes its time."""

from __future__ import annotations

import pytest

from chalicelib.domain.errors import Conflict
from chalicelib.domain.fold import fold
from chalicelib.domain.operation import OperationKind
from chalicelib.domain.payment import Payment, Status
from tests.connectors.mollie.shop import MollieShop

CAPTURE, CANCEL = OperationKind.CAPTURE, OperationKind.CANCELLATION
UNKNOWN, PENDING, SUCCEEDED = (
    [("cancellation", "unknown")],
    [("cancellation", "pending")],
    [("cancellation", "succeeded")],
)
DAY_S = 86_400
NEVER_ANSWERED_S = (11, 61, 301, 1_801, 7_201, *(DAY_S + 1,) * 7)  # the whole schedule of an unanswered call


def held(shop: MollieShop) -> Payment:
    return shop.held()


def unanswered(shop: MollieShop) -> Payment:
    """Mollie took the release, and nobody heard."""
    payment = held(shop)
    shop.psp.falls_silent("/release-authorization")
    shop.world.do(CANCEL, payment.id, "all")
    assert shop.operations(payment) == UNKNOWN
    return payment


def test_an_unanswered_release_is_never_called_undone_while_the_hold_stands(shop: MollieShop) -> None:
    """Or the merchant could capture what is on its way back."""
    payment = unanswered(shop)
    for seconds in NEVER_ANSWERED_S:
        shop.world.settle(seconds)
        assert shop.operations(payment) == UNKNOWN
        assert fold(shop.now(payment)).amounts.capturable == 0
        with pytest.raises(Conflict):
            shop.world.do(CAPTURE, payment.id, f"after {seconds}", 400)
    assert shop.psp.parts[shop.reference(payment)]["captures"] == []


@pytest.mark.parametrize("away", [1, 3, 4, 5, 8])
def test_a_release_is_asked_for_until_mollie_answers(shop: MollieShop, away: int) -> None:
    """However long that takes: it gives back what is held, so to ask twice does no more than to ask once."""
    payment = unanswered(shop)
    shop.psp.payments[shop.reference(payment)].pop("releasing")  # the call was lost on its way there
    shop.psp.keys.clear()
    for seconds in NEVER_ANSWERED_S[:away]:
        shop.world.settle(seconds)
    shop.psp.speaks()
    shop.world.settle(NEVER_ANSWERED_S[away])
    assert shop.operations(payment) == PENDING
    assert shop.settled(payment).status is Status.CANCELLED
    assert shop.operations(payment) == SUCCEEDED


def test_an_unanswered_release_is_done_once_the_payment_says_so(shop: MollieShop) -> None:
    payment = unanswered(shop)
    for seconds in NEVER_ANSWERED_S[:6]:
        shop.world.settle(seconds)
    assert shop.settled(payment).status is Status.CANCELLED
    assert shop.operations(payment) == SUCCEEDED


def test_a_no_to_a_release_that_may_be_under_way_proves_nothing(shop: MollieShop) -> None:
    payment = unanswered(shop)
    shop.psp.speaks()
    shop.psp.refuses["/release-authorization"] = 422
    for seconds in NEVER_ANSWERED_S:
        shop.world.settle(seconds)
        assert shop.operations(payment) == UNKNOWN


def test_a_release_that_mollie_took_stays_pending_while_the_hold_stands(shop: MollieShop) -> None:
    payment = held(shop)
    shop.world.do(CANCEL, payment.id, "all")
    for seconds in NEVER_ANSWERED_S:
        shop.world.settle(seconds)
        assert shop.operations(payment) == PENDING
    with pytest.raises(Conflict):
        shop.world.do(CAPTURE, payment.id, "too late", 400)


@pytest.mark.parametrize("status", ["expired", "failed"])
def test_a_release_that_no_bank_made_is_over_with_the_hold(shop: MollieShop, status: str) -> None:
    """The money is back with the shopper, which is what was asked for."""
    payment = held(shop)
    shop.world.do(CANCEL, payment.id, "all")
    shop.psp.becomes(shop.reference(payment), status)
    shop.hears(payment)
    assert shop.operations(payment) == SUCCEEDED
    assert shop.now(payment).status is Status.CANCELLED
