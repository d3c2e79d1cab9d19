"""A change only adds or raises, so that it may be decided on again on a newer payment."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib.domain.change import (
    Asked,
    CallOutcome,
    Change,
    Closing,
    Found,
    attempts_after,
    operations_after,
    resolutions_after,
)
from chalicelib.domain.claim import LEASE_S, Claim, given_back, leased, settled
from chalicelib.domain.facts import Decline, DeclineClass
from chalicelib.domain.operation import Called, Operation, OperationKind, Origin
from chalicelib.domain.payment import Attempt, Closure, Entry, NextAction, Resolution
from tests.builders import NOW, attempt, attempt_id, money, opened, page

LATER = NOW + timedelta(minutes=1)
OTHER_PAGE = NextAction("https://psp.example/pay/2")
SEALED, SUPERSEDED, LAPSED = Closure
NO = Decline(DeclineClass.HARD, "refused_by_bank")


def with_found(known: Attempt, **found: object) -> Attempt:
    (after,) = attempts_after((known,), Change(found=(Found(known.id, **found),)))  # type: ignore[arg-type]
    return after


def with_closing(known: Attempt, closure: Closure | None, late: str | None = None) -> Attempt:
    (after,) = attempts_after((known,), Change(closings=(Closing(known.id, closure, late),)))
    return after


def test_what_was_found_first_stays() -> None:
    first = with_found(attempt(), psp_reference="s-1", action=page(), open_ms=120)
    assert (first.psp_reference, first.action, first.open_ms) == ("s-1", page(), 120)
    again = with_found(first, psp_reference="s-2", action=OTHER_PAGE, open_ms=7)
    assert (again.psp_reference, again.action, again.open_ms) == ("s-1", page(), 120)
    assert with_found(first) == first


def test_a_closed_attempt_gets_its_reference_and_no_page() -> None:
    found = with_found(attempt(closed=SEALED), psp_reference="s-1", action=page())
    assert (found.psp_reference, found.action) == ("s-1", None)


@pytest.mark.parametrize(
    ("known", "found", "last"),
    [(None, None, None), (NOW, None, NOW), (None, NOW, NOW), (LATER, NOW, LATER), (NOW, LATER, LATER)],
)
def test_the_last_call_is_remembered(known: object, found: object, last: object) -> None:
    assert with_found(attempt(called_at=known), called_at=found).called_at == last


@pytest.mark.parametrize(
    ("known", "said", "closed"),
    [
        (None, SUPERSEDED, SUPERSEDED),
        (SEALED, SUPERSEDED, SEALED),
        (SUPERSEDED, SEALED, SUPERSEDED),
        (LAPSED, SUPERSEDED, SUPERSEDED),
        (LAPSED, None, LAPSED),
        (SEALED, None, SEALED),
        (None, None, None),
    ],
)
def test_the_first_closure_stays_but_for_one_that_only_time_brought(
    known: Closure | None, said: Closure | None, closed: Closure | None
) -> None:
    after = with_closing(attempt(closed=known, action=None if known else page()), said)
    assert after.closed is closed
    assert after.action == (None if closed else page())


def test_a_page_that_the_shopper_has_is_not_sealed() -> None:
    assert with_closing(attempt(action=page()), SEALED) == attempt(action=page())
    assert with_closing(attempt(), SEALED).closed is SEALED


def test_the_newest_word_on_late_money_counts() -> None:
    assert with_closing(attempt(late="accept"), SUPERSEDED, "refund").late == "refund"
    assert with_closing(attempt(late="accept"), SUPERSEDED).late == "accept"


def test_each_closing_is_for_its_own_attempt() -> None:
    known = (attempt(1), attempt(2), attempt(3))
    closings = (Closing(attempt_id(1), LAPSED), Closing(attempt_id(2), LAPSED), Closing(attempt_id(3), SEALED))
    after = attempts_after(known, Change(closings=closings), {attempt_id(1), attempt_id(3)})
    assert [one.closed for one in after] == [None, LAPSED, SEALED], "money that moves is never taken for late by time"


def test_an_attempt_that_is_known_is_not_added_again() -> None:
    known = attempt(psp_reference="s-1")
    assert attempts_after((known,), Change(attempts=(attempt(), attempt(2)))) == (known, attempt(2))


def test_without_news_everything_is_as_it_was() -> None:
    known = (attempt(),)
    assert attempts_after(known, Change(facts=(opened(),))) is known
    operations = (OPERATION,)
    assert operations_after(operations, Change(facts=(opened(),))) is operations


OPERATION = Operation("op_1", OperationKind.REFUND, attempt_id(), money(400), Origin.API, NOW)


def with_outcome(known: Operation, called: Called, **more: object) -> Operation:
    (after,) = operations_after((known,), Change(outcomes=(CallOutcome("op_1", called, **more),)))  # type: ignore[arg-type]
    return after


@pytest.mark.parametrize(
    ("known", "said", "called"),
    [
        (Called.STARTED, Called.UNANSWERED, Called.UNANSWERED),
        (Called.ANSWERED, Called.UNANSWERED, Called.ANSWERED),
        (Called.UNANSWERED, Called.UNANSWERED, Called.UNANSWERED),
    ],
)
def test_how_far_a_call_came_only_rises(known: Called, said: Called, called: Called) -> None:
    assert with_outcome(replace(OPERATION, called=known), said).called is called


def test_a_decline_is_kept_with_the_outcome_that_came_furthest() -> None:
    refused = with_outcome(OPERATION, Called.REFUSED, decline=NO)
    assert refused.decline == NO
    soft = Decline(DeclineClass.SOFT, "not_sent")
    assert with_outcome(refused, Called.ABSENT, decline=soft).decline == NO
    assert with_outcome(refused, Called.ANSWERED).decline == NO
    assert with_outcome(refused, Called.REFUSED, decline=soft).decline == soft


@pytest.mark.parametrize(
    ("known", "said", "last"),
    [(None, None, None), (NOW, None, NOW), (None, NOW, NOW), (LATER, NOW, LATER), (NOW, LATER, LATER)],
)
def test_an_operations_last_call_is_remembered(known: object, said: object, last: object) -> None:
    known_operation = replace(OPERATION, called_at=known)  # type: ignore[arg-type]
    assert with_outcome(known_operation, Called.UNANSWERED, at=said).called_at == last


def test_an_operation_that_is_known_is_not_added_again() -> None:
    known, other = replace(OPERATION, called=Called.ANSWERED), replace(OPERATION, id="op_2")
    change = Change(operations=(OPERATION, other), outcomes=(CallOutcome("op_2", Called.UNANSWERED),))
    assert operations_after((known,), change) == (known, replace(other, called=Called.UNANSWERED))


def test_a_resolution_is_kept_once() -> None:
    one, other = (Resolution(attempt_id(), outcome, "seen", "me", NOW) for outcome in ("paid", "failed"))
    assert resolutions_after((one,), Change(resolutions=(one, other))) == (one, other)


def test_two_changes_are_both_the_first_one_first() -> None:
    entry = Entry(NOW, "webhook", "", {})
    one = Change(facts=(opened(),), asked=(Asked("a"),), found=(Found("a"),), attempts=(attempt(),))
    other = Change(facts=(opened(2),), entries=(entry,), operations=(OPERATION,), closings=(Closing("a", SEALED),))
    assert one + other == Change(
        facts=(opened(), opened(2)),
        entries=(entry,),
        attempts=(attempt(),),
        found=(Found("a"),),
        closings=(Closing("a", SEALED),),
        operations=(OPERATION,),
        asked=(Asked("a"),),
    )


CLAIM = Claim("f", None)


def test_a_claim_is_held_for_a_minute_and_given_back_in_doubt() -> None:
    held = leased(CLAIM, NOW)
    assert LEASE_S == 60
    assert held == Claim("f", NOW + timedelta(seconds=60))
    assert given_back(held) == CLAIM
    assert given_back(CLAIM) is CLAIM


def test_the_final_answer_of_a_claim_never_changes() -> None:
    answered = settled(leased(CLAIM, NOW), 201, "{}")
    assert answered == Claim("f", None, 201, "{}")
    assert settled(answered, 502, "no") is answered
