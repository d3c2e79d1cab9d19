"""The worker through an outage: nothing that was promised is given up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from chalicelib.contracts.queue import RECEIVES_MAX, Message, Topic
from chalicelib.domain.errors import NotFound, StorageFault
from chalicelib.queues.embedded import EmbeddedQueue
from chalicelib.services.kinds import KINDS, PAYMENT
from chalicelib.storage.sql import SqlStore
from chalicelib.wiring import Wiring
from server.worker import Consumer, Worker
from tests.services.configured import ports_at, with_store


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[EmbeddedQueue]:
    queue = EmbeddedQueue(str(tmp_path / "queue.db"), clock=lambda: 1_800_000_000.0)  # a slow machine changes nothing
    yield queue
    queue.close()


def bury(queue: EmbeddedQueue) -> None:
    """A message that was tried as often as it may be."""
    queue.send(Topic.INBOUND, b"webhook")
    for _ in range(RECEIVES_MAX):
        queue.release(queue.receive(Topic.INBOUND)[0])
    assert not queue.receive(Topic.INBOUND)


def run(queue: EmbeddedQueue, *handlers: Callable[[Message], None]) -> None:
    """Each handler handles a message, one after the other, in one consumer."""
    turns = iter(handlers)
    consumer = Consumer(queue, Topic.INBOUND, lambda message: next(turns)(message), threads=1)
    for _ in handlers:
        queue.send(Topic.INBOUND, b"another")
        consumer._run(queue.receive(Topic.INBOUND, count=1)[0])


def fail(message: Message) -> None:
    raise StorageFault("The database did not answer.")


def break_down(message: Message) -> None:
    raise ValueError


no_message = cast(Message, None)


def succeed(message: Message) -> None:
    return


def test_dead_letters_come_back_once_a_fault_is_over(queue: EmbeddedQueue) -> None:
    bury(queue)
    run(queue, fail, succeed)
    assert queue.dead(Topic.INBOUND) == []
    assert [message.body for message in queue.receive(Topic.INBOUND)] == [b"webhook"]


@pytest.mark.parametrize("handlers", [(succeed,), (fail,), (break_down, succeed)])
def test_dead_letters_stay_while_there_was_no_fault_or_it_lasts(
    queue: EmbeddedQueue, handlers: tuple[Callable[[Message], None], ...]
) -> None:
    bury(queue)
    run(queue, *handlers)
    assert [message.body for message in queue.dead(Topic.INBOUND)] == [b"webhook"]


def test_a_database_that_comes_late_is_migrated_and_dead_letters_come_back(
    queue: EmbeddedQueue, tmp_path: Path
) -> None:
    folder = tmp_path / "late"
    store = SqlStore(f"sqlite:///{folder / 'payments.db'}", KINDS)
    ports = with_store(ports_at(tmp_path), store)
    work = SimpleNamespace(handle=succeed)
    worker = Worker(cast(Wiring, SimpleNamespace(store=store, queue=queue, ports=ports, work=work)))
    bury(queue)
    worker._round()
    assert queue.dead(Topic.INBOUND)
    folder.mkdir()
    worker._round()
    assert queue.dead(Topic.INBOUND) == []
    with pytest.raises(NotFound):
        store.get(PAYMENT, "pay_none")
    store.close()


def test_statistics_that_could_not_be_rolled_up_are_tried_again(
    queue: EmbeddedQueue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ports = ports_at(tmp_path)
    worker = Worker(cast(Wiring, SimpleNamespace(queue=queue, ports=ports, work=SimpleNamespace(handle=succeed))))
    turns: Iterator[Callable[[], None]] = iter([lambda: fail(no_message), lambda: break_down(no_message), worker.stop])
    monkeypatch.setattr("server.worker.ROLL_UP_EVERY_S", 0.0)
    monkeypatch.setattr("server.worker.roll_up_all", lambda ports: next(turns)())
    worker._roll_up()
    assert next(turns, None) is None


def test_guardrails_are_watched_after_each_roll_up_whatever_went_wrong_before(
    queue: EmbeddedQueue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forgotten: list[str] = []
    wired = SimpleNamespace(
        queue=queue,
        ports=ports_at(tmp_path),
        work=SimpleNamespace(handle=succeed),
        configuration=SimpleNamespace(forget=lambda: forgotten.append("the routes")),
    )
    worker = Worker(cast(Wiring, wired))

    def stop_one() -> int:
        worker.stop()
        return 1

    rounds: Iterator[Callable[[], object]] = iter([lambda: fail(no_message), lambda: break_down(no_message), stop_one])
    monkeypatch.setattr("server.worker.ROLL_UP_EVERY_S", 0.0)
    monkeypatch.setattr("server.worker.roll_up_all", lambda ports: fail(no_message))
    monkeypatch.setattr(worker._guardrail, "round", lambda: next(rounds)())
    worker._roll_up()
    assert (next(rounds, None), forgotten) == (None, ["the routes"])
