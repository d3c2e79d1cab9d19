"""The function behind the function URL: what it takes, what it answers, and that nothing hostile makes it fail."""

from __future__ import annotations

import base64
import json
import logging
from dataclasses import replace
from typing import NoReturn

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.connectors.sandbox.connector import SandboxConnector
from chalicelib.contracts.conversation import Conversation, HttpRequest
from chalicelib.contracts.query import QUERY_BYTES_MAX
from chalicelib.contracts.queue import Topic
from chalicelib.contracts.webhooks import Delivery
from chalicelib.domain.errors import QueueFault, StorageFault, VaultFault
from chalicelib.domain.ids import payment_id_of
from chalicelib.functions import webhooks
from chalicelib.services.intake import UNKNOWN_EVERY_S, UNKNOWN_MAX, Intake
from chalicelib.services.returns import return_token
from tests.aws.events import Context, called
from tests.conformance.connectors.hostile import UNREADABLE_QUERIES
from tests.functions.conftest import SECRET, Process
from tests.functions.webhook_calls import ADDRESS, EVENT, call, problem_in, signed

PAYMENT_ID = payment_id_of("default", "a-key")
SHOP = "https://shop.example/return?basket=7"


def queued(process: Process) -> list[dict[str, str]]:
    return [json.loads(one.body) for one in process.wiring.queue.receive(Topic.INBOUND)]


@pytest.mark.parametrize("as_text", [False, True])
def test_a_signed_webhook_is_queued_byte_for_byte_and_gets_its_psps_answer(process: Process, as_text: bool) -> None:
    answer = call("POST", ADDRESS, signed(EVENT, SECRET), EVENT, as_text=as_text)
    assert (answer["statusCode"], answer["body"], answer["isBase64Encoded"]) == (200, '{"received":true}', False)
    (message,) = queued(process)
    assert message["state"] == "verified"
    assert base64.b64decode(message["body"]) == EVENT


def test_bytes_that_are_no_text_arrive_as_they_are(process: Process) -> None:
    body = bytes(range(256))
    assert call("POST", ADDRESS, signed(body, SECRET), body)["statusCode"] == 200
    assert base64.b64decode(queued(process)[0]["body"]) == body


def test_an_unsigned_webhook_is_refused_and_one_of_a_minute_is_kept(process: Process) -> None:
    for _ in range(3):
        problem_in(call("POST", ADDRESS, {}, EVENT), 400, "signature-invalid")
    assert [one["state"] for one in queued(process)] == ["rejected"]


def test_percent_encoding_in_the_path_is_the_same_address(process: Process) -> None:
    assert call("POST", "/webhooks/d%65fault/sandbox%2Da", signed(EVENT, SECRET), EVENT)["statusCode"] == 200


def test_a_slash_at_the_end_is_the_same_address(process: Process) -> None:
    assert call("POST", ADDRESS + "/", signed(EVENT, SECRET), EVENT)["statusCode"] == 200


def test_a_query_is_no_part_of_the_address(process: Process) -> None:
    assert call("POST", ADDRESS + "?a=%c3%a9&", signed(EVENT, SECRET), EVENT)["statusCode"] == 200
    (message,) = queued(process)
    assert (message["method"], message["query"]) == ("POST", "a=%c3%a9&")


@pytest.fixture
def by_get(monkeypatch: pytest.MonkeyPatch) -> None:
    """The PSP calls back by GET, too."""
    takes = replace(SandboxConnector.capabilities, webhook_methods=frozenset({"GET", "POST"}))
    monkeypatch.setattr(SandboxConnector, "capabilities", takes)


def test_a_callback_by_get_is_queued_with_its_query_exactly(process: Process, by_get: None) -> None:
    query = "b=2&a=%7e+x%20&a=%C3%a9&c"
    answer = call("GET", f"{ADDRESS}?{query}", signed(b"", SECRET))
    assert (answer["statusCode"], answer["body"]) == (200, '{"received":true}')
    (message,) = queued(process)
    assert (message["method"], message["query"], message["body"]) == ("GET", query, "")


def test_head_is_no_webhook_where_get_is_one(process: Process, by_get: None) -> None:
    answer = call("HEAD", ADDRESS, signed(b"", SECRET))
    assert (answer["statusCode"], answer["headers"]["Allow"]) == (405, "GET, OPTIONS, POST")
    assert queued(process) == []


def test_an_unsigned_callback_is_refused(process: Process, by_get: None) -> None:
    problem_in(call("GET", f"{ADDRESS}?a=1"), 400, "signature-invalid")


