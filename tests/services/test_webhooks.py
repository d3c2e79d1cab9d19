"""Intake and apply: nothing a PSP said is lost, and nothing is applied where it does not belong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chalicelib.contracts.conversation import Conversation
from chalicelib.contracts.queue import Topic
from chalicelib.contracts.store import NEW
from chalicelib.contracts.webhooks import AskPsp, Delivery, LeftOut, LookUp
from chalicelib.domain.configuration import InboxItem
from chalicelib.domain.errors import NotFound, SignatureInvalid, StorageFault, TooLarge
from chalicelib.domain.facts import Decline, DeclineClass, Fact, Kind, State
from chalicelib.domain.payment import Payment, Status
from chalicelib.services.apply import Apply
from chalicelib.services.configuration import Configuration
from chalicelib.services.kinds import CONNECTION, INBOX, PAYMENT, connection_key
from tests.psp import SimulatedConnector
from tests.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def paid(world: World) -> tuple[Payment, str]:
    payment = world.open().payment
    attempt_id = payment.attempts[0].id
    world.psps["psp-1"].pay(attempt_id)
    return payment, attempt_id


def paid_too(world: World) -> tuple[Payment, str]:
    payment = world.open(key="another-key").payment
    world.psps["psp-1"].pay(payment.attempts[0].id)
    return payment, payment.attempts[0].id


def status_of(world: World, payment: Payment) -> Status:
    found: Payment = world.store.get(PAYMENT, payment.id).value
    return found.status


def inbox(world: World) -> list[InboxItem]:
    return [one.value for one in world.store.find(INBOX, "by_time", "default").items]


def test_an_unknown_connection_is_not_found(world: World) -> None:
    with pytest.raises(NotFound):
        world.webhook("psp-9", "x")


def test_a_huge_body_is_refused(world: World) -> None:
    with pytest.raises(TooLarge):
        world.intake.take("default", "psp-1", {}, b"x" * 200_000)


def test_a_forgery_is_refused_and_one_a_minute_is_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def forged(self: Any, delivery: Delivery) -> Conversation[None]:
        raise SignatureInvalid("forged")
        yield

    monkeypatch.setattr(SimulatedConnector, "verify", forged)
    payment, attempt_id = paid(world)
    for _ in range(5):
        with pytest.raises(SignatureInvalid):
            world.webhook("psp-1", attempt_id)
    world.settle()
    assert [item.status for item in inbox(world)] == ["rejected"]
    assert status_of(world, payment) is Status.PENDING


def test_with_the_database_down_a_webhook_is_queued_and_verified_later(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment, attempt_id = paid(world)
    world.configuration.forget()
    with monkeypatch.context() as broken:

        def down(*arguments: Any) -> Any:
            raise StorageFault("down")

        broken.setattr(world.store, "get", down)
        world.webhook("psp-1", attempt_id)
    verified: list[bytes] = []

    def verify(self: Any, delivery: Delivery) -> Conversation[None]:
        verified.append(delivery.body)
        return None
        yield

    monkeypatch.setattr(SimulatedConnector, "verify", verify)
    world.settle()
    assert verified == [attempt_id.encode()]
    assert status_of(world, payment) is Status.CAPTURED


def test_an_unverified_forgery_is_never_applied(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    payment, attempt_id = paid(world)

    def forged(self: Any, delivery: Delivery) -> Conversation[None]:
        raise SignatureInvalid("forged")
        yield

    world.configuration.forget()
    with monkeypatch.context() as broken:

        def down(*arguments: Any) -> Any:
            raise StorageFault("down")

        broken.setattr(world.store, "get", down)
        world.webhook("psp-1", attempt_id)
    monkeypatch.setattr(SimulatedConnector, "verify", forged)
    world.settle()
    assert status_of(world, payment) is Status.PENDING
    assert [item.status for item in inbox(world)] == ["rejected"]


def test_what_came_to_no_connection_of_ours_while_nobody_could_say_so_is_not_kept(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At any other time it is told 404: a stranger fills nobody's inbox by waiting for an outage."""
    with monkeypatch.context() as broken:

        def down(*arguments: Any) -> Any:
            raise StorageFault("down")

        broken.setattr(world.store, "get", down)
        for number in range(5):
            world.intake.take("default", f"nobodys-{number}", {}, b"x")
            world.intake.take(f"nobody-{number}", "psp-1", {}, b"x")
    world.settle()
    assert inbox(world) == []
    assert [one for number in range(5) for one in world.store.find(INBOX, "by_time", f"nobody-{number}").items] == []


