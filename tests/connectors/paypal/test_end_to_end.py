"""The real services against a PayPal over HTTP: from a checkout to its last refund, and what goes wrong between."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib.connectors.paypal import certificate
from chalicelib.domain.errors import SignatureInvalid
from chalicelib.domain.money import Money
from chalicelib.domain.operation import OperationKind
from chalicelib.domain.order import CaptureMode
from chalicelib.domain.payment import Payment, Status
from chalicelib.services.ask import ABSENT_AFTER_S
from tests.connectors.paypal.shop import PayPalShop, shop_of
from tests.connectors.paypal.signing import signed, trusted
from tests.connectors.peer import Json
from tests.services.histories import queue_of_operators

CAPTURE, CANCEL, REFUND = OperationKind.CAPTURE, OperationKind.CANCELLATION, OperationKind.REFUND


@pytest.fixture(autouse=True)
def our_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificate, "public_roots", trusted)
    monkeypatch.setattr(certificate, "SHARED", certificate.Believed())


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[PayPalShop]:
    with shop_of(tmp_path) as one:
        yield one


def test_a_checkout_is_paid_after_the_return_and_refunded_in_two_parts(shop: PayPalShop) -> None:
    payment = shop.open()
    order_id = shop.reference(payment)
    assert shop.url(payment) == f"https://www.sandbox.paypal.com/checkoutnow?token={order_id}"
    shop.returns(payment)
    assert shop.status(payment) is Status.PENDING, "coming back without approving pays nothing"
    shop.psp.approve(order_id)
    shop.returns(payment)
    assert shop.status(payment) is Status.CAPTURED
    shop.world.do(REFUND, payment.id, "one", 400)
    assert shop.status(payment) is Status.PARTIALLY_REFUNDED
    shop.world.do(REFUND, payment.id, "two")
    assert shop.status(payment) is Status.REFUNDED
    assert [one["amount"]["value"] for one in shop.movements(payment, "refunds")] == ["4.00", "6.00"]
    assert len(shop.psp.tokens) == 1, "one token serves all calls"


def test_the_shopper_returns_through_our_link(shop: PayPalShop) -> None:
    payment = shop.open()
    assert (payment.attempts[0].return_url or "").startswith("https://hooks.pay.example/returns/")


def test_a_webhook_alone_captures_for_a_shopper_who_never_returns(shop: PayPalShop) -> None:
    payment = shop.open()
    order = shop.order_of(payment)
    shop.psp.approve(order["id"])
    shop.hears("CHECKOUT.ORDER.APPROVED", "checkout-order", order)
    assert shop.status(payment) is Status.CAPTURED
    assert shop.inbox() == []


def test_many_tellings_capture_once(shop: PayPalShop) -> None:
    payment = shop.open()
    order = shop.order_of(payment)
    shop.psp.approve(order["id"])
    for _ in range(3):
        shop.hears("CHECKOUT.ORDER.APPROVED", "checkout-order", order)
        shop.returns(payment)
        shop.world.attend.sync(payment.id)
    assert shop.psp.asked.count(f"POST /v2/checkout/orders/{order['id']}/capture") == 1
    assert shop.status(payment) is Status.CAPTURED


def test_an_authorization_is_captured_in_parts_and_the_rest_voided(shop: PayPalShop) -> None:
    payment = shop.paid(capture=CaptureMode.MANUAL)
    assert payment.status is Status.AUTHORIZED
    shop.world.do(CAPTURE, payment.id, "one", 300)
    shop.world.do(CAPTURE, payment.id, "two", 200)
    assert shop.status(payment) is Status.PARTIALLY_CAPTURED
    shop.world.do(CANCEL, payment.id, "rest")
    assert shop.status(payment) is Status.CAPTURED
    shop.world.do(REFUND, payment.id, "back", 200)
    assert shop.status(payment) is Status.PARTIALLY_REFUNDED


def test_a_void_that_was_not_answered_and_can_not_be_made_any_more_is_an_operators(shop: PayPalShop) -> None:
    """Somebody captured in PayPal's pages: the order shows no void, and nothing that could be voided."""
    payment = shop.paid(capture=CaptureMode.MANUAL)
    shop.psp.down = ("POST /v2/payments/authorizations",)
    shop.world.do(CANCEL, payment.id, "rest")
    shop.psp.down = ()
    (hold,) = shop.movements(payment, "authorizations")
    shop.psp.capture(hold["id"], {"amount": hold["amount"], "invoice_id": "by-hand", "final_capture": True})
    shop.world.settle(ABSENT_AFTER_S)
    assert (CANCEL, "unknown") in shop.operations(payment)
    assert queue_of_operators(shop.world) == [payment.id]


