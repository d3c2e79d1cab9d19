"""The real services against a Paytrail over HTTP: from a checkout to its last refund, and what goes wrong between."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from chalicelib.domain.errors import Conflict, SignatureInvalid
from chalicelib.domain.payment import AttemptStatus, Payment, Status
from chalicelib.domain.watch import ASK_AFTER_S, Phase
from chalicelib.services.looks import LOOK_EVERY_S
from tests.connectors.paytrail.peer import RETRY_AFTER_S
from tests.connectors.paytrail.profile import MERCHANT, PREVIOUS, SECRET, mac
from tests.connectors.paytrail.shop import PaytrailShop, shop_of

OPENS, REFUNDS = "/payments", "/refund"
HOUR_S, DAY_S = 3_600, 86_400


def signed(url: str, secret: str = SECRET, **said: str) -> str:
    """A call back that says something else, signed anew."""
    base, _, query = url.partition("?")
    whole = {**dict(parse_qsl(query)), **{f"checkout-{name}": text for name, text in said.items()}}
    return f"{base}?{urlencode({**whole, 'signature': mac(secret, whole, b'')})}"


def refunds_asked(shop: PaytrailShop) -> int:
    return sum(line.endswith(REFUNDS) for line in shop.psp.asked)


def paid_at_the_next(shop: PaytrailShop, payment: Payment) -> None:
    attempt = shop.now(payment).attempts[-1]
    assert attempt.connection_id == "psp-2"
    shop.world.psps["psp-2"].pay(attempt.id)
    shop.world.webhook("psp-2", attempt.id)
    shop.world.settle()


def test_a_checkout_is_paid_and_refunded_in_two_parts(shop: PaytrailShop) -> None:
    payment = shop.open()
    assert shop.url(payment) == f"https://pay.paytrail.com/pay/{shop.reference(payment)}"
    shop.pays(payment)
    assert (shop.status(payment), shop.amounts(payment)[:2]) == (Status.CAPTURED, (1000, 1000))
    shop.must_refund_in_two_parts(payment)


def test_a_shop_that_asks_at_her_redirect_knows_of_it_before_any_call_back(shop: PaytrailShop) -> None:
    payment = shop.open()
    landed = shop.psp.pays(shop.reference(payment))
    shop.psp.told.clear()
    assert landed.startswith("https://shop.example/return?checkout-")
    shop.world.attend.sync(payment.id)
    assert shop.status(payment) is Status.CAPTURED


def test_without_any_call_back_asking_on_schedule_tells_the_same(shop: PaytrailShop) -> None:
    payment = shop.open()
    shop.psp.pays(shop.reference(payment))
    shop.psp.told.clear()
    shop.world.settle(16 * 60)
    assert (shop.status(payment), shop.amounts(payment)[:2]) == (Status.CAPTURED, (1000, 1000))


def test_a_redirect_that_is_delivered_to_us_says_look_and_nothing_else(shop: PaytrailShop) -> None:
    """It has a call back's signature, and the shopper has it."""
    payment = shop.open()
    shop.psp.becomes(shop.reference(payment), "pending")
    early = shop.psp.told.pop()
    shop.called(early)
    shop.world.settle(LOOK_EVERY_S)
    assert shop.status(payment) is Status.PENDING
    shop.psp.pays(shop.reference(payment))
    shop.psp.told.clear()
    shop.called(early)
    shop.world.settle(LOOK_EVERY_S)
    assert shop.status(payment) is Status.CAPTURED, "what was read counts, not what the old call said"


def test_she_leaves_and_pays_by_another_bank_after_all(shop: PaytrailShop) -> None:
    payment = shop.open()
    landed = shop.psp.becomes(shop.reference(payment), "fail")
    assert landed.startswith("https://shop.example/cancel?")
    failed = shop.psp.told[:]
    shop.hears()
    assert shop.status(payment) is Status.FAILED
    shop.pays(payment)
    assert shop.status(payment) is Status.CAPTURED
    shop.called(failed[0])
    shop.world.settle(LOOK_EVERY_S)
    assert (shop.status(payment), shop.tried(payment)) == (Status.CAPTURED, ["paytrail-fi"])


