"""An event about the configuration rides along with the change it tells of: it is neither lost nor told twice."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from chalicelib.contracts.publisher import Publication, Retry
from chalicelib.contracts.queue import Topic
from chalicelib.domain.configuration import Notice, Route
from chalicelib.domain.errors import QueueFault
from chalicelib.routing.rules import RouteBody
from chalicelib.services.audit import Actor
from chalicelib.services.change import ROUTES, sweep_audit, update
from chalicelib.services.configure_routes import create_route, delete_route
from chalicelib.services.kinds import DELIVERY, DUE, ROUTE, SUBSCRIPTION, route_key, subscription_key
from tests.builders import NOW
from tests.services.configured import Killed, MortalStore
from tests.world import World

ACTOR = Actor("guardrail", "paymentserver")
BODY = json.dumps({"id": "evt_1", "type": "route.guardrail_breached"})
NOTICE = Notice("evt_1", "route.guardrail_breached", BODY, NOW)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, MortalStore())


def noticed(present: Route) -> Route:
    return replace(present, notices=(*present.notices, NOTICE))


def change(world: World) -> Route:
    return update(world.ports, ROUTES, route_key("default", "default"), None, noticed, ACTOR)


def later(world: World) -> None:
    """Another process, or the same, a little later."""
    world.store.dies_before = world.store.dies_after = None
    world.clock.forward(61)
    sweep_audit(world.ports)


def told(world: World) -> list[str]:
    world.settle()
    return [one.event_id for one in world.recorder.published]


def stored(world: World) -> Route:
    route: Route = world.store.get(ROUTE, route_key("default", "default")).value
    return route


def lose_messages(world: World) -> None:
    for message in world.queue.receive(Topic.EVENTS):
        world.queue.done(message)


def test_subscribers_are_told_at_once_and_the_route_lets_go_of_it_later(world: World) -> None:
    change(world)
    assert (told(world), stored(world).unaudited) == (["evt_1"], ())
    later(world)
    assert (told(world), stored(world).notices) == (["evt_1"], ())
    assert not world.store.find(ROUTE, "audit_due", DUE).items


def test_its_delivery_is_recorded_without_a_payment(world: World) -> None:
    change(world)
    told(world)
    (record,) = (one.value for one in world.store.find(DELIVERY, "by_time", "default").items)
    assert (record.event_id, record.payment_id, record.status) == ("evt_1", None, "succeeded")
    assert (world.recorder.published[0].payment_id, world.recorder.published[0].body) == (None, BODY.encode())


@pytest.mark.parametrize("moment", ["dies_before", "dies_after"])
@pytest.mark.parametrize("put", [1, 2, 3, 4, 5])
def test_a_crash_anywhere_leaves_neither_change_nor_event_or_both(world: World, moment: str, put: int) -> None:
    setattr(world.store, moment, world.store.puts + put)
    with pytest.raises(Killed):
        change(world)
    later(world)
    assert told(world) == ["evt_1"] * (stored(world).version - 1)
    later(world)
    assert (told(world), stored(world).notices) == (["evt_1"] * (stored(world).version - 1), ())


def test_a_queue_that_fails_delays_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(topic: Topic, body: bytes, *, delay_s: float = 0) -> None:
        raise QueueFault("The queue can not be reached.")

    with monkeypatch.context() as patched:
        patched.setattr(world.queue, "send", refuse)
        assert change(world).version == 2
    assert told(world) == []
    later(world)
    assert told(world) == ["evt_1"]


def test_a_queue_that_loses_it_delays_it(world: World) -> None:
    change(world)
    lose_messages(world)
    assert told(world) == []
    later(world)
    assert told(world) == ["evt_1"]


def test_it_is_not_queued_again_within_a_minute(world: World) -> None:
    change(world)
    world.clock.forward(30)
    before = world.store.puts
    assert (sweep_audit(world.ports), world.store.puts) == (1, before)
    assert world.queue.depth(Topic.EVENTS)[0] == 1


def test_queued_twice_it_is_sent_once(world: World) -> None:
    change(world)
    later(world)
    assert world.queue.depth(Topic.EVENTS)[0] == 2
    assert told(world) == ["evt_1"]


def test_from_the_first_try_on_the_delivery_record_sees_to_it(world: World) -> None:
    def fail(publication: Publication) -> None:
        raise Retry("busy", 503)

    world.recorder.fails = fail
    change(world)
    told(world)
    later(world)
    assert stored(world).notices == ()
    world.recorder.fails = lambda publication: None
    assert told(world) == ["evt_1"]


def test_who_does_not_want_it_is_not_waited_for(world: World) -> None:
    there = world.store.get(SUBSCRIPTION, subscription_key("default", "sub_1"))
    world.store.put(SUBSCRIPTION, replace(there.value, events=("payment.*",)), expect=there.version)
    change(world)
    assert (told(world), stored(world).notices) == ([], ())


def test_what_happens_to_the_route_meanwhile_does_not_lose_it(world: World) -> None:
    world.store.dies_after = world.store.puts + 1
    with pytest.raises(Killed):
        change(world)
    world.store.dies_after = None
    world.store.sick = True  # nothing is settled yet
    delete_route(world.ports, ACTOR, "default", "default", 2)
    again = RouteBody.model_validate({"name": "default", "otherwise": {"use": ["psp-1"]}})
    create_route(world.ports, ACTOR, "default", again)
    world.store.sick = False
    later(world)
    assert told(world) == ["evt_1"]


def test_more_routes_than_a_page_holds_are_all_looked_after(world: World) -> None:
    for number in range(201):
        document = {"name": f"r{number}", "otherwise": {"use": ["psp-1"]}}
        notice = replace(NOTICE, id=f"evt_{number}", due_at=NOW.replace(year=2027))
        route = Route("default", f"r{number}", document, 1, NOW, NOW, notices=(notice,))
        world._put(ROUTE, route)
    world.clock.forward(61)
    assert sweep_audit(world.ports) == 201
