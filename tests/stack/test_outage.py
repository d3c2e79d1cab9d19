"""A PSP goes down and comes back while 32 shops' connections buy: nobody notices but the PSP."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest

from tests.stack.running import Json, Stack, running, send

DOWN = "sandbox-a"
CONNECTIONS = 32
FAILURES_MAX = 20
CLOSES_WITHIN_S = 60
PROBES_MAX = 5  # in a minute: after 10, 20, 30 s


@pytest.fixture(scope="module")
def own_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of its own: the others' PSPs stay up."""
    with running(tmp_path_factory.mktemp("outage") / "var") as started:
        yield started


class Load:
    """What buying through so many connections came to."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._lock = threading.Lock()
        self._answers: list[tuple[int, Json]] = []
        self.stopping = threading.Event()

    def buy(self) -> None:
        while not self.stopping.is_set():
            answer = self._stack.checkout(str(uuid.uuid4()))
            with self._lock:
                self._answers.append((answer.status_code, answer.json()))

    def answers(self) -> list[tuple[int, Json]]:
        with self._lock:
            return list(self._answers)

    def newest(self) -> Json:
        with self._lock:
            return self._answers[-1][1]

    def failures(self) -> list[datetime]:
        """When the attempts began that came to nothing at the PSP that is down."""
        attempts = [one for status, payment in self.answers() if status == 201 for one in payment["attempts"]]
        failed = [one for one in attempts if one["connection_id"] == DOWN and one["status"] != "pending"]
        return sorted(datetime.fromisoformat(one["started_at"].replace("Z", "+00:00")) for one in failed)

    def bought(self, count: int) -> None:
        """Returns once so many more were answered."""
        wanted = len(self.answers()) + count
        eventually(lambda: len(self.answers()) >= wanted, 30, "shops can buy")


@contextmanager
def buying(stack: Stack) -> Iterator[Load]:
    stack.token()
    load = Load(stack)
    threads = [threading.Thread(target=load.buy) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        load.stopping.set()
        for thread in threads:
            thread.join()


def eventually(holds: Callable[[], bool], within_s: float, promise: str) -> float:
    """How many seconds it took."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() < began + within_s, f"{promise} within {within_s} s"
        time.sleep(0.05)
    return time.monotonic() - began


def health(stack: Stack) -> Json:
    shown: Json = stack.call("GET", f"/v1/connections/{DOWN}/health").json()
    return shown


def behave(stack: Stack, mode: str | None) -> None:
    assert send("PUT", f"{stack.sandbox}/{DOWN}/behaviour", json={"mode": mode}).status_code == 200


def outage(stack: Stack, mode: str, down_s: float) -> None:
    with buying(stack) as load:
        load.bought(100)
        behave(stack, mode)
        began = time.monotonic()
        opened_s = eventually(lambda: health(stack)["state"] == "open", 20, "the circuit opens")
        opened_at = datetime.fromisoformat(health(stack)["opened_at"].replace("Z", "+00:00"))
        eventually(lambda: time.monotonic() - began >= down_s, down_s + 1, "the outage lasts")
        behave(stack, None)
        closed_s = eventually(lambda: health(stack)["state"] == "closed", CLOSES_WITHIN_S, "the circuit closes")
        eventually(lambda: load.newest()["attempts"][0]["connection_id"] == DOWN, 10, "payments go there again")
    answers, failures = load.answers(), load.failures()
    burst = [at for at in failures if at < opened_at + timedelta(seconds=5)]
    print(f"{mode}: {len(burst)} failures, open in {opened_s:.1f} s, {len(failures) - len(burst)} failed probes, "
          f"closed {closed_s:.1f} s after, {len(answers)} checkouts")  # fmt: skip
    assert [body for status, body in answers if status != 201] == [], "the other PSP could have taken every one"
    assert len(burst) <= FAILURES_MAX
    assert len(failures) - len(burst) <= PROBES_MAX


def test_an_outage_costs_no_checkout_and_few_calls(own_stack: Stack) -> None:
    outage(own_stack, "error_500", down_s=2)


@pytest.mark.long
@pytest.mark.parametrize("mode", ["refuse", "error_500"])
def test_an_outage_of_a_minute(own_stack: Stack, mode: str) -> None:
    outage(own_stack, mode, down_s=60)
