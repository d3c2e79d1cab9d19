"""The API's function, by API Gateway's events."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from chalicelib.functions import api
from tests.aws.events import Context, proxied
from tests.functions.conftest import PUBLIC_URL, Process

CHECKOUTS = "/v1/checkouts"


def call(*arguments: Any, **named: Any) -> dict[str, Any]:
    answer = api.handle(proxied(*arguments, **named), Context())
    json.dumps(answer)  # Lambda takes nothing else
    return answer


def slug_in(answer: dict[str, Any], status: int) -> str:
    assert answer["statusCode"] == status, answer
    document = json.loads(answer["body"])
    assert document["status"] == status
    assert document["request_id"] == answer["headers"]["X-Request-Id"]
    return str(document["type"]).removeprefix(f"{PUBLIC_URL}/problems/")


def test_an_operation_answers_with_the_headers_of_the_gateway(process: Process) -> None:
    answer = call("GET", "/health/live", headers={"X-Request-Id": "trace-1"})
    assert answer["statusCode"] == 200
    wanted = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Request-Id": "trace-1"}
    assert wanted.items() <= answer["headers"].items()


def test_without_a_request_id_it_is_lambdas(process: Process) -> None:
    context = Context()
    answer = api.handle(proxied("GET", "/health/live"), context)
    assert answer["headers"]["X-Request-Id"] == context.aws_request_id


def test_a_call_without_a_token_is_401(process: Process) -> None:
    answer = call("POST", CHECKOUTS, body=b"{}", headers={"Content-Type": "application/json"})
    assert slug_in(answer, 401) == "unauthenticated"


def test_parameters_and_query_reach_the_operation(process: Process) -> None:
    assert slug_in(call("GET", "/problems/{slug}", params={"slug": "no-such"}), 404) == "not-found"
    assert call("GET", "/problems/{slug}", params={"slug": "declined"}, query="a=1&a=2")["statusCode"] == 200


def test_two_tokens_are_refused(process: Process) -> None:
    answer = call("POST", CHECKOUTS, body=b"{}", headers={"authorization": ["Bearer a", "Bearer b"]})
    assert slug_in(answer, 400) == "unreadable"


def test_two_tokens_under_two_spellings_of_the_name_are_refused(process: Process) -> None:
    answer = call("POST", CHECKOUTS, body=b"{}", headers={"authorization": "Bearer a", "Authorization": "Bearer b"})
    assert slug_in(answer, 400) == "unreadable"


@pytest.mark.parametrize(("size", "status"), [(65_536, 401), (65_537, 413)])
def test_a_body_may_have_64_kib(process: Process, size: int, status: int) -> None:
    assert call("POST", CHECKOUTS, body=b"x" * size)["statusCode"] == status


def test_a_call_is_one_wide_line_that_names_no_value(process: Process, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "paymentserver.functions"):
        call("GET", "/problems/{slug}", params={"slug": "declined"})
    (line,) = [one.fields for one in caplog.records if one.message == "invocation"]  # type: ignore[attr-defined]
    assert (line["route"], line["http_status"], line["bytes_in"]) == ("GET /problems/{slug}", 200, 0)
    assert line["bytes_out"] > 0


@pytest.mark.parametrize(
    ("text", "count", "status"),
    [("\x00", 500_000, 200), ("\x00", 900_000, 413), ("\U0001f600", 600_000, 413)],
    ids=repr,
)
def test_an_answer_that_lambda_could_not_give_back_says_so_instead_of_failing(
    process: Process, monkeypatch: pytest.MonkeyPatch, text: str, count: int, status: int
) -> None:
    """Bytes that a stranger posted as a webhook take seven times their room in a list of the inbox."""
    answer = {"statusCode": 200, "headers": {}, "multiValueHeaders": {}, "body": json.dumps(text * count)}
    monkeypatch.setattr(api, "_app", _Answering(answer))
    told = call("GET", "/v1/inbox")
    assert told["statusCode"] == status
    assert len(json.dumps(told)) < 6 * 1024 * 1024
    if status != 200:
        assert slug_in(told, 413) == "too-large"


class _Answering:
    routes = ("/v1/inbox",)

    def __init__(self, answer: dict[str, Any]) -> None:
        self._answer = answer

    def __call__(self, event: object, context: object) -> dict[str, Any]:
        return self._answer