@pytest.mark.parametrize("under_way", ["pending", "delayed"])
def test_a_bank_that_takes_its_time_is_waited_for(shop: PaytrailShop, under_way: str) -> None:
    payment = shop.open()
    shop.psp.becomes(shop.reference(payment), under_way)
    shop.hears()
    shop.world.settle(DAY_S)
    assert (shop.status(payment), shop.tried(payment)) == (Status.PENDING, ["paytrail-fi"])
    shop.psp.pays(shop.reference(payment))
    shop.psp.told.clear()
    shop.world.settle(HOUR_S + 1)
    assert shop.status(payment) is Status.CAPTURED


def test_money_that_comes_days_after_its_page_counts_as_expired_is_not_lost(shop: PaytrailShop) -> None:
    payment = shop.open()
    for _ in range(6):
        shop.world.settle(DAY_S + 1)
    assert shop.status(payment) is Status.EXPIRED
    shop.pays(payment)
    assert shop.status(payment) is Status.CAPTURED


@pytest.mark.parametrize(
    "forge",
    [
        lambda url: signed(url, "SOMEBODY-ELSES-KEY"),
        lambda url: url.replace("checkout-amount=1000", "checkout-amount=1"),
        lambda url: f"{url}&checkout-amount=1",
        lambda url: url.partition("&signature=")[0],
        lambda url: signed(url, account="100002"),
    ],
)
def test_a_forged_call_back_is_refused(shop: PaytrailShop, forge: Callable[[str], str]) -> None:
    payment = shop.open()
    shop.psp.pays(shop.reference(payment))
    with pytest.raises(SignatureInvalid):
        shop.called(forge(shop.psp.told[0]))
    assert shop.status(payment) is Status.PENDING
    assert not any(line.startswith("GET ") for line in shop.psp.asked)


@pytest.mark.parametrize("amount", [999, 1001, 0])
def test_another_amount_than_was_asked_is_an_anomaly_and_no_money(shop: PaytrailShop, amount: int) -> None:
    payment = shop.open()
    shop.psp.pays(shop.reference(payment), amount)
    shop.hears()
    assert (shop.status(payment), shop.now(payment).attention) == (Status.UNKNOWN, True)
    assert shop.amounts(payment)[:2] == (0, 0)
    assert [status for status, _ in shop.inbox()] == ["anomalous"]


def test_an_amount_that_only_a_call_back_says_counts_for_nothing(shop: PaytrailShop) -> None:
    payment = shop.open()
    shop.psp.pays(shop.reference(payment))
    shop.called(signed(shop.psp.told[0], amount="100000"))
    shop.world.settle(LOOK_EVERY_S)
    assert (shop.status(payment), shop.amounts(payment)[:2]) == (Status.CAPTURED, (1000, 1000))


def lost_after(shop: PaytrailShop) -> None:
    shop.psp.falls_silent(OPENS)


def lost_before(shop: PaytrailShop) -> None:
    shop.psp.down = ("POST /payments",)


def not_signed(shop: PaytrailShop) -> None:
    shop.psp.key = None


def signed_by_another(shop: PaytrailShop) -> None:
    shop.psp.key = "SOMEBODY-ELSES-KEY"


LOSES = pytest.mark.parametrize(
    ("lose", "made"), [(lost_after, 1), (lost_before, 0), (not_signed, 1), (signed_by_another, 1)]
)


@LOSES
def test_a_page_without_a_believable_answer_is_sealed_and_the_next_psp_is_paid_once(
    shop: PaytrailShop, lose: Callable[[PaytrailShop], None], made: int
) -> None:
    lose(shop)
    payment = shop.open()
    assert shop.tried(payment) == ["paytrail-fi", "psp-2"]
    first = payment.attempts[0]
    assert (first.closed, first.action, first.psp_reference) == (AttemptStatus.SEALED, None, None)
    paid_at_the_next(shop, payment)
    for _ in range(9):
        shop.world.settle(DAY_S)
    assert (shop.status(payment), shop.amounts(payment)[:2]) == (Status.CAPTURED, (1000, 1000))
    assert (len(shop.psp.payments), shop.psp.asked.count("POST /payments")) == (made, 1), "it is asked for once"