@pytest.mark.parametrize("query", UNREADABLE_QUERIES, ids=range(len(UNREADABLE_QUERIES)))
def test_a_query_that_no_address_may_hold_is_unreadable(process: Process, by_get: None, query: str) -> None:
    document = problem_in(call("GET", f"{ADDRESS}?{query}", signed(b"", SECRET)), 400, "unreadable")
    assert document["instance"] == ADDRESS


def test_the_longest_query_is_taken_and_one_character_more_is_not(process: Process, by_get: None) -> None:
    longest = "a=" + "x" * (QUERY_BYTES_MAX - 2)
    assert call("GET", f"{ADDRESS}?{longest}", signed(b"", SECRET))["statusCode"] == 200
    problem_in(call("GET", f"{ADDRESS}?{longest}x", signed(b"", SECRET)), 413, "too-large")


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "",
        "/webhooks",
        "/webhooks/default",
        "/webhooks//sandbox-a",
        "/webhooks/default/sandbox-a/more",
        "/webhooks/default%2Fsandbox-a",
        "/v1/checkouts",
        "/health/live",
        "//webhooks/default/sandbox-a",
        "webhooks",
    ],
)
def test_every_other_path_is_404(process: Process, path: str) -> None:
    assert problem_in(call("POST", path), 404, "not-found")["instance"] == path


@pytest.mark.parametrize("address", ["/webhooks/default/nobody", "/webhooks/nobody/sandbox-a", "/webhooks/%20/%2F"])
def test_an_unknown_connection_is_404(process: Process, address: str) -> None:
    problem_in(call("POST", address, {}, EVENT), 404, "not-found")


@pytest.mark.parametrize("path", ["/webhooks/default/%", "/webhooks/default/%zz", "/returns/%ff", "/webhooks/a/%00"])
def test_a_broken_path_is_400(process: Process, path: str) -> None:
    problem_in(call("POST", path), 400, "unreadable")


def test_a_get_is_no_webhook_where_the_psp_posts(process: Process) -> None:
    answer = call("GET", ADDRESS, signed(b"", SECRET))
    problem_in(answer, 405, "method-not-allowed")
    assert answer["headers"]["Allow"] == "OPTIONS, POST"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "HEAD", "TRACE", "BREW"])
def test_a_webhook_never_comes_otherwise(process: Process, method: str) -> None:
    answer = call(method, ADDRESS)
    assert (answer["statusCode"], answer["headers"]["Allow"]) == (405, "GET, OPTIONS, POST")
    if method != "HEAD":
        problem_in(answer, 405, "method-not-allowed")


def test_options_says_what_an_address_takes(process: Process) -> None:
    answer = call("OPTIONS", "/returns/x")
    assert (answer["statusCode"], answer["headers"]["Allow"]) == (204, "GET, HEAD, OPTIONS")


def test_the_largest_webhook_that_a_message_holds_is_taken_and_one_byte_more_is_not(process: Process) -> None:
    largest = b"x" * 131_072
    assert call("POST", ADDRESS, signed(largest, SECRET), largest)["statusCode"] == 200
    problem_in(call("POST", ADDRESS, signed(largest + b"x", SECRET), largest + b"x"), 413, "too-large")
    assert len(queued(process)) == 1


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_shopper_is_sent_on_to_the_shop_and_a_sync_is_asked_for(process: Process, method: str) -> None:
    token = return_token(process.wiring.inbound_ports.return_key(), PAYMENT_ID, SHOP)
    answer = call(method, f"/returns/{token}")
    assert (answer["statusCode"], answer["body"]) == (303, "")
    assert answer["headers"]["Location"] == f"{SHOP}&payment_id={PAYMENT_ID}"
    assert queued(process) == [{"do": "sync", "id": PAYMENT_ID}]


def test_a_return_link_that_is_not_ours_is_404(process: Process) -> None:
    problem_in(call("GET", f"/returns/{PAYMENT_ID}.{'0' * 32}"), 404, "not-found")


def test_every_answer_has_the_headers_of_the_gateway(process: Process) -> None:
    for answer in (call("POST", ADDRESS, signed(EVENT, SECRET), EVENT), call("GET", "/nowhere")):
        wanted = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
        assert wanted.items() <= answer["headers"].items()


def test_the_request_id_is_the_callers_or_lambdas(process: Process) -> None:
    assert call("GET", "/nowhere", {"X-Request-Id": "order-1.a_B"})["headers"]["X-Request-Id"] == "order-1.a_B"
    for given_id in ("", "a" * 65, "two words", "é"):
        context = Context()
        answer = webhooks.handle(called("GET", "/nowhere", headers={"X-Request-Id": given_id}), context)
        assert answer["headers"]["X-Request-Id"] == context.aws_request_id