def test_a_last_capture_gives_the_rest_back(shop: PayPalShop) -> None:
    payment = shop.paid(capture=CaptureMode.MANUAL)
    shop.world.do(CAPTURE, payment.id, "last", 300, final=True)
    assert shop.status(payment) is Status.CAPTURED
    assert [one.kind for one in shop.now(payment).operations] == [CAPTURE]


def test_a_decline_leads_to_the_next_psp(shop: PayPalShop) -> None:
    shop.psp.refuses["/v2/checkout/orders"] = "PAYER_CANNOT_PAY"
    shop.world.route(fallback={"declined_hard": "next"})
    payment = shop.open()
    assert shop.tried(payment) == ["paypal-eu", "psp-2"]
    assert payment.status is Status.PENDING


def test_wrong_credentials_lead_to_the_next_psp(tmp_path: Path) -> None:
    with shop_of(tmp_path, client_id="AnotherClientId") as shop:
        payment = shop.open()
    assert shop.tried(payment) == ["paypal-eu", "psp-2"]


def test_an_instrument_that_is_declined_leaves_the_page_open_and_another_can_be_approved(shop: PayPalShop) -> None:
    payment = shop.open()
    order = shop.order_of(payment)
    shop.psp.approve(order["id"])
    shop.psp.refuses["/capture"] = "INSTRUMENT_DECLINED"
    shop.returns(payment)
    assert shop.status(payment) is Status.PENDING
    order["status"] = "PAYER_ACTION_REQUIRED"
    del shop.psp.refuses["/capture"]
    shop.world.clock.forward(30)
    shop.psp.approve(order["id"])
    shop.returns(payment)
    assert shop.status(payment) is Status.CAPTURED


def test_a_capture_whose_answer_was_lost_is_read_and_not_made_again(shop: PayPalShop) -> None:
    payment = shop.open()
    order_id = shop.reference(payment)
    shop.psp.approve(order_id)
    with shop.psp.silent("/capture"):
        shop.returns(payment)
        assert shop.status(payment) is Status.PENDING
    shop.world.settle(61)
    assert shop.status(payment) is Status.CAPTURED
    assert shop.psp.asked.count(f"POST /v2/checkout/orders/{order_id}/capture") == 1


def test_a_refund_whose_answer_was_lost_is_known_by_its_invoice(shop: PayPalShop) -> None:
    payment = shop.paid()
    with shop.psp.silent("/refund"):
        shop.world.do(REFUND, payment.id, "one", 400)
    assert shop.operations(payment) == [("refund", "unknown")]
    shop.world.settle(3600)
    assert shop.operations(payment) == [("refund", "succeeded")]
    assert len(shop.movements(payment, "refunds")) == 1


def test_a_refund_that_paypal_had_before_and_does_not_show_yet_frees_nothing(shop: PayPalShop) -> None:
    payment = shop.paid()
    shop.psp.refuses["/refund"] = "DUPLICATE_INVOICE_ID"
    shop.world.do(REFUND, payment.id, "one", 400)
    assert (shop.operations(payment), shop.amounts(payment).refundable) == ([("refund", "unknown")], 600)
    for seconds in (11, 61, 301):
        shop.world.settle(seconds)
        assert not shop.now(payment).attention
    shop.world.settle(ABSENT_AFTER_S)
    assert shop.now(payment).attention
    assert "does not show what came of it; 422 DUPLICATE_INVOICE_ID" in why(shop, payment)


