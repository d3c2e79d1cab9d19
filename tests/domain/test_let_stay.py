"""What an operator lets stay of late and surplus money: what she saw, and nothing that comes later."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chalicelib.domain.facts import Fact
from chalicelib.domain.late import stays_beyond
from chalicelib.domain.order import CaptureMode
from chalicelib.domain.payment import Resolution
from tests.builders import NOW, attempt_id, fact, opened
from tests.domain.test_late import CAP, OK, REF, SEALED, Made, after, authorized, made, paid, under


def accepted(number: int = 1, surplus: int = 0) -> tuple[Resolution, ...]:
    return (Resolution(attempt_id(number), "accept", "n", "an-operator", NOW, surplus=surplus),)


@pytest.mark.parametrize(
    ("surplus", "wanted"),
    [
        (0, [("refund", 1000, 2, "surplus"), ("refund", 1000, 1, "surplus")]),
        (1000, [("refund", 1000, 2, "surplus")]),
        (2000, [("refund", 1000, 2, "surplus")]),
    ],
)
def test_what_an_operator_let_stay_leaves_the_rest_to_the_policy(surplus: int, wanted: Made) -> None:
    """No attempt can keep more by her word than it has."""
    start = replace(under("accept", 3), resolutions=accepted(3, surplus))
    known = after(start, opened(), opened(2), opened(3), paid(1), paid(2), paid(3))
    assert made(known) == wanted


def test_what_an_operator_let_stay_and_went_back_since_lets_no_other_attempt_keep_more() -> None:
    start = replace(under("accept", 3), resolutions=accepted(3, 1000))
    known = after(start, opened(), opened(2), opened(3), paid(1), paid(3), fact(REF, "r", OK, 1000, number=3), paid(2))
    assert made(known) == [("refund", 1000, 2, "surplus")]


def test_more_than_an_operator_let_stay_at_an_attempt_is_hers_again() -> None:
    start = replace(under("accept"), resolutions=accepted(surplus=400))
    known = after(start, opened(), paid(), fact(CAP, "again", OK, 1000))
    assert (made(known), known.reviews) == ([], (attempt_id(),))


def test_held_money_that_an_operator_let_stay_at_a_closed_attempt_stays() -> None:
    start = replace(under("refund", 2, CaptureMode.MANUAL), resolutions=accepted())
    known = after(start, opened(2), authorized(1), closings=SEALED)
    assert (made(known), known.reviews) == ([], ())


@pytest.mark.parametrize(
    ("facts", "number", "surplus"),
    [
        ((paid(1),), 1, 0),
        ((paid(1),), 2, 0),
        ((paid(1), paid(2)), 1, 1000),
        ((paid(1), paid(2)), 2, 0),
        ((paid(1), paid(2), fact(REF, "r", OK, 700)), 1, 300),
        ((paid(1), paid(2), fact(REF, "r", OK, 700, number=2)), 1, 300),
        ((paid(1), fact(CAP, "again", OK, 1000)), 1, 1000),
    ],
)
def test_of_a_surplus_stays_what_the_accepted_attempt_would_have_to_give_back(
    facts: tuple[Fact, ...], number: int, surplus: int
) -> None:
    """The first attempt was given up, so that it goes before the second."""
    known = after(under("review", 2), opened(), opened(2), *facts, closings=SEALED)
    (word,) = accepted(number)
    assert stays_beyond(known, word) == surplus


def test_an_odd_amount_that_an_operator_accepts_is_owed_and_no_surplus() -> None:
    known = after(under("review"), opened(), paid(value=1500))
    assert stays_beyond(known, replace(accepted()[0], accepted=((CAP, "p1", 1500, "EUR"),))) == 0
