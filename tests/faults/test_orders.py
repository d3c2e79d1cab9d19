"""The PSP's answer, its webhooks, polls and the shopper's return, in every order and any number of times: one end."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain.fold import fold
from chalicelib.domain.ids import attempt_id_of, payment_id_of
from chalicelib.domain.payment import Payment
from chalicelib.services.kinds import PAYMENT
from chalicelib.services.returns import Returns, return_token
from tests.world import World

PAYMENT_ID = payment_id_of("default", "a-key")
ATTEMPT_ID = attempt_id_of(PAYMENT_ID, 1)
SAYINGS = ("webhook", "poll", "return")


def say(world: World, saying: str) -> None:
    if saying == "webhook":
        world.webhook("psp-1", ATTEMPT_ID)
    elif saying == "poll":
        world.attend.sync(PAYMENT_ID)
    else:
        Returns(world.ports).come_back(
            return_token(world.ports.return_key(), PAYMENT_ID, "https://shop.example/return")
        )
    world.settle()


def end_of(order: Sequence[str], *, answered: bool, more: int = 0) -> tuple[object, ...]:
    """What a payment has come to: opened, paid, and then told of in this order; before `answer` the checkout has not
    had its answer yet, and without `answered` it never gets one."""
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        before = list(order[: order.index("answer")])
        after = list(order[order.index("answer") + 1 :])

        def script(opening: object) -> str:
            if ATTEMPT_ID not in world.psps["psp-1"].sessions:
                world.psps["psp-1"].open(opening)  # type: ignore[arg-type]
                world.psps["psp-1"].pay(ATTEMPT_ID, more=more)
                for saying in before:
                    say(world, saying)
            return "answer" if answered else "silent"

        world.psps["psp-1"].script = script
        world.open(route="careful")
        for saying in after:
            say(world, saying)
        world.settle(11)
        world.settle(61)
        payment: Payment = world.store.get(PAYMENT, PAYMENT_ID).value
        folded = fold(payment)
        told = sorted({one.event_id for one in world.recorder.published})
        assert told == sorted(entry.id for entry in payment.journal)
        standing = folded.standings[ATTEMPT_ID]
        return (payment.status, folded.amounts, standing.status, payment.facts, payment.outbox)


@pytest.mark.parametrize("answered", [True, False])
@pytest.mark.parametrize("more", [0, 1], ids=["right amount", "wrong amount"])
def test_every_order_ends_in_one_state(answered: bool, more: int) -> None:
    orders = itertools.permutations(("answer", *SAYINGS))
    assert len({end_of(order, answered=answered, more=more) for order in orders}) == 1


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.sampled_from(SAYINGS), max_size=6),
    st.lists(st.sampled_from(SAYINGS), min_size=1, max_size=6),
    st.booleans(),
)
def test_repeats_in_any_order_end_in_that_state(before: list[str], after: list[str], answered: bool) -> None:
    wanted = end_of(["answer", "webhook"], answered=answered)
    assert end_of([*before, "answer", *after], answered=answered) == wanted
