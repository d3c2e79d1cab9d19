"""The handlers as Lambda's own runtime client runs them: what they answer, and what their logs look like."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.aws.events import called, proxied, queued, scheduled
from tests.aws.runtime_api import Function, FunctionFailed, running

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """On this machine's own database and queue, with the libraries of the tests."""
    var = tmp_path_factory.mktemp("var")
    return {
        "PAYMENTSERVER_ENV": "development",
        "PAYMENTSERVER_VAR": str(var),
        "PAYMENTSERVER_ISSUER": "https://issuer.example/realm",
        "PYTHONPATH": ":".join([str(ROOT), *(one for one in sys.path if "site-packages" in one)]),
    }


@pytest.fixture
def webhooks(environment: dict[str, str], tmp_path: Path) -> Iterator[Function]:
    with running("app.webhooks", ROOT, environment, tmp_path / "log") as function:
        yield function


def test_a_call_is_answered_and_told_in_one_line_of_json(webhooks: Function) -> None:
    for number in range(2):
        answer = webhooks.invoke(called("GET", "/nowhere", headers={"X-Request-Id": f"trace-{number}"}))
        assert answer["statusCode"] == 404
    lines = webhooks.lines()
    assert [(one["message"], one["request_id"], one["cold"]) for one in lines] == [
        ("invocation", "trace-0", True),
        ("invocation", "trace-1", False),
    ]
    assert lines[0]["function"] == "webhooks"
    assert lines[0].keys() >= {"time", "level", "duration_ms", "http_status", "route"}


def test_a_mistake_is_told_without_its_values_and_the_next_batch_is_served(
    environment: dict[str, str], tmp_path: Path
) -> None:
    with running("app.apply", ROOT, environment, tmp_path / "log") as function:
        with pytest.raises(FunctionFailed, match='"errorType": "Failed"'):
            function.invoke({"Records": [{"secret": "42-42-42"}]})
        assert function.invoke(queued("inbound")) == {"batchItemFailures": []}
        told = function.log.read_text()
    assert "42-42-42" not in told
    mistake = next(json.loads(line) for line in told.splitlines() if "unexpected error of a function" in line)
    assert mistake["exceptions"][0]["type"] == "builtins.KeyError"


def test_the_api_answers_problems_with_its_public_url(environment: dict[str, str], tmp_path: Path) -> None:
    with running("app.app", ROOT, environment, tmp_path / "log") as function:
        answer = function.invoke(proxied("POST", "/v1/checkouts", body=b"{}"))
        assert (answer["statusCode"], json.loads(answer["body"])["type"]) == (
            401,
            "http://localhost:8000/problems/unauthenticated",
        )
        assert function.invoke(proxied("GET", "/health/live"))["statusCode"] == 200


@pytest.mark.parametrize("name", ["apply", "notify", "attend"])
def test_a_queues_function_answers_its_batch(environment: dict[str, str], tmp_path: Path, name: str) -> None:
    with running(f"app.{name}", ROOT, environment, tmp_path / "log") as function:
        assert function.invoke(queued(name)) == {"batchItemFailures": []}


@pytest.mark.parametrize("name", ["sweep", "measure"])
def test_a_schedules_function_answers_nothing(environment: dict[str, str], tmp_path: Path, name: str) -> None:
    """Its database has no tables yet, which is a fault and no error of the function."""
    with running(f"app.{name}", ROOT, environment, tmp_path / "log") as function:
        assert function.invoke(scheduled(name)) is None
        assert function.lines()[-1]["result"] in ("done", "fault")


def test_a_function_that_can_not_be_wired_does_not_start(environment: dict[str, str], tmp_path: Path) -> None:
    with (
        pytest.raises(FunctionFailed, match="shards"),
        running("app.webhooks", ROOT, {**environment, "PAYMENTSERVER_SHARDS": "many"}, tmp_path / "log"),
    ):
        pass