@pytest.mark.parametrize("type", ["PAYMENT.REFUND.FAILED", None])
def test_a_refund_by_echeck_that_fails_days_later_is_noticed(shop: PayPalShop, type: str | None) -> None:
    """PayPal documents no event for it: one that comes all the same is followed, and without one it is asked about."""
    payment = shop.paid()
    shop.psp.refunds_are = "PENDING"
    shop.world.do(REFUND, payment.id, "one", 400)
    (refund,) = shop.movements(payment, "refunds")
    for seconds in (3_601, 86_401, 3 * 86_400):
        shop.world.settle(seconds)
    assert (shop.operations(payment), shop.amounts(payment).refundable) == ([("refund", "pending")], 600)
    refund["status"] = "FAILED"
    if type:
        shop.hears(type, "refund", refund)
    else:
        shop.world.settle(4 * 86_400)
    assert (shop.operations(payment), shop.amounts(payment).refundable) == ([("refund", "failed")], 1000)


@pytest.mark.parametrize("manual", [True, False])
def test_an_order_that_paypal_no_longer_has_was_paid_all_the_same(shop: PayPalShop, manual: bool) -> None:
    """Only an order that nobody paid is forgotten: taken for an end, it would make the money late, and give it back."""
    shop.world.route(late="refund", otherwise={"use": ["paypal-eu"]})
    payment = shop.paid(capture=CaptureMode.MANUAL if manual else CaptureMode.AUTOMATIC)
    before = shop.now(payment)
    shop.world.clock.forward(8 * 86_400)
    del shop.psp.orders[shop.reference(payment)]
    shop.world.attend.sync(payment.id)
    shop.world.settle(61)
    assert (shop.status(payment), shop.operations(payment)) == (before.status, [])
    assert shop.now(payment).facts == before.facts


def test_what_was_captured_of_an_order_stays_though_paypal_calls_the_order_voided(shop: PayPalShop) -> None:
    shop.world.route(late="refund", otherwise={"use": ["paypal-eu"]})
    payment = shop.paid(capture=CaptureMode.MANUAL)
    shop.world.do(CAPTURE, payment.id, "some", 300)
    shop.world.do(CANCEL, payment.id, "rest")
    shop.order_of(payment)["status"] = "VOIDED"
    shop.world.attend.sync(payment.id)
    shop.world.settle(61)
    assert (shop.status(payment), shop.amounts(payment).captured) == (Status.CAPTURED, 300)
    assert [one.kind for one in shop.now(payment).operations] == [CAPTURE, CANCEL]


def test_a_refund_is_of_a_capture_that_is_settled(shop: PayPalShop) -> None:
    payment = shop.paid(capture=CaptureMode.MANUAL)
    for value in (400, 600):
        shop.world.do(CAPTURE, payment.id, f"capture-{value}", value)
    pending, settled = shop.movements(payment, "captures")
    pending["status"] = "PENDING"
    shop.world.do(REFUND, payment.id, "one", 400)
    assert refunded(shop) == [settled["id"]]


def why(shop: PayPalShop, payment: Payment) -> str:
    """What the timeline says of what an operator has to find out; once."""
    (said,) = [one.summary for one in shop.now(payment).timeline if "an operator has to find out" in one.summary]
    return said


def refunded(shop: PayPalShop) -> list[str]:
    """The captures of which refunds were asked for."""
    return [line.split("/")[-2] for line in shop.psp.asked if line.endswith("/refund")]


def test_a_refund_that_was_slow_is_not_asked_of_another_capture_meanwhile(shop: PayPalShop) -> None:
    """PayPal is still at it, when another capture comes to have the least left that is enough."""
    payment = shop.paid(capture=CaptureMode.MANUAL)
    shop.world.do(CAPTURE, payment.id, "first", 500)
    (first,) = shop.movements(payment, "captures")
    shop.psp.down = ("POST /v2/payments/captures",)
    shop.world.do(REFUND, payment.id, "slow", 400)
    shop.psp.down = ()
    shop.world.do(CAPTURE, payment.id, "second", 450)
    for seconds in (11, 61, 301):
        shop.world.settle(seconds)
    assert (shop.operations(payment)[1], refunded(shop)) == (("refund", "unknown"), [first["id"]])
    body = json.loads(next(one.body or b"" for one in shop.driver.requests if one.operation == "refund"))
    shop.psp.refund(first["id"], body)
    shop.world.settle(3600)
    assert shop.operations(payment)[1] == ("refund", "succeeded")
    assert (len(shop.movements(payment, "refunds")), shop.amounts(payment).refunded) == (1, 400)


