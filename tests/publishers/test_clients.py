"""Clients kept between deliveries."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib.publishers.clients import Clients, SharedClients


class Client:
    closed = False

    def close(self) -> None:
        self.closed = True


def test_a_client_is_lent_again() -> None:
    clients = Clients(Client.close)
    with clients.lent("a", Client) as first:
        pass
    with clients.lent("a", Client) as again:
        assert again is first


def test_another_target_has_another_client() -> None:
    clients = Clients(Client.close)
    with clients.lent("a", Client) as first:
        pass
    with clients.lent("b", Client) as other:
        assert other is not first


def test_a_client_is_never_lent_twice_at_once() -> None:
    clients, together = Clients(Client.close), threading.Barrier(8)

    def used(number: int) -> Client:
        with clients.lent("a", Client) as client:
            together.wait(10)
            return client

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(used, range(8)))) == 8


def test_a_client_that_failed_is_closed_and_never_lent_again() -> None:
    clients = Clients(Client.close)
    with pytest.raises(OSError), clients.lent("a", Client) as failed:
        raise OSError("lost")
    with clients.lent("a", Client) as other:
        assert (failed.closed, other is failed) == (True, False)


def test_a_client_that_can_not_be_closed_hides_no_error() -> None:
    def broken(client: Client) -> None:
        raise RuntimeError("no")

    with pytest.raises(OSError, match="lost"), Clients(broken).lent("a", Client):
        raise OSError("lost")


def test_the_longest_idle_go_when_there_are_too_many() -> None:
    clients = Clients(Client.close, kept_max=2)
    made = []
    for key in "abc":
        with clients.lent(key, Client) as client:
            made.append(client)
    assert [one.closed for one in made] == [True, False, False]


def test_what_was_idle_for_long_goes() -> None:
    now = [0.0]
    clients = Clients(Client.close, idle_max_s=60, clock=lambda: now[0])
    with clients.lent("old settings", Client) as old:
        pass
    now[0] = 61.0
    with clients.lent("new settings", Client) as new:
        pass
    assert (old.closed, new.closed) == (True, False)


def test_what_was_idle_for_long_is_not_lent() -> None:
    now = [0.0]
    clients = Clients(Client.close, idle_max_s=60, clock=lambda: now[0])
    with clients.lent("a", Client) as old:
        pass
    now[0] = 61.0
    with clients.lent("a", Client) as new:
        assert (old.closed, new is old) == (True, False)


def test_the_idle_of_one_target_are_dropped_together() -> None:
    clients = Clients(Client.close)
    with clients.lent("a", Client) as first, clients.lent("a", Client) as second, clients.lent("b", Client) as other:
        pass
    clients.drop("a")
    assert (first.closed, second.closed, other.closed) == (True, True, False)


def test_closing_closes_all_that_are_idle() -> None:
    clients = Clients(Client.close)
    with clients.lent("a", Client) as first, clients.lent("b", Client) as second:
        pass
    clients.close()
    assert (first.closed, second.closed) == (True, True)


def test_a_shared_client_is_the_same_for_all() -> None:
    shared = SharedClients(Client.close)
    assert shared.of("a", Client) is shared.of("a", Client)
    assert shared.of("a", Client) is not shared.of("b", Client)


def test_a_shared_client_that_is_no_longer_good_is_made_anew() -> None:
    good = [True]
    shared = SharedClients(Client.close, lambda _: good[0])
    old = shared.of("a", Client)
    good[0] = False
    assert shared.of("a", Client) is not old
    assert old.closed


def test_the_longest_unused_shared_client_goes_when_there_are_too_many() -> None:
    shared = SharedClients(Client.close, kept_max=2)
    a, b = shared.of("a", Client), shared.of("b", Client)
    shared.of("a", Client)
    shared.of("c", Client)
    assert (a.closed, b.closed) == (False, True)


def test_a_shared_client_is_dropped_at_a_word() -> None:
    shared = SharedClients(Client.close)
    old = shared.of("a", Client)
    shared.drop("a")
    shared.drop("a")
    assert old.closed
    assert shared.of("a", Client) is not old


def test_of_two_made_at_once_the_one_that_was_never_lent_goes() -> None:
    shared = SharedClients(Client.close)
    made: list[Client] = []

    def slowly() -> Client:
        made.append(shared.of("a", Client))
        made.append(Client())
        return made[1]

    assert shared.of("a", slowly) is made[0]
    assert (made[0].closed, made[1].closed) == (False, True)


def test_closing_closes_the_shared_clients() -> None:
    shared = SharedClients(Client.close)
    clients = [shared.of(key, Client) for key in "ab"]
    shared.close()
    assert [one.closed for one in clients] == [True, True]
