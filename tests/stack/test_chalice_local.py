"""`chalice local`, beside the running stack and on its data: the same operations, as CONTRIBUTING.md says to start it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.ports import free_port
from tests.stack.problems import problem_of
from tests.stack.running import ROOT, STOPS_WITHIN_S, Stack, order, send

CHALICE = Path(sys.executable).with_name("chalice")
READY_WITHIN_S = 60


@pytest.fixture(scope="module")
def local(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack once more, its API being that of `chalice local`; it names the gateway as its public address."""
    port = free_port()
    settings = {"ENV": "development", "ISSUER": stack.identity, "PUBLIC_URL": stack.api, "VAR": str(stack.var)}
    environment = {**os.environ, **{f"PAYMENTSERVER_{name}": value for name, value in settings.items()}}
    with (tmp_path_factory.mktemp("chalice") / "local.log").open("wb") as log:
        command = [str(CHALICE), "local", "--port", str(port), "--no-autoreload"]
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            served = Local(port, stack.var, process, stack)
            served.wait_until_ready()
            yield served
        finally:
            process.terminate()
            process.wait(STOPS_WITHIN_S)


class Local(Stack):
    def __init__(self, port: int, var: Path, process: subprocess.Popen[bytes], stack: Stack) -> None:
        super().__init__(port, var, process)
        self._stack = stack

    def token(self, client: str = "demo") -> str:
        return self._stack.token(client)

    def wait_until_ready(self) -> None:
        ends = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < ends and self.process.poll() is None:
            try:
                if send("GET", f"{self.api}/health/ready").status_code == 200:
                    return
            except requests.ConnectionError:
                pass
            time.sleep(0.1)
        raise AssertionError("chalice local becomes ready")


def test_every_operation_answers_as_it_does_behind_the_gateway(stack: Stack, local: Stack) -> None:
    """Without what it needs, so that nothing happens: the refusals show that both have read and judged the same."""
    paths = stack.call("GET", "/openapi.json", client=None).json()["paths"]
    differ = []
    for path, methods in paths.items():
        for method in methods:
            here = path.replace("{", "").replace("}", "")
            for client in (None, "shop", "demo"):
                theirs, ours = (one.call(method.upper(), here, client=client) for one in (stack, local))
                assert ours.headers["X-Request-Id"]
                told = [(one.status_code, one.headers.get("Content-Type")) for one in (theirs, ours)]
                if told[0] != told[1]:
                    differ.append((method, path, client, told))
    assert not differ


def test_a_checkout_opened_there_is_the_gateways_too(stack: Stack, local: Stack) -> None:
    made = local.checkout("by-chalice-local")
    assert made.status_code == 201, made.text
    repeated = stack.checkout("by-chalice-local")
    assert repeated.headers["Idempotency-Replayed"] == "true"
    assert repeated.content == made.content


@pytest.mark.parametrize(
    ("method", "body", "status", "slug"),
    [
        ("POST", order(colour="blue"), 422, "invalid"),
        ("POST", b'{"a": \xff}', 400, "unreadable"),
        ("POST", b" " * 65_537, 413, "too-large"),
        ("PATCH", b"", 405, "method-not-allowed"),
    ],
)
def test_what_is_wrong_is_told_there_too(
    stack: Stack, local: Stack, method: str, body: object, status: int, slug: str
) -> None:
    given = {"data": body} if isinstance(body, bytes) else {"body": body}
    answer = local.call(method, "/v1/checkouts", headers={"Idempotency-Key": "wrong"}, **given)
    problem_of(stack, answer, status, slug)


def test_an_unknown_path_is_chalices_own_answer(local: Stack) -> None:
    assert local.call("GET", "/nowhere").status_code == 403
