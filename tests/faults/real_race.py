"""The same races for real: many threads, and several processes, on one SQLite file, as the machine happens to run them.

The PSP's books are a file that one process at a time may write; it keeps no limit of its own.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chalicelib.contracts.calls import MoneyOrder
from chalicelib.domain.errors import Conflict, InProgress, StaleVersion
from chalicelib.domain.order import CaptureMode
from chalicelib.services.kinds import KINDS
from chalicelib.services.turns import Answer, Rendered
from chalicelib.storage.sql import SqlStore
from tests.faults.race import CANCEL, CAPTURE, REFUND, Call, Race, TrustingPsp
from tests.psp import Json
from tests.world import World

CALLS = (
    Call("refund 100", REFUND, 100),
    Call("refund 350", REFUND, 350),
    Call("capture 100", CAPTURE, 100),
    Call("refund all", REFUND),
    Call("refund 500", REFUND, 500),
    Call("capture 50, the last", CAPTURE, 50, final=True),
    Call("refund 250", REFUND, 250),
    Call("cancel", CANCEL),
)
REFUSED = (Conflict, InProgress, StaleVersion)


class SharedPsp(TrustingPsp):
    """Its books are on disk, under a lock, for every process."""

    def __init__(self, name: str, folder: Path) -> None:
        super().__init__(name)
        self._path, self._turn = folder / f"{name}.json", threading.Lock()

    @contextmanager
    def books(self) -> Iterator[None]:
        with self._turn, self._path.open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            text = file.read()
            if text:
                self.sessions, self.answers = json.loads(text)
            yield
            file.truncate(0)
            file.write(json.dumps([self.sessions, self.answers]))

    def operate(self, kind: str, order: MoneyOrder) -> Json:
        with self.books():
            return super().operate(kind, order)


class RealRace(Race):
    """One world for many races; each has a payment of its own, of which a part is captured."""

    def __init__(self, folder: Path) -> None:
        store = SqlStore(f"sqlite:///{folder / 'payments.db'}", KINDS)
        store.migrate()
        self.folder, self.psp = folder, SharedPsp("psp-1", folder)
        self.world = World(folder, store, psps={"psp-1": self.psp})

    def race(self, number: int, *, processes: int, threads: int) -> Counter[str]:
        """How often which answer was given. Raises AssertionError where an answer or the books are wrong."""
        self._begin(f"race-{number}")
        barrier, go = os.pipe()
        children = [self._fork(process, threads, barrier, go) for process in range(processes)]
        os.close(barrier)
        os.close(go)  # now: the children wait for the end of this pipe
        ends = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        assert ends == [0] * processes, ends
        with self.psp.books():
            self._check_books()
        self._recover()
        self._check_books()
        self._check_payment()
        said: Counter[str] = Counter()
        for process in range(processes):
            for line in (self.folder / f"said-{process}").read_text().splitlines():
                key, index, status, body = json.loads(line)
                said[str(status)] += 1
                if status != StaleVersion.__name__:  # answered 409: nothing is promised, and it may have been done
                    self._check_answer(CALLS[index], key, self._result(status, body))
        assert said["201"] >= 1, said
        return said

    def _begin(self, key: str) -> None:
        payment = self.world.open(key, capture=CaptureMode.MANUAL).payment
        self.payment_id, self.attempt_id = payment.id, payment.attempts[0].id
        session = self.psp.sessions[self.attempt_id]
        with self.psp.books():
            self.psp.sessions[self.attempt_id] = session
            self.psp.pay(self.attempt_id)
        self.world.attend.sync(self.payment_id)
        self.world.do(CAPTURE, self.payment_id, "before", 600)

    def _fork(self, process: int, threads: int, barrier: int, go: int) -> int:
        child = os.fork()
        if child == 0:
            try:
                os.close(go)
                self._compete(process, threads, barrier)
                os._exit(0)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
        return child

    def _compete(self, process: int, threads: int, barrier: int) -> None:
        said: list[Any] = []

        def call(number: int) -> None:
            index = (number + process) % len(CALLS)
            one, key = CALLS[index], f"{process}-{number}"
            started.wait()
            try:
                rendered = self.world.do(one.kind, self.payment_id, key, one.value, final=one.final).rendered  # type: ignore[arg-type]
                said.append([key, index, rendered.status, rendered.body])
            except REFUSED as error:
                said.append([key, index, type(error).__name__, ""])

        started = threading.Barrier(threads + 1)
        callers = [threading.Thread(target=call, args=(number,)) for number in range(threads)]
        for caller in callers:
            caller.start()
        os.read(barrier, 1)
        started.wait()
        for caller in callers:
            caller.join()
        assert len(said) == threads, "every call ends with an answer"
        (self.folder / f"said-{process}").write_text("".join(json.dumps(one) + "\n" for one in said))

    def _result(self, status: int | str, body: str) -> Any:
        if isinstance(status, int):
            return Answer(self.world.payment(self.payment_id), Rendered(status, body), replayed=False)
        return next(error for error in REFUSED if error.__name__ == status)("refused")
