"""The real services against a Paystack over HTTP: from a checkout to its last refund, and what goes wrong between."""

from __future__ import annotations

import json

import pytest

from chalicelib.domain.errors import SignatureInvalid
from chalicelib.domain.facts import DeclineClass, Kind
from chalicelib.domain.operation import Origin
from chalicelib.domain.payment import AttemptStatus, Status
from chalicelib.domain.watch import ASK_AFTER_S, Phase
from tests.connectors.paystack.profile import sign
from tests.connectors.paystack.shop import PaystackShop

OPENS, REFUNDS = "/transaction/initialize", "/refund"
DAY_S = 86_400


def test_a_checkout_is_paid_and_refunded_in_two_parts(shop: PaystackShop) -> None:
    payment = shop.open()
    assert shop.url(payment).startswith("https://checkout.paystack.com/")
    shop.pays(payment)
    assert shop.status(payment) is Status.CAPTURED
    shop.must_refund_in_two_parts(payment)


def test_without_webhooks_asking_tells_the_same(shop: PaystackShop) -> None:
    payment = shop.open()
    shop.psp.pays(shop.reference(payment))
    shop.psp.refund({"transaction": shop.reference(payment), "amount": 300})
    shop.psp.settles()
    shop.world.settle(16 * 60)
    assert (shop.status(payment), shop.amounts(payment).refunded) == (Status.PARTIALLY_REFUNDED, 300)


def test_a_shopper_whose_card_was_declined_pays_with_another_on_the_same_page(shop: PaystackShop) -> None:
    payment = shop.open()
    shop.psp.declines(shop.reference(payment), "Insufficient Funds")
    shop.world.settle(16 * 60)
    assert shop.status(payment) is Status.PENDING
    declines = [one.decline for one in shop.now(payment).facts if one.kind is Kind.TRY]
    assert [(one.cls, one.code) for one in declines if one] == [(DeclineClass.SOFT, "insufficient_funds")]
    shop.pays(payment)
    assert (shop.status(payment), shop.tried(payment)) == (Status.CAPTURED, ["paystack-ng"])


def test_one_who_left_may_come_back_days_later(shop: PaystackShop) -> None:
    payment = shop.open()
    for _ in range(4):
        shop.world.settle(DAY_S)
    assert shop.status(payment) is Status.PENDING, "abandoned is no end"
    shop.pays(payment)
    assert shop.status(payment) is Status.CAPTURED


def test_a_page_that_was_not_answered_is_sealed_and_the_next_psp_is_paid_once(shop: PaystackShop) -> None:
    with shop.psp.silent(OPENS):
        payment = shop.open()
    assert shop.tried(payment) == ["paystack-ng", "psp-2"]
    shop.world.settle(11)
    first, second = shop.now(payment).attempts
    assert (first.psp_reference, first.action) == (*shop.psp.transactions, None)
    shop.world.psps["psp-2"].pay(second.id)
    shop.world.webhook("psp-2", second.id)
    shop.world.settle()
    assert (shop.status(payment), shop.amounts(payment)[:2]) == (Status.CAPTURED, (1000, 1000))


def test_money_for_a_page_that_was_sealed_goes_back_once(shop: PaystackShop) -> None:
    """Nobody should have its address; should somebody, the shopper does not pay twice."""
    with shop.psp.silent(OPENS):
        payment = shop.open()
    second = shop.now(payment).attempts[1]
    shop.world.psps["psp-2"].pay(second.id)
    shop.world.webhook("psp-2", second.id)
    shop.psp.pays(*shop.psp.transactions)
    shop.hears()
    shop.world.settle(11)
    shop.settled()
    assert [one["amount"] for one in shop.psp.refunds] == [1000]
    assert (shop.amounts(payment).surplus, shop.amounts(payment).refunded) == (0, 1000)


def test_a_page_that_is_found_without_its_address_is_closed_off_and_leaves_a_way_on(shop: PaystackShop) -> None:
    with shop.psp.silent(OPENS):
        answer = shop.world.open(route="careful", amount=shop.naira(1000))
    assert answer.rendered.status == 202
    shop.world.settle(11)
    payment = shop.now(answer.payment)
    assert payment.attempts[0].psp_reference == shop.reference(payment)
    assert (payment.status, payment.attempts[0].closed) == (Status.FAILED, AttemptStatus.SEALED)
    assert shop.world.open(route="careful", amount=shop.naira(1000)).rendered.status == 502, (
        "the same call asks no more"
    )
    assert shop.world.retry(payment.id, "another-way").rendered.status == 201
    assert shop.tried(payment) == ["paystack-ng", "psp-2"]
    assert len(shop.psp.transactions) == 1


