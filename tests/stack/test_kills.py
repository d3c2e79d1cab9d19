"""Kill -9 of processes of a running stack while orders are placed, paid, captured, refunded and notified: nothing answered is
lost, and nothing is done twice."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import pytest
import requests

from dev.sandbox.accounts import ACCOUNTS
from dev.shop import Listener
from tests.ports import free_port
from tests.stack.running import ROOT, Json, Stack, send

ORDERS_AT_ONCE, ORDERS_FOR_EACH_KILL = 4, 3  # of 120 kills all fit into the 500 sessions that a PSP's log shows
PATIENCE_S = 240  # a PSP whose webhooks were refused waits up to a minute before the next one
BREATHES_EVERY = 8  # kills
WHOLE_EVERY = 6  # of so many kills one ends the launcher, and one everything at once


class Order(NamedTuple):
    """What the shop was answered: to the order, and to each operation on it."""

    status_code: int
    payment: Json
    operations: tuple[Json, ...] = ()


REFUNDED = 300
ENDED = {"failed", "expired"}  # without money: a sealed page expires
STATUSES_OF = {202: {"unknown", "pending"} | ENDED, 502: ENDED}


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
    port = free_port(count=4)
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


def persistently(
    stack: Stack, method: str, path: str, body: Json | None = None, *, until: Collection[int] = (200, 201), **more: str
) -> requests.Response:
    """What a careful shop does: the same call with the same key until it has an answer that settles the matter."""
    ends, last = time.monotonic() + PATIENCE_S, "nothing"
    while time.monotonic() < ends:
        with suppress(requests.RequestException):
            answer = stack.call(method, path, body, headers=more)
            if answer.status_code in until:
                return answer
            last = f"{answer.status_code} {answer.text}"
            assert answer.status_code in (202, 409, 503), last
        time.sleep(0.2)
    raise AssertionError(f"{method} {path} is answered; it was with {last}")


def place_order(stack: Stack, placed: list[Order], chance: random.Random) -> None:
    """Orders, and pays where there is a page: a PSP that was killed may leave the order in doubt (202) or undone (502). What
    is paid is captured, where the shop said it would do so, and a part of it refunded."""
    key, capture = str(uuid.uuid4()), chance.choice(("automatic", "manual"))
    body = {
        "amount": {"value": 1050, "currency": "EUR"},
        "order_reference": key,
        "return_url": "https://shop.example/return",
        "capture": capture,
    }
    headers = {"Idempotency-Key": key}
    answer = persistently(stack, "POST", "/v1/checkouts", body, until=(201, 202, 502), **headers)
    payment = answer.json() if answer.status_code < 300 else answer.json()["payment"]
    if answer.status_code != 201:
        placed.append(Order(answer.status_code, payment))
        return
    pay(payment)
    done = [operate(stack, payment, "captures", {})] if capture == "manual" else []
    if not done or done[0]["status"] != "failed":
        done.append(operate(stack, payment, "refunds", {"amount": {"value": REFUNDED, "currency": "EUR"}}))
    placed.append(Order(201, payment, tuple(done)))


def pay(payment: Json) -> None:
    while True:
        with suppress(requests.RequestException):
            if send("POST", payment["next_action"]["url"], data={"outcome": "paid"}).status_code in (303, 409):
                return
        time.sleep(0.2)


def operate(stack: Stack, payment: Json, what: str, body: Json) -> Json:
    """The operation as it was answered in the end; 409 while PaymentServer has not heard yet that the shopper paid."""
    key = {"Idempotency-Key": f"{what}-{payment['id']}"}
    return persistently(stack, "POST", f"/v1/payments/{payment['id']}/{what}", body, until=(201,), **key).json()  # type: ignore[no-any-return]


def sessions_of(stack: Stack, attempt: Json) -> list[Json]:
    """What the PSP has of an attempt, as it shows it to us."""
    account = ACCOUNTS[attempt["connection_id"]]
    url, key = f"{stack.sandbox}/{account.name}/v1/sessions", {"Authorization": f"Bearer {account.api_key}"}
    found: list[Json] = send("GET", url, params={"reference": attempt["id"]}, headers=key).json()["items"]
    return found


def check_operations(stack: Stack, order: Order, now: Json) -> None:
    """Each that was answered is there once, at PaymentServer and in the PSP's books, and has come to its end."""
    operations = {one["id"]: one for one in now["operations"]}
    assert set(operations) == {one["id"] for one in order.operations}
    for said in order.operations:
        assert operations[said["id"]]["status"] in ("succeeded", "failed")
        assert said["status"] in ("pending", operations[said["id"]]["status"])
    books = [session["payment"] for attempt in now["attempts"] for session in sessions_of(stack, attempt)]
    for kind, field in (("capture", "captures"), ("refund", "refunds")):
        made = [
            one["reference"]
            for payment in books
            if payment
            for one in payment[field]
            if one["reference"] and one["status"] != "failed"
        ]
        wanted = [one["id"] for one in operations.values() if one["kind"] == kind and one["status"] == "succeeded"]
        assert sorted(made) == sorted(wanted), f"{kind}s: {made} at the PSP, {wanted} here"


