"""The gateway as a WSGI application, without a server around it."""

from __future__ import annotations

import base64
import io
import json
import re
from dataclasses import dataclass
from typing import Any

import pytest

from chalicelib.api.envelope import WEBHOOK_LIMIT_BYTES
from chalicelib.services.intake import BODY_BYTES_MAX
from server.gateway import gateway
from server.wsgi_adapter import RECEPTION, Reception
from tests.server.shop import app

serve = gateway(app, public_url="https://pay.example/")


@dataclass
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Untouchable:
    def read(self, size: int = -1) -> bytes:
        raise AssertionError("the body was read")


def ask(method: str, target: str, body: Any = b"", application: Any = serve, **environ: Any) -> Answer:
    raw, _, query = target.partition("?")
    made = {
        "REQUEST_METHOD": method,
        "RAW_URI": target,
        "PATH_INFO": raw,
        "QUERY_STRING": query,
        "REMOTE_ADDR": "192.0.2.9",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body) if isinstance(body, bytes) else body,
    }
    if isinstance(body, bytes) and body:
        made["CONTENT_LENGTH"] = str(len(body))
    started: list[Any] = []
    parts = application({**made, **environ}, lambda status, headers: started.append((status, headers)))
    status, headers = started[0]
    return Answer(int(status.split()[0]), headers, b"".join(parts))


def test_a_slash_inside_a_parameter_stays_inside() -> None:
    assert ask("GET", "/items/a%2Fb").json["params"] == {"item_id": "a%2Fb"}


def test_a_literal_segment_wins_over_a_parameter() -> None:
    assert ask("GET", "/items/special").json["params"] == {"special": "yes"}


def test_a_literal_segment_may_be_percent_encoded() -> None:
    assert ask("GET", "/items/%73pecial").json["params"] == {"special": "yes"}


def test_a_path_that_begins_as_a_literal_one_still_finds_the_parameter() -> None:
    assert ask("GET", "/items/special/parts/2").json["params"] == {"item_id": "special", "part": "2"}


def test_the_absolute_form_of_a_target_is_understood() -> None:
    assert ask("GET", "http://shop.example/items/7?a=1", QUERY_STRING="a=1").json["params"] == {"item_id": "7"}


def test_repeated_query_parameters_keep_their_order() -> None:
    assert ask("GET", "/echo?x=1&y=&x=2").json["query"] == {"x": ["1", "2"], "y": [""]}


@pytest.mark.parametrize("body", [bytes(range(256)), b"\xff\xfe", b"{}", b" \r\n", b"caf\xc3\xa9"], ids=repr)
def test_the_app_sees_the_exact_bytes(body: bytes) -> None:
    echoed = ask("POST", "/echo", body, CONTENT_TYPE="application/octet-stream").json["body"]
    assert base64.b64decode(echoed) == body


UNKNOWN = ["/", "/nope", "/items/", "/items//parts/2", "/items/1/2", "//echo", "*", "/items/1/.."]


@pytest.mark.parametrize("path", UNKNOWN)
def test_an_unknown_path_is_a_problem_of_ours(path: str) -> None:
    answer = ask("GET", path)
    assert answer.status == 404
    assert answer.header("Content-Type") == "application/problem+json"
    assert answer.json["type"] == "https://pay.example/problems/not-found"
    assert answer.json["instance"] == path
    assert answer.json["request_id"] == answer.header("X-Request-Id")


@pytest.mark.parametrize("method", ["DELETE", "TRACE", "BREW"])
def test_a_wrong_method_is_told_the_right_ones(method: str) -> None:
    answer = ask(method, "/echo")
    assert (answer.status, answer.header("Allow")) == (405, "GET, HEAD, OPTIONS, POST")
    assert answer.json["type"].endswith("/problems/method-not-allowed")


def test_options_answers_without_asking_the_app() -> None:
    answer = ask("OPTIONS", "/items/7")
    assert (answer.status, answer.header("Allow"), answer.body) == (204, "GET, HEAD, OPTIONS", b"")


def test_head_is_get_without_its_body() -> None:
    head, get = ask("HEAD", "/picture", HTTP_ACCEPT="*/*"), ask("GET", "/picture", HTTP_ACCEPT="*/*")
    assert (head.status, head.body) == (200, b"")
    assert head.header("Content-Length") == get.header("Content-Length") == "256"


