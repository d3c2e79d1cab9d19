"""The timeline that people read, as it is written."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chalicelib.domain.change import CallOutcome, Closing
from chalicelib.domain.emit import SUMMARY_MAX, bounded
from chalicelib.domain.facts import Fact, Kind, State
from chalicelib.domain.money import Money
from chalicelib.domain.operation import MOVEMENT, Called, Operation, OperationKind, Origin
from chalicelib.domain.payment import Closure, Entry, Payment
from tests.builders import NOW, attempt_id, fact, money
from tests.domain.told import LATER, PAID, entries, opened_payment, told


def test_a_change_of_status_is_in_the_timeline() -> None:
    (entry,) = entries(told(opened_payment(), PAID), "status")[1:]
    assert entry == Entry(
        LATER,
        "status",
        "The payment is captured (it was pending).",
        {"status": "captured", "previous_status": "pending"},
    )


def test_a_status_of_two_words_is_told_in_two() -> None:
    known = told(told(opened_payment(), PAID), fact(Kind.REFUND, "r", State.SUCCEEDED, 400))
    assert entries(known, "status")[-1].summary == "The payment is partially refunded (it was captured)."


def test_an_anomaly_is_in_the_timeline_with_what_was_asked() -> None:
    (entry,) = entries(told(opened_payment(), fact(Kind.CAPTURE, "p", State.SUCCEEDED, 1001)), "anomaly")
    assert entry == Entry(
        LATER,
        "anomaly",
        "Anomaly: the PSP reports a capture of 10.01 EUR, but 10.00 EUR was asked. "
        "It is kept and does not count; an operator decides.",
        {
            "attempt_id": attempt_id(),
            "kind": "capture",
            "id": "p",
            "state": "succeeded",
            "amount": {"value": 1001, "currency": "EUR"},
        },
    )


@pytest.mark.parametrize(
    ("kind", "asked", "told_of"),
    [(OperationKind.REFUND, money(400), "4.00 EUR"), (OperationKind.CANCELLATION, None, "10.00 EUR")],
)
def test_an_anomaly_of_an_operation_is_told_with_what_that_asked_for(
    kind: OperationKind, asked: Money | None, told_of: str
) -> None:
    operation = Operation("op_1", kind, attempt_id(), asked, Origin.API, NOW)
    odd = fact(MOVEMENT[kind], "r", State.SUCCEEDED, 5000, operation_id="op_1")
    (entry,) = entries(told(told(opened_payment(), PAID, operations=(operation,)), odd), "anomaly")
    assert f" of 50.00 EUR, but {told_of} was asked." in entry.summary


def test_an_operation_without_an_amount_is_told_without_one() -> None:
    operation = Operation("op_1", OperationKind.CANCELLATION, attempt_id(), None, Origin.API, NOW)
    known = told(told(opened_payment(), operations=(operation,)), outcomes=(CallOutcome("op_1", Called.ANSWERED),))
    assert entries(known, "operation")[-1].summary == "The cancellation succeeded."


def test_an_anomaly_without_an_amount_has_none_in_the_timeline() -> None:
    (entry,) = entries(told(opened_payment(), fact(Kind.CAPTURE, "p", State.SUCCEEDED)), "anomaly")
    assert entry.data["amount"] is None


def test_a_second_anomaly_is_told_too_and_the_first_not_again() -> None:
    one, other = (fact(Kind.CAPTURE, name, State.SUCCEEDED, 1001) for name in "pq")
    known = told(told(opened_payment(), one), other)
    assert [entry.data["id"] for entry in entries(known, "anomaly")] == ["p", "q"]
    assert [event.type for event in known.outbox].count("payment.review_required") == 2


def test_a_payment_in_another_currency_is_an_anomaly_of_that_currency() -> None:
    dollars = Fact(attempt_id(), Kind.CAPTURE, "p", State.SUCCEEDED, money(1000, "USD"))
    (entry,) = entries(told(opened_payment(), dollars), "anomaly")
    assert "10.00 USD, but 10.00 EUR" in entry.summary


def given_up(late: str | None = None, route: str = "accept") -> Payment:
    """psp-1's page ended, or was superseded with a policy of its own for late money."""
    start = opened_payment()
    start = replace(start, route=replace(start.route, late=route))
    if late:
        return told(start, closings=(Closing(attempt_id(), Closure.SUPERSEDED, late),))
    return told(start, fact(Kind.CHECKOUT, "s", State.EXPIRED))


@pytest.mark.parametrize(
    ("late", "route", "policy"),
    [(None, "accept", "accept"), (None, "review", "review"), ("refund", "accept", "refund")],
)
def test_money_that_comes_late_is_in_the_timeline_with_its_policy_once(
    late: str | None, route: str, policy: str
) -> None:
    known = told(given_up(late, route), PAID)
    known = told(known, fact(Kind.DISPUTE, "d", State.OPENED, 1))
    assert entries(known, "late") == [
        Entry(
            LATER,
            "late",
            f"Money came late at psp-1, which had been given up; the policy is to {policy}.",
            {"attempt_id": attempt_id(), "policy": policy},
        )
    ]


def test_money_in_time_is_not_told_as_late() -> None:
    assert entries(told(opened_payment(), PAID), "late") == []


def test_money_that_had_come_before_its_attempt_was_given_up_is_told_as_late_then() -> None:
    known = told(told(opened_payment(), PAID), fact(Kind.CHECKOUT, "s", State.EXPIRED))
    assert len(entries(known, "late")) == 1


def test_what_waits_for_an_operator_is_in_the_timeline_once() -> None:
    known = told(given_up(route="review"), PAID)
    assert entries(told(known, fact(Kind.DISPUTE, "d", State.OPENED, 1)), "review") == entries(known, "review")
    assert entries(known, "review") == [
        Entry(
            LATER,
            "review",
            "Money came that the late policy does not simply take or give back; an operator decides.",
            {"attempt_id": attempt_id()},
        )
    ]
    assert (known.reviews, known.attention) == ((attempt_id(),), True)
    assert known.outbox[-1].type == "payment.review_required"


def test_an_operations_entry_names_it_and_its_attempt() -> None:
    known = told(told(opened_payment(), PAID), fact(Kind.REFUND, "r", State.SUCCEEDED, 400))
    (entry,) = entries(known, "operation")
    operation = known.operations[0]
    assert (entry.at, entry.data) == (
        LATER,
        {"operation_id": operation.id, "attempt_id": attempt_id(), "status": "succeeded"},
    )
    assert operation.status == "succeeded", "what was published last"


def entry(number: int, summary: str = "") -> Entry:
    return Entry(NOW, "status", summary or str(number), {})


def test_a_timeline_keeps_how_the_payment_began_and_where_it_stands() -> None:
    kept = [int(one.summary) for one in bounded(tuple(entry(number) for number in range(201)))]
    assert kept == [*range(50), *range(51, 201)]
    assert len(bounded(tuple(entry(number) for number in range(200)))) == 200


def test_an_entry_has_six_hundred_characters_at_most() -> None:
    long, short = entry(1, "x" * (SUMMARY_MAX + 1)), entry(2, "y" * SUMMARY_MAX)
    assert [one.summary for one in bounded((long, short))] == ["x" * 600, "y" * 600]