def test_a_reference_that_is_taken_opens_no_page_and_is_no_decline(shop: PaystackShop) -> None:
    shop.psp.refuses[OPENS] = "duplicate_reference"
    payment = shop.open()
    assert [(one.closed, one.action is None) for one in payment.attempts] == [
        (AttemptStatus.SEALED, True),
        (None, False),
    ]
    assert not any(one.decline for one in payment.facts)


def test_an_operator_who_named_it_otherwise_is_told_its_name_and_can_mend_that(shop: PaystackShop) -> None:
    """The dashboard shows a number first. A webhook finds the attempt all the same, and refunds are to be heard of."""
    with shop.psp.silent(OPENS):
        answer = shop.world.open(route="careful", amount=shop.naira(1000))
    payment, ((name, transaction),) = shop.now(answer.payment), shop.psp.transactions.items()
    attempt_id = payment.attempts[0].id
    shop.world.say(payment.id, attempt_id, "found", psp_reference=str(transaction["id"]))
    assert any(name in one.summary for one in shop.now(payment).timeline)
    shop.psp.pays(name)
    shop.hears()
    assert shop.status(payment) is Status.CAPTURED
    shop.world.say(payment.id, attempt_id, "found", psp_reference=name)
    shop.refunds(payment, "some", 400)
    shop.settled()
    assert shop.operations(payment) == [("refund", "succeeded")]


def test_an_opening_that_paystack_refuses_leads_to_the_next_psp(shop: PaystackShop) -> None:
    shop.psp.refuses[OPENS] = "invalid_Key"
    assert shop.tried(shop.open()) == ["paystack-ng", "psp-2"]


def test_a_refund_whose_answer_was_lost_is_found_by_its_note(shop: PaystackShop) -> None:
    payment = shop.paid()
    with shop.psp.silent(REFUNDS):
        answer = shop.refunds(payment, "some", 400)
    assert (answer.rendered.status, shop.operations(payment)) == (202, [("refund", "unknown")])
    shop.world.settle(11)
    assert shop.operations(payment) == [("refund", "pending")]
    shop.settled()
    assert shop.operations(payment) == [("refund", "succeeded")]
    assert shop.psp.asked.count("POST /refund") == 1


@pytest.mark.parametrize(("says", "refundable"), [("succeeded", 600), ("failed", 1000)])
def test_one_that_is_not_found_stays_unknown_until_an_operator_decides(
    shop: PaystackShop, says: str, refundable: int
) -> None:
    payment = shop.paid()
    shop.psp.down = ("POST /refund",)
    shop.refunds(payment, "some", 400)
    shop.psp.down = ()
    for seconds in ASK_AFTER_S[Phase.UNANSWERED]:
        shop.world.settle(seconds + 1)
    assert (shop.operations(payment), shop.now(payment).attention) == ([("refund", "unknown")], True)
    assert shop.psp.asked.count("POST /refund") == 1, "it is never sent again"
    assert shop.amounts(payment).refundable == 600
    operation = shop.now(payment).operations[0]
    shop.world.say(payment.id, operation.attempt_id, says, operation_id=operation.id)
    assert (shop.operations(payment), shop.amounts(payment).refundable) == ([("refund", says)], refundable)
    assert shop.psp.asked.count("POST /refund") == 1


def test_where_notes_do_not_come_back_a_lost_refund_is_seen_and_never_made_twice(shop: PaystackShop) -> None:
    shop.psp.notes = False
    payment = shop.paid()
    with shop.psp.silent(REFUNDS):
        shop.refunds(payment, "some", 400)
    for _ in range(9):
        shop.world.settle(DAY_S)
    assert len(shop.psp.refunds) == 1
    assert shop.amounts(payment).refundable <= 600


def test_a_refund_that_comes_back_weeks_later_failed(shop: PaystackShop) -> None:
    payment = shop.paid()
    shop.refunds(payment, "all")
    shop.settled()
    assert shop.status(payment) is Status.REFUNDED
    shop.psp.settles("failed")
    shop.psp.told.clear()
    for _ in range(8):
        shop.world.settle(DAY_S)
    assert (shop.status(payment), shop.operations(payment)) == (Status.CAPTURED, [("refund", "failed")])
    assert shop.amounts(payment).refundable == 1000


