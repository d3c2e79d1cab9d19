"""The access token: had once, kept until it lapses, renewed once, never shown."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from chalicelib.connectors.paypal.session import BASE, LIVES_MAX_S, MARGIN_S, Session
from chalicelib.contracts.conversation import HttpRequest, HttpResponse, ReadFailed

ASK = HttpRequest("POST", f"{BASE['live']}/v2/checkout/orders", {"PayPal-Request-Id": "k"}, b"{}", True, "open")
OK = HttpResponse(200, {}, b"{}")


class Clock:
    seconds = 1_000_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def session(clock: Clock) -> Session:
    return Session("live", "AClientId", "EClientSecret", clock)


def token(text: object = "A21AAToken", lives_s: object = 32_400) -> HttpResponse:
    import json

    return HttpResponse(200, {}, json.dumps({"access_token": text, "expires_in": lives_s}).encode())


def play(session: Session, *answers: HttpResponse) -> tuple[Any, list[HttpRequest]]:
    """What the call came to, and the requests it took."""
    conversation, seen, left = session.ask(ASK), [], list(answers)
    try:
        request = next(conversation)
        while True:
            seen.append(request)
            request = conversation.send(left.pop(0))
    except StopIteration as stop:
        assert not left, "every answer was wanted"
        return stop.value, seen


def test_the_token_is_asked_for_with_the_apps_credentials_and_kept(session: Session) -> None:
    said, seen = play(session, token(), OK)
    assert said is OK
    asking, asked = seen
    assert (asking.method, asking.url, asking.body) == (
        "POST",
        "https://api-m.paypal.com/v1/oauth2/token",
        b"grant_type=client_credentials",
    )
    assert asking.headers["Authorization"] == "Basic QUNsaWVudElkOkVDbGllbnRTZWNyZXQ="
    assert not asking.moves_money
    assert asked.headers == {"PayPal-Request-Id": "k", "Authorization": "Bearer A21AAToken"}
    assert (asked.url, asked.body, asked.moves_money, asked.operation) == (ASK.url, b"{}", True, "open")
    assert len(play(session, OK)[1]) == 1


def test_it_is_kept_until_a_minute_before_its_end(session: Session, clock: Clock) -> None:
    play(session, token(lives_s=1_000), OK)
    clock.seconds += 1_000 - MARGIN_S - 1
    assert len(play(session, OK)[1]) == 1
    clock.seconds += 2
    assert len(play(session, token("A21AAOther"), OK)[1]) == 2


def test_no_token_is_kept_for_more_than_a_day(session: Session, clock: Clock) -> None:
    play(session, token(lives_s=10**12), OK)
    clock.seconds += LIVES_MAX_S
    assert len(play(session, token(), OK)[1]) == 2


def test_one_that_paypal_no_longer_takes_is_renewed_once_and_the_call_repeated_as_it_was(session: Session) -> None:
    play(session, token("A21AAFirst"), OK)
    refused = HttpResponse(401, {}, b"{}")
    said, seen = play(session, refused, token("A21AASecond"), OK)
    assert said is OK
    first, _, second = seen
    assert second.headers["Authorization"] == "Bearer A21AASecond"
    assert (first.url, first.body, first.headers["PayPal-Request-Id"]) == (second.url, second.body, "k")
    assert play(session, refused, token("A21AAThird"), refused)[0] is refused


def test_a_fresh_one_that_is_refused_is_not_renewed(session: Session) -> None:
    refused = HttpResponse(401, {}, b"{}")
    assert len(play(session, token(), refused)[1]) == 2


@pytest.mark.parametrize("status", [400, 401, 403])
def test_wrong_credentials_are_the_calls_own_401(session: Session, status: int) -> None:
    said, seen = play(session, HttpResponse(status, {}, b'{"error": "invalid_client"}'))
    assert (said.status, len(seen)) == (401, 1)


def test_too_many_tokens_are_too_many_calls(session: Session) -> None:
    limited = HttpResponse(429, {"retry-after": "7"}, b'{"name": "RATE_LIMIT_REACHED"}')
    assert play(session, limited)[0] is limited


@pytest.mark.parametrize("status", [201, 204, 301, 404, 409])
def test_anything_else_is_no_token_and_says_nothing_of_the_call(session: Session, status: int) -> None:
    with pytest.raises(ReadFailed):
        play(session, HttpResponse(status, {}, token().body))


@pytest.mark.parametrize(
    "text", [None, 17, "", "short", "with space in it", "two\r\nlines-of-it", "é" * 20, "x" * 9_000]
)
def test_an_odd_token_never_stands_in_a_header(session: Session, text: object) -> None:
    with pytest.raises(ReadFailed):
        play(session, token(text))


@pytest.mark.parametrize("lives_s", [None, "10", 1.5, True, []])
def test_a_token_without_an_end_is_none(session: Session, lives_s: object) -> None:
    with pytest.raises(ReadFailed):
        play(session, token(lives_s=lives_s))


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{}", b"\xff", b"[" * 9_000])
def test_an_answer_that_is_none_is_no_token(session: Session, body: bytes) -> None:
    with pytest.raises(ReadFailed):
        play(session, HttpResponse(200, {}, body))


def test_no_secret_and_no_token_shows_itself(session: Session) -> None:
    _, seen = play(session, token(), OK)
    shown = repr(session) + repr(seen)
    for secret in ("EClientSecret", "A21AAToken", "QUNsaWVudElkOkVDbGllbnRTZWNyZXQ="):
        assert secret not in shown


def test_many_threads_have_one_token_or_few_and_each_call_bears_one(session: Session) -> None:
    bearers, barrier = [], threading.Barrier(16)

    def call() -> None:
        barrier.wait()
        for _ in range(50):
            conversation = session.ask(ASK)
            request = next(conversation)
            if request.operation == "token":
                request = conversation.send(token(f"A21AA{threading.get_ident()}"))
            bearers.append(request.headers["Authorization"])
            with pytest.raises(StopIteration):
                conversation.send(OK)

    threads = [threading.Thread(target=call) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(bearers) == 800
    assert all(one.startswith("Bearer A21AA") for one in bearers)
    assert len(set(bearers)) <= 16
