"""So many turns at once, and then one each so many seconds: for each by itself."""

from __future__ import annotations

import threading

from chalicelib.services.allowance import REMEMBERED_MAX, Allowance
from tests.services.test_looks import Clock


def taken(allowance: Allowance, times: int, whose: str = "a") -> list[int]:
    return [allowance.wait_s(whose) for _ in range(times)]


def test_so_many_turns_are_there_at_once_and_no_more() -> None:
    assert taken(Allowance(3, 10.0, Clock()), 5) == [0, 0, 0, 10, 10]


def test_a_turn_comes_back_after_its_time() -> None:
    clock = Clock()
    allowance = Allowance(2, 10.0, clock)
    taken(allowance, 2)
    clock.now_s += 9.5
    assert taken(allowance, 1) == [1]
    clock.now_s += 0.5
    assert taken(allowance, 2) == [0, 10]


def test_no_more_turns_than_all_are_saved_up() -> None:
    clock = Clock()
    allowance = Allowance(2, 10.0, clock)
    taken(allowance, 1)
    clock.now_s += 86_400
    assert taken(allowance, 3) == [0, 0, 10]


def test_who_is_refused_waits_no_longer_for_asking() -> None:
    clock = Clock()
    allowance = Allowance(1, 10.0, clock)
    taken(allowance, 1_000)
    clock.now_s += 10
    assert taken(allowance, 1) == [0]


def test_each_has_turns_of_its_own() -> None:
    allowance = Allowance(1, 10.0, Clock())
    assert [allowance.wait_s(whose) for whose in ("a", "b", "a")] == [0, 0, 10]


def test_of_many_only_who_took_turns_lately_is_remembered() -> None:
    clock = Clock()
    allowance = Allowance(2, 10.0, clock)
    for number in range(REMEMBERED_MAX - 2):
        allowance.wait_s(str(number))
    clock.now_s += 10
    taken(allowance, 2, "another flood")
    taken(allowance, 2, "a flood")
    assert len(allowance._full_at) == 2
    assert [allowance.wait_s(whose) for whose in ("a flood", "another flood")] == [10, 10]


def test_more_than_can_be_remembered_are_forgotten() -> None:
    allowance = Allowance(2, 10.0, Clock())
    for number in range(REMEMBERED_MAX + 1):
        allowance.wait_s(str(number))
    assert len(allowance._full_at) == 1


def test_threads_share_the_turns() -> None:
    allowance, found = Allowance(50, 10.0, Clock()), list[int]()
    threads = [threading.Thread(target=lambda: found.extend(taken(allowance, 10))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found.count(0) == 50
