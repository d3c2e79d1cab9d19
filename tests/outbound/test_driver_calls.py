"""What the driver sends, what it tells its observer, and how it keeps connections."""

from __future__ import annotations

import gzip
import os
from typing import Any, ClassVar

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import MaxRetryError, NewConnectionError, ProtocolError

from chalicelib.contracts.conversation import (
    Conversation,
    HttpRequest,
    HttpResponse,
    NotSent,
    OutcomeUnknown,
    ReadFailed,
)
from chalicelib.outbound import driver as driver_module
from chalicelib.outbound.driver import Deadline, Driver, not_sent
from tests.outbound.keeping import Keeping, keeping

NOBODY = "http://127.0.0.1:1/"


@pytest.fixture
def psp() -> Any:
    with keeping() as serving:
        yield serving


def call(
    url: str, *, moves_money: bool = True, body: bytes | None = b"{}", **headers: str
) -> Conversation[HttpResponse]:
    return (yield HttpRequest("POST" if body is not None else "GET", url, headers, body, moves_money=moves_money))


def test_a_call_is_sent_as_it_was_asked_for(psp: Keeping) -> None:
    Driver().converse(call(f"{psp.url}v1/pay?a=b", Authorization="Bearer key"), Deadline(5))
    (request,) = psp.requests
    assert request.startswith("POST /v1/pay?a=b HTTP/1.1\r\n")
    assert request.endswith("\r\n\r\n{}")
    for header in (
        "User-Agent: PaymentServer",
        "Accept: application/json",
        "Content-Length: 2",
        "Authorization: Bearer key",
    ):
        assert f"{header}\r\n" in request


def test_a_call_without_a_body_has_no_length(psp: Keeping) -> None:
    Driver().converse(call(psp.url, body=None), Deadline(5))
    assert psp.requests[0].startswith("GET / HTTP/1.1\r\n")
    assert "Content-Length" not in psp.requests[0]


def test_an_answer_has_its_status_its_headers_in_lower_case_and_its_body(psp: Keeping) -> None:
    psp.answers = [(201, {"X-Request-Id": "r-1"}, b"made")]
    answer = Driver().converse(call(psp.url), Deadline(5))
    assert (answer.status, answer.headers["x-request-id"], answer.body) == (201, "r-1", b"made")


@pytest.mark.parametrize("status", [400, 499])
def test_a_no_is_an_answer(psp: Keeping, status: int) -> None:
    psp.answers = [(status, {}, b"no")]
    assert Driver().converse(call(psp.url), Deadline(5)).status == status


@pytest.mark.parametrize("status", [500, 599])
def test_a_server_error_is_no_answer(psp: Keeping, status: int) -> None:
    psp.answers = [(status, {}, b"")]
    with pytest.raises(OutcomeUnknown, match=rf"^127\.0\.0\.1: answered {status}$"):
        Driver().converse(call(psp.url), Deadline(5))


def test_each_call_is_told_to_the_observer_with_what_is_certain(psp: Keeping) -> None:
    told: list[tuple[str, str]] = []

    def observe(request: HttpRequest, result: str, seconds: float) -> None:
        assert 0 <= seconds < 5
        told.append((request.url, result))

    driver = Driver(observe=observe)
    driver.converse(call(psp.url), Deadline(5))
    psp.answers = [(500, {}, b"")] * 2
    for moves_money, error in ((True, OutcomeUnknown), (False, ReadFailed)):
        with pytest.raises(error):
            driver.converse(call(psp.url, moves_money=moves_money), Deadline(5))
    with pytest.raises(NotSent):
        driver.converse(call(NOBODY), Deadline(5))
    assert told == [(psp.url, "200"), (psp.url, "OutcomeUnknown"), (psp.url, "ReadFailed"), (NOBODY, "NotSent")]


def test_a_connectors_mistake_in_a_request_is_told_as_an_error(psp: Keeping) -> None:
    told: list[str] = []
    driver = Driver(observe=lambda request, result, seconds: told.append(result))
    with pytest.raises(TypeError):
        driver.converse(call(psp.url, Authorization=None), Deadline(5))  # type: ignore[arg-type]
    assert told == ["error"]


@pytest.mark.parametrize(("moves_money", "error"), [(True, OutcomeUnknown), (False, NotSent)])
def test_a_call_that_never_left_proves_nothing_of_the_one_before_it(
    psp: Keeping, moves_money: bool, error: type[Exception]
) -> None:
    def two() -> Conversation[None]:
        yield HttpRequest("POST", psp.url, body=b"{}", moves_money=moves_money)
        yield HttpRequest("POST", NOBODY, body=b"{}", moves_money=True)

    with pytest.raises(error, match=r"the connection was refused$") as raised:
        Driver().converse(two(), Deadline(5))
    assert type(raised.value) is error


