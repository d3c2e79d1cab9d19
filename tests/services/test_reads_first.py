"""A PSP that must be read before it can be told to pay back, over real HTTP: what fails before the money call is no doubt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from chalicelib.contracts.calls import MoneyOrder, Refusal
from chalicelib.contracts.conversation import Conversation, HttpRequest
from chalicelib.domain.facts import Fact, Kind
from chalicelib.outbound.driver import Driver
from tests.outbound.keeping import Keeping, keeping
from tests.psp import SimulatedConnector, movement_of
from tests.services.histories import REFUND, amounts, shown, sold
from tests.world import World

READ: Any = (200, {}, b"{}")
PAID_BACK: Any = (201, {}, b"{}")


class ReadingConnector(SimulatedConnector):
    """Its calls answer whether it may go on; what they come to is the simulated PSP's."""

    base: ClassVar[str]

    def refund(self, order: MoneyOrder) -> Conversation[Sequence[Fact] | Refusal]:
        (yield HttpRequest("GET", f"{self.base}payment")).json()
        (yield HttpRequest("POST", f"{self.base}refunds", body=b"{}", moves_money=True)).json()
        movement = self.psp.operate("refunds", order)
        return (movement_of(movement, Kind.REFUND, order.attempt.attempt_id),)


@pytest.fixture
def psp() -> Iterator[Keeping]:
    with keeping() as serving:
        ReadingConnector.base = serving.url
        yield serving


@pytest.fixture
def world(tmp_path: Path, psp: Keeping) -> World:
    return World(tmp_path, driver=Driver(call_timeout_s=2), connectors={"simulated": ReadingConnector})


def methods(psp: Keeping) -> list[str]:
    return [one.partition(" ")[0] for one in psp.requests]


@pytest.mark.parametrize("answer", [(503, {}, b""), (200, {}, b"<html>")])
def test_where_the_read_fails_nothing_happened_and_it_may_be_asked_for_again(
    world: World, psp: Keeping, answer: Any
) -> None:
    payment = sold(world)
    psp.answers = [answer, READ, PAID_BACK]
    first = world.do(REFUND, payment.id, "r1", 400)
    assert (first.rendered.status, shown(first)["status"]) == (201, "failed")
    assert shown(first)["decline"]["code"] == "not_sent"
    assert (methods(psp), amounts(world, payment).refundable) == (["GET"], 1000)
    again = world.do(REFUND, payment.id, "r2", 1000)
    assert (shown(again)["status"], methods(psp)) == ("succeeded", ["GET", "GET", "POST"])


def test_where_the_money_call_fails_it_is_unknown_and_stays_reserved(world: World, psp: Keeping) -> None:
    payment = sold(world)
    psp.answers = [READ, (503, {}, b"")]
    answer = world.do(REFUND, payment.id, "r1", 400)
    assert (answer.rendered.status, shown(answer)["status"]) == (202, "unknown")
    assert (methods(psp), amounts(world, payment).refundable) == (["GET", "POST"], 600)
