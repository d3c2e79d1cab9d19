"""Timelines read well."""

from __future__ import annotations

import itertools

import pytest

from chalicelib.domain.facts import RISING, Fact, Kind, State
from chalicelib.domain.telling import words_of
from tests.builders import attempt_id, fact

PAGE = fact(Kind.CHECKOUT, "s", State.OPEN)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ([PAGE, fact(Kind.CAPTURE, "p", State.SUCCEEDED, 1050)], "the capture of 10.50 EUR succeeded"),
        ([PAGE, fact(Kind.TRY, "t", State.DECLINED)], "a try was declined"),
        ([PAGE], "the page is open"),
        ([PAGE, fact(Kind.CHECKOUT, "s", State.EXPIRED)], "the page has expired"),
        ([fact(Kind.RELEASE, "v", State.SUCCEEDED)], "the release succeeded"),
        ([], "nothing new"),
    ],
)
def test_facts_in_words(facts: list[Fact], words: str) -> None:
    assert words_of(facts) == words


@pytest.mark.parametrize(
    ("kind", "state"), list(itertools.chain(*([(kind, state) for state in states] for kind, states in RISING.items())))
)
def test_every_fact_has_words(kind: Kind, state: State) -> None:
    assert words_of([Fact(attempt_id(), kind, "x", state)])
