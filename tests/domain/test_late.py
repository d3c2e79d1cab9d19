"""What becomes of late and surplus money: one decision for a set of facts, whatever order they came in."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from chalicelib.domain.amend import amend
from chalicelib.domain.change import CallOutcome, Change, Closing
from chalicelib.domain.facts import Fact, Kind, State
from chalicelib.domain.fold import fold
from chalicelib.domain.ids import operation_id_of
from chalicelib.domain.late import again_id_of, refused_of
from chalicelib.domain.money import Money
from chalicelib.domain.operation import Called, Operation, OperationKind, Origin
from chalicelib.domain.order import CaptureMode
from chalicelib.domain.payment import Closure, Payment, Resolution
from tests.builders import NOW, attempt_id, fact, money, opened, payment

AUTH, CAP, REF = Kind.AUTHORIZATION, Kind.CAPTURE, Kind.REFUND
OK = State.SUCCEEDED
EXPIRED = fact(Kind.CHECKOUT, "s", State.EXPIRED)
SEALED = (Closing(attempt_id(1), Closure.SEALED),)
Made = list[tuple[str, int, int, str | None]]


def under(late: str, attempts: int = 1, capture: CaptureMode = CaptureMode.AUTOMATIC) -> Payment:
    start = payment(attempts, capture=capture)
    return replace(start, route=replace(start.route, late=late))


def after(start: Payment, *facts: Fact, closings: tuple[Closing, ...] = ()) -> Payment:
    return amend(start, Change(facts=facts, closings=closings), NOW)


def made(known: Payment) -> Made:
    """(kind, minor units, number of the attempt, why) of what the policy wants."""
    numbers = {attempt.id: number for number, attempt in enumerate(known.attempts, start=1)}
    return [
        (str(one.kind), one.amount.value if one.amount else 0, numbers[one.attempt_id], one.reason)
        for one in known.operations
        if one.origin is Origin.POLICY
    ]


def paid(number: int = 1, value: int = 1000) -> Fact:
    return fact(CAP, f"p{number}", OK, value, number=number)


def authorized(number: int = 1) -> Fact:
    return fact(AUTH, f"a{number}", OK, 1000, number=number)


@pytest.mark.parametrize(
    ("late", "wanted", "reviewed"),
    [("accept", [], False), ("refund", [("refund", 1000, 1, "late")], False), ("review", [], True)],
)
def test_late_money_follows_the_policy(late: str, wanted: Made, reviewed: bool) -> None:
    known = after(under(late), opened(), EXPIRED, paid())
    assert made(known) == wanted
    assert (known.reviews, known.attention) == (((attempt_id(),), True) if reviewed else ((), False))


def test_late_authorizations_are_voided() -> None:
    known = after(under("refund", capture=CaptureMode.MANUAL), opened(), EXPIRED, authorized())
    assert made(known) == [("cancellation", 1000, 1, "late")]


@pytest.mark.parametrize("closure", list(Closure))
def test_every_way_of_giving_up_makes_money_late(closure: Closure) -> None:
    given_up = after(under("refund"), opened(), closings=(Closing(attempt_id(), closure),))
    known = after(given_up, paid())
    assert made(known) == [("refund", 1000, 1, "late")]


def test_no_lapse_makes_money_late_that_came_before_it() -> None:
    known = after(under("refund"), opened(), paid(), closings=(Closing(attempt_id(), Closure.LAPSED),))
    assert made(known) == []


@pytest.mark.parametrize("late", ["accept", "refund", "review"])
def test_money_in_time_stays(late: str) -> None:
    known = after(under(late), opened(), paid())
    assert (made(known), known.reviews) == ([], ())


@pytest.mark.parametrize("late", ["accept", "refund", "review"])
def test_what_the_merchant_said_of_an_attempt_outranks_the_route(late: str) -> None:
    closing = Closing(attempt_id(), Closure.SUPERSEDED, "refund")
    assert made(after(under(late), opened(), paid(), closings=(closing,))) == [("refund", 1000, 1, "late")]


def test_of_two_paid_attempts_the_one_that_was_given_up_goes_back() -> None:
    known = after(under("accept", 2), opened(2), paid(1), paid(2), closings=SEALED)
    assert made(known) == [("refund", 1000, 1, "surplus")]


def test_of_two_paid_attempts_that_nobody_gave_up_the_newest_goes_back() -> None:
    known = after(under("accept", 2), opened(), opened(2), paid(1), paid(2))
    assert made(known) == [("refund", 1000, 2, "surplus")]


def test_of_three_paid_attempts_two_go_back() -> None:
    known = after(under("accept", 3), opened(2), opened(3), paid(1), paid(2), paid(3), closings=SEALED)
    assert sorted(made(known)) == [("refund", 1000, 1, "surplus"), ("refund", 1000, 3, "surplus")]


def test_held_money_goes_back_before_captured() -> None:
    start = under("accept", 2, CaptureMode.MANUAL)
    capture = fact(CAP, "c1", OK, 1000)
    known = after(start, opened(), opened(2), authorized(1), capture, authorized(2))
    assert made(known) == [("cancellation", 1000, 2, "surplus")]


def test_what_was_given_back_already_is_no_surplus() -> None:
    refunded = fact(REF, "r", OK, 1000)
    known = after(under("accept", 2), opened(2), paid(1), refunded, paid(2), closings=SEALED)
    assert made(known) == []


def test_only_what_is_still_left_goes_back() -> None:
    known = after(under("refund"), opened(), EXPIRED, paid(), fact(REF, "r", OK, 300))
    assert made(known) == [("refund", 700, 1, "late")]


def test_a_disputed_attempt_is_not_refunded_on_top() -> None:
    disputed = fact(Kind.DISPUTE, "d", State.OPENED, 1000)
    known = after(under("accept", 2), opened(2), paid(1), disputed, paid(2), closings=SEALED)
    assert made(known) == []


def test_what_an_operator_has_given_back_lets_no_other_attempt_keep_more() -> None:
    word = Resolution(attempt_id(3), "refund", "n", "an-operator", NOW, accepted=((CAP, "p3", 1001, "EUR"),))
    start = replace(under("accept", 3), resolutions=(word,))
    known = after(start, opened(3), paid(3, 1001), fact(REF, "r", OK, 1001, number=3))
    assert made(after(known, opened(), opened(2), paid(1), paid(2))) == [("refund", 1000, 2, "surplus")]


def test_a_surplus_under_review_waits_for_an_operator() -> None:
    known = after(under("review", 2), opened(2), paid(1), paid(2), closings=SEALED)
    assert (made(known), known.reviews) == ([], (attempt_id(1),))


@pytest.mark.parametrize("late", ["accept", "refund"])
def test_the_decision_is_one_in_every_order_of_the_same_facts(late: str) -> None:
    facts = (opened(2), paid(1), paid(2), fact(Kind.CHECKOUT, "s2", State.OPEN, number=2))
    ends = set()
    for order in itertools.permutations(facts):
        known = amend(under(late, 2), Change(closings=SEALED), NOW)
        for one in order:
            known = after(known, one)
        ends.add((tuple(made(known)), frozenset(one.id for one in known.operations)))
    assert len(ends) == 1 or late == "refund", (
        "under `refund` the first of two late payments goes back before the second"
    )


def test_an_operation_of_the_policy_is_planned_and_nobody_has_called_for_it() -> None:
    known = after(under("refund"), opened(), EXPIRED, paid())
    (operation,) = known.operations
    assert (operation.called, operation.claim, operation.kind) == (Called.PLANNED, None, OperationKind.REFUND)
    assert (operation.amount, operation.created_at) == (money(1000), NOW)
    assert operation.id == operation_id_of(known.id, f"surplus:refund:{attempt_id()}"), "so that it is made once"
    assert known.due_at == NOW


def test_the_policy_acts_once_for_an_attempt() -> None:
    known = after(under("refund"), opened(), EXPIRED, paid())
    (operation,) = known.operations
    failed = amend(known, Change(outcomes=(CallOutcome(operation.id, Called.REFUSED),)), NOW)
    assert made(failed) == [("refund", 1000, 1, "late")]
    assert (failed.reviews, failed.attention) == ((attempt_id(),), True)


@pytest.mark.parametrize(("outcome", "reviewed"), [("accept", ()), ("refund", (attempt_id(),))])
def test_what_an_operator_decided_the_policy_leaves_to_her(outcome: str, reviewed: tuple[str, ...]) -> None:
    """She who wanted it back is shown what is there all the same."""
    start = replace(under("refund"), resolutions=(Resolution(attempt_id(), outcome, "n", "an-operator", NOW),))
    known = after(start, opened(), EXPIRED, paid())
    assert (made(known), known.reviews) == ([], reviewed)


def test_an_odd_amount_is_not_the_policys() -> None:
    known = after(under("refund"), opened(), EXPIRED, paid(value=1001))
    assert (made(known), known.attention) == ([], True)


def test_what_is_only_held_at_a_closed_attempt_is_late_although_nothing_is_paid_twice() -> None:
    start = under("accept", 2, CaptureMode.MANUAL)
    known = after(start, opened(2), authorized(1), closings=SEALED)
    assert made(known) == [("cancellation", 1000, 1, "late")]


GIVES_BACK = Operation(
    "op_1", OperationKind.REFUND, attempt_id(), money(), Origin.POLICY, NOW, called=Called.REFUSED, reason="late"
)


def refused(
    operation: Operation, *facts: Fact, outcome: str = "accept", resolved_at: datetime | None = None
) -> list[str]:
    """Ids of what should have gone back of a paid payment and did not."""
    known = amend(payment(), Change(facts=(opened(), paid(), *facts), operations=(operation,)), NOW)
    if resolved_at is not None:
        known = replace(known, resolutions=(Resolution(attempt_id(), outcome, "n", "an-operator", resolved_at),))
    return [one.id for one in refused_of(known, fold(known))]


def test_what_the_psp_refused_to_give_back_is_an_operators_until_one_lets_it_stay() -> None:
    assert refused(GIVES_BACK) == ["op_1"]
    assert refused(GIVES_BACK, resolved_at=NOW) == ["op_1"], "that was before"
    assert refused(GIVES_BACK, resolved_at=NOW + timedelta(seconds=1)) == []


def test_what_failed_is_an_operators_though_one_had_more_given_back_meanwhile() -> None:
    assert refused(GIVES_BACK, outcome="refund", resolved_at=NOW + timedelta(seconds=1)) == ["op_1"]


@pytest.mark.parametrize("called", [Called.PLANNED, Called.STARTED, Called.UNANSWERED, Called.ANSWERED])
def test_what_may_still_go_back_is_not_refused(called: Called) -> None:
    assert refused(replace(GIVES_BACK, called=called)) == []


@pytest.mark.parametrize("origin", [Origin.API, Origin.PSP])
def test_what_a_merchant_or_the_psp_wanted_back_is_not_a_rules(origin: Origin) -> None:
    movement = (Kind.REFUND, "r") if origin is Origin.PSP else None
    failed = fact(REF, "r", State.FAILED, 1000, operation_id=None if movement else "op_1")
    assert refused(replace(GIVES_BACK, origin=origin, movement=movement), failed) == []


def test_what_went_back_another_way_is_not_refused() -> None:
    assert refused(GIVES_BACK, fact(REF, "r", OK, 1000)) == []
    assert refused(replace(GIVES_BACK, amount=None)) == ["op_1"]


def test_of_money_in_another_currency_the_operations_tell_whether_it_went_back() -> None:
    dollars = replace(GIVES_BACK, amount=Money(1000, "USD"))
    other = replace(dollars, id="op_2", amount=Money(5, "USD"), called=Called.STARTED)
    known = amend(payment(), Change(facts=(opened(), paid()), operations=(dollars, other)), NOW)
    assert [one.id for one in refused_of(known, fold(known))] == ["op_1"]
    again = replace(dollars, id=again_id_of(known, dollars), called=Called.STARTED)
    known = amend(known, Change(operations=(again,)), NOW)
    assert refused_of(known, fold(known)) == ()
    known = amend(known, Change(outcomes=(CallOutcome(again.id, Called.REFUSED),)), NOW)
    assert [one.id for one in refused_of(known, fold(known))] == [again.id]
