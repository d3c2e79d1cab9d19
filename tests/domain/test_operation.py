"""What an operation has come to: its facts say, and how far our call came only where there are none."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.facts import Fact, Kind, State
from chalicelib.domain.operation import (
    MOVEMENT,
    OPERATOR,
    Called,
    Operation,
    OperationKind,
    OperationStatus,
    Origin,
    facts_about,
    further,
    status_of,
)
from tests.builders import NOW, attempt_id, fact, money

REFUND = Operation("op_1", OperationKind.REFUND, attempt_id(), money(400), Origin.API, NOW)
calls = st.sampled_from(list(Called))


def refund(state: State, id: str = "r", operation_id: str | None = "op_1") -> Fact:
    return fact(Kind.REFUND, id, state, 400, operation_id=operation_id)


@pytest.mark.parametrize(
    ("called", "status"),
    [
        (Called.PLANNED, OperationStatus.PENDING),
        (Called.STARTED, OperationStatus.PENDING),
        (Called.UNANSWERED, OperationStatus.UNKNOWN),
        (Called.ABSENT, OperationStatus.FAILED),
        (Called.REFUSED, OperationStatus.FAILED),
        (Called.ANSWERED, OperationStatus.PENDING),
    ],
)
def test_without_a_fact_the_call_tells(called: Called, status: OperationStatus) -> None:
    assert status_of(replace(REFUND, called=called), ()) is status


@pytest.mark.parametrize("called", list(Called))
@pytest.mark.parametrize(
    ("state", "status"),
    [
        (State.PENDING, OperationStatus.PENDING),
        (State.SUCCEEDED, OperationStatus.SUCCEEDED),
        (State.FAILED, OperationStatus.FAILED),
    ],
)
def test_a_fact_tells_however_far_the_call_came(called: Called, state: State, status: OperationStatus) -> None:
    assert status_of(replace(REFUND, called=called), (refund(state),)) is status


def test_another_operations_fact_tells_nothing() -> None:
    assert status_of(REFUND, (refund(State.SUCCEEDED, operation_id="op_2"),)) is OperationStatus.PENDING


def test_a_movement_of_another_kind_tells_nothing() -> None:
    """A final capture's release carries the capture's id, and is no capture."""
    release = fact(Kind.RELEASE, "v", State.SUCCEEDED, 600, operation_id="op_1")
    assert status_of(REFUND, (release,)) is OperationStatus.PENDING


@pytest.mark.parametrize(
    ("states", "status"),
    [
        ((State.FAILED, State.SUCCEEDED, State.PENDING), OperationStatus.SUCCEEDED),
        ((State.PENDING, State.FAILED), OperationStatus.PENDING),
    ],
)
def test_of_several_movements_the_one_that_moved_most_decides(
    states: tuple[State, ...], status: OperationStatus
) -> None:
    facts = tuple(refund(state, f"r{number}") for number, state in enumerate(states))
    assert status_of(REFUND, facts) is status


def test_what_an_operator_found_out_counts_where_the_psp_is_silent() -> None:
    assert status_of(REFUND, (refund(State.SUCCEEDED, f"{OPERATOR}op_1"),)) is OperationStatus.SUCCEEDED


def test_what_an_operator_found_out_gives_way_to_the_psp() -> None:
    facts = (refund(State.SUCCEEDED, f"{OPERATOR}op_1"), refund(State.FAILED))
    assert status_of(REFUND, facts) is OperationStatus.FAILED
    assert facts_about(REFUND, facts) == facts[1:]


def test_an_operation_of_the_psp_is_its_movement() -> None:
    theirs = replace(REFUND, origin=Origin.PSP, movement=(Kind.REFUND, "r"))
    facts = (refund(State.SUCCEEDED, "other", None), refund(State.FAILED, "r", None))
    assert status_of(theirs, facts) is OperationStatus.FAILED


@pytest.mark.parametrize(
    ("called", "status"),
    [(Called.ANSWERED, OperationStatus.SUCCEEDED), (Called.REFUSED, OperationStatus.FAILED)],
)
def test_a_cancellation_of_nothing_held_is_done_once_every_page_is_closed(
    called: Called, status: OperationStatus
) -> None:
    given_up = replace(REFUND, kind=OperationKind.CANCELLATION, amount=None, called=called)
    assert status_of(given_up, ()) is status


def test_every_kind_has_its_movement() -> None:
    assert {kind: MOVEMENT[kind] for kind in OperationKind} == {
        OperationKind.CAPTURE: Kind.CAPTURE,
        OperationKind.CANCELLATION: Kind.RELEASE,
        OperationKind.REFUND: Kind.REFUND,
    }


def test_how_far_a_call_came_only_rises() -> None:
    rising = ["planned", "started", "unanswered", "absent", "refused", "answered"]
    assert [str(called) for called in Called] == rising
    for lower, higher in itertools.combinations(Called, 2):
        assert further(lower, higher) is further(higher, lower) is higher


@given(calls, calls, calls)
def test_tellings_of_a_call_come_in_any_order(one: Called, other: Called, third: Called) -> None:
    assert further(further(one, other), third) is further(one, further(other, third))