def test_a_binary_answer_is_sent_as_it_is() -> None:
    assert ask("GET", "/picture", HTTP_ACCEPT="*/*").body == bytes(range(256))


def test_an_answers_own_cache_control_stays() -> None:
    assert ask("GET", "/picture", HTTP_ACCEPT="*/*").header("Cache-Control") == "max-age=60"


def test_repeated_headers_of_an_answer_are_all_sent() -> None:
    answer = ask("GET", "/cookies")
    assert [value for name, value in answer.headers if name == "Set-Cookie"] == ["a=1", "b=2"]


def test_an_answer_without_content_says_nothing_about_its_length_or_type() -> None:
    answer = ask("GET", "/cookies")
    assert (answer.status, answer.header("Content-Length"), answer.header("Content-Type")) == (204, None, None)


@pytest.mark.parametrize("target", ["/echo", "/nope", "/broken", "/items/%zz"])
def test_every_answer_has_the_security_headers(target: str) -> None:
    answer = ask("GET", target)
    assert answer.header("X-Content-Type-Options") == "nosniff"
    assert answer.header("Cache-Control") == "no-store"
    assert answer.header("Referrer-Policy") == "no-referrer"


def test_a_well_formed_request_id_is_kept_and_reaches_the_app() -> None:
    answer = ask("GET", "/echo", HTTP_X_REQUEST_ID="order-1.a_B")
    assert answer.header("X-Request-Id") == answer.json["headers"]["x-request-id"] == "order-1.a_B"


@pytest.mark.parametrize("given", ["", "a b", "a" * 65, "é", "a\r\nb", "a,b"], ids=repr)
def test_any_other_request_id_is_replaced(given: str) -> None:
    answer = ask("GET", "/echo", HTTP_X_REQUEST_ID=given)
    assert re.fullmatch("req_[0-9a-f]{24}", answer.header("X-Request-Id") or "")


def test_a_body_declared_too_large_is_refused_unread() -> None:
    answer = ask("POST", "/echo", Untouchable(), CONTENT_LENGTH="65537")
    assert (answer.status, answer.json["type"]) == (413, "https://pay.example/problems/too-large")


def test_a_chunked_body_is_read_no_further_than_its_limit() -> None:
    source = io.BytesIO(b"x" * 200_000)
    assert ask("POST", "/echo", source, HTTP_TRANSFER_ENCODING="chunked").status == 413
    assert source.tell() == 65_537


def test_a_webhook_may_be_larger() -> None:
    assert ask("POST", "/webhooks/m/c", b"x" * WEBHOOK_LIMIT_BYTES).status == 200


def test_a_webhook_has_its_own_limit_which_is_what_can_be_queued() -> None:
    assert WEBHOOK_LIMIT_BYTES == BODY_BYTES_MAX
    assert ask("POST", "/webhooks/m/c", Untouchable(), CONTENT_LENGTH=str(WEBHOOK_LIMIT_BYTES + 1)).status == 413


@pytest.mark.parametrize("query", ["b=2&a=%7e+x%20&a=%C3%a9&c", "", "a=1%09", "=&="])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_webhooks_query_reaches_the_app_as_it_was_sent(method: str, query: str) -> None:
    """Whatever the server made of it: some take control characters out."""
    assert ask(method, f"/webhooks/m/c?{query}", QUERY_STRING="a=1").json["raw_query"] == query


def test_a_server_that_does_not_tell_the_target_tells_the_query() -> None:
    assert ask("GET", "/webhooks/m/c?a=%7e", RAW_URI="").json["raw_query"] == "a=%7e"


def test_head_is_no_webhook() -> None:
    for method in ("HEAD", "PUT"):
        answer = ask(method, "/webhooks/m/c")
        assert (answer.status, answer.header("Allow")) == (405, "GET, OPTIONS, POST")


def test_a_query_is_in_no_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        ask("GET", "/webhooks/m/c?token=a-secret")
        ask("GET", "/nowhere?token=a-secret")
        ask("GET", "/webhooks/m/c?token=a-secret%ff")
    assert len(caplog.records) == 3
    assert not [record for record in caplog.records if "a-secret" in str(vars(record))]


