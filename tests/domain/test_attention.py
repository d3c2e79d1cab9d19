"""What an operator must look at: what no schedule will settle, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib.domain.amend import amend
from chalicelib.domain.change import CallOutcome, Change
from chalicelib.domain.emit import Watched, needs_operator
from chalicelib.domain.facts import Fact, Kind, State
from chalicelib.domain.fold import fold
from chalicelib.domain.operation import Called, Operation, OperationKind, Origin
from chalicelib.domain.payment import Attempt, Closure, Payment, Resolution
from chalicelib.domain.watch import MUST_SETTLE, Phase
from tests.builders import NOW, attempt_id, fact, money, opened, payment

PAID = fact(Kind.CAPTURE, "p", State.SUCCEEDED, 1000)
UNANSWERED = Fact(attempt_id(), Kind.OPEN, attempt_id(), State.UNANSWERED)


def after(*facts: Fact, **more: object) -> Payment:
    return amend(payment(2), Change(facts=(opened(), *facts), **more), NOW)  # type: ignore[arg-type]


def must_look(known: Payment, *reviews: str) -> bool:
    return needs_operator(known, Watched(known.attempts, known.operations), fold(known), reviews)


def with_attempt(known: Payment, **changes: object) -> Payment:
    first: Attempt = replace(known.attempts[0], **changes)  # type: ignore[arg-type]
    return replace(known, attempts=(first, *known.attempts[1:]))


def resolved(known: Payment, outcome: str = "not_paid") -> Payment:
    return replace(known, resolutions=(Resolution(attempt_id(), outcome, "seen", "me", NOW),))


def test_where_all_goes_its_way_nobody_must_look() -> None:
    assert not must_look(after())
    assert not must_look(after(PAID))


def test_money_under_review_and_odd_amounts_are_looked_at() -> None:
    assert must_look(after(PAID), attempt_id())
    assert must_look(after(fact(Kind.CAPTURE, "p", State.SUCCEEDED, 1001)))


@pytest.mark.parametrize("phase", Phase)
def test_an_attempt_whose_schedule_is_used_up_is_looked_at_where_an_answer_must_come(phase: Phase) -> None:
    known = after()
    assert must_look(with_attempt(known, ask_at=None, phase=phase)) is (phase in MUST_SETTLE)
    assert not must_look(with_attempt(known, ask_at=NOW, phase=phase))


def test_once_an_operator_found_that_an_attempt_was_not_paid_nobody_must_look_at_it() -> None:
    stuck = with_attempt(after(), ask_at=None, phase=Phase.OPEN)
    assert not must_look(resolved(stuck))
    other = replace(stuck, attempts=(stuck.attempts[0], replace(stuck.attempts[1], ask_at=None, phase=Phase.OPEN)))
    assert must_look(resolved(other)), "that was about another attempt"
    paid = with_attempt(after(PAID), ask_at=None, phase=Phase.UNANSWERED)
    assert must_look(resolved(paid)), "it was paid after all"


@pytest.mark.parametrize("outcome", ["accept", "refund", "found", "succeeded", "failed"])
def test_what_an_operator_said_of_the_money_answers_no_question_to_the_psp(outcome: str) -> None:
    assert must_look(resolved(with_attempt(after(), ask_at=None, phase=Phase.UNANSWERED), outcome))


def test_money_that_goes_back_settles_an_attempt() -> None:
    refunded = after(PAID, fact(Kind.REFUND, "r", State.SUCCEEDED, 400))
    assert not must_look(with_attempt(refunded, ask_at=None, phase=Phase.OPEN))


@pytest.mark.parametrize(
    ("facts", "reference", "looks"),
    [
        ((UNANSWERED,), None, True),
        ((UNANSWERED, fact(Kind.CHECKOUT, "s", State.OPEN)), None, True),
        ((UNANSWERED, fact(Kind.CHECKOUT, "s", State.OPEN)), "s", False),
        ((UNANSWERED, fact(Kind.CHECKOUT, "s", State.EXPIRED)), None, False),
        ((UNANSWERED, PAID), None, False),
    ],
)
def test_what_only_time_ended_is_looked_at_until_the_psp_has_spoken(
    facts: tuple[Fact, ...], reference: str | None, looks: bool
) -> None:
    """That a page was open says something only where the PSP can be asked what came of it."""
    known = with_attempt(amend(payment(2), Change(facts=facts), NOW), psp_reference=reference)
    assert must_look(with_attempt(known, closed=Closure.LAPSED, ask_at=NOW)) is looks
    assert not must_look(with_attempt(known, closed=Closure.SEALED, ask_at=NOW))


def refunding(called: Called, origin: Origin, ask_at: object, *facts: Fact) -> Payment:
    refund = Operation("op_1", OperationKind.REFUND, attempt_id(), money(400), origin, NOW)
    known = after(PAID, *facts, operations=(refund,), outcomes=(CallOutcome("op_1", called),))
    return replace(known, operations=(replace(known.operations[0], ask_at=ask_at),))  # type: ignore[arg-type]


@pytest.mark.parametrize("called", [Called.UNANSWERED, Called.ANSWERED])
def test_an_operation_of_ours_that_nobody_asks_about_any_more_is_looked_at(called: Called) -> None:
    assert must_look(refunding(called, Origin.API, None))
    assert must_look(refunding(called, Origin.POLICY, None))
    assert not must_look(refunding(called, Origin.PSP, None)), "it is the PSP's own"
    assert not must_look(refunding(called, Origin.API, NOW + timedelta(hours=1)))


def test_what_no_answer_of_the_psp_can_tell_is_looked_at_until_something_is_known() -> None:
    """Though it is still asked about."""
    known = refunding(Called.UNANSWERED, Origin.API, NOW + timedelta(hours=1))
    (one,) = known.operations
    asking = replace(known, operations=(replace(one, undecidable=True),))
    assert must_look(asking)
    for state in (State.PENDING, State.SUCCEEDED, State.FAILED):
        told = fact(Kind.REFUND, "r", state, 400, operation_id="op_1")
        assert not must_look(replace(asking, facts=(*asking.facts, told)))
    word = amend(asking, Change(outcomes=(CallOutcome("op_1", Called.REFUSED),)), NOW)
    assert not word.attention


def test_that_no_answer_can_tell_stays_so_whatever_is_written_beside_it() -> None:
    known = refunding(Called.UNANSWERED, Origin.API, NOW)
    says = (CallOutcome("op_1", Called.UNANSWERED, undecidable=True), CallOutcome("op_1", Called.UNANSWERED))
    for outcomes in (says, says[::-1]):
        assert [one.undecidable for one in amend(known, Change(outcomes=outcomes), NOW).operations] == [True]


def test_an_operation_that_is_settled_is_not_looked_at() -> None:
    refunded = fact(Kind.REFUND, "r", State.SUCCEEDED, 400, operation_id="op_1")
    assert not must_look(refunding(Called.ANSWERED, Origin.API, None, refunded))
    assert not must_look(refunding(Called.REFUSED, Origin.API, None))


def test_what_a_psp_refused_to_give_back_is_looked_at() -> None:
    assert must_look(refunding(Called.REFUSED, Origin.POLICY, NOW))
