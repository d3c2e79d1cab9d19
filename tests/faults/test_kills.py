"""Kill -9 at every commit point, and at random: what was answered is there, nobody is charged twice, nobody is left untold.

A child is forked from this warm process, runs a payment's life on a real SQLite store and queue, and kills itself at the
n-th commit point, just before or just after the commit. A second fork starts afresh on the same files and carries on.
The PSPs and the subscriber keep what they saw in files of their own, which no kill takes back.
"""

from __future__ import annotations

import json
import os
import random
import signal
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chalicelib.contracts.publisher import Publication
from chalicelib.domain.errors import InProgress
from chalicelib.domain.fold import fold
from chalicelib.domain.ids import payment_id_of
from chalicelib.domain.payment import Payment, Status
from chalicelib.queues.embedded import EmbeddedQueue
from chalicelib.services.kinds import KINDS, PAYMENT
from chalicelib.storage.sql import SqlStore
from tests.psp import SimulatedPsp
from tests.world import World

COMMITS = ("put", "send", "done")
POINTS_MAX = 60
RANDOM_ROUNDS = 30


class DiskPsp(SimulatedPsp):
    """A simulated PSP whose sessions and calls outlive the process."""

    def __init__(self, name: str, folder: Path) -> None:
        super().__init__(name)
        self._path = folder / f"{name}.json"
        if self._path.exists():
            kept = json.loads(self._path.read_text())
            self.sessions, self.opened = kept["sessions"], kept["opened"]

    def save(self) -> None:
        draft = self._path.with_suffix(".new")
        draft.write_text(json.dumps({"sessions": self.sessions, "opened": self.opened}))
        draft.replace(self._path)

    def open(self, order: Any) -> dict[str, Any]:
        session = super().open(order)
        self.save()
        return session


def world_on(folder: Path) -> World:
    store = SqlStore(f"sqlite:///{folder / 'payments.db'}", KINDS)
    fresh = not (folder / "made").exists()
    store.migrate()
    psps = {name: DiskPsp(name, folder) for name in ("psp-1", "psp-2")}
    world = World(folder, store, psps=psps, configure=fresh)  # type: ignore[arg-type]
    (folder / "made").touch()

    def keep(publication: Publication) -> None:
        with (folder / "told").open("a") as told:
            told.write(publication.event_id + "\n")

    world.recorder.fails = keep
    return world


def kill_at(world: World, point: int, after: bool) -> None:
    """Makes the `point`-th commit of the store or the queue the last thing this process does."""
    counted = 0

    def deadly(call: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **named: Any) -> Any:
            nonlocal counted
            counted += 1
            mine = counted == point
            if mine and not after:
                os.kill(os.getpid(), signal.SIGKILL)
            result = call(*arguments, **named)
            if mine:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return run

    for port in (world.store, world.queue):
        for name in COMMITS:
            if hasattr(port, name):
                setattr(port, name, deadly(getattr(port, name)))


def life(world: World, folder: Path) -> None:
    """Checkout (the first PSP falls silent), paid at the second, webhook, notifications; what is answered is noted."""
    world.psps["psp-1"].script = lambda order: "silent"
    answer = world.open()
    (folder / "answer").write_text(answer.rendered.body)
    carry_on(world, folder)


def carry_on(world: World, folder: Path) -> None:
    """The shopper pays where the shop sent her; the PSP's webhook comes until it is answered."""
    attempt_id = json.loads((folder / "answer").read_text())["attempts"][-1]["id"]
    psp = world.psps["psp-2"]
    if psp.sessions[attempt_id]["status"] == "open":
        psp.pay(attempt_id)
    world.webhook("psp-2", attempt_id)
    (folder / "acknowledged").touch()
    world.settle()


def recover(world: World, folder: Path) -> None:
    """What happens after a start: the shop repeats its call, the PSP its webhook, the worker sweeps."""
    world.psps["psp-1"].script = lambda order: "silent"
    if not (folder / "answer").exists():
        try:
            answer = world.open()
        except InProgress:
            world.clock.forward(61)
            answer = world.open()
        (folder / "answer").write_text(answer.rendered.body)
    if not (folder / "acknowledged").exists():
        carry_on(world, folder)
    for seconds in (0, 30, 61, 61, 61):
        world.settle(seconds)


def check(world: World, folder: Path) -> None:
    payment: Payment = world.store.get(PAYMENT, payment_id_of("default", "a-key")).value
    folded = fold(payment)
    assert folded.status is Status.CAPTURED, folded.status
    assert folded.amounts.captured == 1000
    assert folded.amounts.surplus == 0
    paid = [session for psp in world.psps.values() for session in psp.sessions.values() if session["payment"]]
    assert len(paid) == 1, "charged once"
    for psp in world.psps.values():
        assert len(psp.sessions) == len(set(psp.opened)) <= 1, "one session for each PSP"
    assert "psp-1.example" not in (folder / "answer").read_text(), "a sealed address was released"
    assert all(one["status"] == "expired" for one in world.psps["psp-1"].sessions.values()), (
        "a sealed page was left open"
    )
    told = set((folder / "told").read_text().split())
    assert {entry.id for entry in payment.journal} <= told, "somebody was not told"
    assert payment.outbox == ()
    again = world.open()
    assert again.rendered.body == (folder / "answer").read_text(), "the answer changed"


def in_a_fork(work: Callable[[], None]) -> int:
    """Runs `work` in a child and says how it ended: 0, or the signal's number negative, or 1 for an error."""
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def round_of(folder: Path, point: int, after: bool) -> bool:
    """One life with a kill at `point`; whether the kill came before the life was over."""

    def live() -> None:
        world = world_on(folder)
        kill_at(world, point, after)
        life(world, folder)

    def go_on() -> None:
        world = world_on(folder)
        recover(world, folder)
        check(world, folder)

    folder.mkdir()
    ended = in_a_fork(live)
    assert ended in (0, -signal.SIGKILL)
    assert in_a_fork(go_on) == 0, f"killed {'after' if after else 'before'} commit {point}"
    return ended != 0


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_kill_at_every_commit_point_loses_nothing(tmp_path: Path, after: bool) -> None:
    killed = 0
    for point in range(1, POINTS_MAX):
        if not round_of(tmp_path / str(point), point, after):
            break
        killed += 1
    assert 8 <= killed < POINTS_MAX - 1, f"{killed} commit points"


@pytest.mark.parametrize("seed", range(4))
def test_kills_upon_kills_lose_nothing(tmp_path: Path, seed: int) -> None:
    """Several starts that are each killed at a random commit, and then one that is left alone."""
    chance = random.Random(seed)
    for number in range(RANDOM_ROUNDS):
        folder = tmp_path / str(number)
        folder.mkdir()

        for _ in range(chance.randint(1, 3)):
            point, after = chance.randint(1, 14), chance.random() < 0.5

            def doomed(folder: Path = folder, point: int = point, after: bool = after) -> None:
                world = world_on(folder)
                kill_at(world, point, after)
                recover(world, folder)

            in_a_fork(doomed)

        def left_alone(folder: Path = folder) -> None:
            world = world_on(folder)
            world.clock.forward(200)
            recover(world, folder)
            check(world, folder)

        assert in_a_fork(left_alone) == 0, f"round {number}"


def test_the_queue_and_store_survive_on_the_same_files(tmp_path: Path) -> None:
    """The tests above would prove nothing on stores that are made anew."""
    world_on(tmp_path).open()
    reopened = world_on(tmp_path)
    assert reopened.store.get(PAYMENT, payment_id_of("default", "a-key")).value.status is Status.PENDING
    assert isinstance(reopened.queue, EmbeddedQueue)