MONEY_LAST, MONEY_FIRST = (False, True), (True, False)


def two_calls(url: str, moves: tuple[bool, bool], fails: Exception | None = None) -> Conversation[None]:
    """`fails`: what the connector raises after the first."""
    response = yield HttpRequest("POST", url, body=b"{}", moves_money=moves[0])
    response.json()
    if fails is not None:
        raise fails
    yield HttpRequest("POST", url, body=b"{}", moves_money=moves[1])


@pytest.mark.parametrize("answer", [(503, {}, b""), (200, {}, b"<html>")])
def test_a_read_that_fails_before_a_money_call_proves_that_nothing_moved(psp: Keeping, answer: Any) -> None:
    psp.answers = [answer]
    with pytest.raises(ReadFailed):
        Driver().converse(two_calls(psp.url, MONEY_LAST), Deadline(5))
    assert len(psp.requests) == 1


def test_a_read_that_fails_after_a_money_call_proves_nothing(psp: Keeping) -> None:
    psp.answers = [(200, {}, b"{}"), (503, {}, b"")]
    with pytest.raises(OutcomeUnknown, match="answered 503"):
        Driver().converse(two_calls(psp.url, MONEY_FIRST), Deadline(5))


@pytest.mark.parametrize(
    "said", [ReadFailed("no token"), NotSent("no token"), OutcomeUnknown("no token"), KeyError("x")]
)
def test_what_a_connector_gives_up_with_after_a_money_call_proves_nothing(psp: Keeping, said: Exception) -> None:
    psp.answers = [(200, {}, b"{}")]
    with pytest.raises(OutcomeUnknown, match=r"no token|the answer can not be read \(KeyError\)"):
        Driver().converse(two_calls(psp.url, MONEY_FIRST, said), Deadline(5))


@pytest.mark.parametrize("said", [ReadFailed("no token"), NotSent("no token"), OutcomeUnknown("no token")])
def test_what_a_connector_gives_up_with_before_is_its_own_word(psp: Keeping, said: Exception) -> None:
    psp.answers = [(200, {}, b"{}")]
    with pytest.raises(type(said), match="no token") as raised:
        Driver().converse(two_calls(psp.url, MONEY_LAST, said), Deadline(5))
    assert type(raised.value) is type(said)


def test_a_connectors_mistake_before_any_call_is_its_own() -> None:
    def stumbling() -> Conversation[None]:
        raise KeyError("amount")
        yield

    with pytest.raises(KeyError):
        Driver().converse(stumbling(), Deadline(5))


@pytest.mark.parametrize(("moves_money", "error"), [(True, OutcomeUnknown), (False, ReadFailed)])
def test_ten_calls_are_a_conversation_and_the_eleventh_is_not_made(
    psp: Keeping, moves_money: bool, error: type[Exception]
) -> None:
    def calling(times: int) -> Conversation[str]:
        for _ in range(times):
            yield HttpRequest("POST", psp.url, body=b"{}", moves_money=moves_money)
        return "done"

    assert Driver().converse(calling(10), Deadline(5)) == "done"
    with pytest.raises(error, match="more than 10 calls"):
        Driver().converse(calling(11), Deadline(5))
    assert len(psp.requests) == 20


class Watched(HTTPAdapter):
    """The transport, and how it was asked to send."""

    asked: ClassVar[list[dict[str, Any]]] = []

    def send(self, request: Any, **how: Any) -> Any:  # type: ignore[override]
        self.asked.append({**how, "retries": self.max_retries.total})
        return super().send(request, **how)


