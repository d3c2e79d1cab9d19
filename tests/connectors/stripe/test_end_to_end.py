"""The real services against a Stripe over HTTP: from a checkout to its last refund, and what goes wrong between."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib.connectors.stripe.connector import StripeConnector
from chalicelib.domain.errors import SignatureInvalid
from chalicelib.domain.facts import DeclineClass, Kind
from chalicelib.domain.operation import OperationKind, Origin
from chalicelib.domain.order import CaptureMode
from chalicelib.domain.payment import Payment, Status
from chalicelib.domain.watch import Phase
from chalicelib.services.looks import LOOK_EVERY_S
from tests.connectors.peer import serving
from tests.connectors.shop import Shop
from tests.connectors.stripe.peer import Stripe
from tests.connectors.stripe.profile import SECRET, sign
from tests.world import HandClock

CAPTURE, CANCEL, REFUND = OperationKind.CAPTURE, OperationKind.CANCELLATION, OperationKind.REFUND
KEYS = {"stripe-eu": "sk_test_FirstAccountOfNobody", "stripe-us": "sk_test_SecondAccountOfNobody"}


class StripeShop(Shop[Stripe]):
    connector = StripeConnector

    def hears(self, name: str = "stripe-eu") -> None:
        """All that the account has to tell, the newest first."""
        told, self.accounts[name].told = self.accounts[name].told, []
        for event in reversed(told):
            self.take(sign(json.dumps(event).encode(), SECRET, self.world.clock.now()), name)
        self.world.settle()

    def pays(self, payment: Payment) -> None:
        stripe, page = self.page(payment)
        stripe.pay(page)
        self.hears()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[StripeShop]:
    clock = HandClock()
    accounts = {name: Stripe(clock.now, key) for name, key in KEYS.items()}
    with serving(*accounts.values()) as driver:
        yield StripeShop(tmp_path, driver, clock, accounts)


def test_a_checkout_is_paid_and_refunded_in_two_parts(shop: StripeShop) -> None:
    payment = shop.open()
    stripe, page = shop.page(payment)
    assert shop.url(payment) == f"https://checkout.stripe.com/c/pay/{page}"
    stripe.pay(page)
    shop.hears()
    assert shop.status(payment) is Status.CAPTURED
    shop.world.do(REFUND, payment.id, "some", 400, reason="requested_by_customer")
    assert (shop.status(payment), shop.amounts(payment).refundable) == (Status.PARTIALLY_REFUNDED, 600)
    shop.hears()
    shop.world.do(REFUND, payment.id, "rest")
    shop.hears()
    assert (shop.status(payment), shop.operations(payment)) == (Status.REFUNDED, [(REFUND, "succeeded")] * 2)
    assert [(one["amount"], one["reason"]) for one in stripe.refunds.values()] == [
        (400, "requested_by_customer"),
        (600, None),
    ]


def test_without_webhooks_asking_tells_the_same(shop: StripeShop) -> None:
    payment = shop.open()
    stripe, page = shop.page(payment)
    stripe.refund({"payment_intent": stripe.pay(page)["id"], "amount": "300"})
    shop.world.settle(16 * 60)
    assert (shop.status(payment), shop.amounts(payment).refunded) == (Status.PARTIALLY_REFUNDED, 300)


def test_an_authorization_is_captured_later_and_its_rest_goes_back(shop: StripeShop) -> None:
    payment = shop.paid(capture=CaptureMode.MANUAL)
    assert shop.status(payment) is Status.AUTHORIZED
    shop.world.do(CAPTURE, payment.id, "a-capture", 700)
    for _ in range(2):
        assert shop.status(payment) is Status.CAPTURED
        assert shop.operations(payment) == [(CAPTURE, "succeeded"), (CANCEL, "succeeded")]
        assert shop.amounts(payment)[:2] == (1000, 700)
        shop.hears()


def test_an_authorization_is_cancelled(shop: StripeShop) -> None:
    payment = shop.paid(capture=CaptureMode.MANUAL)
    shop.world.do(CANCEL, payment.id, "a-cancellation")
    shop.hears()
    assert (shop.status(payment), shop.operations(payment)) == (Status.CANCELLED, [(CANCEL, "succeeded")])


def test_a_declined_shopper_is_sent_to_the_next_psp_and_the_first_page_is_ended(shop: StripeShop) -> None:
    payment = shop.open()
    first, page = shop.page(payment)
    first.decline(page, "insufficient_funds")
    shop.hears()
    assert shop.status(payment) is Status.PENDING, "she may try again on the page"
    declines = [one.decline for one in shop.now(payment).facts if one.kind is Kind.TRY]
    assert [(one.cls, one.code) for one in declines if one] == [(DeclineClass.SOFT, "insufficient_funds")]
    shop.world.retry(payment.id, "another-way")
    assert first.sessions[page]["status"] == "expired"
    second, other_page = shop.page(payment)
    second.pay(other_page)
    shop.hears("stripe-us")
    shop.hears()
    assert (shop.status(payment), shop.tried(payment)) == (Status.CAPTURED, list(KEYS))


def test_an_account_whose_key_was_revoked_makes_room_for_the_next(shop: StripeShop) -> None:
    shop.psp.revoked = True
    payment = shop.open()
    assert shop.tried(payment) == list(KEYS)
    assert not shop.psp.sessions


def test_a_page_whose_opening_was_not_answered_is_the_same_page_when_asked_again(shop: StripeShop) -> None:
    with shop.psp.silent("/v1/checkout/sessions", times=1):
        payment = shop.open()
    assert shop.tried(payment) == ["stripe-eu"]
    assert len(shop.psp.sessions) == 1
    stripe, page = shop.page(payment)
    stripe.pay(page)
    shop.hears()
    assert shop.status(payment) is Status.CAPTURED


def test_a_page_that_was_never_answered_is_recovered_by_its_key(shop: StripeShop) -> None:
    with shop.psp.silent("/v1/checkout/sessions"):
        answer = shop.world.open(route="careful")
    assert (answer.rendered.status, answer.payment.attempts[0].psp_reference) == (202, None)
    shop.world.settle(11)
    payment = shop.now(answer.payment)
    assert (payment.status, payment.attempts[0].psp_reference) == (Status.PENDING, *shop.psp.sessions)
    assert payment.attempts[0].action is not None


def test_a_page_that_stays_silent_is_sealed_and_the_next_psp_is_paid_once(shop: StripeShop) -> None:
    with shop.psp.silent("/v1/checkout/sessions"):
        payment = shop.open()
    assert shop.tried(payment) == list(KEYS)
    assert payment.attempts[0].action is None, "its address is never released"
    shop.world.settle(11)
    assert [one["status"] for one in shop.psp.sessions.values()] == ["expired"]
    stripe, page = shop.page(payment)
    stripe.pay(page)
    shop.hears("stripe-us")
    assert (shop.status(payment), shop.amounts(payment)[:2]) == (Status.CAPTURED, (1000, 1000))


@pytest.mark.parametrize("kind", [CAPTURE, CANCEL, REFUND])
def test_an_operation_that_was_not_answered_is_made_once(shop: StripeShop, kind: OperationKind) -> None:
    mode = CaptureMode.AUTOMATIC if kind is REFUND else CaptureMode.MANUAL
    payment, stripe = shop.paid(capture=mode), shop.psp
    path = {CAPTURE: "/capture", CANCEL: "/cancel", REFUND: "/v1/refunds"}[kind]
    with stripe.silent(path):
        answer = shop.world.do(kind, payment.id, "an-operation")
    assert (answer.rendered.status, shop.operations(payment)) == (202, [(kind, "unknown")])
    shop.world.settle(11)
    shop.hears()
    assert shop.operations(payment) == [(kind, "succeeded")]
    assert sum(one.url.endswith(path) and one.method == "POST" for one in shop.driver.requests) == 1, "reading told"
    assert len(stripe.refunds) == (kind is REFUND)


@pytest.mark.parametrize("kind", [CAPTURE, CANCEL, REFUND])
def test_where_the_page_can_not_be_read_first_nothing_was_sent(shop: StripeShop, kind: OperationKind) -> None:
    payment, stripe = shop.paid(capture=CaptureMode.AUTOMATIC if kind is REFUND else CaptureMode.MANUAL), shop.psp
    stripe.down = ("GET /v1/checkout/sessions/",)
    answer = shop.world.do(kind, payment.id, "an-operation")
    assert (answer.rendered.status, shop.operations(payment)) == (201, [(kind, "failed")])
    assert json.loads(answer.rendered.body)["decline"]["code"] == "not_sent"
    stripe.down = ()
    shop.world.do(kind, payment.id, "the-same-again")
    assert shop.operations(payment) == [(kind, "failed"), (kind, "succeeded")]


def test_a_page_that_ran_out_expires(shop: StripeShop) -> None:
    payment = shop.open()
    stripe, page = shop.page(payment)
    stripe.expire(page, {})
    shop.hears()
    assert shop.status(payment) is Status.EXPIRED


@pytest.mark.parametrize("paid", [True, False])
def test_a_voucher_that_is_paid_or_runs_out_after_a_week_is_asked_about(shop: StripeShop, paid: bool) -> None:
    """The page is done, and what the shopper shall do she does at a cash desk or her bank."""
    payment = shop.open()
    stripe, page = shop.page(payment)
    intent = stripe.shows_voucher(page)
    for _ in range(9 * 24):
        shop.world.settle(3_600)
    assert (shop.status(payment), shop.now(payment).attention) == (Status.PENDING, False)
    if paid:
        stripe.sessions[page]["status"] = "open"
        stripe.pay(page)
    else:
        intent["status"] = "requires_payment_method"
    for _ in range(25):
        shop.world.settle(3_600)
    assert shop.status(payment) is (Status.CAPTURED if paid else Status.FAILED)
    assert (shop.now(payment).attempts[0].phase, shop.now(payment).attention) == (Phase.SETTLED, False)


@pytest.mark.parametrize("capture", CaptureMode)
@pytest.mark.parametrize("becomes", ["requires_payment_method", "canceled"])
def test_what_was_under_way_and_did_not_come_ends_with_its_page(
    shop: StripeShop, becomes: str, capture: CaptureMode
) -> None:
    payment = shop.open(capture=capture)
    stripe, page = shop.page(payment)
    stripe.tries(page, "processing", "payment_intent.processing")
    shop.hears()
    stripe.tries(page, becomes, "payment_intent.payment_failed")
    stripe.expire(page, {})
    shop.hears()
    shop.world.settle(3_601)
    assert (shop.now(payment).attempts[0].phase, shop.now(payment).attention) == (Phase.SETTLED, False)
    assert shop.status(payment) in (Status.EXPIRED, Status.CANCELLED)


@pytest.mark.parametrize(("ends", "lost"), [("won", 0), ("lost", 1000)])
def test_a_dispute_takes_the_money_until_it_is_won(shop: StripeShop, ends: str, lost: int) -> None:
    payment, stripe = shop.paid(), shop.psp
    dispute = stripe.dispute(next(iter(stripe.intents)))
    shop.hears()
    amounts = shop.amounts(payment)
    assert (shop.status(payment), amounts.charged_back, amounts.refundable) == (Status.CAPTURED, 1000, 0)
    stripe.close(dispute, ends)
    shop.hears()
    shop.world.settle(LOOK_EVERY_S)
    assert (shop.amounts(payment).charged_back, shop.amounts(payment).refundable) == (lost, 1000 - lost)


@pytest.fixture
def awaiting(shop: StripeShop) -> Payment:
    """A payment whose refund of 400 waits for somebody's approval, days after it was asked for."""
    payment = shop.paid()
    shop.psp.wanted = []
    answer = shop.world.do(REFUND, payment.id, "some", 400)
    assert (answer.rendered.status, shop.operations(payment)) == (202, [(REFUND, "unknown")])
    assert shop.now(payment).attention
    for seconds in (11, 61, 301, 1_801, 7_201, 43_200, *(86_401,) * 8):
        shop.world.settle(seconds)
    assert (shop.operations(payment), shop.amounts(payment).refundable) == ([(REFUND, "unknown")], 600)
    assert shop.now(payment).attention
    told = [one.summary for one in shop.now(payment).timeline if "once somebody approves it" in one.summary]
    assert len(told) == 1
    assert len(shop.psp.wanted) == 1, "a repeat with its key asks for nothing anew"
    return payment


