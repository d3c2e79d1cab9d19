"""Lanes: a slow endpoint holds its own lane and no other, and what belongs together keeps its order."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import wait

import pytest

from chalicelib.services.lanes import WAITING_MAX, LaneFull, Lanes

SOON_S = 10


@pytest.fixture
def lanes() -> Iterator[Lanes]:
    made = Lanes(threads=16)
    yield made
    made.close()


class Gate:
    """A job that stands still until it is let through."""

    def __init__(self) -> None:
        self.entered, self.open = threading.Event(), threading.Event()

    def __call__(self) -> None:
        self.entered.set()
        assert self.open.wait(SOON_S)


def test_a_lane_that_stands_still_keeps_no_other_waiting(lanes: Lanes) -> None:
    gates = [Gate() for _ in range(4)]
    for number, gate in enumerate(gates):
        lanes.submit("slow", 4, str(number), gate)
    stuck = lanes.submit("slow", 4, "5", lambda: None)
    lanes.submit("quick", 4, "0", lambda: None).result(SOON_S)
    assert not stuck.done()
    for gate in gates:
        gate.open.set()
    stuck.result(SOON_S)


def test_no_more_run_in_a_lane_than_it_may_have(lanes: Lanes) -> None:
    running, most, lock = 0, 0, threading.Lock()
    enough = threading.Barrier(3)

    def job() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        enough.wait(SOON_S)
        with lock:
            running -= 1

    done = [lanes.submit("one", 3, str(number), job) for number in range(12)]
    wait(done, timeout=SOON_S)
    assert most == 3


def test_jobs_of_one_key_run_in_their_order_one_at_a_time(lanes: Lanes) -> None:
    seen: list[int] = []
    gate = Gate()
    lanes.submit("one", 8, "pay_1", gate)
    done = [lanes.submit("one", 8, "pay_1", lambda number=number: seen.append(number)) for number in range(50)]  # type: ignore[misc]
    other = lanes.submit("one", 8, "pay_2", lambda: seen.append(-1))
    other.result(SOON_S)
    gate.open.set()
    wait(done, timeout=SOON_S)
    assert seen == [-1, *range(50)]


def test_what_a_job_raises_is_told_and_the_lane_goes_on(lanes: Lanes) -> None:
    def fails() -> None:
        raise KeyError("no")

    assert isinstance(lanes.submit("one", 1, "a", fails).exception(SOON_S), KeyError)
    lanes.submit("one", 1, "a", lambda: None).result(SOON_S)


def test_a_lane_holds_so_many_and_no_more(lanes: Lanes) -> None:
    gate = Gate()
    lanes.submit("one", 1, "a", gate)
    assert gate.entered.wait(SOON_S)
    for _ in range(WAITING_MAX):
        lanes.submit("one", 1, "a", lambda: None)
    with pytest.raises(LaneFull):
        lanes.submit("one", 1, "a", lambda: None)
    lanes.submit("one", 1, "a", lambda: None, room=WAITING_MAX + 1)  # where it is quick, more may wait
    lanes.submit("two", 1, "a", lambda: None).result(SOON_S)
    gate.open.set()


def test_a_lane_is_short_while_fewer_wait_than_may_run(lanes: Lanes) -> None:
    gate = Gate()
    done = lanes.submit("one", 1, "a", gate)
    assert gate.entered.wait(SOON_S)
    assert lanes.is_short("one", 1)
    lanes.submit("one", 1, "b", lambda: None)
    assert (lanes.is_short("one", 1), lanes.is_short("one", 2), lanes.is_short("two", 1)) == (False, True, True)
    gate.open.set()
    done.result(SOON_S)


def test_a_stop_starts_nothing_that_has_no_thread_yet() -> None:
    lanes, gate, started = Lanes(threads=1), Gate(), threading.Event()
    lanes.submit("one", 1, "a", gate)
    assert gate.entered.wait(SOON_S)
    lanes.submit("two", 1, "b", started.set)
    closing = threading.Thread(target=lanes.close)
    closing.start()
    while not lanes._pool._shutdown:
        gate.open.wait(0.001)
    gate.open.set()
    closing.join(SOON_S)
    assert not started.is_set()


def test_who_rests_may_leave_what_has_not_begun_to_others(lanes: Lanes) -> None:
    gate, ran = Gate(), list[str]()
    lanes.submit("slow", 1, "a", gate)
    lanes.submit("slow", 1, "b", lambda: ran.append("b"))
    assert gate.entered.wait(SOON_S)
    assert not lanes.rest(0, begin_s=0)
    gate.open.set()
    assert lanes.rest(SOON_S)
    assert ran == []


def test_what_begins_in_time_is_waited_for(lanes: Lanes) -> None:
    gate, ran = Gate(), list[str]()
    lanes.submit("slow", 1, "a", gate)
    lanes.submit("slow", 1, "b", lambda: ran.append("b"))
    gate.open.set()
    assert lanes.rest(SOON_S, begin_s=SOON_S)
    assert ran == ["b"]
