"""The last days' payments through another route: who is counted, and what became of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from chalicelib.contracts.store import NEW, Store
from chalicelib.domain.configuration import Route
from chalicelib.domain.errors import Invalid
from chalicelib.domain.ids import payment_id_of
from chalicelib.domain.payment import Payment
from chalicelib.services import replay as module
from chalicelib.services.kinds import KINDS, PAYMENT
from chalicelib.services.replay import Report, outcome_of, replay_days
from chalicelib.services.simulate import simulated_route
from chalicelib.storage.memory import MemoryStore
from chalicelib.storage.sql import SqlStore
from tests.services.histories import REFUND, answers, declines, expired, sold
from tests.world import World

OTHER_WAY = {"name": "default", "otherwise": {"use": ["psp-2", "psp-1"]}}


@pytest.fixture(params=["memory", "sqlite"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    store: Store = MemoryStore()
    if request.param == "sqlite":
        store = SqlStore(f"sqlite:///{tmp_path}/payments.db", KINDS)
        store.migrate()
    yield World(tmp_path, store)
    store.close()


def replayed(world: World, draft: Any = None, days: int = 30, limit: int = 100, **more: Any) -> Report:
    route: Route = simulated_route(world.ports, "default", "default", draft)
    given = {"cursor": None, "limit": limit, **more}
    return replay_days(world.ports, world.try_chain.candidate, route, days, **given)


def sold_at_the_second(world: World, key: str) -> Payment:
    declines(world, "psp-1")
    payment = sold(world, key=key)
    answers(world)
    return payment


def copies(world: World, payment: Payment, count: int) -> None:
    """So many more like it, each a second older than the one before."""
    for number in range(count):
        created_at = payment.created_at - timedelta(seconds=number + 1)
        copy = replace(payment, id=payment_id_of("default", f"copy {number}"), created_at=created_at)
        world.store.put(PAYMENT, copy, expect=NEW)


def test_the_active_version_replayed_on_its_own_payments_changes_nothing(world: World) -> None:
    sold(world)
    sold_at_the_second(world, "k-2")
    world.open("k-3")
    found = replayed(world)
    assert (found.replayed, found.changed, found.moved, found.payments) == (3, 0, 0, [])
    assert found.before == found.after == {"psp-1": 3}


def test_a_draft_moves_payments_and_says_which(world: World) -> None:
    payment = sold(world)
    found = replayed(world, OTHER_WAY)
    assert (found.changed, found.moved) == (1, 1)
    assert (found.before, found.after) == ({"psp-1": 1}, {"psp-2": 1})
    (changed,) = found.payments
    assert (changed.payment_id, changed.created_at) == (payment.id, payment.created_at)
    assert (changed.replayed.before.chain, changed.replayed.after.chain) == (("psp-1", "psp-2"), ("psp-2", "psp-1"))


def test_payments_of_another_route_are_read_and_not_replayed(world: World) -> None:
    sold(world, route="careful")
    found = replayed(world)
    assert (found.read, found.replayed) == (1, 0)


def test_another_merchant_accounts_payments_are_not_read(world: World) -> None:
    other = replace(sold(world), id=payment_id_of("other", "k"), merchant_id="other")
    world.store.put(PAYMENT, other, expect=NEW)
    assert replayed(world).read == 1


@pytest.mark.parametrize(("age_s", "replays"), [(86_400, 1), (86_401, 0)])
def test_older_payments_are_left_alone(world: World, age_s: int, replays: int) -> None:
    sold(world)
    world.clock.forward(age_s)
    assert replayed(world, days=1).replayed == replays


def test_a_payment_that_kept_too_little_is_counted_apart(world: World) -> None:
    payment = sold(world)
    bare = replace(payment, id=payment_id_of("default", "bare"), route=replace(payment.route, inputs={}))
    world.store.put(PAYMENT, bare, expect=NEW)
    found = replayed(world, OTHER_WAY)
    assert (found.read, found.untraced, found.replayed, found.changed) == (2, 1, 1, 1)


def test_a_payment_that_nobody_could_take_is_counted_so(world: World) -> None:
    sold(world)
    found = replayed(world, {"name": "default", "otherwise": {"use": ["nobody"]}})
    assert (found.untaken, found.after) == (1, {})
    assert "nobody could not take it: the connection does not exist." in found.payments[0].replayed.why
    assert (found.authorized.estimate().before, found.authorized.estimate().after) == (1.0, 0.0)


def test_a_payment_that_is_not_decided_is_left_out_of_the_estimates(world: World) -> None:
    sold(world)
    world.open("k-2")
    found = replayed(world)
    assert (found.replayed, found.not_concluded, found.authorized.estimate().matched) == (2, 1, 1)


def test_what_was_authorized_at_all_and_at_first_are_told_apart(world: World) -> None:
    sold(world)
    sold_at_the_second(world, "k-2")
    found = replayed(world)
    assert (found.authorized.estimate().before, found.at_first.estimate().before) == (1.0, 0.5)


def began_at_psp_2(world: World, payment: Payment) -> None:
    """As if its route had said so."""
    stored = world.store.get(PAYMENT, payment.id)
    route = replace(stored.value.route, chain=("psp-2", "psp-1"))
    world.store.put(PAYMENT, replace(stored.value, route=route), expect=stored.version)


def test_payments_of_another_payment_method_do_not_count_for_those_that_move(world: World) -> None:
    """At psp-2 the card was authorized, and nothing else; so another card that moves there would be, too."""
    began_at_psp_2(world, sold(world, key="k-1", payment_method="card"))
    began_at_psp_2(world, expired(world, key="k-2"))
    expired(world, key="k-3", payment_method="card")
    found = replayed(world, OTHER_WAY).authorized.estimate()
    assert (found.matched, found.estimated) == (2, 1)
    assert (found.before, found.after) == (1 / 3, 2 / 3)


def test_no_more_payments_are_listed_than_were_asked_for_and_all_are_counted(world: World) -> None:
    copies(world, sold(world), 4)
    found = replayed(world, OTHER_WAY, limit=2)
    assert (found.changed, len(found.payments)) == (5, 2)


def pages(world: World, **more: Any) -> list[Report]:
    found = [replayed(world, OTHER_WAY, limit=200, **more)]
    while found[-1].cursor is not None:
        found.append(replayed(world, OTHER_WAY, limit=200, cursor=found[-1].cursor, **more))
    return found


def test_a_call_ends_when_its_time_is_over_and_the_next_goes_on(world: World) -> None:
    copies(world, sold(world), 419)
    begun: Iterator[float] = iter(range(0, 1000, 21))
    found = pages(world, monotonic=begun.__next__)
    assert [one.replayed for one in found] == [200, 200, 20]
    assert len({changed.payment_id for one in found for changed in one.payments}) == 420


def test_a_call_that_is_in_time_goes_to_the_end(world: World) -> None:
    copies(world, sold(world), 419)
    clock: Callable[[], float] = lambda: 0.0  # noqa: E731  # time that stands still
    assert [one.replayed for one in pages(world, monotonic=clock)] == [420]


def test_a_call_reads_so_many_payments_and_the_next_goes_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READ_MAX", 400)
    copies(world, sold(world), 419)
    assert [one.read for one in pages(world)] == [400, 20]


def test_a_foreign_cursor_is_refused(world: World) -> None:
    with pytest.raises(Invalid) as error:
        replayed(world, cursor="another-lists")
    assert error.value.errors[0].pointer == "/cursor"


def test_a_replay_changes_nothing_that_is_stored(world: World) -> None:
    payment = sold(world)
    replayed(world, OTHER_WAY)
    assert world.payment(payment.id) == payment


def refunded(world: World) -> Payment:
    payment = sold(world)
    world.do(REFUND, payment.id, "r", 1000)
    return payment


def all_decline(world: World) -> Payment:
    declines(world, "psp-1", "psp-2")
    return world.open().payment


@pytest.mark.parametrize(
    ("history", "outcome"),
    [
        (sold, (True, True)),
        (refunded, (True, True)),
        (lambda world: sold_at_the_second(world, "k"), (True, False)),
        (expired, (False, False)),
        (all_decline, (False, False)),
        (lambda world: world.open().payment, None),
    ],
    ids=["sold", "refunded", "sold at the second", "expired", "declined by all", "open"],
)
def test_what_became_of_a_payment(
    tmp_path: Path, history: Callable[[World], Payment], outcome: tuple[bool, bool] | None
) -> None:
    world = World(tmp_path)
    assert outcome_of(world.payment(history(world).id)) == outcome
