"""Hours that are over are closed once and for all; the open rest follows the payments."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from chalicelib.contracts.store import NEW
from chalicelib.domain.errors import StaleVersion, StorageFault
from chalicelib.domain.statistics import HOUR
from chalicelib.services import roll_up_store
from chalicelib.services.kinds import PAYMENT
from chalicelib.services.roll_up import OPEN, roll_up_all
from tests.builders import NOW
from tests.services.histories import REFUND, sold
from tests.services.rolled import STORES, Interposed, closed, counted, opened, rolled, rolled_while, summed
from tests.world import World


@pytest.fixture(params=STORES)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    store = STORES[request.param](tmp_path)
    store.migrate()
    yield World(tmp_path, store)
    store.close()


def test_a_shop_without_payments_has_nothing_to_roll_up(world: World) -> None:
    rolled(world)
    assert roll_up_store.read(world.store, "default", OPEN) is None


def test_the_open_hour_is_counted_before_anybody_rolled_it_up(world: World) -> None:
    sold(world)
    assert counted(world, "captured_minor") == 1000


def test_an_hour_is_not_closed_before_it_is_over_for_ten_minutes(world: World) -> None:
    sold(world)
    world.clock.forward(3600 + 599)
    rolled(world)
    assert closed(world) == {}
    world.clock.forward(1)
    rolled(world)
    assert closed(world)["2026-03-01T12"]["captured_minor"] == 1000


def test_what_is_closed_is_open_no_more(world: World) -> None:
    sold(world)
    world.clock.forward(3600 + 600)
    rolled(world)
    assert (opened(world).roll_up.since, opened(world).rows) == (NOW + HOUR, ())


def test_the_last_half_minute_is_left_to_those_who_ask(world: World) -> None:
    sold(world)
    world.clock.forward(29)
    rolled(world)
    assert roll_up_store.read(world.store, "default", OPEN) is None or opened(world).rows == ()
    assert counted(world, "payments") == 1


def test_the_open_hour_grows_with_each_round(world: World) -> None:
    for key in ("first", "second"):
        sold(world, key=key, order_reference=key)
        world.clock.forward(60)
        rolled(world)
    assert summed(opened(world).rows)["captured_minor"] == 2000
    assert counted(world, "captured_minor") == 2000


def test_a_round_in_which_nothing_happened_writes_nothing(world: World) -> None:
    sold(world)
    world.clock.forward(60)
    rolled(world)
    version = opened(world).version
    world.clock.forward(60)
    rolled(world)
    assert opened(world).version == version


def test_days_in_which_nothing_happened_are_passed_over(world: World) -> None:
    sold(world)
    world.clock.forward(40 * 86_400)
    rolled(world)
    sold(world, key="later", order_reference="later")
    world.clock.forward(2 * 86_400)
    rolled(world)
    assert sorted(closed(world)) == ["2026-03-01T12", "2026-04-10T12"]


def test_money_that_goes_back_later_counts_in_the_hour_in_which_it_goes(world: World) -> None:
    payment = sold(world)
    world.clock.forward(7200)
    world.do(REFUND, payment.id, "refund", 300)
    world.clock.forward(7200)
    rolled(world)
    assert closed(world)["2026-03-01T12"]["captured_minor"] == 1000
    assert closed(world)["2026-03-01T14"] == {"payments": 0, "payments_authorized": 0, "refunded_minor": 300}


def test_a_closed_hour_stays_as_it_is_whatever_comes_later(world: World) -> None:
    payment = sold(world)
    world.clock.forward(3600 + 600)
    rolled(world)
    was = closed(world)
    world.do(REFUND, payment.id, "refund")
    world.clock.forward(7200)
    rolled(world)
    assert closed(world)["2026-03-01T12"] == was["2026-03-01T12"]


def test_closing_finds_what_was_committed_after_it_was_rolled_up(world: World) -> None:
    """A process whose commit took longer than half a minute."""
    payment = world.open().payment
    world.psps["psp-1"].pay(payment.attempts[0].id)
    world.webhook("psp-1", payment.attempts[0].id)
    world.clock.forward(60)
    rolled(world)
    world.clock.forward(-40)
    world.settle()
    world.clock.forward(3600 + 600)
    rolled(world)
    assert closed(world)["2026-03-01T12"]["captured_minor"] == 1000


def test_a_payment_that_moves_on_while_it_is_counted_counts_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes again at a later page."""
    monkeypatch.setattr("chalicelib.services.roll_up.PAGE_MAX", 1)
    payment = sold(world)
    world.clock.forward(60)
    sold(world, key="another", order_reference="another")
    world.clock.forward(3600 + 600)
    rolled_while(world, "find", lambda: world.do(REFUND, payment.id, "refund", 300))
    assert closed(world)["2026-03-01T12"]["captured_minor"] == 2000


def test_a_worker_that_comes_second_leaves_the_first_ones_work_as_it_is(world: World) -> None:
    sold(world)
    world.clock.forward(60)
    rolled(world)
    sold(world, key="another", order_reference="another")
    world.clock.forward(60)
    with pytest.raises(StaleVersion):
        rolled_while(world, "get", lambda: rolled(world))
    assert counted(world, "captured_minor") == 2000


def test_a_worker_that_dies_after_closing_an_hour_is_taken_over(world: World) -> None:
    sold(world)
    world.clock.forward(3600 + 600)

    def die() -> None:
        raise StorageFault("gone")

    with pytest.raises(StorageFault):
        rolled_while(world, "put", die)
    assert counted(world, "captured_minor") == 1000, "what is not open is not counted twice"
    rolled(world)
    assert (len(closed(world)), counted(world, "captured_minor")) == (1, 1000)


def test_what_goes_wrong_with_one_merchant_account_stops_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    merchants = ["alpha", "beta", "gamma"]
    monkeypatch.setattr("chalicelib.services.roll_up.merchants_of", lambda store: list(merchants))
    payment = sold(world)
    for merchant_id in merchants:
        world.store.put(PAYMENT, replace(payment, id=f"pay_{merchant_id}", merchant_id=merchant_id), expect=NEW)
    world.clock.forward(60)

    def fail() -> None:
        raise StorageFault("The database did not answer.")

    roll_up_all(replace(world.ports, store=Interposed(world.store, "find", fail)))
    found = [roll_up_store.read(world.store, merchant_id, OPEN) for merchant_id in merchants]
    assert sorted(one is not None and bool(one.rows) for one in found) == [False, True, True]
