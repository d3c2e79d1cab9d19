"""The payment as the API and its events show it, name by name: merchants' programs read these names."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from chalicelib.domain.amend import amend
from chalicelib.domain.change import Change, Closing, Found
from chalicelib.domain.facts import Decline, DeclineClass, Fact, Kind, State
from chalicelib.domain.fold import fold
from chalicelib.domain.operation import Operation, OperationKind, Origin
from chalicelib.domain.order import Address, Customer
from chalicelib.domain.payment import Closure, Considered, Decision, NextAction, Payment
from chalicelib.domain.view import address_view, decline_of, route_of, text_of, thin_view_of, view_of
from tests.builders import NOW, PAYMENT_ID, attempt_id, fact, money, opened, page, payment

AT = "2026-03-01T12:00:00.000000Z"
PAID = fact(Kind.CAPTURE, "p", State.SUCCEEDED, 1000)
SOFT, HARD = Decline(DeclineClass.SOFT, "declined", "05", "Ask your bank."), Decline(DeclineClass.HARD, "stolen_card")
REFUND = Operation("op_1", OperationKind.REFUND, attempt_id(), money(400), Origin.API, NOW, reason="returned")


def after(*facts: Fact, start: Payment | None = None, **more: object) -> Payment:
    return amend(start or payment(), Change(facts=(opened(), *facts), **more), NOW)  # type: ignore[arg-type]


def shown(known: Payment) -> dict[str, Any]:
    return view_of(known, fold(known))


def test_a_payment_as_it_is_shown() -> None:
    start = payment()
    order = replace(
        start.order,
        payment_method="card",
        description="two books",
        customer=Customer("c-1", "a@shop.example", "Ada", "+31"),
        metadata={"cart": "7"},
    )
    assert shown(after(start=replace(start, order=order), found=(Found(attempt_id(), "s-1", page()),))) == {
        "id": PAYMENT_ID,
        "merchant_id": "default",
        "order_reference": "order-1",
        "status": "pending",
        "amount": {"value": 1000, "currency": "EUR"},
        "amounts": {
            "authorized": 0,
            "captured": 0,
            "refunded": 0,
            "refundable": 0,
            "capturable": 0,
            "charged_back": 0,
            "surplus": 0,
        },
        "disputes": [],
        "next_action": {
            "type": "redirect",
            "url": "https://psp.example/pay/1",
            "method": "GET",
            "fields": None,
            "expires_at": None,
        },
        "route": route_of(start.route),
        "attempts": [
            {
                "id": attempt_id(),
                "connection_id": "psp-1",
                "connector": "sandbox",
                "psp_reference": "s-1",
                "status": "pending",
                "decline": None,
                "started_at": AT,
            }
        ],
        "operations": [],
        "payment_method": "card",
        "capture": "automatic",
        "description": "two books",
        "customer": {"id": "c-1", "email": "a@shop.example", "name": "Ada", "phone": "+31"},
        "metadata": {"cart": "7"},
        "sequence": 1,
        "created_at": AT,
        "updated_at": AT,
    }


def test_a_decision_is_shown_with_all_it_was_made_from() -> None:
    considered = (Considered("psp-1"), Considered("psp-2", "it offers no ideal", "open"))
    decision = Decision("default", 7, ("psp-1",), "large ones", "a", {"country": "NL"}, considered)
    assert route_of(decision) == {
        "name": "default",
        "version": 7,
        "arm": "a",
        "trace": [
            {
                "rule": "large ones",
                "arm": "a",
                "inputs": {"country": "NL"},
                "candidates": [
                    {"connection_id": "psp-1", "eligible": True, "reason": None, "health": "closed"},
                    {"connection_id": "psp-2", "eligible": False, "reason": "it offers no ideal", "health": "open"},
                ],
            }
        ],
        "explanation": None,
    }


def test_what_an_order_does_not_say_is_shown_as_nothing() -> None:
    view = shown(payment())
    assert [view[name] for name in ("customer", "metadata", "next_action")] == [None, {}, None]


def test_an_event_that_would_be_too_large_shows_what_is_always_small() -> None:
    known = after(PAID)
    names = {
        "id",
        "merchant_id",
        "order_reference",
        "status",
        "amount",
        "amounts",
        "sequence",
        "created_at",
        "updated_at",
    }
    thin, whole = thin_view_of(known, fold(known)), shown(known)
    assert thin == {name: whole[name] for name in names}


def test_a_page_shows_its_form_and_its_end() -> None:
    form = NextAction("https://psp.example/f", "form", "POST", {"token": "t"}, NOW)
    assert shown(after(found=(Found(attempt_id(), "s", form),)))["next_action"] == {
        "type": "form",
        "url": "https://psp.example/f",
        "method": "POST",
        "fields": {"token": "t"},
        "expires_at": AT,
    }


def test_the_newest_page_on_which_a_shopper_can_pay_is_shown() -> None:
    pages = [Found(attempt_id(number), f"s{number}", replace(page(), url=f"https://{number}")) for number in (1, 2, 3)]
    closed = Closing(attempt_id(3), Closure.SUPERSEDED)
    known = amend(
        payment(3), Change(facts=(opened(), opened(2), opened(3)), found=tuple(pages), closings=(closed,)), NOW
    )
    assert shown(known)["next_action"]["url"] == "https://2"


@pytest.mark.parametrize("more", [PAID, fact(Kind.CHECKOUT, "s", State.EXPIRED)])
def test_no_page_is_shown_once_the_payment_is_paid_or_its_page_ended(more: Fact) -> None:
    assert shown(after(more, found=(Found(attempt_id(), "s", page()),)))["next_action"] is None


@pytest.mark.parametrize(
    "newer",
    [
        fact(Kind.OPEN, attempt_id(2), State.STARTED, number=2),
        fact(Kind.CHECKOUT, "s2", State.EXPIRED, number=2),
    ],
)
def test_an_earlier_page_is_shown_while_the_newer_attempt_has_none_to_pay_on(newer: Fact) -> None:
    pages = tuple(
        Found(attempt_id(number), f"s{number}", replace(page(), url=f"https://{number}")) for number in (1, 2)
    )
    found = pages if newer.kind is Kind.CHECKOUT else pages[:1]
    assert shown(after(newer, start=payment(2), found=found))["next_action"]["url"] == "https://1"


def test_a_page_that_is_not_known_is_not_shown() -> None:
    assert shown(after())["next_action"] is None


def test_disputes_are_shown_with_what_the_psp_says_of_them() -> None:
    told = fact(Kind.DISPUTE, "d", State.OPENED, 400, reason="fraud", respond_by="2026-04-01T00:00:00Z")
    assert shown(after(PAID, told, fact(Kind.DISPUTE, "e", State.WON)))["disputes"] == [
        {
            "id": "d",
            "status": "opened",
            "amount": {"value": 400, "currency": "EUR"},
            "reason": "fraud",
            "respond_by": "2026-04-01T00:00:00Z",
        },
        {"id": "e", "status": "won", "amount": None, "reason": None, "respond_by": None},
    ]


@pytest.mark.parametrize(
    ("facts", "decline"),
    [
        ((), None),
        ((fact(Kind.TRY, "t", State.DECLINED, decline=SOFT),), SOFT),
        (
            (
                fact(Kind.TRY, "a", State.DECLINED, decline=HARD, revision=2),
                fact(Kind.TRY, "b", State.DECLINED, decline=SOFT, revision=1),
            ),
            HARD,
        ),
        ((fact(Kind.TRY, "a", State.DECLINED, decline=SOFT), fact(Kind.TRY, "b", State.DECLINED, decline=HARD)), HARD),
        (
            (
                fact(Kind.OPEN, attempt_id(), State.REFUSED, decline=HARD),
                fact(Kind.TRY, "t", State.DECLINED, decline=SOFT, revision=9),
            ),
            HARD,
        ),
        ((fact(Kind.TRY, "t", State.DECLINED, decline=SOFT, number=2),), None),
        ((fact(Kind.TRY, "t", State.DECLINED, decline=SOFT), fact(Kind.TRY, "u", State.PENDING)), SOFT),
    ],
)
def test_an_attempt_tells_why_it_was_declined_last(facts: tuple[Fact, ...], decline: Decline | None) -> None:
    assert decline_of(payment().attempts[0], facts) == decline


def test_a_decline_is_shown_in_the_words_of_both() -> None:
    decline = shown(after(fact(Kind.TRY, "t", State.DECLINED, decline=SOFT)))["attempts"][0]["decline"]
    assert decline == {
        "class": "soft",
        "code": "declined",
        "psp_code": "05",
        "message": "Ask your bank.",
    }


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (datetime(2026, 3, 1, 12, tzinfo=UTC), "2026-03-01T12:00:00.000000Z"),
        (datetime(2026, 3, 1, 12, 0, 0, 1, tzinfo=UTC), "2026-03-01T12:00:00.000001Z"),
        (datetime(2026, 3, 1, 1, tzinfo=timezone(timedelta(hours=2))), "2026-02-28T23:00:00.000000Z"),
    ],
)
def test_times_are_written_so_that_their_text_sorts_as_they_do(at: datetime, text: str) -> None:
    assert text_of(at) == text


def test_an_address_is_shown_line_by_line() -> None:
    assert address_view(None) is None
    assert address_view(Address("1 Way", None, "Town", "1000", None, "NL")) == {
        "line1": "1 Way",
        "line2": None,
        "city": "Town",
        "postal_code": "1000",
        "region": None,
        "country": "NL",
    }