@LOSES
def test_where_the_route_holds_it_is_never_asked_for_again_and_its_page_shown_to_nobody(
    shop: PaytrailShop, lose: Callable[[PaytrailShop], None], made: int
) -> None:
    lose(shop)
    answer = shop.world.open(route="careful")
    assert answer.rendered.status == 202
    assert shop.world.open(route="careful").rendered.status == 202
    shop.psp.speaks()
    shop.psp.down, shop.psp.key = (), SECRET
    shop.world.settle(HOUR_S)
    payment = shop.now(answer.payment)
    assert (payment.attempts[0].action, shop.tried(payment)) == (None, ["paytrail-fi"])
    assert (payment.status, shop.psp.asked.count("POST /payments"), len(shop.psp.payments)) == (
        Status.EXPIRED,
        1,
        made,
    )
    assert shop.world.retry(payment.id, "another-way", supersede=True).rendered.status == 201
    assert shop.tried(payment) == ["paytrail-fi", "psp-2"]


def test_money_for_a_page_whose_opening_was_not_answered_is_the_payments(shop: PaytrailShop) -> None:
    """The call back has Paytrail's name for it, by which it is read and can be refunded."""
    with shop.psp.silent(OPENS):
        payment = shop.now(shop.world.open(route="careful").payment)
    (transaction,) = shop.psp.payments
    shop.psp.pays(transaction)
    shop.hears()
    assert (shop.status(payment), shop.reference(payment), shop.inbox()) == (Status.CAPTURED, transaction, [])
    shop.must_refund_in_two_parts(payment)


def test_money_for_a_page_that_nobody_was_shown_goes_back_where_another_psp_was_paid(shop: PaytrailShop) -> None:
    with shop.psp.silent(OPENS):
        payment = shop.open()
    paid_at_the_next(shop, payment)
    shop.psp.pays(*shop.psp.payments)
    shop.hears()
    shop.world.settle()
    assert (shop.inbox(), [one["amount"] for one in shop.psp.refunds]) == ([], [1000])
    shop.settled()
    assert shop.amounts(payment)[1:3] == (2000, 1000)


def test_a_call_back_that_names_another_payment_finds_nothing(shop: PaytrailShop) -> None:
    """What is read by that name has to be the attempt's own."""
    other = shop.paid()
    with shop.psp.silent(OPENS):
        payment = shop.now(shop.world.open(key="another", route="careful").payment)
    shop.psp.pays(list(shop.psp.payments)[1])
    shop.called(signed(shop.psp.told.pop(), **{"transaction-id": shop.reference(other)}))
    shop.world.settle(LOOK_EVERY_S)
    assert (shop.status(payment), shop.now(payment).attempts[0].psp_reference) == (Status.UNKNOWN, None)
    assert [status for status, _ in shop.inbox()] == ["failed"]


def test_a_rate_limit_at_the_opening_leads_to_the_next_psp(shop: PaytrailShop) -> None:
    shop.psp.refuses[OPENS] = 429
    payment = shop.open()
    assert shop.tried(payment) == ["paytrail-fi", "psp-2"]
    assert shop.psp.payments == {}


def test_a_rate_limit_at_a_refund_fails_it_and_it_can_be_asked_for_again(shop: PaytrailShop) -> None:
    payment = shop.paid()
    shop.psp.refuses[REFUNDS] = 429
    shop.refunds(payment, "some", 400)
    assert shop.operations(payment) == [("refund", "failed")]
    decline = shop.now(payment).operations[0].decline
    assert decline is not None
    assert (decline.cls, decline.code) == ("soft", "rate_limited")
    shop.psp.refuses.clear()
    shop.world.clock.forward(RETRY_AFTER_S)
    shop.refunds(payment, "again", 400)
    shop.settled()
    assert shop.operations(payment) == [("refund", "failed"), ("refund", "succeeded")]
    assert [one["amount"] for one in shop.psp.refunds] == [400]


@pytest.mark.parametrize("status", [400, 422])
def test_a_signed_no_to_a_refund_frees_its_money(shop: PaytrailShop, status: int) -> None:
    payment = shop.paid()
    shop.psp.refuses[REFUNDS] = status
    shop.refunds(payment, "some", 400)
    assert (shop.operations(payment), shop.amounts(payment).refundable) == ([("refund", "failed")], 1000)


@pytest.mark.parametrize("status", [400, 422])
def test_a_no_that_nobody_signed_frees_nothing(shop: PaytrailShop, status: int) -> None:
    payment = shop.paid()
    shop.psp.refuses[REFUNDS], shop.psp.key = status, None
    shop.refunds(payment, "some", 400)
    assert (shop.operations(payment), shop.amounts(payment).refundable) == ([("refund", "unknown")], 600)


