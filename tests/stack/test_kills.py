"""Kill -9 of processes of a running stack while orders are placed, paid and notified: nothing answered is lost."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import requests

from dev.shop import Listener
from tests.stack.running import ROOT, Json, Stack, free_ports, send

ORDERS_AT_ONCE, ORDERS_EACH = 4, 5
KILLS = 8


def launched(port: int, var: Path, log: Path) -> subprocess.Popen[bytes]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PAYMENTSERVER_")}
    environment |= {"PORT": str(port), "PAYMENTSERVER_VAR": str(var)}
    with log.open("ab") as out:
        return subprocess.Popen(
            [sys.executable, "-m", "dev.launcher"], cwd=ROOT, env=environment, stdout=out, stderr=subprocess.STDOUT
        )


def descendants(pid: int) -> list[int]:
    """All processes below `pid`, from /proc."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            for child in task.read_text().split():
                found += [int(child), *descendants(int(child))]
    return found


def is_ready(stack: Stack) -> bool:
    try:
        return send("GET", f"{stack.api}/health/ready").status_code == 200
    except requests.RequestException:
        return False


def wait_ready(stack: Stack, timeout_s: float = 60) -> None:
    ends = time.monotonic() + timeout_s
    while not is_ready(stack):
        assert time.monotonic() < ends, "the stack comes back"
        time.sleep(0.1)


@contextmanager
def unruly(folder: Path) -> Iterator[Stack]:
    """A stack that may be killed; `stack.process` is whichever launcher runs now."""
    port = free_ports(4)
    stack = Stack(port, folder / "var", launched(port, folder / "var", folder / "log"))
    try:
        wait_ready(stack)
        yield stack
    finally:
        stack.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            stack.process.wait(30)
        if stack.process.poll() is None:
            stack.process.kill()


def persistently(stack: Stack, method: str, path: str, body: Json | None = None, **more: str) -> Json:
    """What a careful shop does: the same call with the same key until it has an answer."""
    ends = time.monotonic() + 150
    while time.monotonic() < ends:
        with suppress(requests.RequestException):
            answer = stack.call(method, path, body, headers=more)
            if answer.status_code in (200, 201):
                document: Json = answer.json()
                return document
            assert answer.status_code in (202, 409, 502, 503), answer.text
        time.sleep(0.2)
    raise AssertionError(f"{method} {path} is answered")


def place_order(stack: Stack, answered: list[Json]) -> None:
    key = str(uuid.uuid4())
    body = {
        "amount": {"value": 1050, "currency": "EUR"},
        "order_reference": key,
        "return_url": "https://shop.example/return",
        "route": "careful",
    }
    payment = persistently(stack, "POST", "/v1/checkouts", body, **{"Idempotency-Key": key})
    answered.append(payment)
    while True:
        with suppress(requests.RequestException):
            if send("POST", payment["next_action"]["url"], data={"outcome": "paid"}).status_code in (303, 409):
                return
        time.sleep(0.2)


@pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc, which is Linux's")
@pytest.mark.timeout(600)
def test_killed_processes_lose_nothing(tmp_path: Path) -> None:
    chance = random.Random(7)
    listener = Listener()
    with unruly(tmp_path) as stack:
        stack.token()
        body = {"name": "kills", "channel": "webhook", "target": {"url": listener.url}, "events": ["payment.captured"]}
        assert stack.call("POST", "/v1/subscriptions", body).status_code == 201
        answered: list[Json] = []

        def shop() -> None:
            for _ in range(ORDERS_EACH):
                place_order(stack, answered)

        shops = [threading.Thread(target=shop) for _ in range(ORDERS_AT_ONCE)]
        for one in shops:
            one.start()
        for number in range(KILLS):
            time.sleep(chance.uniform(0.05, 0.6))
            if number == KILLS // 2:
                stack.process.kill()
                stack.process.wait()
                stack.process = launched(stack.port, stack.var, tmp_path / "log")
            else:
                victims = descendants(stack.process.pid)
                if victims:
                    with suppress(ProcessLookupError):
                        os.kill(chance.choice(victims), signal.SIGKILL)
        for one in shops:
            one.join(200)
        wait_ready(stack)
        assert len(answered) == ORDERS_AT_ONCE * ORDERS_EACH
        for payment in answered:
            listener.wait_for(payment["id"], "payment.captured", 90)
            now = persistently(stack, "GET", f"/v1/payments/{payment['id']}")
            assert now["status"] == "captured"
            assert now["amounts"]["captured"] == 1050
            assert now["amounts"]["surplus"] == 0
            for attempt in now["attempts"]:
                assert len(stack.sessions(attempt["connection_id"], attempt["id"])) <= 1
    listener.close()
