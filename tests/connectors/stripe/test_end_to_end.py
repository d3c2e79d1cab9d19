"""The real services against a Stripe over HTTP: from a checkout to its last refund, and what goes wrong between."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chalicelib.connectors.stripe.connector import StripeConnector
from chalicelib.contracts.store import NEW
from chalicelib.domain.configuration import Route
from chalicelib.domain.errors import SignatureInvalid
from chalicelib.domain.facts import DeclineClass, Kind
from chalicelib.domain.fold import Amounts, fold
from chalicelib.domain.operation import OperationKind, Origin
from chalicelib.domain.order import CaptureMode
from chalicelib.domain.payment import Payment, Status
from chalicelib.services.audit import Actor
from chalicelib.services.configure_connections import ConnectionBody, check_connection, create_connection
from chalicelib.services.kinds import ROUTE
from tests.builders import NOW
from tests.connectors.stripe.peer import Stripe
from tests.connectors.stripe.profile import SECRET, sign
from tests.connectors.stripe.served import PeerDriver, serving
from tests.world import HandClock, World

CAPTURE, CANCEL, REFUND = OperationKind.CAPTURE, OperationKind.CANCELLATION, OperationKind.REFUND
KEYS = {"stripe-eu": "sk_test_FirstAccountOfNobody", "stripe-us": "sk_test_SecondAccountOfNobody"}


class Shop:
    """Two Stripe accounts behind the routes `default` and `careful`."""

    def __init__(self, folder: Path, url: str, clock: HandClock, accounts: dict[str, Stripe]) -> None:
        self.accounts, self.driver = accounts, PeerDriver(url)
        connectors = {"stripe": StripeConnector}
        self.world = World(folder, psps={}, configure=False, clock=clock, driver=self.driver, connectors=connectors)
        for name, key in KEYS.items():
            body = ConnectionBody(id=name, connector="stripe", settings={"api_key": key, "webhook_secret": SECRET})
            create_connection(self.world.ports, Actor("an-operator", "api"), "default", body)
        for name, unanswered in (("default", "next"), ("careful", "hold")):
            document = {"name": name, "otherwise": {"use": list(KEYS)}, "unanswered": unanswered, "late": "accept"}
            self.world.store.put(ROUTE, Route("default", name, document, 1, NOW, NOW), expect=NEW)

    def open(self, **order: Any) -> Payment:
        return self.now(self.world.open(**order).payment)

    def now(self, payment: Payment) -> Payment:
        return self.world.payment(payment.id)

    def page(self, payment: Payment, number: int = -1) -> tuple[Stripe, str]:
        """Where the shopper of the newest attempt is."""
        attempt = self.now(payment).attempts[number]
        assert attempt.psp_reference is not None
        return self.accounts[attempt.connection_id], attempt.psp_reference

    def hears(self, name: str = "stripe-eu") -> None:
        """All that the account has to tell, the newest first."""
        told, self.accounts[name].told = self.accounts[name].told, []
        for event in reversed(told):
            delivery = sign(json.dumps(event).encode(), SECRET, self.world.clock.now())
            self.world.intake.take("default", name, delivery.headers, delivery.body)
        self.world.settle()

    def paid(self, **order: Any) -> tuple[Payment, Stripe]:
        payment = self.open(**order)
        stripe, page = self.page(payment)
        stripe.pay(page)
        self.hears()
        return payment, stripe

    def status(self, payment: Payment) -> Status:
        return self.now(payment).status

    def amounts(self, payment: Payment) -> Amounts:
        return fold(self.now(payment)).amounts

    def operations(self, payment: Payment) -> list[str]:
        """How those that were asked for here stand."""
        return [one.status for one in self.now(payment).operations if one.origin is Origin.API]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    clock = HandClock()
    accounts = {name: Stripe(key, clock.now) for name, key in KEYS.items()}
    with serving(*accounts.values()) as url:
        yield Shop(tmp_path, url, clock, accounts)


def test_a_checkout_is_paid_and_refunded_in_two_parts(shop: Shop) -> None:
    payment = shop.open()
    stripe, page = shop.page(payment)
    assert payment.attempts[0].action is not None
    assert payment.attempts[0].action.url == f"https://checkout.stripe.com/c/pay/{page}"
    stripe.pay(page)
    shop.hears()
    assert shop.status(payment) is Status.CAPTURED
    shop.world.do(REFUND, payment.id, "some", 400, reason="requested_by_customer")
    assert (shop.status(payment), shop.amounts(payment).refundable) == (Status.PARTIALLY_REFUNDED, 600)
    shop.hears()
    shop.world.do(REFUND, payment.id, "rest")
    shop.hears()
    assert (shop.status(payment), shop.operations(payment)) == (Status.REFUNDED, ["succeeded", "succeeded"])
    assert [(one["amount"], one["reason"]) for one in stripe.refunds.values()] == [
        (400, "requested_by_customer"),
        (600, None),
    ]


def test_without_webhooks_asking_tells_the_same(shop: Shop) -> None:
    payment = shop.open()
    stripe, page = shop.page(payment)
    stripe.refund({"payment_intent": stripe.pay(page)["id"], "amount": "300"})
    shop.world.settle(16 * 60)
    assert (shop.status(payment), shop.amounts(payment).refunded) == (Status.PARTIALLY_REFUNDED, 300)


def test_an_authorization_is_captured_later_and_its_rest_goes_back(shop: Shop) -> None:
    payment, _ = shop.paid(capture=CaptureMode.MANUAL)
    assert shop.status(payment) is Status.AUTHORIZED
    shop.world.do(CAPTURE, payment.id, "a-capture", 700)
    for _ in range(2):
        assert (shop.status(payment), shop.operations(payment)) == (Status.CAPTURED, ["succeeded"])
        assert shop.amounts(payment)[:2] == (1000, 700)
        shop.hears()


def test_an_authorization_is_cancelled(shop: Shop) -> None:
    payment, _ = shop.paid(capture=CaptureMode.MANUAL)
    shop.world.do(CANCEL, payment.id, "a-cancellation")
    shop.hears()
    assert (shop.status(payment), shop.operations(payment)) == (Status.CANCELLED, ["succeeded"])


def test_a_declined_shopper_is_sent_to_the_next_psp_and_the_first_page_is_ended(shop: Shop) -> None:
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
    found = shop.now(payment)
    assert (found.status, [one.connection_id for one in found.attempts]) == (Status.CAPTURED, list(KEYS))


def test_an_account_whose_key_was_revoked_makes_room_for_the_next(shop: Shop) -> None:
    shop.accounts["stripe-eu"].api_key = "sk_test_AnotherKey"
    payment = shop.open()
    assert [one.connection_id for one in payment.attempts] == list(KEYS)
    assert not shop.accounts["stripe-eu"].sessions


def test_a_page_whose_opening_was_not_answered_is_the_same_page_when_asked_again(shop: Shop) -> None:
    shop.accounts["stripe-eu"].lost = 1
    payment = shop.open()
    assert [one.connection_id for one in payment.attempts] == ["stripe-eu"]
    assert len(shop.accounts["stripe-eu"].sessions) == 1
    stripe, page = shop.page(payment)
    stripe.pay(page)
    shop.hears()
    assert shop.status(payment) is Status.CAPTURED


def test_a_page_that_was_never_answered_is_recovered_by_its_key(shop: Shop) -> None:
    stripe = shop.accounts["stripe-eu"]
    stripe.lost = 2
    answer = shop.world.open(route="careful")
    assert (answer.rendered.status, answer.payment.attempts[0].psp_reference) == (202, None)
    shop.world.settle(11)
    payment = shop.now(answer.payment)
    assert (payment.status, payment.attempts[0].psp_reference) == (Status.PENDING, *stripe.sessions)
    assert payment.attempts[0].action is not None


def test_a_page_that_stays_silent_is_sealed_and_the_next_psp_is_paid_once(shop: Shop) -> None:
    silent = shop.accounts["stripe-eu"]
    silent.lost = 2
    payment = shop.open()
    assert [one.connection_id for one in payment.attempts] == list(KEYS)
    assert payment.attempts[0].action is None, "its address is never released"
    shop.world.settle(11)
    assert [one["status"] for one in silent.sessions.values()] == ["expired"]
    stripe, page = shop.page(payment)
    stripe.pay(page)
    shop.hears("stripe-us")
    assert (shop.status(payment), shop.amounts(payment)[:2]) == (Status.CAPTURED, (1000, 1000))


@pytest.mark.parametrize("kind", [CAPTURE, CANCEL, REFUND])
def test_an_operation_that_was_not_answered_is_made_once(shop: Shop, kind: OperationKind) -> None:
    mode = CaptureMode.AUTOMATIC if kind is REFUND else CaptureMode.MANUAL
    payment, stripe = shop.paid(capture=mode)
    path = {CAPTURE: "/capture", CANCEL: "/cancel", REFUND: "/v1/refunds"}[kind]
    shop.driver.before = lambda request: setattr(stripe, "lost", int(request.url.endswith(path)))
    answer = shop.world.do(kind, payment.id, "an-operation")
    assert (answer.rendered.status, shop.operations(payment)) == (202, ["unknown"])
    shop.driver.before = lambda request: None
    shop.world.settle(11)
    shop.hears()
    assert shop.operations(payment) == ["succeeded"]
    assert sum(one.url.endswith(path) and one.method == "POST" for one in shop.driver.requests) == 1, "reading told"
    assert len(stripe.refunds) == (kind is REFUND)


@pytest.mark.parametrize("kind", [CAPTURE, CANCEL, REFUND])
def test_where_the_page_can_not_be_read_first_nothing_was_sent(shop: Shop, kind: OperationKind) -> None:
    payment, stripe = shop.paid(capture=CaptureMode.AUTOMATIC if kind is REFUND else CaptureMode.MANUAL)
    stripe.down = ("GET /v1/checkout/sessions/",)
    answer = shop.world.do(kind, payment.id, "an-operation")
    assert (answer.rendered.status, shop.operations(payment)) == (201, ["failed"])
    assert json.loads(answer.rendered.body)["decline"]["code"] == "not_sent"
    stripe.down = ()
    shop.world.do(kind, payment.id, "the-same-again")
    assert shop.operations(payment) == ["failed", "succeeded"]


def test_a_page_that_ran_out_expires(shop: Shop) -> None:
    payment = shop.open()
    stripe, page = shop.page(payment)
    stripe.expire(page, {})
    shop.hears()
    assert shop.status(payment) is Status.EXPIRED


@pytest.mark.parametrize(("ends", "lost"), [("won", 0), ("lost", 1000)])
def test_a_dispute_takes_the_money_until_it_is_won(shop: Shop, ends: str, lost: int) -> None:
    payment, stripe = shop.paid()
    dispute = stripe.dispute(next(iter(stripe.intents)))
    shop.hears()
    found = fold(shop.now(payment))
    assert (shop.status(payment), found.amounts.charged_back, found.amounts.refundable) == (Status.CAPTURED, 1000, 0)
    stripe.close(dispute, ends)
    shop.hears()
    assert (shop.amounts(payment).charged_back, shop.amounts(payment).refundable) == (lost, 1000 - lost)


def test_a_refund_made_at_the_dashboard_is_found_by_its_payment(shop: Shop) -> None:
    payment, stripe = shop.paid()
    stripe.refund({"payment_intent": next(iter(stripe.intents)), "amount": "250"})
    shop.hears()
    assert shop.amounts(payment).refunded == 250
    assert [one.origin for one in shop.now(payment).operations] == [Origin.PSP]


def test_a_forged_event_is_refused(shop: Shop) -> None:
    payment = shop.open()
    stripe, page = shop.page(payment)
    stripe.pay(page)
    delivery = sign(json.dumps(stripe.told[0]).encode(), "whsec_SomebodyElses", shop.world.clock.now())
    with pytest.raises(SignatureInvalid):
        shop.world.intake.take("default", "stripe-eu", delivery.headers, delivery.body)
    assert shop.status(payment) is Status.PENDING


def test_a_test_of_the_connection_tells_wrong_credentials_from_an_outage(shop: Shop) -> None:
    check = lambda: check_connection(shop.world.ports, "default", "stripe-eu")  # noqa: E731
    assert check().ok
    shop.accounts["stripe-eu"].down = ("GET ",)
    assert check().problem == "outage"
    shop.accounts["stripe-eu"].down = ()
    shop.accounts["stripe-eu"].api_key = "sk_test_AnotherKey"
    assert check().problem == "credentials"


def test_every_request_of_a_whole_story_is_one_that_the_specification_takes(shop: Shop) -> None:
    from tests.connectors.stripe.specification import check  # skips where the specification is not there

    for number, kind in enumerate((REFUND, CAPTURE, CANCEL)):
        mode = CaptureMode.AUTOMATIC if kind is REFUND else CaptureMode.MANUAL
        payment, stripe = shop.paid(key=f"key-{number}", capture=mode)
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