def test_what_came_to_a_connector_that_is_off_waits_for_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    payment, attempt_id = paid(world)
    world.configuration.forget()
    with monkeypatch.context() as broken:

        def down(*arguments: Any) -> Any:
            raise StorageFault("down")

        broken.setattr(world.store, "get", down)
        world.webhook("psp-1", attempt_id)
    world.apply = Apply(world.ports, Configuration(world.ports))  # of a process that has not met the connection
    with monkeypatch.context() as off:
        off.setitem(world.ports.connectors, "simulated", None)  # type: ignore[arg-type]  # a mapping of this test's own
        world.settle()
        assert [item.status for item in inbox(world)] == ["unmatched"]
    world.settle(3)
    assert status_of(world, payment) is Status.CAPTURED


def test_another_connections_attempt_is_unmatched(world: World) -> None:
    payment, attempt_id = paid(world)
    world.psps["psp-2"].sessions[attempt_id] = world.psps["psp-1"].sessions[attempt_id]
    world.webhook("psp-2", attempt_id)
    world.settle()
    assert [item.status for item in inbox(world)] == ["unmatched"]
    assert status_of(world, payment) is Status.PENDING


def test_another_accounts_payment_is_unmatched(world: World) -> None:
    payment, attempt_id = paid(world)
    mine = world.store.get(CONNECTION, connection_key("default", "psp-1")).value
    world.store.put(CONNECTION, replace(mine, merchant_id="other"), expect=NEW)
    world.intake.take("other", "psp-1", {}, attempt_id.encode())
    world.settle()
    assert status_of(world, payment) is Status.PENDING
    assert [one.value.status for one in world.store.find(INBOX, "by_time", "other").items] == ["unmatched"]


def test_a_webhook_that_overtakes_its_payment_is_tried_again(world: World) -> None:
    payment, attempt_id = paid(world)
    world.webhook("psp-1", attempt_id)
    hidden = world.store.get(PAYMENT, payment.id)
    world.store.delete(PAYMENT, payment.id, expect=hidden.version)
    world.settle()
    assert [item.status for item in inbox(world)] == ["unmatched"]
    world.store.put(PAYMENT, hidden.value, expect=NEW)
    world.settle(3)
    assert status_of(world, payment) is Status.CAPTURED
    assert inbox(world) == []


def test_what_never_matches_waits_for_an_operator(world: World) -> None:
    payment, attempt_id = paid(world)
    world.webhook("psp-1", attempt_id)
    hidden = world.store.get(PAYMENT, payment.id)
    world.store.delete(PAYMENT, payment.id, expect=hidden.version)
    for seconds in (0, 3, 11, 61, 601, 3601, 10_000):
        world.settle(seconds)
    (item,) = inbox(world)
    assert (item.status, item.due_at, item.tried) == ("unmatched", None, 5)
    world.store.put(PAYMENT, hidden.value, expect=NEW)
    assert world.apply.again(item.id).status == "applied"
    assert status_of(world, payment) is Status.CAPTURED


def test_a_known_webhook_writes_nothing(world: World) -> None:
    payment, attempt_id = paid(world)
    world.webhook("psp-1", attempt_id)
    world.settle()
    before = world.store.get(PAYMENT, payment.id).version
    world.webhook("psp-1", attempt_id)
    for message in world.queue.receive(Topic.INBOUND):
        world.work.handle(message)
        world.queue.done(message)
    assert world.store.get(PAYMENT, payment.id).version == before


def test_private_headers_are_not_kept(world: World) -> None:
    _, attempt_id = paid(world)
    world.psps["psp-2"].sessions[attempt_id] = world.psps["psp-1"].sessions[attempt_id]
    headers = {"authorization": "Bearer secret", "cookie": "a=b", "x-signature": "kept"}
    world.intake.take("default", "psp-2", headers, attempt_id.encode())
    world.settle()
    assert inbox(world)[0].headers == {"x-signature": "kept"}


