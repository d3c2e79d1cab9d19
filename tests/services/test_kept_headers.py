"""A verification that is put off finds what it reads, and no secret of ours waits in a queue for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chalicelib.contracts.conversation import Conversation, HttpRequest, ReadFailed
from chalicelib.contracts.presented import digest_of, is_presented
from chalicelib.contracts.queue import Topic
from chalicelib.contracts.webhooks import Delivery
from chalicelib.domain.errors import StorageFault
from chalicelib.domain.payment import Status
from chalicelib.services.kept_headers import HEADER_CHARACTERS_MAX, HEADERS_MAX, PRIVATE, kept
from tests.psp import SimulatedConnector
from tests.world import World

SECRET = "Basic c2hvcDpzZWNyZXQtd29yZA=="
MANY = {f"x-{number}": "filler" for number in range(80)}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def queued(world: World) -> list[dict[str, Any]]:
    return [json.loads(message.body) for message in world.queue.receive(Topic.INBOUND)]


def test_what_a_verification_reads_is_kept_before_all_others() -> None:
    headers = kept({**MANY, "x-signature": "s"}, {"x-signature"})
    assert headers["x-signature"] == "s"
    assert len(headers) == HEADERS_MAX


def test_headers_are_bounded() -> None:
    assert kept({"x-signature": "s" * 5_000}, {"x-signature"}) == {"x-signature": "s" * HEADER_CHARACTERS_MAX}


def test_a_private_header_is_dropped_unless_it_is_read_and_then_only_its_digest_is_kept() -> None:
    headers = dict.fromkeys(PRIVATE, SECRET)
    assert kept(headers) == {}
    found = kept(headers, {"authorization"})
    assert set(found) == {"authorization"}
    assert SECRET not in found["authorization"]
    assert is_presented(found["authorization"], SECRET)


def test_a_digest_fits_its_own_secret_alone() -> None:
    one, other = digest_of(SECRET), digest_of(SECRET)
    assert one != other, "a salt of its own"
    assert is_presented(one, SECRET)
    assert not is_presented(one, SECRET + "x")
    assert is_presented(SECRET, SECRET)
    assert not is_presented("Basic x", SECRET)


@pytest.mark.parametrize("shown", ["", None, "digest:", "digest:%%%", "digest:é", "é", "digest:" + "A" * 4_000, "\x00"])
def test_hostile_headers_present_nothing(shown: str | None) -> None:
    assert not is_presented(shown, SECRET)


def test_with_the_database_down_a_verification_still_finds_what_it_reads(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = world.open().payment
    world.psps["psp-1"].pay(payment.attempts[0].id)
    world.configuration.forget()
    headers = {**MANY, "x-signature": "s", "authorization": SECRET, "cookie": "a=b"}
    with monkeypatch.context() as broken:

        def down(*arguments: Any) -> Any:
            raise StorageFault("down")

        broken.setattr(world.store, "get", down)
        world.intake.take("default", "psp-1", headers, payment.attempts[0].id.encode())
    seen: list[dict[str, str]] = []

    def verify(self: Any, delivery: Delivery) -> Conversation[None]:
        seen.append(dict(delivery.headers))
        return None
        yield

    monkeypatch.setattr(SimulatedConnector, "verify", verify)
    world.settle()
    assert seen[0]["x-signature"] == "s"
    assert is_presented(seen[0]["authorization"], SECRET)
    assert SECRET not in json.dumps(seen)
    assert world.payment(payment.id).status is Status.CAPTURED


def test_a_psp_that_is_asked_about_signatures_keeps_them_for_the_asking(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asking(self: Any, delivery: Delivery) -> Conversation[None]:
        yield HttpRequest("POST", "https://psp.example/verifications")

    monkeypatch.setattr(SimulatedConnector, "verify", asking)
    world.intake.take("default", "psp-1", {**MANY, "x-signature": "s"}, b"x")
    (message,) = queued(world)
    assert (message["state"], message["headers"]["x-signature"]) == ("unverified", "s")


def test_a_verification_that_could_not_be_made_is_made_later(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    payment = world.open().payment
    world.psps["psp-1"].pay(payment.attempts[0].id)

    def unreachable(self: Any, delivery: Delivery) -> Conversation[None]:
        raise ReadFailed("the PSP can not be asked")
        yield

    with monkeypatch.context() as broken:
        broken.setattr(SimulatedConnector, "verify", unreachable)
        world.intake.take("default", "psp-1", {**MANY, "x-signature": "s"}, payment.attempts[0].id.encode())
    world.settle()
    assert world.payment(payment.id).status is Status.CAPTURED
