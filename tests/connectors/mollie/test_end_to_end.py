"""The real services and the real driver against Mollie over HTTP: checkouts, holds, refunds, and what goes wrong between."""

from __future__ import annotations

from pathlib import Path

from chalicelib.domain.money import Money
from chalicelib.domain.operation import OperationKind
from chalicelib.domain.order import CaptureMode
from chalicelib.domain.payment import Status
from chalicelib.services.configure_connections import check_connection
from tests.connectors.mollie.shop import Shop, shop_of

CAPTURE, CANCEL, REFUND = OperationKind.CAPTURE, OperationKind.CANCELLATION, OperationKind.REFUND


def test_a_checkout_is_paid_and_refunded_in_two_parts(shop: Shop) -> None:
    payment = shop.open(description="A book")
    action = payment.attempts[0].action
    assert action is not None
    assert action.url == f"https://www.mollie.com/checkout/select-method/{shop.id_of(payment)[3:]}"
    shop.hears(payment)
    assert shop.now(payment).status is Status.PENDING, "a call without news changes nothing"
    shop.mollie.pays(shop.id_of(payment))
    shop.hears(payment)
    assert shop.now(payment).status is Status.CAPTURED
    shop.world.do(REFUND, payment.id, "one", 400)
    assert shop.operations(payment) == [("refund", "pending")]
    assert shop.settled(payment).status is Status.PARTIALLY_REFUNDED
    shop.world.do(REFUND, payment.id, "two")
    assert shop.settled(payment).status is Status.REFUNDED
    refunds = shop.mollie.parts[shop.id_of(payment)]["refunds"]
    assert [one["amount"]["value"] for one in refunds] == ["4.00", "6.00"]
    assert shop.inbox() == []


def test_it_is_all_the_same_where_mollie_embeds_nothing(shop: Shop) -> None:
    shop.mollie.embeds = False
    payment = shop.paid()
    shop.world.do(REFUND, payment.id, "one", 400)
    shop.mollie.charges_back(shop.id_of(payment))
    found = shop.settled(payment)
    assert {str(one.kind) for one in found.facts} >= {"capture", "refund", "dispute"}


def test_a_hold_is_captured_in_parts_and_the_rest_released(shop: Shop) -> None:
    payment = shop.paid("creditcard", capture=CaptureMode.MANUAL)
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


def test_the_last_capture_releases_the_rest(shop: Shop) -> None:
    payment = shop.paid("creditcard", capture=CaptureMode.MANUAL)
    shop.world.do(CAPTURE, payment.id, "last", 300, final=True)
    assert shop.settled(payment).status is Status.CAPTURED
    assert shop.operations(payment) == [("capture", "succeeded")]
    assert shop.mollie.payments[shop.id_of(payment)]["status"] == "paid"


def test_a_hold_is_given_back_whole(shop: Shop) -> None:
    payment = shop.paid("creditcard", capture=CaptureMode.MANUAL)
    shop.world.do(CANCEL, payment.id, "all")
    assert shop.settled(payment).status is Status.CANCELLED
    assert shop.operations(payment) == [("cancellation", "succeeded")]


def test_a_method_that_can_hold_nothing_is_paid_at_once_however_often_it_is_read(shop: Shop) -> None:
    payment = shop.paid("ideal", capture=CaptureMode.MANUAL)
    shop.hears(payment)
    assert shop.now(payment).status is Status.CAPTURED
    assert shop.operations(payment) == [("capture", "succeeded")]


def test_a_hold_whose_time_is_over_is_expired(shop: Shop) -> None:
    payment = shop.paid("creditcard", capture=CaptureMode.MANUAL)
    shop.mollie.becomes(shop.id_of(payment), "expired")
    shop.hears(payment)
    assert shop.now(payment).status is Status.EXPIRED
    assert shop.operations(payment) == []


def test_a_decline_at_the_opening_leads_to_the_next_psp(shop: Shop) -> None:
    shop.mollie.refuses["/v2/payments"] = 422
    payment = shop.open()
    assert [one.connection_id for one in payment.attempts] == ["mollie-nl", "psp-2"]
    assert payment.status is Status.PENDING


def test_a_declined_card_ends_the_payment_and_another_psp_can_be_tried(shop: Shop) -> None:
    payment = shop.open()
    details = {"failureReason": "insufficient_funds", "failureMessage": "Not enough. " + "x" * 300}
    shop.mollie.becomes(shop.id_of(payment), "failed", method="creditcard", details=details)
    shop.hears(payment)
    found = shop.now(payment)
    assert found.status is Status.FAILED
    (declined,) = [one.decline for one in found.facts if one.decline]
    assert (declined.cls, declined.code) == ("soft", "insufficient_funds")
    assert declined.message == "Not enough. " + "x" * 188
    again = shop.world.retry(payment.id, "again").payment
    assert [one.connection_id for one in again.attempts] == ["mollie-nl", "psp-2"]


