"""Each scenario, through the real driver over HTTP: what the PSP is asked, what its answers and webhooks come to, and how the
payment stands afterwards."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from chalicelib.contracts.conversation import HttpRequest
from chalicelib.domain.facts import Fact
from tests.conformance.connectors.playing import Told, expected_of, play
from tests.conformance.connectors.profile import connector_of
from tests.conformance.connectors.recordings import Scenario, Step
from tests.conformance.connectors.replay import Replay
from tests.conformance.connectors.standing import stands

ORDERS_MAX = 24


def test_a_scenario_comes_to_what_it_says(scenario: Scenario, replay: Replay) -> None:
    connector = connector_of(scenario.psp)
    told: list[Told] = []
    for step in scenario.steps:
        told.append(play(connector, scenario, step, replay))
        assert told[-1].view == expected_of(step), f"step {len(told)}, {step.call}"
        check_requests(step, told[-1].requests)
    if scenario.ends is not None:
        check_end(scenario, [one.facts for one in told])


def check_requests(step: Step, requests: list[HttpRequest]) -> None:
    assert len(requests) == len(step.exchanges), "as many requests as were recorded"
    for request, exchange in zip(requests, step.exchanges, strict=True):
        wanted = exchange.get("request", {})
        address, _, query = request.url.partition("?")
        seen: dict[str, Any] = {"method": request.method, "url": address}
        assert {name: part for name, part in wanted.items() if name in seen} == seen
        assert dict(parse_qsl(query, keep_blank_values=True)) == wanted.get("query", {})
        lowered = {name.lower(): value for name, value in request.headers.items()}
        for name, value in wanted.get("headers", {}).items():
            assert lowered.get(name.lower()) == value, name
        check_body(request, wanted)


def check_body(request: HttpRequest, wanted: Mapping[str, Any]) -> None:
    """A recorded body is the whole body."""
    if "form" in wanted:
        assert dict(parse_qsl((request.body or b"").decode(), keep_blank_values=True)) == wanted["form"]
    elif "json" in wanted:
        assert json.loads(request.body or b"null") == wanted["json"]
    elif "text" in wanted:
        assert (request.body or b"").decode() == wanted["text"]
    else:
        assert not request.body, "a request with a body is recorded with `form`, `json` or `text`"
    assert urlsplit(request.url).scheme in ("https", "http")


def check_end(scenario: Scenario, batches: list[tuple[Fact, ...]]) -> None:
    """In whatever order they become known."""
    for order in itertools.islice(itertools.permutations(batches), ORDERS_MAX):
        assert stands(scenario, order) == scenario.ends
