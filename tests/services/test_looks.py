"""Webhooks that only say "look" are queued as often as need be, and no more."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.services.looks import ATTEMPTS_MAX, LOOK_EVERY_S, MARGIN_S, Looks


class Clock:
    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


def taken(looks: Looks, attempt_id: str = "att_1") -> float | None:
    """As intake does for a delivery."""
    delay_s = looks.delay_s(attempt_id)
    if delay_s is not None:
        looks.queued(attempt_id, delay_s)
    return delay_s


def test_the_first_goes_at_once_the_second_a_little_later_and_those_that_follow_are_seen_to() -> None:
    looks = Looks(Clock())
    assert [taken(looks) for _ in range(5)] == [0.0, LOOK_EVERY_S, None, None, None]


def test_each_attempt_has_its_own() -> None:
    looks = Looks(Clock())
    assert [taken(looks, one) for one in ("att_1", "att_2", "att_1")] == [0.0, 0.0, LOOK_EVERY_S]


def test_after_a_while_one_goes_at_once_again() -> None:
    clock = Clock()
    looks = Looks(clock)
    taken(looks)
    clock.now_s += LOOK_EVERY_S
    assert taken(looks) == 0.0


def test_a_delivery_is_not_left_to_a_look_that_was_not_sent() -> None:
    looks = Looks(Clock())
    assert [looks.delay_s("att_1"), looks.delay_s("att_1")] == [0.0, 0.0]
    looks.queued("att_1", 0.0)
    assert looks.delay_s("att_1") == LOOK_EVERY_S


def test_a_delivery_is_not_left_to_a_look_that_may_come_before_it() -> None:
    clock = Clock()
    looks = Looks(clock)
    taken(looks)
    taken(looks)
    clock.now_s += LOOK_EVERY_S - MARGIN_S / 2
    assert taken(looks) == LOOK_EVERY_S + MARGIN_S / 2


def test_it_remembers_so_many_attempts_and_no_more() -> None:
    clock = Clock()
    looks = Looks(clock)
    for number in range(ATTEMPTS_MAX):
        taken(looks, str(number))
    clock.now_s += LOOK_EVERY_S
    taken(looks, "att_1")
    assert len(looks._due) == 1, "those that nothing hangs on are forgotten"
    for number in range(2 * ATTEMPTS_MAX):
        taken(looks, str(number))
    assert len(looks._due) <= ATTEMPTS_MAX


def test_a_look_that_waits_is_not_forgotten_for_want_of_room() -> None:
    clock = Clock()
    looks = Looks(clock)
    for number in range(ATTEMPTS_MAX - 1):
        taken(looks, str(number))
    clock.now_s += LOOK_EVERY_S
    assert [taken(looks) for _ in range(2)] == [0.0, LOOK_EVERY_S]
    taken(looks, "att_2")
    assert taken(looks) is None


@given(waits=st.lists(st.floats(0, 25) | st.floats(0, 0.01), min_size=1, max_size=200))
def test_every_delivery_is_followed_by_a_look_soon_and_a_flood_makes_few(waits: list[float]) -> None:
    clock = Clock()
    looks, due, came = Looks(clock), [], []
    for wait_s in waits:
        clock.now_s += wait_s
        came.append(clock.now_s)
        delay_s = taken(looks)
        if delay_s is not None:
            due.append(clock.now_s + delay_s)
    for at_s in came:
        assert any(at_s <= look_s <= at_s + LOOK_EVERY_S + MARGIN_S for look_s in due)
    assert len(due) <= 2 + (came[-1] - came[0]) / (LOOK_EVERY_S - MARGIN_S)
