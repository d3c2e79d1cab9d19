"""Parallel calls with one key: one payment, one session at the PSP, one answer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from chalicelib.domain.errors import InProgress
from chalicelib.services.kinds import KINDS
from chalicelib.services.turns import Answer
from chalicelib.storage.sql import SqlStore
from tests.world import World


def test_100_identical_checkouts_are_one(tmp_path: Path) -> None:
    store = SqlStore(f"sqlite:///{tmp_path / 'payments.db'}", KINDS)
    store.migrate()
    world = World(tmp_path, store)

    def call(_: int) -> Answer | None:
        try:
            return world.open()
        except InProgress:
            return None

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(call, range(100)))
    answered = [one for one in answers if one is not None]
    assert {one.rendered for one in answered} == {world.open().rendered}
    assert sum(not one.replayed for one in answered) == 1
    assert len(world.psps["psp-1"].opened) == 1


def test_parallel_webhooks_and_polls_lose_nothing(tmp_path: Path) -> None:
    store = SqlStore(f"sqlite:///{tmp_path / 'payments.db'}", KINDS)
    store.migrate()
    world = World(tmp_path, store)
    payment = world.open().payment
    attempt_id = payment.attempts[0].id
    world.psps["psp-1"].pay(attempt_id)
    for _ in range(20):
        world.webhook("psp-1", attempt_id)

    def work(number: int) -> None:
        if number % 2:
            world.attend.sync(payment.id)
        else:
            world.settle()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(40)))
    world.settle(11)
    told = {one.event_type for one in world.recorder.published}
    assert told == {"payment.pending", "payment.captured"}
