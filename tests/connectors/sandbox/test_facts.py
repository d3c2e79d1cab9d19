"""What the sandbox PSP's words mean, one by one; a word that it has not said before never means success."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.connectors.sandbox.facts import decline_of, facts_of, money_of
from chalicelib.domain.facts import DeclineClass, Fact, Kind, State
from chalicelib.domain.money import Money

TEN = {"value": 1000, "currency": "EUR"}


def session(page: str = "complete", /, **payment: Any) -> dict[str, Any]:
    paid = {"id": "pay_1", "status": "captured", "amount": TEN, **payment} if payment else None
    return {"id": "ses_1", "reference": "att_1", "status": page, "payment": paid}


def told(said: dict[str, Any], kind: Kind) -> list[Fact]:
    return [fact for fact in facts_of(said, "att_1") if fact.kind is kind]


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("open", State.OPEN),
        ("complete", State.OPEN),
        ("approved", State.OPEN),
        ("expired", State.EXPIRED),
        ("cancelled", State.CANCELLED),
        ("unheard of", State.OPEN),
    ],
)
def test_a_session_is_a_page(status: str, state: State) -> None:
    assert told(session(status), Kind.CHECKOUT) == [Fact("att_1", Kind.CHECKOUT, "ses_1", state)]


def test_a_session_that_the_shopper_approved_is_an_approved_try() -> None:
    assert told(session("approved"), Kind.TRY) == [Fact("att_1", Kind.TRY, "approval:ses_1", State.APPROVED)]
    assert told(session("complete"), Kind.TRY) == []


@pytest.mark.parametrize(
    ("status", "kind", "state"),
    [
        ("pending", Kind.AUTHORIZATION, State.PENDING),
        ("authorized", Kind.AUTHORIZATION, State.SUCCEEDED),
        ("voided", Kind.AUTHORIZATION, State.SUCCEEDED),
        ("captured", Kind.CAPTURE, State.SUCCEEDED),
        ("failed", Kind.CAPTURE, State.FAILED),
    ],
)
def test_a_payment_is_a_sale_or_an_authorization(status: str, kind: Kind, state: State) -> None:
    assert facts_of(session(status=status), "att_1")[1:] == (Fact("att_1", kind, "pay_1", state, Money(1000, "EUR")),)


@pytest.mark.parametrize("status", ["approved", "declined", "cancelled", "unheard of"])
def test_a_payment_that_has_not_moved_says_nothing(status: str) -> None:
    assert [fact.kind for fact in facts_of(session(status=status), "att_1")] == [Kind.CHECKOUT]


def test_a_payment_that_was_authorized_first_stays_an_authorization() -> None:
    (held,) = told(session(status="captured", authorization_expires_at="2026-03-08T12:00:00Z"), Kind.AUTHORIZATION)
    assert (held.id, held.state) == ("pay_1", State.SUCCEEDED)


MOVEMENTS = {"captures": Kind.CAPTURE, "refunds": Kind.REFUND, "voids": Kind.RELEASE}


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("pending", State.PENDING),
        ("succeeded", State.SUCCEEDED),
        ("failed", State.FAILED),
        ("unheard of", State.PENDING),
    ],
)
@pytest.mark.parametrize("name", MOVEMENTS)
def test_a_movement_is_of_its_kind_and_names_our_operation(name: str, status: str, state: State) -> None:
    kind = MOVEMENTS[name]
    moved = {"id": "mov_1", "status": status, "amount": {"value": 400, "currency": "EUR"}, "reference": "op_1"}
    found = [fact for fact in told(session(**{name: [moved]}), kind) if fact.id == "mov_1"]
    assert found == [Fact("att_1", kind, "mov_1", state, Money(400, "EUR"), operation_id="op_1")]


@pytest.mark.parametrize("reference", ["", None, "order-17"])
def test_a_movement_with_somebody_elses_reference_is_nobodys(reference: str | None) -> None:
    moved = {"id": "mov_1", "status": "succeeded", "amount": TEN, "reference": reference}
    (found,) = told(session(refunds=[moved]), Kind.REFUND)
    assert found.operation_id is None


def test_an_authorization_that_ran_out_is_an_expiry() -> None:
    lapsed = {"id": "mov_1", "status": "succeeded", "amount": TEN, "reason": "expired"}
    (found,) = told(session(status="voided", voids=[lapsed]), Kind.RELEASE)
    assert found.id == "expiry:mov_1"


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("pending", State.PENDING),
        ("declined", State.DECLINED),
        ("approved", State.APPROVED),
        ("unheard of", State.PENDING),
    ],
)
def test_each_card_is_a_try(status: str, state: State) -> None:
    tries = [{"id": "try_0", "status": "pending"}, {"id": "try_1", "status": status, "code": "stolen_card"}]
    found = told(session(tries=tries), Kind.TRY)[1]
    assert (found.id, found.state, found.revision) == ("try_1", state, 1)
    assert (found.decline is not None) is (state is State.DECLINED)


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ("inquiry", State.INQUIRY),
        ("opened", State.OPENED),
        ("won", State.WON),
        ("lost", State.LOST),
        ("unheard of", State.INQUIRY),
    ],
)
def test_a_dispute_stands_as_the_psp_says(said: str, state: State) -> None:
    dispute = {"id": "dis_1", "state": said, "amount": TEN, "reason": "fraudulent", "respond_by": "2026-04-01"}
    (found,) = told(session(dispute=dispute), Kind.DISPUTE)
    assert found == Fact(
        "att_1", Kind.DISPUTE, "dis_1", state, Money(1000, "EUR"), reason="fraudulent", respond_by="2026-04-01"
    )


@pytest.mark.parametrize(
    ("psp_code", "cls", "code"),
    [
        ("insufficient_funds", DeclineClass.SOFT, "insufficient_funds"),
        ("stolen_card", DeclineClass.HARD, "stolen_card"),
        ("card_declined", DeclineClass.SOFT, "declined"),
        ("suspected_fraud", DeclineClass.FRAUD, "fraud"),
        ("unheard of", DeclineClass.SOFT, "declined"),
    ],
)
def test_a_decline_has_our_word_and_the_psps(psp_code: str, cls: DeclineClass, code: str) -> None:
    decline = decline_of(psp_code, "told to the shop")
    assert (decline.cls, decline.code, decline.psp_code, decline.message) == (cls, code, psp_code, "told to the shop")


@pytest.mark.parametrize(
    "amount", [{"value": 10.0, "currency": "EUR"}, {"value": True, "currency": "EUR"}, {"value": 1, "currency": 978}]
)
def test_an_amount_is_an_integer_and_a_currency(amount: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="an integer and a currency"):
        money_of(amount)