def test_a_refund_whose_answer_was_lost_is_known_by_its_call_back_and_asked_for_once(shop: PaytrailShop) -> None:
    payment = shop.paid()
    with shop.psp.silent(REFUNDS):
        answer = shop.refunds(payment, "some", 400)
    assert (answer.rendered.status, shop.operations(payment)) == (202, [("refund", "unknown")])
    assert shop.refunds(payment, "some", 400).rendered.status == 202
    for seconds in ASK_AFTER_S[Phase.UNANSWERED]:
        shop.world.settle(seconds + 1)
    assert (shop.operations(payment), shop.amounts(payment).refundable) == ([("refund", "unknown")], 600)
    shop.settled()
    assert (shop.operations(payment), shop.amounts(payment).refunded) == ([("refund", "succeeded")], 400)
    assert (refunds_asked(shop), len(shop.psp.refunds)) == (1, 1)


def test_one_whose_answer_is_signed_by_another_is_unknown_until_its_call_back(shop: PaytrailShop) -> None:
    payment = shop.paid()
    shop.psp.key = "SOMEBODY-ELSES-KEY"
    shop.refunds(payment, "all")
    shop.psp.key = SECRET
    assert (shop.operations(payment), shop.amounts(payment).refundable) == ([("refund", "unknown")], 0)
    shop.settled()
    assert (shop.status(payment), len(shop.psp.refunds)) == (Status.REFUNDED, 1)


@pytest.mark.parametrize(("says", "refundable"), [("succeeded", 600), ("failed", 1000)])
def test_one_that_was_never_carried_out_stays_unknown_until_an_operator_decides(
    shop: PaytrailShop, says: str, refundable: int
) -> None:
    payment = shop.paid()
    shop.psp.down = ("POST /payments/",)
    shop.refunds(payment, "some", 400)
    shop.psp.down = ()
    for seconds in ASK_AFTER_S[Phase.UNANSWERED]:
        shop.world.settle(seconds + 1)
    assert (shop.operations(payment), shop.now(payment).attention) == ([("refund", "unknown")], True)
    assert (refunds_asked(shop), shop.amounts(payment).refundable) == (1, 600)
    operation = shop.now(payment).operations[0]
    shop.world.say(payment.id, operation.attempt_id, says, operation_id=operation.id)
    assert (shop.operations(payment), shop.amounts(payment).refundable) == ([("refund", says)], refundable)


def test_a_refund_that_the_bank_did_not_make_can_be_asked_for_again(shop: PaytrailShop) -> None:
    payment = shop.paid()
    shop.refunds(payment, "all")
    shop.settled("fail")
    assert (shop.status(payment), shop.operations(payment)) == (Status.CAPTURED, [("refund", "failed")])
    assert shop.amounts(payment).refundable == 1000
    shop.refunds(payment, "again")
    shop.settled()
    assert shop.status(payment) is Status.REFUNDED


def test_a_refund_of_another_amount_than_was_asked_is_an_anomaly(shop: PaytrailShop) -> None:
    payment = shop.paid()
    shop.refunds(payment, "some", 400)
    shop.psp.settles()
    shop.called(signed(shop.psp.told.pop(), amount="401"))
    shop.world.settle(LOOK_EVERY_S)
    assert shop.now(payment).attention
    assert shop.amounts(payment)[:3] == (1000, 1000, 0)
    assert shop.amounts(payment).refundable <= 600


def test_one_that_is_said_to_be_made_at_once_is_pending_until_somebody_says_how_much_it_was(shop: PaytrailShop) -> None:
    shop.psp.at_once = True
    payment = shop.paid()
    shop.refunds(payment, "some", 400)
    assert (shop.operations(payment), shop.amounts(payment).refundable) == ([("refund", "pending")], 600)
    shop.hears()
    assert (shop.operations(payment), shop.amounts(payment).refunded) == ([("refund", "succeeded")], 400)


def test_where_a_refunds_call_back_has_the_payments_stamp_its_money_stays_reserved(shop: PaytrailShop) -> None:
    shop.psp.names_refunds = False
    payment = shop.paid()
    shop.refunds(payment, "some", 400)
    shop.settled()
    assert (shop.status(payment), shop.operations(payment)) == (Status.CAPTURED, [("refund", "pending")])
    assert shop.amounts(payment).refundable == 600


def test_more_than_is_left_is_not_asked_for(shop: PaytrailShop) -> None:
    payment = shop.paid()
    shop.refunds(payment, "some", 700)
    with pytest.raises(Conflict, match="left to refund"):
        shop.refunds(payment, "more", 301)
    assert refunds_asked(shop) == 1