def mistaken(self: Any, *arguments: Any) -> Conversation[Any]:
    raise ValueError("a mistake of the connector's own")
    yield


@pytest.mark.parametrize(("said", "call"), [(AskPsp, "fetch"), (LookUp, "look_up")])
def test_a_connectors_mistake_sends_the_webhook_to_the_inbox_and_kills_no_message(
    world: World, monkeypatch: pytest.MonkeyPatch, said: Any, call: str
) -> None:
    payment, attempt_id = paid(world)
    read = SimulatedConnector.read
    monkeypatch.setattr(SimulatedConnector, "read", lambda self, delivery: (said(delivery.body.decode()),))
    monkeypatch.setattr(SimulatedConnector, call, mistaken, raising=False)
    world.webhook("psp-1", attempt_id)
    world.settle()
    assert [one.status for one in inbox(world)] == ["failed"]
    monkeypatch.setattr(SimulatedConnector, "read", read)
    world.settle(3)
    assert status_of(world, payment) is Status.CAPTURED


def test_a_part_that_was_left_out_keeps_no_other_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    payment, attempt_id = paid(world)
    read = SimulatedConnector.read
    parts = lambda self, delivery: (LeftOut("item 1 of 2 is odd"), *read(self, delivery))  # noqa: E731
    monkeypatch.setattr(SimulatedConnector, "read", parts)
    world.webhook("psp-1", attempt_id)
    world.settle()
    assert status_of(world, payment) is Status.CAPTURED
    assert [(one.status, one.detail, one.verified) for one in inbox(world)] == [("failed", "item 1 of 2 is odd", True)]


def test_a_payment_that_can_not_take_its_part_keeps_no_other_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    (broken, first), (payment, second) = paid(world), paid_too(world)
    monkeypatch.setattr(SimulatedConnector, "read", lambda self, delivery: (AskPsp(first), AskPsp(second)))
    fetch = SimulatedConnector.fetch

    def fetched(self: Any, attempt: Any) -> Any:
        facts = yield from fetch(self, attempt)
        return None if attempt.attempt_id == first else facts

    with monkeypatch.context() as odd:
        odd.setattr(SimulatedConnector, "fetch", fetched)
        world.webhook("psp-1", first)
        world.settle()
        assert (status_of(world, broken), status_of(world, payment)) == (Status.PENDING, Status.CAPTURED)
        assert [one.status for one in inbox(world)] == ["failed"]
    world.settle(3)
    assert status_of(world, broken) is Status.CAPTURED


def test_a_verification_that_fails_by_mistake_waits_in_the_inbox(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    payment, attempt_id = paid(world)
    monkeypatch.setattr(SimulatedConnector, "verifies_offline", False)
    verify = SimulatedConnector.verify
    monkeypatch.setattr(SimulatedConnector, "verify", mistaken)
    world.webhook("psp-1", attempt_id)
    world.settle()
    assert [one.status for one in inbox(world)] == ["unverified"]
    monkeypatch.setattr(SimulatedConnector, "verify", verify)
    world.settle(3)
    assert status_of(world, payment) is Status.CAPTURED


def test_half_a_character_in_what_a_psp_says_loses_no_money(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who cuts a text at so many UTF-16 units cuts emoji in half; no database takes that."""
    payment, attempt_id = paid(world)
    read = SimulatedConnector.read
    declined = Decline(DeclineClass.SOFT, "declined", "no \ud83d", "half \ud83d")

    def cut(self: SimulatedConnector, delivery: Delivery) -> Any:
        tried = Fact(attempt_id, Kind.TRY, "card-1", State.DECLINED, decline=declined, reason="so \ud83d")
        return (*read(self, delivery), tried)

    monkeypatch.setattr(SimulatedConnector, "read", cut)
    world.webhook("psp-1", attempt_id)
    world.settle()
    assert status_of(world, payment) is Status.CAPTURED
    assert not inbox(world)