def test_a_refund_of_more_than_is_left_is_not_asked_for(shop: PaystackShop) -> None:
    payment = shop.paid()
    shop.psp.refund({"transaction": shop.reference(payment), "amount": 700})
    shop.hears()
    assert [one.origin for one in shop.now(payment).operations] == [Origin.PSP]
    assert shop.amounts(payment).refundable == 300


@pytest.mark.parametrize(("resolution", "back"), [("declined", 0), ("merchant-accepted", 1000)])
def test_a_dispute_takes_the_money_until_it_is_won(shop: PaystackShop, resolution: str, back: int) -> None:
    payment = shop.paid()
    dispute = shop.psp.disputed(shop.reference(payment))
    shop.hears()
    amounts = shop.amounts(payment)
    assert (amounts.charged_back, amounts.refundable) == (1000, 0)
    shop.psp.resolves(dispute, resolution)
    shop.hears()
    shop.world.attend.sync(payment.id)
    amounts = shop.amounts(payment)
    assert (amounts.charged_back, amounts.refunded, amounts.refundable) == (back, 0, 1000 - back)


def test_a_shop_whose_shoppers_bear_the_fees_is_paid_what_it_asked_for(shop: PaystackShop) -> None:
    shop.psp.shopper_bears = True
    payment = shop.paid()
    assert (shop.status(payment), shop.amounts(payment)[:2]) == (Status.CAPTURED, (1000, 1000))
    shop.world.attend.sync(payment.id)
    shop.refunds(payment, "all")
    shop.settled()
    assert (shop.status(payment), shop.psp.refunds[0]["amount"]) == (Status.REFUNDED, 1000)


def test_all_that_such_a_shopper_paid_can_be_disputed_and_refunded_at_the_dashboard(shop: PaystackShop) -> None:
    shop.psp.shopper_bears = True
    payment, other = shop.paid(), shop.paid(key="another")
    shop.psp.disputed(shop.reference(payment))
    shop.psp.refund({"transaction": shop.reference(other), "amount": 1016})
    shop.settled()
    assert (shop.amounts(payment).charged_back, shop.amounts(payment).refundable) == (1000, 0)
    assert (shop.status(other), shop.amounts(other).refundable) == (Status.REFUNDED, 0)


@pytest.mark.parametrize("amount", [999, 1017, 2000])
def test_what_fees_do_not_explain_is_an_anomaly(shop: PaystackShop, amount: int) -> None:
    payment = shop.open()
    shop.psp.pays(shop.reference(payment), amount)
    shop.hears()
    assert (shop.status(payment), shop.now(payment).attention) == (Status.UNKNOWN, True)


def test_an_account_with_thousands_of_refunds_that_are_not_narrowed_is_paid_all_the_same(shop: PaystackShop) -> None:
    shop.psp.filters = False
    payment = shop.open()
    shop.psp.pays(shop.reference(payment))
    made = {"transaction": 1, "amount": 1}
    shop.psp.refunds = [{**shop.psp._made("refund", **made), "id": number} for number in range(1, 2_000)]
    shop.world.settle(16 * 60)
    assert shop.status(payment) is Status.CAPTURED


def test_a_forged_event_is_refused(shop: PaystackShop) -> None:
    payment = shop.open()
    shop.psp.pays(shop.reference(payment))
    delivery = sign(json.dumps(shop.psp.told[0]).encode(), "sk_test_of0somebody0else", shop.world.clock.now())
    with pytest.raises(SignatureInvalid):
        shop.take(delivery)
    assert shop.status(payment) is Status.PENDING


def test_a_test_of_the_connection_tells_wrong_credentials_from_an_outage(shop: PaystackShop) -> None:
    assert shop.check().ok
    shop.psp.down = ("GET ",)
    assert shop.check().problem == "outage"


def test_every_request_of_a_whole_story_is_one_that_the_specification_takes(shop: PaystackShop) -> None:
    from tests.connectors.paystack.specification import check  # skips where the specification is not there

    payment = shop.paid()
    shop.refunds(payment, "some", 400)
    shop.settled()
    with shop.psp.silent(OPENS):
        shop.open(key="another")
    shop.world.settle(11)
    assert shop.check().ok
    asked = {f"{one.method} {one.operation}" for one in shop.driver.requests}
    assert asked == {"POST open", "GET fetch", "GET list", "POST refund", "GET recover", "GET test"}
    for request in shop.driver.requests:
        check(request)
