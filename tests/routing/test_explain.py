"""Why a payment went where it went, in words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.payment import Considered, Decision
from chalicelib.routing.explain import condition_of, explanation_of, summary_of

NL = {"field": "country", "op": "eq", "value": "NL"}
LARGE = {"field": "amount", "op": "gt", "value": 5000}
SEEN: dict[str, str | int] = {"country": "NL", "amount": 1050}
DECISION = Decision(
    name="default",
    version=3,
    chain=("psp-1", "psp-2"),
    rule="Dutch",
    inputs=SEEN,
    candidates=(Considered("psp-1"), Considered("psp-2")),
)
DOCUMENT = {
    "name": "default",
    "rules": [
        {"name": name, "when": when, "then": {}} for name, when in (("Large", LARGE), ("Dutch", NL), ("All", NL))
    ],
    "otherwise": {},
}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, "Route default (version 3; rule 'Dutch') chose psp-1, then psp-2."),
        ({"version": 1}, "Route default (version 1; rule 'Dutch') chose psp-1, then psp-2."),
        ({"version": 0}, "Route default (a draft; rule 'Dutch') chose psp-1, then psp-2."),
        ({"rule": "otherwise"}, "Route default (version 3; no rule matched) chose psp-1, then psp-2."),
        ({"arm": "b"}, "Route default (version 3; rule 'Dutch', arm 'b') chose psp-1, then psp-2."),
        ({"chain": ("psp-1",)}, "Route default (version 3; rule 'Dutch') chose psp-1."),
        (
            {"chain": ("psp-1", "psp-2", "psp-3")},
            "Route default (version 3; rule 'Dutch') chose psp-1, then psp-2, psp-3.",
        ),
        ({"chain": ()}, "Route default (version 3; rule 'Dutch') found no connection that could take it."),
    ],
)
def test_a_decision_is_one_line(changes: dict[str, Any], told: str) -> None:
    assert summary_of(replace(DECISION, **changes)) == told


def test_an_explanation_has_the_summary_the_rules_that_were_asked_and_the_candidates() -> None:
    shown = explanation_of(DECISION, DOCUMENT)
    assert list(shown) == ["summary", "rules", "candidates"]
    assert shown["summary"] == summary_of(DECISION)
    assert shown["rules"] == [
        {"rule": "Large", **condition_of(LARGE, SEEN)},
        {"rule": "Dutch", **condition_of(NL, SEEN)},
    ]
    assert [one["connection_id"] for one in shown["candidates"]] == ["psp-1", "psp-2"]


def test_where_no_rule_matched_all_were_asked() -> None:
    shown = explanation_of(replace(DECISION, rule="otherwise"), DOCUMENT)
    assert [one["rule"] for one in shown["rules"]] == ["Large", "Dutch", "All"]


def test_a_route_without_rules_asked_none() -> None:
    assert explanation_of(DECISION, {"name": "default", "otherwise": {}})["rules"] == []


def test_of_a_version_that_is_not_known_any_more_no_rules_are_shown() -> None:
    assert explanation_of(DECISION, None)["rules"] == []


@pytest.mark.parametrize(
    ("when", "shown"),
    [
        (NL, {"field": "country", "op": "eq", "wanted": "NL", "actual": "NL", "matched": True}),
        (LARGE, {"field": "amount", "op": "gt", "wanted": 5000, "actual": 1050, "matched": False}),
        (
            {"field": "locale", "op": "exists", "value": False},
            {"field": "locale", "op": "exists", "wanted": False, "actual": None, "matched": True},
        ),
        ({"not": LARGE}, {"not": condition_of(LARGE, SEEN), "matched": True}),
        ({"all": [NL, LARGE]}, {"all": [condition_of(NL, SEEN), condition_of(LARGE, SEEN)], "matched": False}),
        ({"any": [NL, LARGE]}, {"any": [condition_of(NL, SEEN), condition_of(LARGE, SEEN)], "matched": True}),
    ],
)
def test_a_condition_is_shown_with_what_there_was_and_whether_it_holds(
    when: dict[str, Any], shown: dict[str, Any]
) -> None:
    assert condition_of(when, SEEN) == shown


OPEN, WELL = {"health": "open"}, {"health": "half_open"}
FIRST = "It is the first of the chain that could take this payment."
FIRST_NOT_OPEN = "It is the first of the chain that could take this payment and whose circuit was not open."
MOVED = "Its circuit was open, so it stood behind the others."


@pytest.mark.parametrize(
    ("candidates", "chain", "reasons"),
    [
        (
            (Considered("psp-1"), Considered("psp-2")),
            ("psp-1", "psp-2"),
            [FIRST, "It is tried where psp-1 does not take the payment."],
        ),
        (
            (Considered("psp-1", "it takes no EUR"), Considered("psp-2")),
            ("psp-2",),
            ["It could not take this payment: it takes no EUR.", FIRST],
        ),
        (
            (Considered("psp-1", **OPEN), Considered("psp-2", **WELL), Considered("psp-3")),
            ("psp-2", "psp-3", "psp-1"),
            [
                f"It is tried where psp-3 does not take the payment. {MOVED}",
                FIRST_NOT_OPEN,
                "It is tried where psp-2 does not take the payment.",
            ],
        ),
        (
            (Considered("psp-1", **OPEN), Considered("psp-2", **OPEN)),
            ("psp-1", "psp-2"),
            [FIRST, "It is tried where psp-1 does not take the payment."],
        ),
        (
            (Considered("psp-1", **OPEN), Considered("psp-2", "it takes no EUR"), Considered("psp-3", **OPEN)),
            ("psp-1", "psp-3"),
            [
                FIRST,
                "It could not take this payment: it takes no EUR.",
                "It is tried where psp-1 does not take the payment.",
            ],
        ),
    ],
)
def test_each_candidate_is_told_with_why_it_was_tried_when_it_was(
    candidates: tuple[Considered, ...], chain: tuple[str, ...], reasons: list[str]
) -> None:
    shown = explanation_of(replace(DECISION, candidates=candidates, chain=chain), None)["candidates"]
    assert [one["reason"] for one in shown] == reasons
    assert [one["connection_id"] for one in shown if one["chosen"]] == [chain[0]]


def test_of_a_payment_that_nobody_could_take_nobody_was_chosen() -> None:
    nobody = replace(DECISION, candidates=(Considered("psp-1", "it takes no EUR"),), chain=())
    assert explanation_of(nobody, None)["candidates"] == [
        {"connection_id": "psp-1", "chosen": False, "reason": "It could not take this payment: it takes no EUR."}
    ]
