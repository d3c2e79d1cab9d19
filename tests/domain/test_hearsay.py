"""An operator's word about an operation counts until the PSP tells of it, by name or by a movement just like it."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from chalicelib.domain.amend import amend
from chalicelib.domain.change import Change
from chalicelib.domain.facts import Fact, Kind, State
from chalicelib.domain.fold import fold
from chalicelib.domain.hearsay import without_hearsay
from chalicelib.domain.operation import OPERATOR, Called, Operation, OperationKind, OperationStatus, Origin
from chalicelib.domain.payment import Payment
from tests.builders import NOW, attempt_id, fact, money, opened, payment

PENDING, OK, FAILED = State.PENDING, State.SUCCEEDED, State.FAILED
PAID = fact(Kind.CAPTURE, "p", OK, 1000)


def refund(id: str, state: State = OK, operation_id: str | None = None, value: int = 400, number: int = 1) -> Fact:
    return fact(Kind.REFUND, id, state, value, operation_id=operation_id, number=number)


WORD = refund(f"{OPERATOR}op_1", operation_id="op_1")
FAILED_WORD = refund(f"{OPERATOR}op_1", FAILED, "op_1")
OTHER_WORD = refund(f"{OPERATOR}op_2", operation_id="op_2")


def asked(id: str = "op_1") -> Operation:
    return Operation(id, OperationKind.REFUND, attempt_id(), money(400), Origin.API, NOW, called=Called.UNANSWERED)


def after(*facts: Fact) -> Payment:
    """A paid payment of which two refunds of 400 got no answer."""
    start = amend(payment(), Change(facts=(opened(), PAID), operations=(asked(), asked("op_2"))), NOW)
    return amend(start, Change(facts=facts), NOW)


@pytest.mark.parametrize(
    ("facts", "refunded"),
    [
        ((WORD,), 400),
        ((WORD, refund("r", operation_id="op_1")), 400),
        ((WORD, refund("r", FAILED, "op_1")), 0),
        ((WORD, refund("r", PENDING, "op_1")), 400),
        ((WORD, replace(refund("r", PENDING, "op_1"), amount=None)), 400),
        ((WORD, refund("r", PENDING, "op_1"), refund("r", FAILED, "op_1")), 0),
        ((FAILED_WORD, refund("r", PENDING, "op_1")), 0),
        ((FAILED_WORD, refund("r", PENDING, "op_1"), refund("r", operation_id="op_1")), 400),
        ((WORD, refund("r", operation_id="op_2")), 800),
        ((WORD, refund("r")), 400),
        ((WORD, refund("r", PENDING)), 0),
        ((WORD, refund("r", FAILED)), 0),
        ((WORD, refund("r"), refund("s")), 800),
        ((WORD, refund("r", FAILED), refund("s")), 400),
        ((WORD, OTHER_WORD, refund("r")), 800),
        ((WORD, OTHER_WORD, refund("r"), refund("s")), 800),
        ((WORD, refund("r", operation_id="op_1"), refund("s")), 800),
        ((WORD, refund("r", value=300)), 700),
        ((refund("r"), refund("s", operation_id="op_2")), 800),
    ],
)
def test_each_movement_counts_once(facts: tuple[Fact, ...], refunded: int) -> None:
    for order in itertools.permutations(facts):
        assert fold(after(*order)).amounts.refunded == refunded


def test_the_movement_that_the_word_is_about_is_the_operations_and_nobody_elses() -> None:
    known = after(refund("r"), refund("s"))
    assert [one.movement for one in known.operations if one.origin is Origin.PSP] == [
        (Kind.REFUND, "r"),
        (Kind.REFUND, "s"),
    ]
    known = amend(known, Change(facts=(WORD,)), NOW)
    assert [one.movement for one in known.operations if one.origin is Origin.PSP] == [(Kind.REFUND, "s")]
    assert fold(known).operations["op_1"] is OperationStatus.SUCCEEDED


def test_when_that_movement_fails_the_operation_has_failed() -> None:
    known = after(WORD, refund("r"))
    known = amend(known, Change(facts=(refund("r", FAILED),)), NOW)
    assert fold(known).operations["op_1"] is OperationStatus.FAILED


@pytest.mark.parametrize("state", [OK, FAILED])
def test_a_word_about_what_was_made_at_the_psp_is_about_that_movement_and_gives_way_to_the_psp(state: State) -> None:
    """Others of the same amount, one of which may be ours, stay what they are."""
    word = refund(f"{OPERATOR}r", state)
    for order in itertools.permutations((word, refund("q"), refund("r", PENDING), refund("s", PENDING), WORD)):
        known = after(*order)
        statuses = {one.movement: fold(known).operations[one.id] for one in known.operations}
        assert statuses[Kind.REFUND, "r"] == state
        assert statuses[Kind.REFUND, "s"] is OperationStatus.PENDING
    for told in (OK, FAILED):
        found = amend(known, Change(facts=(refund("r", told),)), NOW)
        (made,) = [one for one in found.operations if one.movement == (Kind.REFUND, "r")]
        assert fold(found).operations[made.id] == told


@pytest.mark.parametrize(
    "other",
    [
        fact(Kind.RELEASE, "v", OK, 400),
        fact(Kind.CAPTURE, "c", OK, 400),
        refund("r", number=2),
        refund("r", operation_id="op_2"),
    ],
)
def test_another_movement_is_not_the_one_she_saw(other: Fact) -> None:
    assert set(without_hearsay((WORD, other))) == {WORD, other}


def test_what_ran_out_is_not_a_void_that_she_saw() -> None:
    word = fact(Kind.RELEASE, f"{OPERATOR}op_1", OK, 400, operation_id="op_1")
    lapsed = fact(Kind.RELEASE, "expiry:v", OK, 400)
    assert set(without_hearsay((word, lapsed))) == {word, lapsed}


def test_where_no_operator_spoke_nothing_changes() -> None:
    facts = (PAID, refund("r"))
    assert without_hearsay(facts) is facts
