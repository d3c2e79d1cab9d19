"""Reading and overriding the health of a connection over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from chalicelib.domain.view import text_of
from chalicelib.routing.health import Outcome
from tests.api.configuring import CONNECTION, EVERYTHING, Api, serving_configuration

HEALTH = "/v1/connections/toy-nl/health"


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with serving_configuration(tmp_path) as made:
        assert made.call("POST", "/v1/connections", CONNECTION).status_code == 201
        yield made


def calls(api: Api, *answered: bool) -> None:
    """One a hundredth of a second after the other, the last one now."""
    now_s = api.ports.clock.now().timestamp()
    for number, one in reversed(list(enumerate(reversed(answered)))):
        at_s = now_s - number / 100
        api.health.record("default", "toy-nl", Outcome(at_s - 0.09, at_s, one))


def test_a_connection_that_nobody_called_is_healthy(api: Api) -> None:
    answer = api.call("GET", HEALTH)
    assert answer.status_code == 200
    assert answer.json_body == {
        "connection_id": "toy-nl",
        "state": "closed",
        "override": None,
        "circuit": "closed",
        "reason": None,
        "opened_at": None,
        "next_probe_at": None,
        "window": {
            "seconds": 60,
            "calls": 0,
            "failures": 0,
            "failure_share": 0.0,
            "latency_ms": {"p50": None, "p95": None},
        },
    }


def test_an_open_circuit_says_since_when_why_and_when_somebody_finds_out(api: Api) -> None:
    calls(api, True, *[False] * 5)
    shown, now = api.call("GET", HEALTH).json_body, api.ports.clock.now()
    assert (shown["state"], shown["circuit"], shown["reason"]) == ("open", "open", "5 failures in a row")
    assert (shown["opened_at"], shown["next_probe_at"]) == (text_of(now), text_of(now + timedelta(seconds=10)))
    assert shown["window"] == {
        "seconds": 60,
        "calls": 6,
        "failures": 5,
        "failure_share": 0.8333,
        "latency_ms": {"p50": 100, "p95": 100},
    }


def test_a_half_open_circuit_has_no_next_probe_to_wait_for(api: Api) -> None:
    calls(api, *[False] * 5)
    api.ports.clock.pass_s(10)  # type: ignore[attr-defined]
    shown = api.call("GET", HEALTH).json_body
    assert (shown["state"], shown["next_probe_at"]) == ("half_open", None)


@pytest.mark.parametrize("override", ["open", "closed", None])
def test_an_override_shows_beside_what_was_measured(api: Api, override: str | None) -> None:
    calls(api, *[False] * 5)
    answer = api.call("PUT", HEALTH, {"override": override})
    assert answer.status_code == 200
    expected = {"override": override, "state": override or "open", "circuit": "open"}
    assert {name: answer.json_body[name] for name in expected} == expected
    assert api.call("GET", HEALTH).json_body == answer.json_body


def test_a_connection_and_the_list_of_them_show_the_state(api: Api) -> None:
    calls(api, *[False] * 5)
    assert api.call("GET", "/v1/connections/toy-nl").json_body["health"] == "open"
    api.call("PUT", HEALTH, {"override": "closed"})
    (item,) = api.call("GET", "/v1/connections").json_body["items"]
    assert (item["health"], item["override"]) == ("closed", "closed")


def test_an_override_is_a_new_version_and_stands_in_the_audit_log(api: Api) -> None:
    assert api.call("PUT", HEALTH, {"override": "open"}).status_code == 200
    entry = api.call("GET", "/v1/audit").json_body["items"][0]
    assert (entry["action"], entry["object_kind"], entry["object_id"]) == ("override", "connection", "toy-nl")
    assert (entry["before"]["override"], entry["after"]["override"]) == (None, "open")


def test_an_override_stays_when_the_connection_is_changed(api: Api) -> None:
    api.call("PUT", HEALTH, {"override": "open"})
    read = api.call("GET", "/v1/connections/toy-nl").json_body
    answer = api.call("PUT", "/v1/connections/toy-nl", {**read, "override": None}, match=2)
    assert (answer.status_code, answer.json_body["override"]) == (200, "open")


@pytest.mark.parametrize("body", [{}, {"override": "half_open"}, {"override": True}, {"override": None, "more": 1}])
def test_a_bad_override_is_refused(api: Api, body: Any) -> None:
    assert api.call("PUT", HEALTH, body).status_code == 422


@pytest.mark.parametrize(("method", "body"), [("GET", None), ("PUT", {"override": "open"})])
def test_another_merchant_accounts_connection_is_not_found(api: Api, method: str, body: Any) -> None:
    assert api.call(method, HEALTH, body, token=f"other {EVERYTHING}").status_code == 404


def test_a_deleted_connection_has_no_health(api: Api) -> None:
    api.call("DELETE", "/v1/connections/toy-nl", match=1)
    assert api.call("GET", HEALTH).status_code == 404