def test_wrong_credentials_lead_to_the_next_psp_and_are_told_from_an_outage(tmp_path: Path) -> None:
    with shop_of(tmp_path, api_key="test_AnotherKey") as shop:
        assert [one.connection_id for one in shop.open().attempts] == ["mollie-nl", "psp-2"]
        tested = check_connection(shop.world.ports, "default", "mollie-nl")
        assert (tested.ok, tested.problem) == (False, "credentials")


def test_a_payment_whose_creation_was_not_answered_is_the_same_one_when_it_is_asked_for_again(tmp_path: Path) -> None:
    with shop_of(tmp_path, call_timeout_s=0.4) as shop:
        shop.world.route("nl", unanswered="hold")
        shop.mollie.silent.add("/v2/payments")
        payment = shop.open()
        shop.mollie.silent.clear()
        shop.world.settle(11)
        found = shop.now(payment)
        assert found.status is Status.PENDING
        assert list(shop.mollie.payments) == [found.attempts[0].psp_reference]


def test_after_half_an_hour_a_creation_is_not_asked_for_again(tmp_path: Path) -> None:
    """Mollie forgets the key after one hour, and would make another payment."""
    with shop_of(tmp_path, call_timeout_s=0.4) as shop:
        shop.world.route("nl", unanswered="hold")
        shop.mollie.silent.add("/v2/payments")
        payment = shop.open()
        shop.mollie.silent.clear()
        made = shop.mollie.asked.count("POST /v2/payments")
        shop.world.settle(1_801)
        shop.world.settle(7_200)
        assert shop.mollie.asked.count("POST /v2/payments") == made
        assert shop.now(payment).attempts[0].psp_reference is None


def test_a_refund_whose_answer_was_lost_is_known_by_its_metadata(tmp_path: Path) -> None:
    with shop_of(tmp_path, call_timeout_s=0.4) as shop:
        payment = shop.paid()
        shop.mollie.silent.add("/refunds")
        shop.world.do(REFUND, payment.id, "one", 400)
        assert shop.operations(payment) == [("refund", "unknown")]
        shop.mollie.silent.clear()
        shop.world.settle(3_600)
        shop.mollie.settles(shop.id_of(payment))
        shop.hears(payment)
        assert shop.operations(payment) == [("refund", "succeeded")]
        assert len(shop.mollie.parts[shop.id_of(payment)]["refunds"]) == 1


def test_a_release_whose_answer_was_lost_is_known_by_the_payments_metadata(tmp_path: Path) -> None:
    with shop_of(tmp_path, call_timeout_s=0.4) as shop:
        payment = shop.paid("creditcard", capture=CaptureMode.MANUAL)
        shop.mollie.silent.add("/release-authorization")
        shop.world.do(CANCEL, payment.id, "all")
        assert shop.operations(payment) == [("cancellation", "unknown")]
        shop.mollie.silent.clear()
        shop.mollie.settles(shop.id_of(payment))
        shop.world.settle(11)
        assert shop.operations(payment) == [("cancellation", "succeeded")]


def test_a_refund_that_looks_like_the_one_before_is_made_when_mollie_takes_it(shop: Shop) -> None:
    payment = shop.paid()
    shop.mollie.refuses["/refunds"] = 409
    shop.world.do(REFUND, payment.id, "two", 400)
    assert shop.operations(payment) == [("refund", "unknown")]
    shop.mollie.refuses.clear()
    shop.world.settle(11)
    shop.world.settle(60)
    assert shop.settled(payment).status is Status.PARTIALLY_REFUNDED
    assert shop.operations(payment) == [("refund", "succeeded")]


def test_a_page_that_nobody_paid_on_ends_by_itself(shop: Shop) -> None:
    payment = shop.open()
    shop.mollie.becomes(shop.id_of(payment), "expired")
    shop.world.settle(901)
    shop.world.settle(61)
    assert shop.now(payment).status is Status.EXPIRED


def test_a_refund_made_in_the_dashboard_and_a_chargeback_are_found(shop: Shop) -> None:
    payment = shop.paid()
    shop.mollie._refund(shop.id_of(payment), {"amount": {"currency": "EUR", "value": "2.50"}})
    assert shop.settled(payment).status is Status.PARTIALLY_REFUNDED
    assert [(str(one.origin), one.amount) for one in shop.now(payment).operations] == [("psp", Money(250, "EUR"))]
    chargeback = shop.mollie.charges_back(shop.id_of(payment))
    shop.hears(payment)
    assert ("dispute", "opened") in {(str(one.kind), str(one.state)) for one in shop.now(payment).facts}
    chargeback["reversedAt"] = shop.mollie.stamp()
    shop.hears(payment)
    assert ("dispute", "won") in {(str(one.kind), str(one.state)) for one in shop.now(payment).facts}