def test_a_queue_that_is_down_is_503_so_that_the_psp_sends_again(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_: object, **__: object) -> None:
        raise QueueFault("secret-host does not answer")

    monkeypatch.setattr(process.wiring.queue, "send", down)
    answer = call("POST", ADDRESS, signed(EVENT, SECRET), EVENT)
    document = problem_in(answer, 503, "queue-fault")
    assert answer["headers"]["Retry-After"] == "5"
    assert "secret-host" not in document["detail"]


def test_of_webhooks_that_only_a_call_could_verify_so_many_are_taken_and_the_psp_repeats_the_others(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asking(self: object, delivery: Delivery) -> Conversation[None]:
        yield HttpRequest("GET", "https://psp.example/key", keeps_s=60)

    monkeypatch.setattr(SandboxConnector, "verify", asking)
    for _ in range(UNKNOWN_MAX):
        assert call("POST", ADDRESS, {}, EVENT)["statusCode"] == 200
    answer = call("POST", ADDRESS, {}, EVENT)
    problem_in(answer, 429, "too-many-requests")
    assert 1 <= int(answer["headers"]["Retry-After"]) <= UNKNOWN_EVERY_S
    assert [one["state"] for one in queued(process)] == ["unverified"] * 10, "as many as one look gives"


def test_a_database_that_is_down_is_no_error_for_the_psp(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(*_: object, **__: object) -> None:
        raise StorageFault("no answer")

    monkeypatch.setattr(process.wiring.store, "get", down)
    assert call("POST", ADDRESS, signed(EVENT, SECRET), EVENT)["statusCode"] == 200
    assert [one["state"] for one in queued(process)] == ["unverified"]


def test_a_mistake_of_ours_is_a_problem_document_without_a_trace(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("the secret is 42")

    monkeypatch.setattr(process.wiring.intake, "take", broken)
    assert "42" not in str(problem_in(call("POST", ADDRESS, {}, EVENT), 500, "internal-error"))


def test_each_call_is_one_wide_line_without_path_query_or_body(
    process: Process, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "paymentserver.functions"):
        call("POST", f"{ADDRESS}?token=a-secret", {**signed(EVENT, SECRET), "X-Request-Id": "trace-1"}, EVENT)
    (line,) = [one.fields for one in caplog.records if one.message == "invocation"]  # type: ignore[attr-defined]
    assert line.pop("duration_ms") > 0
    line.pop("cold")
    assert line == {
        "result": "done",
        "method": "POST",
        "route": "POST /webhooks/{merchant_id}/{connection_id}",
        "http_status": 200,
        "bytes_in": len(EVENT),
        "bytes_out": len('{"received":true}'),
    }


HOSTILE = st.text(max_size=40) | st.text("/%.0aF", max_size=40)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=HOSTILE.map(lambda rest: ADDRESS + rest)
    | HOSTILE.map(lambda rest: f"{ADDRESS}?{rest}")
    | HOSTILE
    | HOSTILE.map(lambda rest: f"/returns/{rest}"),
    header=st.text(max_size=60) | st.sampled_from(["", "t=1", "t=1,v1=é", "t=,v1=", "t=" + "9" * 20]),
    body=st.binary(max_size=50) | st.sampled_from([b"{" * 60_000, b"x" * 200_000, b"\xff\xfe"]),
    method=st.sampled_from(["GET", "POST", "HEAD", "OPTIONS", "DELETE", ""]),
)
def test_nothing_hostile_is_a_5xx(
    process: Process, by_get: None, path: str, header: str, body: bytes, method: str
) -> None:
    answer = call(method, path, {"Sandbox-Signature": header, "é": header}, body)
    assert answer["statusCode"] < 500
    assert answer["statusCode"] >= 400 or method in ("OPTIONS",)


@pytest.mark.parametrize(("took_s", "asked"), [(7.0, 1), (0.01, 3)])
def test_only_the_first_webhook_waits_for_a_vault_that_does_not_answer(
    process: Process, monkeypatch: pytest.MonkeyPatch, took_s: float, asked: int
) -> None:
    """A secret that does not open says so at once, and keeps no other connection's webhooks from being verified."""
    now_s, opened = 0.0, list[str]()

    def receiving(merchant_id: str, connection_id: str) -> NoReturn:
        nonlocal now_s
        now_s += took_s
        opened.append(connection_id)
        raise VaultFault("KMS' Decrypt: no answer came.")

    intake = Intake(process.wiring.inbound_ports, process.wiring.configuration, lambda: now_s)
    monkeypatch.setattr(process.wiring.configuration, "receiving", receiving)
    for _ in range(3):
        assert intake.take("default", "sandbox-a", signed(EVENT, SECRET), EVENT).status == 200
    assert len(opened) == asked
    assert [one["state"] for one in queued(process)] == ["unverified"] * 3