def amounts_of(order: Order, now: Json) -> tuple[int, int]:
    """What is captured and refunded of an order that the shopper paid, by the operations that succeeded."""
    failed = {one["kind"] for one in now["operations"] if one["status"] == "failed"}
    return (0 if "capture" in failed else 1050), (0 if {"capture", "refund"} & failed else REFUNDED)


STATUS_OF = {(0, 0): "authorized", (1050, 0): "captured", (1050, REFUNDED): "partially_refunded"}


def kill_one(stack: Stack, chance: random.Random) -> None:
    """Any part, at any moment: it may be starting, answering or writing."""
    with suppress(ProcessLookupError, IndexError):
        os.kill(chance.choice(descendants(stack.process.pid)), signal.SIGKILL)


def kill_launcher(stack: Stack, chance: random.Random) -> None:
    stack.process.kill()


def kill_all(stack: Stack, chance: random.Random) -> None:
    """As when the power fails, for the processes."""
    for pid in [stack.process.pid, *descendants(stack.process.pid)]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def breathe(stack: Stack, placed: list[Order]) -> None:
    """Parts that are killed faster than they start would never do anything: an order gets through."""
    wait_ready(stack)
    had, ends = len(placed), time.monotonic() + PATIENCE_S
    while len(placed) == had and time.monotonic() < ends:
        time.sleep(0.1)


WHOLE = {0: kill_launcher, WHOLE_EVERY // 2: kill_all}


def paid_sessions(stack: Stack) -> int:
    """Over all the PSPs, whatever PaymentServer knows of them."""
    logs = [send("GET", f"{stack.sandbox}/{account}/log").json() for account in ACCOUNTS]
    return sum(session["status"] == "complete" for log in logs for session in log["sessions"])


@pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc, which is Linux's")
@pytest.mark.parametrize(
    "kills",
    [
        pytest.param(10, marks=pytest.mark.timeout(600)),
        pytest.param(120, marks=[pytest.mark.long, pytest.mark.timeout(3600)]),  # a mark of the function would win
    ],
)
def test_killed_processes_lose_nothing(tmp_path: Path, kills: int) -> None:
    """Orders are placed for as long as processes are killed: each that was answered is paid once, and the shop is told."""
    seed = random.randrange(10**9)
    chance = random.Random(seed)
    listener, killing, placed = Listener(), threading.Event(), list[Order]()
    print(f"seed {seed}")
    with unruly(tmp_path) as stack:
        stack.token()
        body = {"name": "kills", "channel": "webhook", "target": {"url": listener.url}, "events": ["payment.captured"]}
        assert stack.call("POST", "/v1/subscriptions", body).status_code == 201
        killing.set()
        wanted = threading.Semaphore(ORDERS_AT_ONCE)

        def shop() -> None:
            while killing.is_set():
                if wanted.acquire(timeout=0.1):
                    place_order(stack, placed, random.Random(chance.random()))

        shops = [threading.Thread(target=shop) for _ in range(ORDERS_AT_ONCE)]
        for one in shops:
            one.start()
        for number in range(kills):
            wanted.release(ORDERS_FOR_EACH_KILL)
            time.sleep(chance.uniform(0.05, 0.6))
            whole = WHOLE.get(number % WHOLE_EVERY)
            (whole or kill_one)(stack, chance)
            if whole is not None:
                stack.process.wait()
                stack.process = launched(stack.port, stack.var, tmp_path / "log")
                wait_ready(stack)
            if number % BREATHES_EVERY == BREATHES_EVERY - 1:
                breathe(stack, placed)
        killing.clear()
        for one in shops:
            one.join(200)
            assert not one.is_alive(), "every order is answered in the end"
        wait_ready(stack)
        print(f"{kills} kills, {dict(Counter(one.status_code for one in placed))} orders")
        for order in placed:
            status_code, payment, operations = order
            if status_code == 201 and not any(one["status"] == "failed" for one in operations):
                listener.wait_for(payment["id"], "payment.captured", 90)
            now = persistently(stack, "GET", f"/v1/payments/{payment['id']}").json()
            amounts = amounts_of(order, now) if status_code == 201 else (0, 0)
            assert now["status"] in STATUSES_OF.get(status_code, {STATUS_OF[amounts]})
            assert (now["amounts"]["captured"], now["amounts"]["refunded"]) == amounts
            check_operations(stack, order, now)
            assert now["amounts"]["surplus"] == 0
            for attempt in now["attempts"]:
                assert len(stack.sessions(attempt["connection_id"], attempt["id"])) <= 1
        paid = sum(order.status_code == 201 for order in placed)
        assert paid >= ORDERS_AT_ONCE
        assert paid_sessions(stack) == paid
    listener.close()
