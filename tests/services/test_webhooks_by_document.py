"""A webhook that is verified by a public document of its PSP: asked for behind the queue, known at the door from then on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chalicelib.contracts.conversation import Conversation, HttpRequest, HttpResponse, ReadFailed
from chalicelib.contracts.queue import Topic
from chalicelib.contracts.webhooks import Delivery
from chalicelib.domain.errors import SignatureInvalid, TooManyRequests
from chalicelib.domain.payment import Status
from chalicelib.services.intake import UNKNOWN_MAX
from chalicelib.services.kinds import INBOX
from tests.psp import SimulatedConnector
from tests.world import World

KEY = b"the key that signs today"


class Answering:
    """A driver whose PSP gives its document, once it is there again."""

    def __init__(self) -> None:
        self.asked, self.is_down = 0, False

    def converse(self, conversation: Conversation[Any], deadline: Any, *, fresh: bool = False) -> Any:
        try:
            next(conversation)
            self.asked += 1
            if self.is_down:
                raise ReadFailed("the PSP is away")
            conversation.send(HttpResponse(200, {}, KEY))
        except StopIteration as stop:
            return stop.value
        raise AssertionError("one call is enough")


def verify(self: Any, delivery: Delivery) -> Conversation[None]:
    answer = yield HttpRequest("GET", "https://psp.example/key", operation="key", keeps_s=86_400)
    if delivery.headers.get("x-signature", "").encode() != answer.body:
        raise SignatureInvalid("forged")


@pytest.fixture
def driver() -> Answering:
    return Answering()


@pytest.fixture
def world(tmp_path: Path, driver: Answering, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(SimulatedConnector, "verify", verify)
    return World(tmp_path, driver=driver)


def taken(world: World, attempt_id: str, signature: bytes = KEY) -> None:
    world.intake.take("default", "psp-1", {"x-signature": signature.decode()}, attempt_id.encode())


def paid(world: World) -> tuple[str, str]:
    payment = world.open().payment
    attempt_id = payment.attempts[0].id
    world.psps["psp-1"].pay(attempt_id)
    return payment.id, attempt_id


def states(world: World) -> list[str]:
    return [json.loads(one.body)["state"] for one in world.queue.receive(Topic.INBOUND)]


def test_the_first_is_verified_behind_the_queue_and_the_next_at_the_door(world: World, driver: Answering) -> None:
    payment_id, attempt_id = paid(world)
    taken(world, attempt_id)
    world.settle()
    assert world.payment(payment_id).status is Status.CAPTURED
    taken(world, attempt_id)
    assert states(world) == ["verified"]
    with pytest.raises(SignatureInvalid):
        taken(world, attempt_id, b"another key")
    assert driver.asked == 1


def test_one_that_could_not_be_verified_when_it_came_is_when_its_psp_is_back(world: World, driver: Answering) -> None:
    payment_id, attempt_id = paid(world)
    driver.is_down = True
    taken(world, attempt_id)
    world.settle()
    assert [one.value.status for one in world.store.find(INBOX, "by_time", "default").items] == ["unverified"]
    driver.is_down = False
    world.apply._documents._silent_until.clear()
    world.settle(3)
    assert world.payment(payment_id).status is Status.CAPTURED


def test_a_flood_of_unknown_ones_is_put_back_until_the_document_is_known(world: World) -> None:
    payment_id, attempt_id = paid(world)
    for _ in range(UNKNOWN_MAX):
        taken(world, attempt_id)
    with pytest.raises(TooManyRequests):
        taken(world, attempt_id)
    world.settle()
    assert world.payment(payment_id).status is Status.CAPTURED
    taken(world, attempt_id)
    assert states(world) == ["verified"], "what is known takes no turn"