@pytest.mark.parametrize("hears", [True, False])
def test_a_refund_that_waited_for_an_approval_is_settled_by_a_webhook_or_a_read(
    shop: StripeShop, awaiting: Payment, hears: bool
) -> None:
    assert shop.psp.wanted is not None
    shop.psp.refund(shop.psp.wanted.pop())
    if hears:
        shop.hears()
    else:
        shop.world.attend.sync(awaiting.id)
    assert (shop.operations(awaiting), shop.now(awaiting).attention) == ([(REFUND, "succeeded")], False)
    assert (shop.amounts(awaiting).refunded, shop.amounts(awaiting).refundable) == (400, 600)


def test_a_refund_that_nobody_approved_is_an_operators_to_settle(shop: StripeShop, awaiting: Payment) -> None:
    (operation,) = shop.now(awaiting).operations
    shop.world.say(awaiting.id, operation.attempt_id, "failed", operation_id=operation.id)
    assert (shop.operations(awaiting), shop.now(awaiting).attention) == ([(REFUND, "failed")], False)
    assert shop.amounts(awaiting).refundable == 1000


def test_a_refund_made_at_the_dashboard_is_found_by_its_payment(shop: StripeShop) -> None:
    payment, stripe = shop.paid(), shop.psp
    stripe.refund({"payment_intent": next(iter(stripe.intents)), "amount": "250"})
    shop.hears()
    assert shop.amounts(payment).refunded == 250
    assert [one.origin for one in shop.now(payment).operations] == [Origin.PSP]


