"""An address of its own for each attempt: whoever was not told it can say nothing there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote, urlsplit

import pytest

from chalicelib.contracts.connector import Capabilities
from chalicelib.contracts.conversation import Conversation
from chalicelib.contracts.queue import Topic
from chalicelib.contracts.webhooks import AskPsp, Delivery, WebhookAddress
from chalicelib.domain.errors import QueueFault, SignatureInvalid, StorageFault, Unreadable, VaultFault
from chalicelib.domain.payment import Payment, Status
from chalicelib.services.intake import Intake
from chalicelib.services.kinds import INBOX
from chalicelib.services.looks import LOOK_EVERY_S
from chalicelib.services.webhook_links import addressed
from tests.builders import NOW
from tests.conformance.connectors.hostile import QUERIES, UNREADABLE_QUERIES, changed_queries
from tests.psp import SimulatedConnector
from tests.world import World


class Unsigned(SimulatedConnector):
    """A connector whose PSP signs nothing."""

    capabilities: ClassVar[Capabilities] = replace(SimulatedConnector.capabilities, webhook_address=WebhookAddress.OWN)
    fetched: ClassVar[list[str]] = []

    def verify(self, delivery: Delivery) -> Conversation[None]:
        if delivery.attempt_id is None:
            raise SignatureInvalid("it came to no attempt's address")
        return None
        yield

    def read(self, delivery: Delivery) -> Sequence[AskPsp]:
        return (AskPsp(delivery.attempt_id or ""),)

    def fetch(self, attempt: Any) -> Conversation[Any]:
        self.fetched.append(attempt.attempt_id)
        return (yield from super().fetch(attempt))


@pytest.fixture
def world(tmp_path: Path) -> World:
    Unsigned.fetched.clear()
    world = World(tmp_path, connectors={"simulated": Unsigned})
    world.intake = Intake(world.ports, world.configuration, lambda: world.clock.at.timestamp())
    return world


def paid(world: World, key: str = "a-key") -> Payment:
    payment = world.open(key).payment
    world.psps["psp-1"].pay(payment.attempts[0].id)
    return payment


def query_of(payment: Payment) -> str:
    return urlsplit(payment.attempts[0].webhook_url or "").query


def call(world: World, query: str, psp: str = "psp-1") -> None:
    world.intake.take("default", psp, {"content-type": "text/plain"}, b"id=1", query=query)


def waiting(world: World) -> int:
    return int(world.queue.depth(Topic.INBOUND)[0])


def test_the_psp_is_told_an_address_that_names_the_attempt(world: World) -> None:
    payment = paid(world)
    url = urlsplit(payment.attempts[0].webhook_url or "")
    assert (url.netloc, url.path) == ("hooks.pay.example", "/webhooks/default/psp-1")
    assert url.query.startswith(f"attempt={payment.attempts[0].id}.")


def test_a_call_there_makes_us_look(world: World) -> None:
    payment = paid(world)
    call(world, query_of(payment))
    world.settle()
    assert world.payment(payment.id).status is Status.CAPTURED
    assert Unsigned.fetched == [payment.attempts[0].id]


def test_other_parameters_change_nothing(world: World) -> None:
    payment = paid(world)
    call(world, f"x=1&{query_of(payment)}&y=%20")
    world.settle()
    assert world.payment(payment.id).status is Status.CAPTURED


def test_each_attempt_has_another_address(world: World) -> None:
    assert query_of(paid(world, "one")) != query_of(paid(world, "two"))


def test_an_address_is_good_for_its_own_connection_and_merchant_alone(world: World) -> None:
    payment = paid(world)
    query, mine = query_of(payment), world.configuration.receiving("default", "psp-1")
    for other, attempt_id in (
        (mine.connection, payment.attempts[0].id),
        (replace(mine.connection, id="psp-2"), None),
        (replace(mine.connection, merchant_id="another"), None),
    ):
        delivery = Delivery({}, b"id=1", NOW, query=query)
        assert addressed(world.ports, other, mine.connector, delivery).attempt_id == attempt_id
    with pytest.raises(SignatureInvalid):
        call(world, query, "psp-2")


def test_whatever_is_changed_in_it_it_is_no_proof(world: World) -> None:
    for query in changed_queries(query_of(paid(world))):
        with pytest.raises((SignatureInvalid, Unreadable)):
            call(world, query)


@pytest.mark.parametrize("query", [*QUERIES, *UNREADABLE_QUERIES], ids=range(len(QUERIES) + len(UNREADABLE_QUERIES)))
def test_a_hostile_query_is_only_ever_refused(world: World, query: str) -> None:
    for hostile in (query, f"attempt={query}", f"attempt={quote(query, errors='replace')}"):
        with pytest.raises((SignatureInvalid, Unreadable)):
            call(world, hostile)


@pytest.mark.parametrize("named", ["", "att_", "pay_{}", "op_{}_bbbbbbbbbb", "att_{}_01.é", "att_{}_1.0", "{}.{}"])
def test_what_names_no_attempt_is_refused_without_a_look_at_the_key(world: World, named: str) -> None:
    """It may cost a call to the vault."""

    def asked() -> bytes:
        raise AssertionError("the key was asked for")

    door = Intake(replace(world.ports, webhook_key=asked), world.configuration)
    text = named.replace("{}", "a" * 24)
    with pytest.raises(SignatureInvalid):
        door.take("default", "psp-1", {}, b"id=1", query=f"attempt={quote(text)}")


@pytest.mark.parametrize("named", ["att_{}_01", "att_{}_01.", "att_{}_01.0"])
def test_what_is_not_signed_is_refused(world: World, named: str) -> None:
    with pytest.raises(SignatureInvalid):
        call(world, f"attempt={named.replace('{}', 'a' * 24)}")


def test_an_address_signed_with_another_key_is_no_proof(world: World, tmp_path: Path) -> None:
    payment = paid(world)
    ports = replace(world.ports, webhook_key=lambda: b"x" * 32)
    with pytest.raises(SignatureInvalid):
        Intake(ports, world.configuration).take("default", "psp-1", {}, b"id=1", query=query_of(payment))


def test_a_flood_of_forged_calls_asks_nobody_and_queues_a_sample(world: World) -> None:
    paid(world)
    for number in range(1_000):
        with pytest.raises(SignatureInvalid):
            call(world, f"attempt=att_{'a' * 24}_01.{number:032x}")
    assert waiting(world) == 1
    world.settle()
    assert Unsigned.fetched == []
    assert [one.value.status for one in world.store.find(INBOX, "by_time", "default").items] == ["rejected"]


def test_a_flood_of_calls_to_one_address_makes_us_look_twice(world: World) -> None:
    payment = paid(world)
    for _ in range(1_000):
        call(world, query_of(payment))
    assert waiting(world) == 2
    world.settle()
    assert len(Unsigned.fetched) == 1
    world.settle(LOOK_EVERY_S)
    assert len(Unsigned.fetched) == 2


def test_what_comes_while_a_look_waits_is_seen_by_it(world: World) -> None:
    payment = world.open().payment
    for _ in range(2):
        call(world, query_of(payment))
    world.settle()
    world.clock.forward(LOOK_EVERY_S / 2)
    world.psps["psp-1"].pay(payment.attempts[0].id)
    call(world, query_of(payment))
    world.settle()
    assert world.payment(payment.id).status is Status.PENDING
    world.settle(LOOK_EVERY_S / 2)
    assert world.payment(payment.id).status is Status.CAPTURED


def test_a_call_that_could_not_be_queued_leaves_none_to_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    payment = paid(world)
    with monkeypatch.context() as patched:

        def full(*_: Any, **__: Any) -> None:
            raise QueueFault("the queue is out of reach")

        patched.setattr(world.queue, "send", full)
        with pytest.raises(QueueFault):
            call(world, query_of(payment))
    call(world, query_of(payment))
    world.settle()
    assert world.payment(payment.id).status is Status.CAPTURED


def test_while_the_key_is_out_of_reach_a_call_waits_unverified_and_is_verified_later(world: World) -> None:
    payment = paid(world)

    def out_of_reach() -> bytes:
        raise VaultFault("no key")

    dark = Intake(replace(world.ports, webhook_key=out_of_reach), world.configuration)
    dark.take("default", "psp-1", {}, b"id=1", query=query_of(payment))
    dark.take("default", "psp-1", {}, b"id=1", query=f"attempt={payment.attempts[0].id}.{'0' * 32}")
    world.settle()
    assert world.payment(payment.id).status is Status.CAPTURED
    assert Unsigned.fetched == [payment.attempts[0].id]
    assert [one.value.status for one in world.store.find(INBOX, "by_time", "default").items] == ["rejected"]


def test_while_the_database_is_down_a_forgery_waits_and_asks_nobody_in_the_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.configuration.forget()
    with monkeypatch.context() as patched:

        def down(*_: Any) -> Any:
            raise StorageFault("down")

        patched.setattr(world.store, "get", down)
        call(world, f"attempt=att_{'a' * 24}_01.{'0' * 32}")
    (message,) = world.queue.receive(Topic.INBOUND)
    assert json.loads(message.body)["state"] == "unverified"
    world.work.handle(message)
    assert Unsigned.fetched == []


def test_a_psp_that_is_only_told_where_is_told_the_connections_address(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.offer("psp-1", webhook_address=WebhookAddress.TOLD)
    assert world.open().payment.attempts[0].webhook_url == "https://hooks.pay.example/webhooks/default/psp-1"


def test_a_psp_at_which_it_is_entered_is_told_nothing(tmp_path: Path) -> None:
    payment = World(tmp_path).open().payment
    assert payment.attempts[0].webhook_url is None


def test_what_is_not_of_such_a_connector_has_no_attempt_whatever_its_query(tmp_path: Path) -> None:
    """The token is no proof where the PSP signs."""
    world = World(tmp_path)
    seen: list[str | None] = []

    def verify(self: Any, delivery: Delivery) -> Conversation[None]:
        seen.append(delivery.attempt_id)
        return None
        yield

    world.offer("psp-1", webhook_address=WebhookAddress.OWN)
    query = query_of(world.open().payment)
    world.offer("psp-1", webhook_address=WebhookAddress.ENTERED)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(SimulatedConnector, "verify", verify)
        call(world, query)
    assert seen == [None]
