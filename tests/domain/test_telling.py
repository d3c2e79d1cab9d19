"""Timelines read well."""

from __future__ import annotations

import itertools

import pytest

from chalicelib.domain.facts import RISING, Decline, DeclineClass, Fact, Kind, State, renamed
from chalicelib.domain.telling import words_of
from tests.builders import attempt_id, fact, opened

NO = Decline(DeclineClass.HARD, "stolen_card")
PAGE = fact(Kind.CHECKOUT, "s", State.OPEN)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ([PAGE, fact(Kind.CAPTURE, "p", State.SUCCEEDED, 1050)], "the capture of 10.50 EUR succeeded"),
        (
            [fact(Kind.CAPTURE, "c", State.SUCCEEDED, 1050), renamed(attempt_id(), "p")],
            "the capture of 10.50 EUR succeeded",
        ),
        ([PAGE, fact(Kind.TRY, "t", State.DECLINED)], "a try was declined"),
        ([PAGE], "the page is open"),
        ([PAGE, fact(Kind.CHECKOUT, "s", State.EXPIRED)], "the page has expired"),
        ([fact(Kind.RELEASE, "v", State.SUCCEEDED)], "the release succeeded"),
        ([], "nothing new"),
        ([fact(Kind.TRY, "t", State.DECLINED), fact(Kind.TRY, "u", State.APPROVED)], "a try was approved"),
        ([fact(Kind.TRY, "t", State.DECLINED, decline=NO)], "a try was declined (stolen_card)"),
        ([PAGE, opened()], "the page is open"),
        ([opened()], "it exists"),
        (
            [fact(Kind.CAPTURE, "p", State.SUCCEEDED, 1050), fact(Kind.REFUND, "r", State.PENDING, 50)],
            "the capture of 10.50 EUR succeeded, the refund of 0.50 EUR is pending",
        ),
        (
            [fact(Kind.CHECKOUT, "s", State.EXPIRED), fact(Kind.AUTHORIZATION, "p", State.FAILED)],
            "the authorization failed, the page has expired",
        ),
        ([fact(Kind.REFUND, "r", State.FAILED), fact(Kind.REFUND, "q", State.FAILED)], "the refund failed"),
    ],
)
def test_facts_in_words(facts: list[Fact], words: str) -> None:
    assert words_of(facts) == words


@pytest.mark.parametrize(
    ("kind", "state"), list(itertools.chain(*([(kind, state) for state in states] for kind, states in RISING.items())))
)
def test_every_fact_has_words(kind: Kind, state: State) -> None:
    assert words_of([Fact(attempt_id(), kind, "x", state)])
