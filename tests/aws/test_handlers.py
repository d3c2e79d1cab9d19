"""Every packaged handler, run by Lambda's own runtime client from the unzipped package, with events as AWS sends them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chalicelib.domain.view import text_of
from chalicelib.services.chores import chore
from infra.names import FUNCTIONS
from tests.aws.events import called, proxied, queued, scheduled
from tests.aws.packages import Package
from tests.aws.runtime_api import Function, running
from tests.aws.shopping import Surroundings
from tests.aws.standin import NAME
from tests.builders import NOW

pytestmark = [pytest.mark.deployment, pytest.mark.timeout(300)]
ATTRIBUTE = {name: "app" if name == "api_handler" else name for name in FUNCTIONS}


@pytest.fixture(params=FUNCTIONS)
def started(
    request: pytest.FixtureRequest,
    around: Surroundings,
    machine_package: Package,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[tuple[str, Function]]:
    """A function's name and its process, with the settings that the stack gave it."""
    name: str = request.param
    deployed = around.stack.client("lambda").get_function_configuration(
        FunctionName=f"{NAME}-{name.removesuffix('_handler')}"
    )
    handler, settings = f"app.{ATTRIBUTE[name]}", deployed["Environment"]["Variables"]
    assert deployed["Handler"] == handler
    with running(handler, machine_package.folder, settings, tmp_path / "log") as function:
        with capsys.disabled():
            print(f"\n{name}: init {function.init_ms:.0f} ms, of them {function.init_cpu_ms:.0f} ms on a processor")
        yield name, function


def _webhook() -> str:
    """A delivery as the webhook function queues it while it can not check it; of a PSP that nobody knows."""
    document = {
        "merchant_id": "default",
        "connection_id": "nobody",
        "headers": {},
        "body": "e30=",
        "received_at": text_of(NOW),
        "state": "unverified",
        "detail": "",
    }
    return json.dumps(document)


def _event() -> str:
    document = {
        "merchant_id": "nobody",
        "payment_id": "pay_1",
        "event_id": "evt_1",
        "event_type": "payment.captured",
        "again": False,
        "body": "{}",
    }
    return json.dumps(document)


EVENTS: dict[str, dict[str, Any]] = {
    "api_handler": proxied("GET", "/v1/payments/{id}", params={"id": "pay_1"}),
    "webhooks": called("POST", "/webhooks/default/sandbox-a", body=b"{}"),
    "apply": queued("inbound", _webhook(), chore("sync", "pay_1").decode()),
    "notify": queued("events", _event()),
    "attend": queued("chores", *(chore(do, "pay_1").decode() for do in ("attend", "deliver", "inbox"))),
    "sweep": scheduled("sweep"),
    "measure": scheduled("measure"),
}
DONE = {"batchItemFailures": []}


def test_a_packaged_handler_answers_one_event_after_another_as_aws_sends_them(started: tuple[str, Function]) -> None:
    name, function = started
    answer = function.invoke(EVENTS[name])
    if name in ("api_handler", "webhooks"):
        expected = {"api_handler": 401, "webhooks": 400}[name]
        assert answer["statusCode"] == expected
        assert json.loads(answer["body"])["status"] == expected
    else:
        assert answer == (None if name in ("sweep", "measure") else DONE)
    function.invoke(EVENTS[name])
    told = [line for line in function.lines() if line["message"] == "invocation"]
    colds = [True] if answer == DONE else [True, False]  # a queue's messages have lines of their own
    assert [line["cold"] for line in told] == colds
    assert {line["result"] for line in told} <= {"done", "refused"}
