"""What functions of the cloud come to do that other tests here make nobody do: each by its own entrance, within its rights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from chalicelib.contracts.publisher import Publication, Rejected, Retry
from chalicelib.contracts.queue import Topic
from chalicelib.contracts.store import NEW
from chalicelib.domain.configuration import Subscription
from chalicelib.domain.errors import NotFound
from chalicelib.domain.payment import Payment
from chalicelib.services.audit import Actor, Change, draft_of, entries_of
from chalicelib.services.change import SUBSCRIPTIONS, sweep_audit
from chalicelib.services.chores import chore
from chalicelib.services.endpoints import FAILING_MAX
from chalicelib.services.guardrail import Guardrail
from chalicelib.services.kinds import ENDPOINT_TROUBLE, PAYMENT, SUBSCRIPTION, subscription_key
from chalicelib.services.roll_up import roll_up_all
from chalicelib.services.settle_drafts import with_draft
from tests import rights
from tests.builders import NOW
from tests.services.histories import pay
from tests.services.splitting import GUARDRAIL, Shoppers, change_route, split, weights
from tests.world import World

ACTOR = Actor("operator", "studio")
Doing = Callable[[str, str], bool]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def did() -> Iterator[Doing]:
    """Whether a function did something to a table, in the test so far."""
    before = rights.used.copy()
    rights.used.clear()
    yield lambda function, right: (function, tuple(right.split(" "))) in rights.used
    rights.used.update(before)


def _raising(error: Exception) -> Callable[[Publication], None]:
    def fail(publication: Publication) -> None:
        raise error

    return fail


def _subscription(world: World) -> Subscription:
    found: Subscription = world.store.get(SUBSCRIPTION, subscription_key("default", "sub_1")).value
    return found


def _audited(world: World) -> list[str]:
    return [entry.draft.action for entry in entries_of(world.store, "default")]


def test_a_later_try_that_meets_an_endpoint_that_is_gone_switches_it_off(world: World, did: Doing) -> None:
    world.recorder.fails = _raising(Retry("oops", 500))
    world.open()
    world.settle()
    world.recorder.fails = _raising(Rejected("gone", 410))
    world.settle(60)
    assert not _subscription(world).enabled
    assert did("attend", "dynamodb:PutItem subscriptions")


def test_a_later_try_looks_whether_anything_arrived_before_it_gives_an_endpoint_up(world: World, did: Doing) -> None:
    world.recorder.fails = _raising(Retry("oops", 500))
    world.open()
    world.settle()
    world.settle(FAILING_MAX.total_seconds())
    assert not _subscription(world).enabled
    assert did("attend", "dynamodb:Query deliveries/index/by_time")


def test_a_first_try_that_switches_an_endpoint_off_goes_on_in_the_audit_log(world: World, did: Doing) -> None:
    change_route(world, {"use": ["psp-1"]})
    world.recorder.fails = _raising(Rejected("gone", 410))
    world.open()
    world.settle()
    assert _audited(world) == ["update", "disable"]
    assert did("notify", "dynamodb:GetItem audit")


def test_a_first_delivery_ends_the_trouble_of_before(world: World, did: Doing) -> None:
    world.recorder.fails = _raising(Retry("oops", 500))
    world.open()
    world.settle()
    world.recorder.fails = lambda publication: None
    world.open("another")
    world.settle()
    with pytest.raises(NotFound):
        world.store.get(ENDPOINT_TROUBLE, subscription_key("default", "sub_1"))
    assert did("notify", "dynamodb:DeleteItem endpoint_troubles")


def test_the_sweep_settles_a_subscription_whose_maker_died(world: World, did: Doing) -> None:
    change = Change("create", SUBSCRIPTIONS.name, "sub_9", None, {})
    draft = draft_of(world.ports, ACTOR, "default", change)
    made = Subscription("default", "sub_9", "nine", "recorder", {}, {}, ("*",), True, 1, NOW, NOW)
    world.store.put(SUBSCRIPTION, replace(made, unaudited=(draft,)), expect=NEW)
    world.clock.forward(60)
    assert sweep_audit(world.ports) == 1
    assert _audited(world) == ["create"]
    assert did("sweep", "dynamodb:PutItem subscriptions")


def test_a_guardrail_counts_hours_that_are_closed_by_their_roll_ups(world: World, did: Doing) -> None:
    change_route(world, {"split": split(guardrail=GUARDRAIL)})
    shoppers = Shoppers(world)
    shoppers.come("a", paid=14, declined=1)
    shoppers.come("b", declined=15)
    world.clock.forward(2 * 3600)
    roll_up_all(world.ports)
    assert Guardrail(world.ports).round() == 1
    assert weights(world) == {"a": 100, "b": 0}
    assert did("measure", "dynamodb:Query roll_ups/index/by_hour")


def test_a_returning_shopper_s_sync_settles_what_a_crash_left_of_the_payment(world: World, did: Doing) -> None:
    payment = world.open().payment
    pay(world, payment)
    _leave_unsettled(world, payment)
    world.queue.send(Topic.INBOUND, chore("sync", payment.id))
    for message in world.queue.receive(Topic.INBOUND):
        world.work.handle(message)
    assert _audited(world) == ["update", "resolve"]
    assert world.payment(payment.id).unaudited == ()
    assert did("apply", "dynamodb:PutItem audit")
    assert did("apply", "dynamodb:Query deliveries/index/by_payment")


def _leave_unsettled(world: World, payment: Payment) -> None:
    """Its newest event is not known to be told, and an operator's word is not in the audit log."""
    change_route(world, {"use": ["psp-1"]})
    told = world.open("untold").payment.outbox
    draft = draft_of(world.ports, ACTOR, "default", Change("resolve", "payment", payment.id, None, {}))
    stored = world.store.get(PAYMENT, payment.id)
    world.store.put(PAYMENT, with_draft(replace(stored.value, outbox=told), draft), expect=stored.version)
    world.clock.forward(3600)
