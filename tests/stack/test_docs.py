"""What the server says about itself: documentation, problem pages, unknown addresses, HEAD."""

from __future__ import annotations

import pytest

from chalicelib.api.problem import TITLE_OF
from tests.stack.problems import problem_of
from tests.stack.running import Stack

PAGES = ["/docs", "/docs/start.js", "/docs/swagger-ui.css", "/docs/swagger-ui-bundle.js", "/docs/oauth2-redirect.html"]


def loopback_hosts(stack: Stack) -> list[str]:
    return [f"localhost:{stack.port}", f"127.0.0.1:{stack.port}", f"[::1]:{stack.port}", "localhost", "LOCALHOST"]


@pytest.mark.parametrize("page", PAGES)
def test_the_docs_answer_to_a_loopback_host(stack: Stack, page: str) -> None:
    answers = {
        host: stack.call("GET", page, client=None, headers={"Host": host}).status_code for host in loopback_hosts(stack)
    }
    assert set(answers.values()) == {200}, answers


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("host", ["shop.example", "localhost.shop.example", "127.0.0.1.shop.example", "192.168.1.2"])
def test_the_docs_are_not_there_for_another_host(stack: Stack, page: str, host: str) -> None:
    problem_of(stack, stack.call("GET", page, client=None, headers={"Host": host}), 404, "not-found")


def test_the_docs_load_nothing_from_elsewhere(stack: Stack) -> None:
    answer = stack.call("GET", "/docs", client=None)
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    assert "http://" not in answer.text
    assert "https://" not in answer.text


def test_the_document_is_openapi_3_1_and_names_this_server(stack: Stack) -> None:
    document = stack.call("GET", "/openapi.json", client=None).json()
    assert document["openapi"].startswith("3.1.")
    assert document["servers"] == [{"url": stack.api}]


def test_every_operation_of_the_document_is_served(stack: Stack) -> None:
    """Without a token, so that nothing happens: whatever the answer, it is not that the address or method is unknown."""
    paths = stack.call("GET", "/openapi.json", client=None).json()["paths"]
    missing = []
    for path, operations in paths.items():
        options = stack.call("OPTIONS", path.replace("{", "").replace("}", ""), client=None)
        missing += [f"{method} {path}" for method in operations if method.upper() not in options.headers["Allow"]]
    assert not missing


@pytest.mark.parametrize("slug", sorted(TITLE_OF))
def test_every_problem_has_a_page_with_its_title(stack: Stack, slug: str) -> None:
    answer = stack.call("GET", f"/problems/{slug}", client=None)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "<h1>" in answer.text


@pytest.mark.parametrize("slug", ["nothing", "..%2Fproblem.py", "Conflict", "conflict.md"])
def test_a_problem_that_is_none_has_no_page(stack: Stack, slug: str) -> None:
    problem_of(stack, stack.call("GET", f"/problems/{slug}", client=None), 404, "not-found")


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v1/nothing", "/v2/payments", "/v1/payments/a/b/c", "/.env", "/v1//payments"]
)
@pytest.mark.parametrize("client", ["demo", None])
def test_an_unknown_address_is_a_problem(stack: Stack, path: str, client: str | None) -> None:
    problem = problem_of(stack, stack.call("GET", path, client=client), 404, "not-found")
    assert problem["instance"] == path


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/openapi.json", "/docs", "/v1/payments"])
def test_head_answers_as_get_does_without_the_body(stack: Stack, path: str) -> None:
    got, headed = stack.call("GET", path), stack.call("HEAD", path)
    assert headed.status_code == got.status_code == 200
    assert headed.headers["Content-Type"] == got.headers["Content-Type"]
    assert not headed.content


def test_a_callers_request_id_comes_back(stack: Stack) -> None:
    answer = stack.call("GET", "/v1/payments", headers={"X-Request-Id": "order-17.retry_2"})
    assert answer.headers["X-Request-Id"] == "order-17.retry_2"


def test_a_hostile_request_id_is_replaced(stack: Stack) -> None:
    answer = stack.call("GET", "/v1/nothing", headers={"X-Request-Id": "<script>" + "x" * 100})
    assert answer.headers["X-Request-Id"].startswith("req_")
