"""Return links: they say everything themselves, lead where the shop said, and nowhere else."""

from __future__ import annotations

import random
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.contracts.queue import Topic
from chalicelib.domain.errors import NotFound, QueueFault
from chalicelib.domain.ids import payment_id_of
from chalicelib.services.returns import TOKEN_CHARACTERS_MAX, Returns, return_link, return_token
from tests.world import World

KEY = b"k" * 32
PAYMENT_ID = payment_id_of("default", "a-key")
SHOP = "https://shop.example/return?basket=7"
TOKEN = return_token(KEY, PAYMENT_ID, SHOP)


class NoStore:
    def __getattr__(self, name: str) -> None:
        raise AssertionError(f"a return asked the database to {name}")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, configure=False, store=NoStore())  # type: ignore[arg-type]


def test_a_return_needs_no_database_and_asks_for_a_sync(world: World) -> None:
    assert Returns(world.ports).come_back(TOKEN) == f"{SHOP}&payment_id={PAYMENT_ID}"
    (message,) = world.queue.receive(Topic.INBOUND)
    assert message.body == b'{"do":"sync","id":"%s"}' % PAYMENT_ID.encode()


def test_whoever_opens_a_link_again_and_again_makes_us_ask_twice(world: World) -> None:
    returns = Returns(world.ports, monotonic=lambda: 1_000.0)
    assert {returns.come_back(TOKEN) for _ in range(100)} == {f"{SHOP}&payment_id={PAYMENT_ID}"}
    assert world.queue.depth(Topic.INBOUND)[0] == 2  # the first at once, the second for all that came meanwhile
    assert len(world.queue.receive(Topic.INBOUND)) == 1
    other = payment_id_of("default", "another key")
    returns.come_back(return_token(KEY, other, SHOP))
    assert len(world.queue.receive(Topic.INBOUND)) == 1


def test_a_shopper_goes_on_to_the_shop_while_the_queue_is_down(tmp_path: Path) -> None:
    class Down:
        def send(self, *args: object, **named: object) -> None:
            raise QueueFault("no answer")

    world = World(tmp_path, configure=False, queue=Down())
    assert Returns(world.ports).come_back(TOKEN).startswith(SHOP)


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        PAYMENT_ID,
        f"{PAYMENT_ID}.",
        f"{PAYMENT_ID}..",
        TOKEN[:-1],
        TOKEN + "0",
        TOKEN.upper(),
        TOKEN.replace(".", "", 1),
        TOKEN.rpartition(".")[0],
        return_token(b"another key" * 3, PAYMENT_ID, SHOP),
        TOKEN.replace(PAYMENT_ID, payment_id_of("default", "another key")),
        return_token(KEY, PAYMENT_ID, "https://evil.example").rpartition(".")[0] + TOKEN[-33:],
        f"{PAYMENT_ID}.é.{'0' * 32}",
        f"{PAYMENT_ID}.{TOKEN.split('.')[1]}.{'é' * 32}",
        "\x00",
        return_token(KEY, "pay_x", SHOP),
        "a" * 1_000_000,
    ],
)
def test_a_token_that_we_did_not_make_leads_nowhere(world: World, token: str) -> None:
    with pytest.raises(NotFound, match="not one of ours"):
        Returns(world.ports).come_back(token)
    assert not world.queue.receive(Topic.INBOUND)


@given(st.text(string.printable[:94], min_size=1, max_size=2_000).map(lambda rest: "https://shop.example/" + rest))
def test_a_token_of_any_address_stays_below_the_limit(url: str) -> None:
    assert len(return_token(KEY, PAYMENT_ID, url)) <= TOKEN_CHARACTERS_MAX


def test_a_link_is_about_as_long_as_the_shops_address_and_ours(world: World) -> None:
    usual = "https://www.shop.example/checkout/complete?order=12345678&basket=81c5c7be&lang=nl&utm_source=newsletter"
    assert len(return_link(world.ports, PAYMENT_ID, usual)) < len(usual) + len(world.ports.internet_url) + 100
    chance = random.Random(1)
    longest = "https://shop.example/?" + "".join(chance.choices(string.printable[:94], k=2_026))
    assert len(return_link(world.ports, PAYMENT_ID, longest)) < len(longest) * 1.2 + len(world.ports.internet_url) + 100
