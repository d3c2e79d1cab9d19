from __future__ import annotations

import json
from pathlib import Path

import pytest
from chalice.app import BadRequestError, Chalice, Response
from chalice.test import Client, HTTPResponse

from chalicelib.api.middleware import install
from chalicelib.api.problem import TITLE_OF
from chalicelib.wiring import Wiring
from tests.api.served import PUBLIC_URL, header, json_body, serving


def bare_app() -> Chalice:
    """A Chalice app with views that fail in Chalice's own ways, in a server that can not be wired."""
    app = Chalice("bare", configure_logs=False)

    @app.route("/answered")
    def answered() -> Response:
        return Response({"mine": True}, {"X-Request-Id": "own", "Content-Type": "application/json"}, 404)

    @app.route("/plain")
    def plain() -> dict[str, bool]:
        return {"ok": True}

    @app.route("/broken")
    def broken() -> None:
        raise RuntimeError("a secret")

    @app.route("/bad")
    def bad() -> None:
        raise BadRequestError("a detail")

    @app.route("/posted", methods=["POST"])
    def posted() -> None: ...

    def lookup() -> Wiring:
        raise RuntimeError("not wired")

    install(app, lookup)
    return app


def ask(method: str, path: str, **headers: str) -> HTTPResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with Client(bare_app()) as client:
        return client.http.request(method, path, headers=named, body=b"{}" if method == "POST" else b"")


@pytest.mark.parametrize(
    ("method", "path", "content_type", "status", "slug"),
    [
        ("GET", "/bad", "application/json", 400, "unreadable"),
        ("PUT", "/plain", "application/json", 405, "method-not-allowed"),
        ("POST", "/posted", "multipart/form-data", 415, "unsupported-media-type"),
        ("GET", "/broken", "application/json", 500, "internal-error"),
    ],
)
def test_an_error_of_chalices_is_a_problem(method: str, path: str, content_type: str, status: int, slug: str) -> None:
    response = ask(method, path, Content_Type=content_type, X_Request_Id="mine-7")
    shown = json_body(response)
    assert response.status_code == status
    assert header(response, "Content-Type") == "application/problem+json"
    assert header(response, "X-Request-Id") == "mine-7"
    assert (shown["type"], shown["title"], shown["status"]) == (f"/problems/{slug}", TITLE_OF[slug], status)
    assert (shown["instance"], shown["request_id"]) == (path, "mine-7")


def test_a_wrong_method_is_told_the_right_ones() -> None:
    assert header(ask("PUT", "/plain"), "Allow") == "GET"


def test_nothing_of_an_exception_is_told() -> None:
    assert "secret" not in json.dumps(json_body(ask("GET", "/broken")))


def test_an_answer_of_an_operation_passes_untouched() -> None:
    response = ask("GET", "/answered")
    assert (response.status_code, json_body(response), header(response, "X-Request-Id")) == (404, {"mine": True}, "own")


def test_an_answer_without_a_request_id_gets_one() -> None:
    assert (header(ask("GET", "/plain"), "X-Request-Id") or "").startswith("req_")


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "é", "a/b"])
def test_a_request_id_that_is_not_well_formed_is_not_taken_over(given: str) -> None:
    assert (header(ask("GET", "/broken", X_Request_Id=given), "X-Request-Id") or "").startswith("req_")


def test_the_app_answers_a_wrong_method_with_a_problem(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        response = served.call("PATCH", "/v1/payments")
    assert response.status_code == 405
    assert json_body(response)["type"] == f"{PUBLIC_URL}/problems/method-not-allowed"
