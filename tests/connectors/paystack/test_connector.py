"""What no recording shows: settings, long lists, and what is refused before anything is sent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from chalicelib.connectors.paystack.answers import refusal_of
from chalicelib.connectors.paystack.listing import PAGES_MAX, PER_PAGE, listed
from chalicelib.connectors.paystack.reading import attempt_id_of, reference_of
from chalicelib.contracts.calls import CheckoutOrder, Refusal, RefusalKind
from chalicelib.contracts.conversation import HttpResponse
from chalicelib.domain.money import Money
from chalicelib.domain.order import Customer, Order
from tests.conformance.connectors.playing import STARTED_AT
from tests.conformance.connectors.profile import connector_of
from tests.conformance.connectors.recordings import ATTEMPT_ID, object_of, operation_of

TRANSACTION = 4099260516


def checkout(email: str | None) -> CheckoutOrder:
    shop, customer = "https://shop.example", Customer(email=email)
    order = Order(Money(1050, "NGN"), "order-1001", f"{shop}/return", f"{shop}/cancel", customer=customer)
    return CheckoutOrder(ATTEMPT_ID, "paystack-ng", order, STARTED_AT, order.return_url, order.cancel_url)


def pages(*bodies: dict[str, Any]) -> list[dict[str, Any]]:
    """What is listed when the PSP answers so; StopIteration's value once the list ends, else it asks for more."""
    asking = listed("https://api.paystack.co/refund", TRANSACTION, {})
    try:
        next(asking)
        for body in bodies:
            asking.send(HttpResponse(200, {}, json.dumps({"status": True, **body}).encode()))
    except StopIteration as end:
        found: list[dict[str, Any]] = end.value
        return found
    raise AssertionError("it asks for another page")


@pytest.mark.parametrize("email", [None, "", "zoë@shop.example"])
def test_a_payment_without_any_usable_address_is_refused_before_anything_is_sent(email: str | None) -> None:
    with pytest.raises(StopIteration) as end:
        next(connector_of("paystack", email=None).open_checkout(checkout(email)))
    assert isinstance(end.value.value, Refusal)
    assert end.value.value.kind is RefusalKind.MISCONFIGURED


@pytest.mark.parametrize("field", ["secret_key", "secret_key_previous"])
def test_a_key_of_the_other_mode_is_refused(field: str) -> None:
    with pytest.raises(ValidationError, match="starts with sk_test_") as told:
        connector_of("paystack", **{field: "sk_live_kit0key0of0nobody"})
    assert [one["loc"] for one in told.value.errors()] == [(field,)]


def test_a_list_of_full_pages_without_a_count_goes_on_until_one_is_not_full() -> None:
    refund = object_of("paystack", "refund")
    assert len(pages({"data": [refund] * PER_PAGE}, {"data": [refund]})) == PER_PAGE + 1


def test_a_list_with_a_count_goes_on_however_few_a_page_holds() -> None:
    refund, count = object_of("paystack", "refund"), {"pageCount": 2}
    assert len(pages({"data": [], "meta": count}, {"data": [refund], "meta": count})) == 1


def test_a_list_that_is_too_long_is_an_error_and_no_half() -> None:
    with pytest.raises(ValueError, match="more than"):
        pages(*[{"data": [], "meta": {"pageCount": PAGES_MAX + 1}}] * PAGES_MAX)


@pytest.mark.parametrize("item", [{}, {"transaction": None}, {"transaction": {"reference": "x"}}, {"transaction": "1"}])
def test_a_refund_that_does_not_say_whose_it_is_is_an_error(item: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="number"):
        pages({"data": [item]})


def test_a_rate_limit_that_is_a_page_is_one_all_the_same() -> None:
    refusal = refusal_of(HttpResponse(429, {"retry-after": "7"}, b"<html>"))
    assert refusal == Refusal(RefusalKind.RATE_LIMITED, "Paystack answered 429.", retry_after_s=7)


def test_a_reference_names_its_attempt_and_nothing_else() -> None:
    assert attempt_id_of(reference_of(ATTEMPT_ID)) == ATTEMPT_ID
    for other in (ATTEMPT_ID, reference_of(operation_of("a")), reference_of(ATTEMPT_ID).upper(), None, 1):
        assert attempt_id_of(other) is None
