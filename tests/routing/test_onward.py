"""What leads to the next PSP: a table, which a route may override, but for fraud."""

from __future__ import annotations

import pytest

from chalicelib.contracts.calls import RefusalKind
from chalicelib.domain.facts import Decline, DeclineClass, Fact, Kind, State
from chalicelib.routing.onward import FIXED, NEXT, Outcome, goes_on, outcome_of
from chalicelib.routing.rules import Fallback
from tests.builders import attempt_id

ID = attempt_id()


def opening(state: State, reason: str = "", cls: DeclineClass | None = None) -> Fact:
    decline = Decline(cls, "a_code") if cls else None
    return Fact(ID, Kind.OPEN, ID, state, reason=reason, decline=decline)


@pytest.mark.parametrize(
    ("fact", "outcome"),
    [
        (opening(State.ABSENT, "not_sent"), Outcome.NOT_SENT),
        (opening(State.REFUSED, RefusalKind.MISCONFIGURED), Outcome.MISCONFIGURATION),
        (opening(State.REFUSED, RefusalKind.RATE_LIMITED), Outcome.RATE_LIMIT),
        (opening(State.REFUSED, RefusalKind.OUTAGE), Outcome.OUTAGE),
        (opening(State.REFUSED, RefusalKind.DECLINED, DeclineClass.HARD), Outcome.HARD_DECLINE),
        (opening(State.REFUSED, RefusalKind.DECLINED, DeclineClass.SOFT), Outcome.SOFT_DECLINE),
        (opening(State.REFUSED, RefusalKind.DECLINED, DeclineClass.FRAUD), Outcome.FRAUD_DECLINE),
        (opening(State.ABSENT), Outcome.SOFT_DECLINE),
    ],
)
def test_each_word_of_a_psp_is_an_outcome(fact: Fact, outcome: Outcome) -> None:
    assert outcome_of(ID, [fact]) is outcome


def test_the_worst_decline_counts() -> None:
    tries = [
        Fact(ID, Kind.TRY, str(number), State.DECLINED, decline=Decline(cls, "a_code"))
        for number, cls in enumerate((DeclineClass.SOFT, DeclineClass.FRAUD, DeclineClass.HARD))
    ]
    assert outcome_of(ID, tries) is Outcome.FRAUD_DECLINE
    assert outcome_of(ID, [tries[0], tries[2]]) is Outcome.HARD_DECLINE


def test_another_attempts_decline_says_nothing_of_this_one() -> None:
    other = Fact(attempt_id(2), Kind.OPEN, attempt_id(2), State.REFUSED, reason=RefusalKind.MISCONFIGURED)
    assert outcome_of(ID, [other, opening(State.REFUSED, RefusalKind.RATE_LIMITED)]) is Outcome.RATE_LIMIT


def test_only_an_opening_that_failed_says_why() -> None:
    unanswered = opening(State.UNANSWERED, RefusalKind.OUTAGE)
    assert outcome_of(ID, [unanswered]) is Outcome.SOFT_DECLINE
    assert outcome_of(ID, [unanswered, opening(State.REFUSED, RefusalKind.RATE_LIMITED)]) is Outcome.RATE_LIMIT


@pytest.mark.parametrize("outcome", [one for one in Outcome if one not in FIXED])
def test_a_route_may_stop_where_it_would_go_on(outcome: Outcome) -> None:
    assert goes_on(outcome, {})
    assert not goes_on(outcome, {outcome: "stop"})


def test_no_route_can_try_suspected_fraud_elsewhere() -> None:
    assert not goes_on(Outcome.FRAUD_DECLINE, {Outcome.FRAUD_DECLINE: "next"})


def test_every_outcome_that_may_be_overridden_is_offered_with_its_default() -> None:
    assert Fallback().model_dump() == {outcome: NEXT[outcome] for outcome in Outcome if outcome not in FIXED}