@pytest.mark.parametrize(("says", "refundable"), [("succeeded", 550), ("failed", 950)])
def test_a_refund_that_may_be_of_several_captures_is_an_operators_within_minutes_and_paypal_is_left_alone(
    shop: PayPalShop, says: str, refundable: int
) -> None:
    payment = shop.paid(capture=CaptureMode.MANUAL)
    for value in (500, 450):
        shop.world.do(CAPTURE, payment.id, f"capture-{value}", value)
    shop.psp.down = ("POST /v2/payments/captures",)
    shop.world.do(REFUND, payment.id, "lost", 400)
    shop.psp.down, asked = (), len(shop.psp.asked)
    for _ in range(8):
        shop.world.settle(120)
    assert shop.now(payment).attention
    assert "paypal-eu can not tell what came of the refund (the refund may have been asked for of any" in why(
        shop, payment
    )
    for _ in range(8 * 24):
        shop.world.settle(3600)
    assert (shop.operations(payment)[-1], len(refunded(shop))) == (("refund", "unknown"), 1)
    assert len(shop.psp.asked) - asked < 40, "a token now and then, and two reads of the order each time"
    operation = shop.now(payment).operations[-1]
    shop.world.say(payment.id, operation.attempt_id, says, operation_id=operation.id)
    assert (shop.operations(payment)[-1], shop.amounts(payment).refundable) == (("refund", says), refundable)
    assert not shop.now(payment).attention


def test_a_capture_that_was_slow_is_not_asked_for_again_of_what_was_reauthorized_meanwhile(shop: PayPalShop) -> None:
    """PayPal would take it for another call: the key is good for one authorization."""
    payment = shop.paid(capture=CaptureMode.MANUAL)
    (hold,) = shop.movements(payment, "authorizations")
    shop.psp.down = ("POST /v2/payments/authorizations",)
    shop.world.do(CAPTURE, payment.id, "slow", 400)
    shop.psp.down = ()
    body = json.loads(next(one.body or b"" for one in shop.driver.requests if one.operation == "capture"))
    shop.psp.reauthorize(hold["id"])
    for seconds in (11, 61, 301, ABSENT_AFTER_S):
        shop.world.settle(seconds)
    assert shop.now(payment).attention
    assert "captures" not in shop.order_of(payment)["purchase_units"][0]["payments"]
    assert "nor one authorization that it can be asked for again of" in why(shop, payment)
    shop.psp.capture(hold["id"], body)
    shop.world.attend.sync(payment.id)
    assert shop.operations(payment) == [("capture", "succeeded")]


def reauthorized(
    shop: PayPalShop, value: str = "10.00", first: str = "CREATED", taken: int = 0
) -> tuple[Payment, Json]:
    """A payment whose hold somebody renewed after three days, and the new authorization. `taken`: captured before."""
    payment = shop.paid(capture=CaptureMode.MANUAL)
    (hold,) = shop.movements(payment, "authorizations")
    if taken:
        shop.world.do(CAPTURE, payment.id, "before", taken)
    shop.world.settle(4 * 86_400)
    again = shop.psp.reauthorize(hold["id"], value)
    hold["status"] = first if first != "CREATED" else hold["status"]
    shop.hears("PAYMENT.AUTHORIZATION.CREATED", "authorization", again)
    return payment, again


@pytest.mark.parametrize("first", ["CREATED", "VOIDED", "CAPTURED"])
@pytest.mark.parametrize(
    ("value", "taken", "capturable"), [("10.00", 0, 1000), ("6.00", 0, 600), ("10.00", 300, 700), ("7.00", 300, 700)]
)
def test_what_was_reauthorized_is_held_once_and_captured_of_the_newest(
    shop: PayPalShop, first: str, value: str, taken: int, capturable: int
) -> None:
    payment, again = reauthorized(shop, value, first, taken)
    amounts = shop.amounts(payment)
    assert (amounts.capturable, amounts.captured, amounts.surplus) == (capturable, taken, 0)
    assert (shop.now(payment).attention, shop.inbox()) == (False, [])
    shop.world.do(CAPTURE, payment.id, "last", capturable)
    assert shop.psp.asked.count(f"POST /v2/payments/authorizations/{again['id']}/capture") == 1
    shop.world.attend.sync(payment.id)
    amounts = shop.amounts(payment)
    assert (amounts.capturable, amounts.captured) == (0, taken + capturable)
    assert (shop.status(payment), shop.now(payment).attention) == (Status.CAPTURED, False)
    assert [one.kind for one in shop.now(payment).operations] == [CAPTURE] * (2 if taken else 1)


