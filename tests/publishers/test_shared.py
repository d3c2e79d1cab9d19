"""Clients that many threads use at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from chalicelib.publishers.shared import Shared


class Client:
    closed = 0

    def close(self) -> None:
        self.closed += 1


def test_many_threads_use_one_client_and_what_they_made_besides_is_closed() -> None:
    shared, together, made = Shared(Client.close), threading.Barrier(8), []

    def make() -> Client:
        mine = Client()
        made.append(mine)
        together.wait(10)
        return mine

    def used(number: int) -> Client:
        with shared.used("a", make) as client:
            together.wait(10)
            return client

    with ThreadPoolExecutor(8) as pool:
        (kept,) = set(pool.map(used, range(8)))
    assert sorted(one.closed for one in made) == [0] + [1] * 7
    assert kept.closed == 0


def test_a_client_is_used_again() -> None:
    shared = Shared(Client.close)
    with shared.used("a", Client) as first:
        pass
    with shared.used("a", Client) as again:
        assert again is first


def test_another_target_has_another_client() -> None:
    shared = Shared(Client.close)
    with shared.used("a", Client) as first, shared.used("b", Client) as other:
        assert other is not first


def test_a_client_that_failed_gets_no_new_users() -> None:
    shared = Shared(Client.close)
    with pytest.raises(OSError), shared.used("a", Client) as failed:
        raise OSError("lost")
    with shared.used("a", Client) as other:
        assert (failed.closed, other is failed) == (1, False)


def test_a_client_that_failed_is_closed_when_its_last_user_has_left() -> None:
    shared = Shared(Client.close)
    with shared.used("a", Client) as client:
        with pytest.raises(OSError), shared.used("a", Client):
            raise OSError("lost")
        assert client.closed == 0
    assert client.closed == 1


def test_a_late_failure_of_the_old_client_leaves_the_new_one_alone() -> None:
    shared, found = Shared(Client.close), []

    def lose(meanwhile: Callable[[], None]) -> None:
        with shared.used("a", Client) as client:
            found.append(client)
            meanwhile()
            raise OSError("lost")

    def replace() -> None:
        with suppress(OSError):
            lose(lambda: None)
        with shared.used("a", Client) as new:
            found.append(new)

    with pytest.raises(OSError):
        lose(replace)
    with shared.used("a", Client) as again:
        assert again is found[-1]


def test_the_longest_unused_goes_when_there_are_too_many() -> None:
    shared = Shared(Client.close, kept_max=2)
    made = []
    for key in ("a", "b", "a", "c"):
        with shared.used(key, Client) as client:
            made.append(client)
    assert [one.closed for one in made] == [0, 1, 0, 0]


def test_what_was_unused_for_long_goes() -> None:
    now = [0.0]
    shared = Shared(Client.close, idle_max_s=60, clock=lambda: now[0])
    with shared.used("old settings", Client) as old:
        pass
    now[0] = 61.0
    with shared.used("new settings", Client) as new:
        pass
    assert (old.closed, new.closed) == (1, 0)


def test_what_is_in_use_stays_however_old_it_is() -> None:
    now = [0.0]
    shared = Shared(Client.close, idle_max_s=60, kept_max=1, clock=lambda: now[0])
    with shared.used("a", Client) as old:
        now[0] = 61.0
        with shared.used("b", Client):
            assert old.closed == 0


def test_closing_waits_for_the_last_user() -> None:
    shared = Shared(Client.close)
    with shared.used("a", Client) as idle:
        pass
    with shared.used("b", Client) as busy:
        shared.close()
        assert (idle.closed, busy.closed) == (1, 0)
    assert busy.closed == 1
