"""The world that the state machine moves: PaymentServer's own services in two processes, three banks, shoppers who pay on pages
they were given, a shop, people in the PSPs' dashboards, an operator, a clock and a network that all do as chance has it.

Chance is a `random.Random`: a seed's own in `make torture`, hypothesis' in the tests. `promises` looks on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

from chalicelib.contracts.publisher import Publication, Retry
from chalicelib.contracts.queue import Topic
from chalicelib.contracts.store import NEW
from chalicelib.domain.configuration import Connection, Route, Subscription
from chalicelib.domain.errors import Conflict, Fault, InProgress
from chalicelib.services.kinds import CONNECTION, ROUTE, SUBSCRIPTION, subscription_key
from chalicelib.services.lanes import Lanes
from chalicelib.services.notify import Notify
from chalicelib.services.recover import Recover
from chalicelib.services.sweep import Sweep
from chalicelib.services.turns import Answer
from chalicelib.services.work import Work
from chalicelib.storage.memory import MemoryStore
from tests.builders import NOW
from tests.faults.bank import Bank, Mail
from tests.faults.bank_connector import CONNECTORS, BankConnector, ReticentConnector
from tests.faults.promises import Promises
from tests.faults.trouble import Killed, Trouble, TroubledDriver, TroubledQueue, TroubledStore
from tests.world import HandClock, Recorder, World

FOLDER = Path("/the-machine")
BANKS = {"psp-1": BankConnector, "psp-2": BankConnector, "psp-3": ReticentConnector}
ROUTES = {
    "default": {"use": ["psp-1", "psp-2"], "unanswered": "next", "late": "accept"},
    "careful": {"use": ["psp-2", "psp-1"], "unanswered": "hold", "late": "refund"},
    "strict": {"use": ["psp-1", "psp-2"], "unanswered": "next", "late": "review"},
    "mixed": {"use": ["psp-3", "psp-1", "psp-2"], "unanswered": "next", "late": "refund"},
}
DRAIN_MAX = 60
LAG_MAX_S = 1  # of a store's indexes, where they lag at all
ROUNDS_MAX = 6000


class AtOnce(Lanes):
    """Each job runs in its caller's thread: what happens meanwhile is for chance to say, not for the system's scheduler."""

    def __init__(self) -> None: ...

    def is_short(self, name: str, limit: int) -> bool:
        return True

    def submit(self, name: str, limit: int, key: str, run: Callable[[], None], *, room: int = 0) -> Future[None]:
        done: Future[None] = Future()
        try:
            run()
        except Exception as error:
            done.set_exception(error)
        else:
            done.set_result(None)
        return done

    def close(self) -> None: ...


class Process(World):
    """What one start of PaymentServer has in memory."""

    def __init__(self, folder: Path, *arguments: Any, **named: Any) -> None:
        super().__init__(folder, *arguments, **named)
        self.sweep = Sweep(self.ports)
        self.notify = Notify(self.ports, self.configuration, AtOnce())
        self.work = Work(self)


class Machine:
    """`call` is how anybody asks PaymentServer something; `check` raises what went wrong since it was asked last."""

    def __init__(self, store: Any = None) -> None:
        self.chance = Random(0)
        self.clock, self.recorder = HandClock(), Recorder()
        self.trouble = Trouble(self._meanwhile)
        self.banks = {
            name: Bank(name, connector=connector.name, capabilities=connector.capabilities, now=self.clock.now)
            for name, connector in BANKS.items()
        }
        self.promises = Promises(self)
        self.store = TroubledStore(store or MemoryStore(), self.trouble, self.promises.committed)
        self.queue = TroubledQueue(self.trouble, self._now_s)
        self.driver = TroubledDriver(self.trouble, self._now_s)
        self.recorder.fails = self._told
        self.deaf = False  # whether the subscriber takes nothing now
        self.meanwhile: Callable[[], None] = lambda: None
        self.kills = 0
        self._configure()
        self._processes = [self._started(), self._started()]
        self._running = 0

    @property
    def world(self) -> Process:
        return self._processes[self._running]

    def restart(self) -> None:
        """A new process on the same store, queue and banks; its caches are cold."""
        self._processes[self._running] = self._started()

    def _started(self) -> Process:
        return Process(
            FOLDER,
            self.store,
            psps=self.banks,  # type: ignore[arg-type]
            configure=False,
            clock=self.clock,
            recorder=self.recorder,
            queue=self.queue,
            driver=self.driver,
            connectors=CONNECTORS,
        )

    def _configure(self) -> None:
        for name, bank in self.banks.items():
            settings = {"account": f"{FOLDER}/{name}"}
            connection = Connection("default", name, bank.connector, True, settings, {}, 1, NOW, NOW)
            self.store.put(CONNECTION, connection, expect=NEW)
        for name, made in ROUTES.items():
            document = {**made, "name": name, "otherwise": {"use": made["use"]}}
            self.store.put(ROUTE, Route("default", name, document, 1, NOW, NOW), expect=NEW)
        subscription = Subscription("default", "sub_1", "one", "recorder", {}, {}, ("*",), True, 1, NOW, NOW)
        self.store.put(SUBSCRIPTION, subscription, expect=NEW)

    def _now_s(self) -> float:
        return self.clock.at.timestamp()

    def _told(self, publication: Publication) -> None:
        if self.deaf:
            raise Retry("nobody listens", 503)
        self.promises.shown(publication.body.decode())

    def _meanwhile(self) -> None:
        """Something happens in the other process while this one waits; then this one carries on."""
        was, self._running = self._running, 1 - self._running
        try:
            self.meanwhile()
        finally:
            self._running = was

    def call(self, act: Callable[[Process], Any]) -> Any:
        """What PaymentServer answers; None where it refused, had a fault, or was killed, which a caller can not know."""
        try:
            return act(self.world)
        except (Conflict, InProgress, Fault):
            return None
        except Killed:
            self.kills += 1
            self.restart()
            return None

    def ask(self, key: tuple[str, str], act: Callable[[Process], Answer]) -> None:
        """A merchant's call with an idempotency key; a repeat is the same call."""
        self.promises.asked.setdefault(key, act)
        answer = self.call(act)
        if answer is not None:
            self.promises.answered(key, answer)

    def work_one(self, topic: Topic) -> bool:
        """One worker takes one message; whatever becomes of it, the queue brings it again unless it was done."""

        def work(world: Process) -> bool:
            for message in world.queue.receive(topic, count=1):
                try:
                    world.work.handle(message)
                except Fault:
                    world.queue.release(message, delay_s=self.chance.choice((0, 1, 5)))
                    return True
                world.queue.done(message)
                return True
            return False

        return self.call(work) is not False

    def drain(self) -> None:
        self.call(lambda world: world.sweep.round())
        for _ in range(DRAIN_MAX):
            worked = [self.work_one(topic) for topic in Topic]
            if not any(worked):
                return

    def forward(self, seconds: float) -> None:
        self.clock.forward(seconds)
        if seconds >= LAG_MAX_S:
            self.store.catch_up()
        for bank in self.banks.values():
            bank.let_lapse()

    def deliver(self, mail: Mail) -> bool:
        """A webhook reaches us; whether it was acknowledged, so that the bank need not send it again."""
        taken = self.call(lambda world: world.intake.take("default", mail.bank, {}, mail.body))
        if taken is not None:
            self.promises.acknowledged(mail)
        return taken is not None

    def at_rest(self, seconds_max: float) -> None:
        """Everybody is well again: what is under way arrives, is told and settled, and the schedules run their course."""
        self.trouble.armed.clear()
        self.deaf = False
        self._switch_on()
        for bank in self.banks.values():
            bank.moods.clear()
            bank.arrive()
            bank.settle_all()
        ends = self.clock.at + timedelta(seconds=seconds_max)
        for _ in range(ROUNDS_MAX):
            for bank in self.banks.values():
                while bank.mail:
                    assert self.deliver(bank.mail.pop(0)), "nothing stands in a webhook's way now"
            self.drain()
            if any(bank.mail for bank in self.banks.values()):
                continue
            due = self._next_due()
            if due is None or due > ends.timestamp():
                return
            self.forward(max(due - self._now_s() + 0.002, 1))
            for bank in self.banks.values():
                bank.settle_all()
        raise AssertionError("PaymentServer finds no rest")

    def _switch_on(self) -> None:
        """The subscription, which days of failures may have switched off; what it missed is sent."""
        stored = self.store.get(SUBSCRIPTION, subscription_key("default", "sub_1"))
        if not stored.value.enabled:
            self.store.put(SUBSCRIPTION, replace(stored.value, enabled=True), expect=stored.version)
            self.restart()
            self.store.catch_up()  # people are slower than indexes
            Recover(self.world.ports, stored.value, NOW).run(None)

    def _next_due(self) -> float | None:
        """When anything is to be done next: by a message, or by what a due index holds."""
        times = self.store.due_s()
        waiting = self.queue.next_due()
        return min(times if waiting is None else [*times, waiting], default=None)


class Overheard(logging.Handler):
    """The services log a connector's or their own mistake and carry on; here it is one."""

    def __init__(self, wrongs: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._wrongs = wrongs

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info is not None:
            self._wrongs.append(f"{record.getMessage()}: {record.exc_info[1]!r}")
