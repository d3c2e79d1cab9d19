"""A connector that reads an attempt is told what is known of it: not every PSP goes on counting what it gave back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chalicelib.contracts.calls import AttemptRef
from chalicelib.contracts.webhooks import AskPsp
from chalicelib.domain.facts import Kind
from tests.psp import SILENT, SimulatedConnector
from tests.services.histories import REFUND, hear, sold
from tests.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[AttemptRef]:
    asked: list[AttemptRef] = []
    fetch = SimulatedConnector.fetch

    def noted(self: SimulatedConnector, attempt: AttemptRef) -> Any:
        asked.append(attempt)
        return fetch(self, attempt)

    monkeypatch.setattr(SimulatedConnector, "fetch", noted)
    return asked


def refunds(attempt: AttemptRef) -> int:
    return sum(fact.kind is Kind.REFUND for fact in attempt.facts)


def test_on_schedule(world: World, read: list[AttemptRef]) -> None:
    payment = sold(world)
    world.do(REFUND, payment.id, "r1", 300)
    read.clear()
    world.settle(3601)
    assert [refunds(one) for one in read] == [1]


def test_when_a_webhook_says_look(world: World, read: list[AttemptRef], monkeypatch: pytest.MonkeyPatch) -> None:
    payment = sold(world)
    monkeypatch.setattr(SimulatedConnector, "read", lambda self, delivery: (AskPsp(delivery.body.decode()),))
    world.do(REFUND, payment.id, "r1", 300)
    read.clear()
    hear(world, payment)
    assert read
    assert all(refunds(one) == 1 for one in read)


def test_before_a_call_is_made_again(world: World, read: list[AttemptRef]) -> None:
    payment = sold(world)
    world.do(REFUND, payment.id, "r1", 300)
    world.psps["psp-1"].plan = lambda kind, order: SILENT
    world.do(REFUND, payment.id, "r2", 200)
    read.clear()
    world.settle(11)
    assert read
    assert all(refunds(one) == 1 for one in read)