def test_a_refused_body_closes_the_connection() -> None:
    closed: list[bool] = []
    reception = Reception([], lambda: None, lambda: closed.append(True))
    ask("POST", "/echo", Untouchable(), CONTENT_LENGTH="65537", **{RECEPTION: reception})
    assert closed == [True]


@pytest.mark.parametrize("length", ["-1", "1e3", "²", "+4", "4 4"], ids=repr)
def test_a_length_that_is_no_number_is_unreadable(length: str) -> None:
    assert ask("POST", "/echo", io.BytesIO(b"abcd"), CONTENT_LENGTH=length).status == 400


def test_a_body_shorter_than_declared_never_reaches_the_app() -> None:
    answer = ask("POST", "/echo", b"abc", CONTENT_LENGTH="5")
    assert (answer.status, answer.json["type"]) == (400, "https://pay.example/problems/unreadable")


@pytest.mark.parametrize("target", ["/items/%zz", "/items/%", "/items/%ff", "/items/%00", "/echo?x=%ff"])
def test_a_target_that_is_not_text_is_unreadable(target: str) -> None:
    assert ask("GET", target).status == 400


def test_too_many_query_parameters_are_unreadable() -> None:
    assert ask("GET", "/echo?" + "&".join(["x=1"] * 101)).status == 400


def test_a_failure_of_the_app_says_nothing_about_it() -> None:
    answer = ask("GET", "/broken")
    assert (answer.status, answer.json["type"]) == (500, "https://pay.example/problems/internal-error")
    assert b"Traceback" not in answer.body
    assert b"secret" not in answer.body


def test_debug_mode_shows_no_stack_trace_either() -> None:
    app.debug = True
    try:
        answer = ask("GET", "/broken")
    finally:
        app.debug = False
    assert answer.json["title"] == "PaymentServer failed"


def test_a_header_that_would_split_the_answer_is_a_failure() -> None:
    answer = ask("GET", "/split-header")
    assert (answer.status, answer.header("Location")) == (500, None)


@pytest.mark.parametrize(
    ("method", "target", "environ", "status"),
    [
        ("GET", "/refused", {}, 400),
        ("GET", "/picture", {"HTTP_ACCEPT": "text/html"}, 400),
        ("POST", "/echo", {"CONTENT_TYPE": "text/strange"}, 415),
    ],
)
def test_chalices_own_errors_become_problems(method: str, target: str, environ: dict[str, str], status: int) -> None:
    answer = ask(method, target, **environ)
    assert (answer.status, answer.json["status"]) == (status, status)
    assert answer.header("Content-Type") == "application/problem+json"


FORWARDED = {"HTTP_X_FORWARDED_FOR": "203.0.113.1, 198.51.100.2", "HTTP_X_FORWARDED_PROTO": "https"}


@pytest.mark.parametrize(
    ("proxies", "address", "scheme"),
    [(0, "192.0.2.9", "http"), (1, "198.51.100.2", "https"), (2, "203.0.113.1", "https"), (3, "192.0.2.9", "https")],
)
def test_as_many_proxies_are_believed_as_there_are(proxies: int, address: str, scheme: str) -> None:
    behind = gateway(app, public_url="https://pay.example", trusted_proxies=proxies)
    told = ask("GET", "/echo", application=behind, **FORWARDED).json
    assert (told["source"], told["headers"]["x-forwarded-for"]) == (address, address)
    assert told["headers"]["x-forwarded-proto"] == scheme


@pytest.mark.parametrize("name", ["AUTHORIZATION", "IDEMPOTENCY-KEY", "IF-MATCH"])
def test_a_header_that_decides_may_not_be_sent_twice(name: str) -> None:
    reception = Reception([(name, "a"), (name, "b")], lambda: None, lambda: None)
    assert ask("GET", "/echo", **{RECEPTION: reception}).status == 400


def test_the_route_and_never_the_path_is_counted() -> None:
    from prometheus_client import REGISTRY

    labels = {"operation": "GET /items/{item_id}", "status": "200"}
    before = REGISTRY.get_sample_value("http_requests_total", labels) or 0
    ask("GET", "/items/personal")
    assert REGISTRY.get_sample_value("http_requests_total", labels) == before + 1
