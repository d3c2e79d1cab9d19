"""What a last capture leaves is given back, also where Mollie had no answer to that at once."""

from __future__ import annotations

import pytest

from chalicelib.domain.fold import fold
from chalicelib.domain.operation import Called, OperationKind
from chalicelib.domain.payment import Payment, Status
from tests.connectors.mollie.shop import MollieShop

CAPTURE = OperationKind.CAPTURE
DAY_S = 86_400
SOON_S = 11  # when a call that was not answered is looked into


def last_captured(shop: MollieShop) -> Payment:
    payment = shop.held()
    shop.world.do(CAPTURE, payment.id, "last", 400, final=True)
    return payment


def is_releasing(shop: MollieShop, payment: Payment) -> bool:
    return bool(shop.psp.payments[shop.reference(payment)].get("releasing"))


def releases(shop: MollieShop, payment: Payment) -> int:
    return shop.psp.asked.count(f"POST /v2/payments/{shop.reference(payment)}/release-authorization")


def captures(shop: MollieShop, payment: Payment) -> int:
    return len(shop.psp.parts[shop.reference(payment)]["captures"])


def ends_captured(shop: MollieShop, payment: Payment) -> None:
    assert is_releasing(shop, payment)
    assert shop.settled(payment).status is Status.CAPTURED
    amounts = fold(shop.now(payment)).amounts
    assert (amounts.captured, amounts.capturable, captures(shop, payment)) == (400, 0, 1)
    assert shop.operations(payment) == [("capture", "succeeded")]


@pytest.mark.parametrize("status", [404, 429, 500, 503])
def test_a_rest_whose_release_mollie_refused_is_asked_for_again(shop: MollieShop, status: int) -> None:
    shop.psp.refuses["/release-authorization"] = status
    payment = last_captured(shop)
    for seconds in (SOON_S, 61, 301):
        shop.world.settle(seconds)
    assert not is_releasing(shop, payment)
    shop.psp.refuses.clear()
    shop.world.settle(DAY_S)
    ends_captured(shop, payment)


def test_a_rest_is_released_where_nobody_heard_of_the_capture(shop: MollieShop) -> None:
    """Its release was never asked for: the call ended before that."""
    with shop.psp.silent("/captures"):
        payment = last_captured(shop)
    assert releases(shop, payment) == 0
    shop.world.settle(SOON_S)
    ends_captured(shop, payment)


def test_a_rest_is_released_though_a_webhook_told_first_that_the_capture_is_made(shop: MollieShop) -> None:
    shop.psp.refuses["/release-authorization"] = 503
    payment = last_captured(shop)
    shop.settled(payment)
    assert shop.operations(payment) == [("capture", "succeeded")]
    shop.psp.refuses.clear()
    shop.world.settle(DAY_S)
    ends_captured(shop, payment)


def test_a_release_that_mollie_never_takes_is_asked_for_while_something_is_held_and_not_for_ever(
    shop: MollieShop,
) -> None:
    shop.psp.refuses["/release-authorization"] = 503
    payment = last_captured(shop)
    shop.settled(payment)
    for _ in range(6):
        shop.world.settle(DAY_S)
    asked = releases(shop, payment)
    assert asked > 1
    shop.psp.payments[shop.reference(payment)]["releasing"] = True  # somebody did it in the Dashboard
    shop.settled(payment)
    assert shop.status(payment) is Status.CAPTURED
    for _ in range(3):
        shop.world.settle(DAY_S)
    assert releases(shop, payment) == asked


def test_nothing_is_released_after_a_capture_that_failed(shop: MollieShop) -> None:
    """The money is still held, and may be captured once more."""
    shop.psp.refuses["/release-authorization"] = 503
    payment = last_captured(shop)
    for one in shop.psp.parts[shop.reference(payment)]["captures"]:
        one["status"] = "failed"
    asked = releases(shop, payment)
    shop.psp.refuses.clear()
    shop.world.settle(SOON_S)
    shop.world.settle(DAY_S)
    assert (shop.operations(payment), releases(shop, payment)) == ([("capture", "failed")], asked)
    assert fold(shop.now(payment)).amounts.capturable == 1000


def test_nothing_is_released_twice(shop: MollieShop) -> None:
    payment = last_captured(shop)
    for seconds in (SOON_S, DAY_S):
        shop.world.settle(seconds)
    assert releases(shop, payment) == 1
    assert shop.now(payment).operations[0].called is Called.ANSWERED


def test_nothing_is_released_where_the_last_capture_leaves_nothing(shop: MollieShop) -> None:
    payment = shop.held()
    with shop.psp.silent("/captures"):
        shop.world.do(CAPTURE, payment.id, "all", 1000, final=True)
    shop.world.settle(SOON_S)
    shop.settled(payment)
    assert (releases(shop, payment), shop.status(payment)) == (0, Status.CAPTURED)


def test_nothing_is_released_after_a_capture_that_was_not_the_last(shop: MollieShop) -> None:
    payment = shop.held()
    with shop.psp.silent("/captures"):
        shop.world.do(CAPTURE, payment.id, "first", 400)
    shop.world.settle(SOON_S)
    shop.settled(payment)
    assert (releases(shop, payment), fold(shop.now(payment)).amounts.capturable) == (0, 600)