def test_an_outage_between_the_page_and_its_payment_loses_nothing(shop: PaytrailShop) -> None:
    payment = shop.open()
    shop.psp.down = ("GET ", "POST ")
    shop.psp.pays(shop.reference(payment))
    shop.hears()
    assert shop.status(payment) is Status.PENDING
    assert shop.check().problem == "outage"
    shop.world.settle(HOUR_S)
    assert (shop.status(payment), shop.tried(payment)) == (Status.PENDING, ["paytrail-fi"])
    shop.psp.down = ()
    shop.world.settle(HOUR_S)
    assert (shop.status(payment), shop.amounts(payment)[:2]) == (Status.CAPTURED, (1000, 1000))
    assert {status for status, _ in shop.inbox()} <= {"applied"}


@pytest.mark.parametrize("key", [None, "SOMEBODY-ELSES-KEY"])
def test_a_read_that_is_not_signed_is_not_believed(shop: PaytrailShop, key: str | None) -> None:
    payment = shop.open()
    shop.psp.pays(shop.reference(payment))
    shop.psp.key = key
    shop.hears()
    assert shop.status(payment) is Status.PENDING
    assert [status for status, _ in shop.inbox()] == ["failed"]
    shop.psp.key = SECRET
    shop.world.settle(HOUR_S)
    assert shop.status(payment) is Status.CAPTURED


def test_while_a_key_is_replaced_answers_and_call_backs_of_the_one_before_count(tmp_path: Path) -> None:
    with shop_of(tmp_path, secret_key_previous=PREVIOUS) as shop:
        shop.psp.key = PREVIOUS
        payment = shop.paid()
        shop.refunds(payment, "all")
        shop.settled()
        assert (shop.status(payment), shop.inbox()) == (Status.REFUNDED, [])


def test_a_wrong_key_leads_to_the_next_psp_and_is_told_from_an_outage(tmp_path: Path) -> None:
    with shop_of(tmp_path, secret_key="ANOTHER-KEY-OF-NOBODY") as shop:
        assert shop.tried(shop.open()) == ["paytrail-fi", "psp-2"]
        assert shop.check().problem == "credentials"
        assert shop.psp.payments == {}


def test_a_test_of_the_connection_is_well_where_all_is_well(shop: PaytrailShop) -> None:
    assert shop.check().ok


def test_a_call_back_about_nothing_of_ours_is_done_with(shop: PaytrailShop) -> None:
    payment = shop.open()
    shop.psp.pays(shop.reference(payment))
    shop.called(signed(shop.psp.told.pop(), stamp="somebody-elses", reference="somebody-elses"))
    shop.world.settle(LOOK_EVERY_S)
    assert (shop.status(payment), shop.inbox()) == (Status.PENDING, [])


def test_every_request_of_a_whole_story_is_one_that_the_specification_takes(shop: PaytrailShop) -> None:
    from tests.connectors.paytrail.specification import check  # skips where the specification is not there

    payment = shop.paid()
    shop.refunds(payment, "some", 400)
    shop.settled()
    assert shop.check().ok
    asked = {f"{one.method} {one.operation}" for one in shop.driver.requests}
    assert asked == {"POST open", "GET fetch", "POST refund", "GET test"}
    for request in shop.driver.requests:
        check(request)
        assert request.headers["checkout-account"] == MERCHANT
        assert urlsplit(request.url).query == ""


def test_the_peer_says_what_the_specification_has(shop: PaytrailShop) -> None:
    from tests.connectors.paytrail.specification import wrong_in

    payment = shop.open()
    id = shop.reference(payment)
    for status in ("new", "pending", "delayed", "fail", "ok"):
        if status != "new":
            shop.psp.becomes(id, status)
        assert wrong_in("Payment", shop.psp.read(id, {})[1]) == []
    shop.hears()
    given = {"amount": 1, "refundStamp": "x", "refundReference": "y", "callbackUrls": {}}
    assert wrong_in("RefundResponse", shop.psp.refund(id, given)[1]) == []
    asked = {"amount": 0, "items": [], "currency": "EUR", "stamp": "x", "reference": "y"}
    made = shop.psp.create({**asked, "redirectUrls": {}, "callbackUrls": {}})[1]
    assert wrong_in("PaymentRequestResponse", made) == []
