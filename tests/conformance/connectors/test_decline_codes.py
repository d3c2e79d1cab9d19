"""A decline's code is PaymentServer's own word, and each is one that merchants are told of."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from chalicelib.contracts.decline_codes import DECLINE_CODES
from chalicelib.services import execute
from tests.conformance.connectors.profile import NAMES
from tests.conformance.connectors.recordings import scenarios_of

PRODUCT = Path(execute.__file__).parents[1]


def said_by(psp: str) -> set[str]:
    """As its scenarios expect it, which show each entry of its tables."""
    expected = [step.expect for scenario in scenarios_of(psp) for step in scenario.steps]
    shown = [*expected, *(fact for one in expected for fact in one.get("facts", ()))]
    return {one["decline"][1] for one in shown if "decline" in one}


def said_by_us() -> Iterator[str]:
    """What the product's own code writes into a `Decline`."""
    for path in (*PRODUCT.glob("services/*.py"), *PRODUCT.glob("domain/*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and ast.unparse(node.func) == "Decline"
                and isinstance(node.args[1], ast.Constant)
            ):
                yield str(node.args[1].value)
    yield from (code for _, code in execute._REFUSED_AS.values())


def test_a_psp_says_no_in_words_that_are_documented(psp: str) -> None:
    assert said_by(psp) <= DECLINE_CODES.keys(), said_by(psp) - DECLINE_CODES.keys()


def test_so_do_we() -> None:
    ours = set(said_by_us())
    assert "not_sent" in ours
    assert ours <= DECLINE_CODES.keys(), ours - DECLINE_CODES.keys()


def test_no_word_is_documented_that_nobody_says() -> None:
    said = set(said_by_us()).union(*(said_by(name) for name in NAMES))
    assert DECLINE_CODES.keys() == said
