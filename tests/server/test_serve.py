"""The gateway under real gunicorn, over real sockets."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests

from server.metrics import MetricsServer, share_metrics
from tests.server.shop import Server, serving, wait_for


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("shop")) as running:
        yield running


def body_of(answer: bytes) -> Any:
    return json.loads(answer.partition(b"\r\n\r\n")[2])


def test_a_chunked_body_arrives_whole(server: Server) -> None:
    answer = requests.post(server.url + "/echo", data=iter([b"ab", b"c" * 9000]), timeout=10)
    assert answer.json()["body"].startswith("YWJj")
    assert len(answer.json()["body"]) == 12_004


def test_a_chunked_body_over_the_limit_is_too_large(server: Server) -> None:
    assert requests.post(server.url + "/echo", data=iter([b"x" * 66_000]), timeout=10).status_code == 413


def test_an_oversized_body_is_refused_before_it_is_sent(server: Server) -> None:
    answer = server.talk(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413 ")


def test_an_oversized_body_that_is_sent_all_the_same_gets_its_answer(server: Server) -> None:
    assert requests.post(server.url + "/echo", data=b"x" * 100_000, timeout=10).status_code == 413


def test_repeated_headers_reach_the_app_one_by_one(server: Server) -> None:
    answer = server.talk(b"GET /echo HTTP/1.1\r\nHost: a\r\nX-Sig: 1, 2\r\nX-Sig: 3\r\nConnection: close\r\n\r\n")
    assert body_of(answer)["multi"]["x-sig"] == ["1, 2", "3"]
    assert body_of(answer)["headers"]["x-sig"] == "3"


def test_a_repeated_authorization_is_refused(server: Server) -> None:
    answer = server.talk(b"GET /echo HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n")
    assert body_of(answer)["type"] == "https://pay.example/problems/unreadable"


def test_an_escaped_slash_survives_the_server(server: Server) -> None:
    assert requests.get(server.url + "/items/a%2Fb", timeout=10).json()["params"] == {"item_id": "a%2Fb"}


def test_head_sends_no_body_and_keeps_the_connection(server: Server) -> None:
    with requests.Session() as session:
        assert session.head(server.url + "/items/1", timeout=10).content == b""
        assert session.get(server.url + "/items/1", timeout=10).status_code == 200


def test_a_body_cut_short_never_reaches_the_app(server: Server) -> None:
    answer = server.talk(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\nonly this", end=True)
    assert body_of(answer)["detail"] == "The body is shorter than its Content-Length."


def test_a_chunked_body_cut_short_never_reaches_the_app(server: Server) -> None:
    answer = server.talk(b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", end=True)
    assert answer.startswith(b"HTTP/1.1 400 ")


def test_a_body_longer_than_declared_is_not_taken_for_a_request(server: Server) -> None:
    answer = server.talk(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab{}\r\n\r\n", end=True)
    assert answer.count(b"HTTP/1.1 ") == 2
    assert b"\r\n\r\n{" in answer
    assert answer.count(b"HTTP/1.1 200") == 1


def test_a_body_that_does_not_arrive_holds_no_thread(tmp_path: Path) -> None:
    with serving(tmp_path, arrive_within_s=0.5) as server:
        answer = server.talk(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\nonly this")
    assert answer.startswith(b"HTTP/1.1 400 ")


def test_connections_that_stall_are_cut_off_all_at_once(tmp_path: Path) -> None:
    """Ten times as many as there are threads: a threadful at a time, they would hold the server up ten times as long."""
    stalled = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\nonly this"
    with serving(tmp_path, arrive_within_s=2) as server, ExitStack() as opened:
        for _ in range(80):
            connection = opened.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            connection.sendall(stalled)
        began = time.monotonic()
        assert requests.get(server.url + "/echo", timeout=60).status_code == 200
        assert time.monotonic() - began < 10


def test_a_request_that_takes_its_time_is_not_cut_off_once_it_has_arrived(tmp_path: Path) -> None:
    with serving(tmp_path, arrive_within_s=0.5) as server, ThreadPoolExecutor(2) as pool:
        slow = pool.submit(requests.get, server.url + "/slow/a", timeout=30)
        wait_for((tmp_path / "a.begun").exists)
        assert server.talk(b"GET /echo HTTP/1.1\r\n") == b""  # cut off, so more time than allowed has passed
        (tmp_path / "a.end").touch()
        assert slow.result().status_code == 200


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"NOT HTTP\r\n\r\n", 400),
        (b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", 400),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nA: " + b"a" * 9000 + b"\r\n\r\n", 431),
    ],
    ids=["garbage", "two lengths", "no number", "long line", "long header"],
)
def test_what_is_not_a_request_gets_a_problem_document(server: Server, request_bytes: bytes, status: int) -> None:
    answer = server.talk(request_bytes)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert body_of(answer)["request_id"].encode() in answer.partition(b"\r\n\r\n")[0]


def test_a_loopback_caller_can_not_forge_where_it_comes_from(server: Server) -> None:
    forged = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https", "Forwarded": "for=203.0.113.7"}
    told = requests.get(server.url + "/echo", headers=forged, timeout=10).json()
    assert told["headers"]["x-forwarded-for"] == "127.0.0.1"
    assert told["headers"]["x-forwarded-proto"] == "http"
    assert "forwarded" not in told["headers"]


def test_every_line_of_the_log_is_json_and_none_has_a_path_or_a_value(server: Server) -> None:
    requests.get(server.url + "/items/personal-thing?email=shopper%40example.com", timeout=10)
    requests.get(server.url + "/broken", timeout=10)
    assert {"message", "level", "time"} <= set.intersection(*(set(json.loads(one)) for one in server.log.splitlines()))
    for leaked in ("personal-thing", "shopper", "secret-of-the-database", "127.0.0.1"):
        assert leaked not in server.log


STOPS = {"one": [signal.SIGTERM], "many": [signal.SIGINT, signal.SIGINT, signal.SIGTERM]}


@pytest.mark.parametrize("signals", STOPS.values(), ids=STOPS)
def test_a_stop_lets_requests_in_flight_finish(tmp_path: Path, signals: list[signal.Signals]) -> None:
    answers: list[requests.Response] = []
    with serving(tmp_path) as server:
        caller = threading.Thread(target=lambda: answers.append(requests.get(server.url + "/slow/a", timeout=30)))
        caller.start()
        wait_for((tmp_path / "a.begun").exists)
        for number in signals:  # to the whole group, as Ctrl-C does
            os.killpg(server.process.pid, number)
        wait_for(lambda: not _answers(server))
        (tmp_path / "a.end").touch()
        caller.join(20)
        assert server.process.wait(25) == 0
    assert [answer.status_code for answer in answers] == [200]


def _answers(server: Server) -> bool:
    try:
        return requests.get(server.url + "/echo", timeout=0.2).ok
    except requests.RequestException:
        return False


def test_the_metrics_of_all_processes_are_added_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(tmp_path, workers=2) as server:
        for _ in range(20):  # a connection each, so that both workers get some
            requests.get(server.url + "/items/1", timeout=10)
        monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path / "metrics"))
        page = MetricsServer("127.0.0.1", 0)
        try:
            text = requests.get(f"http://127.0.0.1:{page.port}/metrics", timeout=10).text
            elsewhere = requests.get(f"http://127.0.0.1:{page.port}/", timeout=10).status_code
        finally:
            page.close()
    assert 'http_requests_total{operation="GET /items/{item_id}",status="200"} 20.0' in text
    assert elsewhere == 404


def test_sharing_metrics_clears_what_ended_processes_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    alive, ended = tmp_path / f"counter_{os.getpid()}.db", tmp_path / "counter_4194999.db"
    alive.touch()
    ended.touch()
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    share_metrics(tmp_path / "unused")
    assert (alive.exists(), ended.exists()) == (True, False)