@pytest.mark.parametrize(("budget_s", "timeout_s"), [(60, 8), (5, 5)])
def test_a_call_is_made_once_in_time_and_to_a_certified_psp(
    psp: Keeping, budget_s: float, timeout_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transport that tries again by itself would charge twice."""
    monkeypatch.setattr(driver_module, "HTTPAdapter", Watched)
    Driver().converse(call(psp.url), Deadline(budget_s))
    how = Watched.asked.pop()
    assert (how["retries"], how["verify"], how["stream"]) == (0, True, True)
    assert timeout_s - 1 < how["timeout"] <= timeout_s


@pytest.mark.parametrize(
    ("error", "proven"),
    [
        (requests.ConnectTimeout(), True),
        (requests.ConnectionError(MaxRetryError(None, "/", NewConnectionError(None, "refused"))), True),  # type: ignore[arg-type]
        (requests.ConnectionError(MaxRetryError(None, "/", ProtocolError("reset"))), False),  # type: ignore[arg-type]
        (requests.ConnectionError(ProtocolError("reset")), False),
        (requests.ConnectionError(), False),
        (requests.ReadTimeout(), False),
        (MaxRetryError(None, "/", NewConnectionError(None, "refused")), False),  # type: ignore[arg-type]
        (requests.exceptions.SSLError(), False),
    ],
)
def test_only_a_connection_that_never_came_about_proves_that_nothing_was_sent(error: Exception, proven: bool) -> None:
    assert not_sent(error) is proven


@pytest.mark.parametrize("left_s", [0, 0.04])
def test_without_time_for_a_call_none_is_made(psp: Keeping, left_s: float) -> None:
    with pytest.raises(NotSent, match=r"^no time was left$"):
        Driver().converse(call(psp.url), Deadline(left_s))
    assert psp.requests == []


def test_what_went_wrong_is_told_by_its_kind(psp: Keeping) -> None:
    with pytest.raises(NotSent, match=r"^127\.0\.0\.1: the connection was refused$"):
        Driver().converse(call(NOBODY), Deadline(5))
    with pytest.raises(NotSent, match=r"^the request can not be written, InvalidHeader$"):
        Driver().converse(call(psp.url, Authorization="key\n"), Deadline(5))
    psp.answers = [(-1, {}, b"")]
    with pytest.raises(
        OutcomeUnknown, match=r"^127\.0\.0\.1: the connection was closed before the answer was complete$"
    ):
        Driver().converse(call(psp.url), Deadline(5))


def test_a_packed_answer_is_unpacked(psp: Keeping) -> None:
    psp.answers = [(200, {"Content-Encoding": "gzip"}, gzip.compress(b"{}"))]
    assert Driver().converse(call(psp.url), Deadline(5)).body == b"{}"


def test_a_connection_is_used_again(psp: Keeping) -> None:
    driver = Driver()
    for _ in range(3):
        driver.converse(call(psp.url), Deadline(5))
    assert psp.connections == 1


def test_a_fresh_conversation_has_a_connection_of_its_own(psp: Keeping) -> None:
    driver = Driver()
    driver.converse(call(psp.url), Deadline(5))
    driver.converse(call(psp.url), Deadline(5), fresh=True)
    assert psp.connections == 2


@pytest.mark.parametrize(("idle_s", "connections"), [(20.0, 1), (20.5, 2)])
def test_a_connection_is_dropped_after_twenty_idle_seconds(
    psp: Keeping, idle_s: float, connections: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = [1000.0]
    monkeypatch.setattr(driver_module.time, "monotonic", lambda: at[0])
    driver = Driver()
    driver.converse(call(psp.url), Deadline(5))
    at[0] += idle_s
    driver.converse(call(psp.url), Deadline(5))
    assert psp.connections == connections


def test_a_connection_is_dropped_after_a_fork(psp: Keeping, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver()
    driver.converse(call(psp.url), Deadline(5))
    parent = os.getpid()
    monkeypatch.setattr(driver_module.os, "getpid", lambda: parent + 1)
    for _ in range(2):
        driver.converse(call(psp.url), Deadline(5))
    assert psp.connections == 2


def test_after_a_failure_the_connection_is_not_used_again(psp: Keeping) -> None:
    driver = Driver()
    driver.converse(call(psp.url), Deadline(5))
    with pytest.raises(NotSent):
        driver.converse(call(NOBODY), Deadline(5))
    driver.converse(call(psp.url), Deadline(5))
    assert psp.connections == 2


@pytest.mark.parametrize(("size", "is_read"), [(1_048_576, True), (1_048_577, False)])
def test_an_answer_has_a_megabyte_at_most(psp: Keeping, size: int, is_read: bool) -> None:
    psp.answers = [(200, {}, b"x" * size)]
    if is_read:
        assert len(Driver().converse(call(psp.url), Deadline(5)).body) == size
    else:
        with pytest.raises(OutcomeUnknown, match="over 1048576 bytes"):
            Driver().converse(call(psp.url), Deadline(5))


def test_after_an_answer_that_is_too_large_the_connection_is_not_used_again(psp: Keeping) -> None:
    driver = Driver()
    psp.answers = [(200, {}, b"x" * 1_048_577)]
    with pytest.raises(OutcomeUnknown):
        driver.converse(call(psp.url), Deadline(5))
    assert driver.converse(call(psp.url), Deadline(5)).status == 200
    assert psp.connections == 2
