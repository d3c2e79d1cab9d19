"""One caller is never served with another's request, whatever runs side by side."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from chalice.app import Chalice

from chalicelib import telemetry
from chalicelib.api.threadlocal import ThreadSafeChalice
from server.gateway import gateway
from tests.server.shop import serving
from tests.server.test_gateway import ask

THREADS = 8
REQUESTS = 4_000


@pytest.fixture(autouse=True)
def _switch_often() -> Iterator[None]:
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(usual)


def _mixed_up(kind: type[Chalice], asked: int) -> int:
    """How many of `asked` requests saw another one's state."""
    app = kind(app_name="threads", env={})

    @app.route("/who/{name}", methods=["POST"], content_types=["text/plain"])
    def who(name: str) -> Any:
        request, context = app.current_request, app.lambda_context
        assert request is not None
        seen = {request.headers["authorization"], request.raw_body.decode(), context.aws_request_id, name}
        seen.add(telemetry.bound()["request_id"])
        again = app.current_request
        return {"same": seen == {name} and again is request}

    served = gateway(app, public_url="https://pay.example")

    def call(number: int) -> bool:
        name = f"caller-{number}"
        answer = ask(
            "POST",
            f"/who/{name}",
            name.encode(),
            served,
            CONTENT_TYPE="text/plain",
            HTTP_AUTHORIZATION=name,
            HTTP_X_REQUEST_ID=name,
        )
        return answer.status == 200 and bool(answer.json["same"])

    with ThreadPoolExecutor(THREADS) as pool:
        return asked - sum(pool.map(call, range(asked)))


def test_eight_threads_never_see_each_others_request() -> None:
    assert _mixed_up(ThreadSafeChalice, REQUESTS) == 0


def test_the_test_above_would_notice() -> None:
    assert _mixed_up(Chalice, 800) > 0


def test_another_thread_starts_without_a_request() -> None:
    app = ThreadSafeChalice(app_name="threads", env={})
    app.current_request = object()  # type: ignore[assignment]
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(lambda: (app.current_request, app.lambda_context)).result() == (None, None)


def test_gunicorn_threads_never_see_each_others_request(tmp_path: Path) -> None:
    with serving(tmp_path) as server:

        def calls(caller: int) -> int:
            wrong = 0
            with requests.Session() as session:
                for number in range(150):
                    name = f"{caller}-{number}"
                    told = session.post(
                        f"{server.url}/webhooks/{caller}/{number}",
                        data=name,
                        headers={"Authorization": name, "X-Request-Id": name, "Content-Type": "text/plain"},
                        timeout=20,
                    ).json()
                    seen = {told["headers"]["authorization"], told["headers"]["x-request-id"]}
                    params = {"merchant_id": f"{caller}", "connection_id": f"{number}"}
                    wrong += seen != {name} or told["params"] != params
            return wrong

        with ThreadPoolExecutor(THREADS) as pool:
            assert sum(pool.map(calls, range(THREADS))) == 0