def test_what_was_reauthorized_and_taken_can_not_be_taken_again_of_the_first(shop: PayPalShop) -> None:
    payment, again = reauthorized(shop)
    shop.psp.capture(again["id"], {"amount": again["amount"], "invoice_id": "by hand", "final_capture": True})
    shop.world.attend.sync(payment.id)
    assert (shop.status(payment), shop.amounts(payment).capturable) == (Status.CAPTURED, 0)
    assert shop.movements(payment, "authorizations")[0]["status"] == "CREATED"


def test_more_than_was_asked_that_somebody_reauthorized_is_an_operators(shop: PayPalShop) -> None:
    payment, _ = reauthorized(shop, "11.50")
    assert (shop.amounts(payment).capturable, shop.now(payment).attention) == (0, True)


@pytest.mark.parametrize("becomes", ["CREATED", "VOIDED"])
@pytest.mark.parametrize("lost", [False, True])
def test_what_was_reauthorized_is_given_back_by_its_first_authorization(
    shop: PayPalShop, becomes: str, lost: bool
) -> None:
    """Whatever PayPal shows of the newer one then."""
    payment, again = reauthorized(shop)
    first = shop.movements(payment, "authorizations")[0]
    if lost:
        with shop.psp.silent("/void"):
            shop.world.do(CANCEL, payment.id, "all")
    else:
        shop.world.do(CANCEL, payment.id, "all")
    again["status"] = becomes
    shop.world.settle(61)
    assert (shop.status(payment), shop.operations(payment)) == (Status.CANCELLED, [("cancellation", "succeeded")])
    shop.world.attend.sync(payment.id)
    assert (first["status"], shop.amounts(payment).capturable) == ("VOIDED", 0)
    assert (shop.operations(payment), shop.now(payment).attention) == ([("cancellation", "succeeded")], False)


def test_what_was_reauthorized_and_ran_out_is_expired(shop: PayPalShop) -> None:
    payment, _ = reauthorized(shop)
    shop.world.clock.forward(30 * 86_400)
    for one in shop.movements(payment, "authorizations"):
        one |= {"status": "VOIDED", "update_time": shop.psp.stamp()}
        shop.hears("PAYMENT.AUTHORIZATION.VOIDED", "authorization", one)
    assert (shop.status(payment), shop.operations(payment)) == (Status.EXPIRED, [])


@pytest.mark.parametrize("captures", [(500,), (500, 399), (300, 500, 100)])
def test_a_refund_that_was_lost_is_asked_for_again_where_one_capture_alone_is_enough(
    shop: PayPalShop, captures: tuple[int, ...]
) -> None:
    payment = shop.paid(capture=CaptureMode.MANUAL)
    for value in captures:
        shop.world.do(CAPTURE, payment.id, f"capture-{value}", value)
    (enough,) = [one["id"] for one in shop.movements(payment, "captures") if one["amount"]["value"] == "5.00"]
    shop.psp.down = ("POST /v2/payments/captures",)
    shop.world.do(REFUND, payment.id, "lost", 400)
    shop.psp.down = ()
    shop.world.settle(3600)
    assert shop.operations(payment)[-1] == ("refund", "succeeded")
    assert refunded(shop) == [enough, enough]


def test_an_order_whose_creation_was_not_answered_is_the_same_order_when_it_is_asked_for_again(
    shop: PayPalShop,
) -> None:
    with shop.psp.silent("/v2/checkout/orders"):
        payment = shop.open(route="careful")
    shop.world.settle(11)
    found = shop.now(payment)
    assert found.status is Status.PENDING
    assert list(shop.psp.orders) == [found.attempts[0].psp_reference]


def test_a_token_that_paypal_forgets_is_renewed_and_the_money_moves_once(shop: PayPalShop) -> None:
    payment = shop.paid()
    shop.psp.tokens.clear()
    shop.world.do(REFUND, payment.id, "one", 400)
    assert shop.operations(payment) == [("refund", "succeeded")]


