"""docs/routing.md is true: its routes are taken, decide as its tables say, and its tables are those of the code."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chalicelib.api.models_checkout import CheckoutRequest, order_of
from chalicelib.domain.configuration import Route
from chalicelib.routing.engine import connections_in, engine_of
from chalicelib.routing.explain import explanation_of
from chalicelib.routing.fields import FIELDS, OPERATORS, Type, field_of, inputs_of
from chalicelib.routing.lint import Severity, lint
from chalicelib.routing.plan import Candidate, plan
from chalicelib.routing.rules import RouteBody, document_of
from tests.builders import NOW
from tests.routing.test_plan import CAN

GUIDE = (Path(__file__).parents[2] / "docs" / "routing.md").read_text()
CHECKOUT = {
    "amount": {"value": 1050, "currency": "EUR"},
    "order_reference": "order-1001",
    "return_url": "https://shop.example/return",
}
ABLE = replace(CAN, payment_methods=frozenset({"card", "ideal"}), currencies=frozenset({"EUR", "JPY"}))


def routes() -> dict[str, dict[str, Any]]:
    found = re.findall(r"<!-- route -->\n```json\n(.*?)```", GUIDE, re.DOTALL)
    bodies = [RouteBody.model_validate_json(one) for one in found]
    return {body.name: document_of(body.name, body) for body in bodies}


def rows() -> list[tuple[str, str, str, str]]:
    """(route, checkout, rule, chain) of each row under a route."""
    found = []
    for part in GUIDE.split("<!-- route -->")[1:]:
        name = json.loads(part.split("```json\n")[1].split("```")[0])["name"]
        table = part.split("```")[2].split("\n#")[0]
        found += [(name, *row) for row in re.findall(r"^\| `(\{.*\})` \| (.*?) \| (.*?) \|$", table, re.MULTILINE)]
    return found


def decided(name: str, checkout: str) -> tuple[Any, Any, dict[str, Any]]:
    document = routes()[name]
    order = order_of(CheckoutRequest.model_validate({**CHECKOUT, **json.loads(checkout)}))
    seen = inputs_of(order, NOW)
    return order, engine_of("default", name, document).decide(seen, "pay_1"), seen


def test_the_guide_has_examples() -> None:
    assert (len(routes()), len(rows())) == (5, 13)


@pytest.mark.parametrize(("name", "checkout", "rule", "chain"), rows())
def test_a_checkout_goes_where_the_guide_says(name: str, checkout: str, rule: str, chain: str) -> None:
    _, winner, _ = decided(name, checkout)
    told = winner.rule if winner.chain.arm is None else f"{winner.rule}, arm {winner.chain.arm}"
    assert (told, ", ".join(winner.chain.use)) == (rule, chain)


@pytest.mark.parametrize("name", routes())
def test_the_linter_has_nothing_against_the_guides_routes_but_a_missing_fallback(name: str) -> None:
    found = lint(routes()[name], lambda one: Candidate(one, True, ABLE))
    assert {one.code for one in found} <= {"no-fallback"}
    assert not [one for one in found if one.severity is Severity.ERROR]


def test_the_explanation_is_the_guides() -> None:
    checkout = '{"amount": {"value": 250000, "currency": "EUR"}, "country": "NL"}'
    order, winner, seen = decided("default", checkout)
    document = routes()["default"]
    route = Route("default", "default", document, 1, NOW, NOW)
    decision = plan(order, route, winner, seen, [Candidate(one, True, ABLE) for one in winner.chain.use])
    shown = re.search(r"<!-- explanation -->\n```json\n(.*?)```", GUIDE, re.DOTALL)
    assert shown is not None
    assert explanation_of(decision, document) == json.loads(shown[1])
    assert set(connections_in(document)) == {"mollie-nl", "adyen-eu", "stripe-eu"}


def table(name: str) -> str:
    return GUIDE.split(f"<!-- {name} -->\n")[1].split("<!-- end -->")[0]


def test_every_field_stands_in_the_guide_as_the_table_has_it() -> None:
    metadata = field_of("metadata.channel")
    assert metadata is not None
    told = [(one.name, one.type, one.meaning) for one in FIELDS.values()]
    told.append(("metadata.*", metadata.type, metadata.meaning))
    lines = [f"| `{name}` | {kind} | {meaning} |\n" for name, kind, meaning in told]
    assert table("fields") == "| field | type | what it is |\n| --- | --- | --- |\n" + "".join(lines)


def test_every_operator_stands_in_the_guide_as_the_table_has_it() -> None:
    head = "| operator | works on | takes | holds where the field |\n| --- | --- | --- | --- |\n"
    lines = [
        f"| `{one.name}` | {' and '.join(kind for kind in Type if kind in one.types)} | {one.takes} | {one.meaning} |\n"
        for one in OPERATORS.values()
    ]
    assert table("operators") == head + "".join(lines)