def test_a_forged_event_is_refused(shop: StripeShop) -> None:
    payment = shop.open()
    stripe, page = shop.page(payment)
    stripe.pay(page)
    delivery = sign(json.dumps(stripe.told[0]).encode(), "whsec_SomebodyElses", shop.world.clock.now())
    with pytest.raises(SignatureInvalid):
        shop.take(delivery)
    assert shop.status(payment) is Status.PENDING


def test_a_test_of_the_connection_tells_wrong_credentials_from_an_outage(shop: StripeShop) -> None:
    assert shop.check().ok
    shop.psp.down = ("GET ",)
    assert shop.check().problem == "outage"
    shop.psp.down, shop.psp.revoked = (), True
    assert shop.check().problem == "credentials"


def test_every_request_of_a_whole_story_is_one_that_the_specification_takes(shop: StripeShop) -> None:
    from tests.connectors.stripe.specification import check  # skips where the specification is not there

    for number, kind in enumerate((REFUND, CAPTURE, CANCEL)):
        mode = CaptureMode.AUTOMATIC if kind is REFUND else CaptureMode.MANUAL
        payment, stripe = shop.paid(key=f"key-{number}", capture=mode), shop.psp
        shop.world.do(kind, payment.id, f"operation-{number}", 400 if kind is REFUND else None)
        if kind is REFUND:
            stripe.refund({"payment_intent": stripe.sessions[shop.page(payment)[1]]["payment_intent"]})
        shop.hears()
    abandoned = shop.open(key="abandoned")
    shop.world.do(CANCEL, abandoned.id, "given-up")
    asked = {f"{one.method} {one.operation}" for one in shop.driver.requests}
    assert asked == {
        "POST open", "GET fetch", "POST refund", "POST capture", "POST name", "POST cancel", "GET look_up", "POST expire",
    }  # fmt: skip
    for request in shop.driver.requests:
        check(request)