def test_an_order_that_nobody_approved_ends_and_is_never_captured(shop: PayPalShop) -> None:
    payment = shop.open()
    shop.world.settle(901)
    shop.world.settle(10_000)
    assert shop.status(payment) is Status.EXPIRED
    shop.psp.approve(shop.reference(payment))
    shop.returns(payment)
    assert shop.status(payment) is Status.EXPIRED
    assert not [one for one in shop.psp.asked if one.endswith("/capture")]


def test_a_refund_made_in_paypals_pages_is_found_by_its_capture(shop: PayPalShop) -> None:
    payment = shop.paid()
    (capture,) = shop.movements(payment, "captures")
    shop.psp.refund(capture["id"], {"amount": {"currency_code": "EUR", "value": "2.50"}})
    (refund,) = shop.movements(payment, "refunds")
    refund["invoice_id"] = ""
    told = {name: value for name, value in refund.items() if name not in ("custom_id", "invoice_id")}
    shop.hears("PAYMENT.CAPTURE.REFUNDED", "refund", told)
    found = shop.now(payment)
    assert found.status is Status.PARTIALLY_REFUNDED
    assert [(str(one.origin), one.amount) for one in found.operations] == [("psp", Money(250, "EUR"))]


def test_a_dispute_is_asked_about_and_found_by_its_capture(shop: PayPalShop) -> None:
    payment = shop.paid()
    (capture,) = shop.movements(payment, "captures")
    dispute = shop.psp.dispute(capture["id"])
    shop.hears("CUSTOMER.DISPUTE.CREATED", "dispute", dispute)
    facts = {(str(one.kind), str(one.state)) for one in shop.now(payment).facts}
    assert ("dispute", "opened") in facts
    shop.world.clock.forward(60)
    lost = {"status": "RESOLVED", "dispute_outcome": {"outcome_code": "RESOLVED_BUYER_FAVOUR"}}
    dispute |= {**lost, "update_time": shop.psp.stamp()}
    shop.hears("CUSTOMER.DISPUTE.RESOLVED", "dispute", {"dispute_id": dispute["dispute_id"]})
    assert ("dispute", "lost") in {(str(one.kind), str(one.state)) for one in shop.now(payment).facts}


def test_what_a_webhook_claims_is_never_believed_but_asked_for(shop: PayPalShop) -> None:
    """Even one that is signed: a body with the same CRC-32 is easily made."""
    payment = shop.open()
    claimed = {"id": "3C679366HH908993F", "status": "COMPLETED", "custom_id": payment.attempts[0].id,
               "amount": {"currency_code": "EUR", "value": "10.00"}}  # fmt: skip
    shop.hears("PAYMENT.CAPTURE.COMPLETED", "capture", claimed)
    assert shop.status(payment) is Status.PENDING


@pytest.mark.parametrize("way", ["certificate", "postback"])
def test_both_ways_of_verifying_take_the_genuine_and_reject_the_forged(tmp_path: Path, way: str) -> None:
    with shop_of(tmp_path, webhook_verification=way) as shop:
        payment = shop.open()
        order = shop.order_of(payment)
        shop.psp.approve(order["id"])
        body = json.dumps({"event_type": "CHECKOUT.ORDER.APPROVED", "resource": order}).encode()
        shop.take(signed(body, "1JE4291016473214C", shop.world.clock.now()))
        shop.world.settle()
        assert [status for status, _ in shop.inbox()] == ["rejected"]
        assert shop.status(payment) is Status.PENDING
        shop.hears("CHECKOUT.ORDER.APPROVED", "checkout-order", order)
        assert shop.status(payment) is Status.CAPTURED


def test_once_the_certificate_is_known_a_forgery_is_turned_away_at_the_door(shop: PayPalShop) -> None:
    payment = shop.open()
    order = shop.order_of(payment)
    shop.hears("CHECKOUT.ORDER.APPROVED", "checkout-order", order)
    forged = signed(b"{}", "1JE4291016473214C", shop.world.clock.now())
    with pytest.raises(SignatureInvalid):
        shop.take(forged)
    assert shop.psp.asked.count("GET /v1/notifications/certs/CERT-360caa42-fca2a594-a5cafa77") == 1
