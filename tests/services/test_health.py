"""Two processes over one database file: what one sees, the other goes by; and a database that fails changes nothing."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chalicelib.contracts.calls import Refusal, RefusalKind
from chalicelib.contracts.store import NEW, Kind, Page, Version
from chalicelib.domain.configuration import Connection
from chalicelib.domain.errors import NotFound, StorageFault
from chalicelib.routing.health import BUCKETS, Bucket, CircuitState, ConnectionHealth, Outcome, Window, merged
from chalicelib.services.health import FAIR_S, FRESH_S, OFFER_EVERY_S, TELL_EVERY_S, Health
from chalicelib.services.kinds import HEALTH, KINDS
from chalicelib.services.open_attempt import Tried, tried_of
from chalicelib.storage.memory import MemoryStore
from chalicelib.storage.sql import SqlStore
from tests.builders import NOW, attempt
from tests.services.configured import ports_at
from tests.world import HandClock

PSP = Connection("default", "psp-1", "toy", True, {}, {}, 1, NOW, NOW)
KEY = "default/psp-1"
CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN


class Store(MemoryStore):
    """Notes what it is asked for, and fails when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[str] = []
        self.sick = False

    def put(self, kind: Kind[Any], value: Any, *, expect: Version) -> Version:
        self._note("put")
        return super().put(kind, value, expect=expect)

    def find(self, *arguments: Any, **named: Any) -> Page[Any]:
        self._note("find")
        return super().find(*arguments, **named)

    def _note(self, what: str) -> None:
        self.made.append(what)
        if self.sick:
            raise StorageFault("The database did not answer.")


class Process(Health):
    """The health of one process, on the test's clock."""

    def __init__(self, folder: Path, store: Any, clock: HandClock) -> None:
        self.clock, self.store = clock, store
        super().__init__(replace(ports_at(folder, store), clock=clock), monotonic=lambda: clock.at.timestamp())

    def sees(self, *answered: bool) -> None:
        """Calls to the PSP that end one after the other, a hundredth of a second each."""
        for one in answered:
            self.clock.forward(0.01)
            ends = self.clock.at.timestamp()
            self.record("default", "psp-1", Outcome(ends - 0.01, ends, one))

    def told(self) -> ConnectionHealth:
        return self.store.get(HEALTH, KEY).value  # type: ignore[no-any-return]


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def pair(tmp_path: Path, clock: HandClock) -> Iterator[tuple[Process, Process]]:
    stores = [SqlStore(f"sqlite:///{tmp_path / 'payments.db'}", KINDS) for _ in range(2)]
    stores[0].migrate()
    yield Process(tmp_path, stores[0], clock), Process(tmp_path, stores[1], clock)
    for store in stores:
        store.close()


@pytest.fixture
def alone(tmp_path: Path, clock: HandClock) -> Process:
    return Process(tmp_path, Store(), clock)


def cooled_down(pair: tuple[Process, Process]) -> None:
    """Five failures, and ten seconds later."""
    pair[0].sees(*[False] * 5)
    pair[0].clock.forward(10)


def test_failures_in_two_processes_open_one_circuit(pair: tuple[Process, Process]) -> None:
    one, other = pair
    one.sees(False, False, False)
    other.sees(False, False)
    one.clock.forward(FRESH_S)
    assert (one.state(PSP), other.state(PSP)) == (OPEN, OPEN)


def test_what_one_process_saw_opens_the_circuit_there_at_once(pair: tuple[Process, Process]) -> None:
    one, other = pair
    other.state(PSP)
    one.sees(*[False] * 5)
    assert (one.state(PSP), other.state(PSP)) == (OPEN, CLOSED)
    one.clock.forward(FRESH_S)
    assert other.state(PSP) is OPEN


def test_a_success_of_one_ends_the_row_of_the_other(pair: tuple[Process, Process]) -> None:
    one, other = pair
    one.sees(False, False, False)
    other.state(PSP)
    other.sees(True)
    one.sees(False, False)
    assert one.state(PSP) is CLOSED


def test_of_two_processes_one_sends_one_payment_to_find_out(pair: tuple[Process, Process]) -> None:
    cooled_down(pair)
    told = [process.state(PSP) for process in (*pair, *pair)]
    assert told == [HALF_OPEN, OPEN, OPEN, OPEN]


def test_two_probes_that_work_close_it_for_all(pair: tuple[Process, Process]) -> None:
    one, other = pair
    cooled_down(pair)
    for _ in range(2):
        one.clock.forward(FRESH_S)
        assert one.state(PSP) is HALF_OPEN
        one.sees(True)
    one.clock.forward(FRESH_S)
    assert (one.state(PSP), other.state(PSP)) == (CLOSED, CLOSED)


def test_a_probe_that_fails_opens_it_for_all_and_for_longer(pair: tuple[Process, Process]) -> None:
    one, other = pair
    cooled_down(pair)
    one.state(PSP)
    one.sees(False)
    one.clock.forward(19.9)
    assert (one.state(PSP), other.state(PSP)) == (OPEN, OPEN)
    one.clock.forward(0.1)
    assert other.state(PSP) is HALF_OPEN


def test_a_payment_that_was_to_probe_and_did_not_call_is_followed_by_another(pair: tuple[Process, Process]) -> None:
    one, _ = pair
    cooled_down(pair)
    assert (one.state(PSP), one.state(PSP)) == (HALF_OPEN, OPEN)
    one.clock.forward(OFFER_EVERY_S)
    assert one.state(PSP) is HALF_OPEN


def test_nobody_else_probes_while_a_call_is_under_way(pair: tuple[Process, Process]) -> None:
    one, other = pair
    cooled_down(pair)
    assert one.state(PSP) is HALF_OPEN

    def call() -> Tried:
        one.clock.forward(2)
        assert (one.state(PSP), other.state(PSP)) == (OPEN, OPEN)
        return tried(RefusalKind.DECLINED)

    one.watch("default", "psp-1", 20, call)
    assert one.told().circuit.passed == 1


def test_the_lease_of_a_process_that_died_ends(pair: tuple[Process, Process]) -> None:
    one, other = pair
    cooled_down(pair)
    assert one.state(PSP) is HALF_OPEN
    other.clock.forward(10)
    assert other.state(PSP) is HALF_OPEN


def test_no_call_is_lost_or_counted_twice(pair: tuple[Process, Process], clock: HandClock) -> None:
    """Real threads that tell at once, mostly meeting a newer document than they know."""
    at_s = clock.at.timestamp()

    def work(process: Process) -> None:
        for number in range(40):
            process.record("default", "psp-1", Outcome(at_s, at_s, number % 2 == 0))
        process.tell(everything=True)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, pair))
    figures = pair[0].told().window.figures(at_s)
    assert (figures.calls, figures.failures) == (80, 40)


def test_only_the_process_that_put_the_change_tells_of_it(
    pair: tuple[Process, Process], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "paymentserver.health"):
        pair[0].sees(False, False, False)
        pair[1].sees(False, False, False)
        pair[0].tell(everything=True)
    assert [record.getMessage() for record in caplog.records] == ["circuit opened"]
    assert caplog.records[0].fields == {  # type: ignore[attr-defined]
        "merchant_id": "default",
        "connection_id": "psp-1",
        "reason": "5 failures in a row",
        "count": 1,
    }


def test_successes_are_told_together_and_failures_at_once(alone: Process) -> None:
    alone.sees(True, True, True)
    assert alone.store.made == []
    alone.clock.forward(TELL_EVERY_S)
    alone.sees(True)
    assert alone.store.made == ["put"]
    alone.sees(False)
    assert alone.store.made == ["put", "put"]
    assert alone.told().window.figures(alone.clock.at.timestamp()).calls == 5


def test_a_success_after_a_failure_is_told_at_once(alone: Process) -> None:
    alone.sees(False, True, True)
    assert alone.store.made == ["put", "put"]


def test_of_an_outage_that_is_known_the_rest_is_told_together(alone: Process) -> None:
    alone.sees(*[False] * 5)
    alone.store.made.clear()
    alone.sees(*[False] * 100)
    assert alone.store.made == []


def test_others_are_heard_at_most_once_a_second(alone: Process) -> None:
    for _ in range(3):
        alone.state(PSP)
        alone.states([PSP])
    assert alone.store.made == ["find"]
    alone.clock.forward(FRESH_S)
    alone.state(PSP)
    assert alone.store.made == ["find", "find"]


def test_with_a_keeper_a_payment_neither_tells_nor_reads(alone: Process) -> None:
    alone.state(PSP)
    woken: list[bool] = []
    alone.wake, alone.store.made = lambda: woken.append(True), []
    alone.sees(False)
    alone.clock.forward(FRESH_S)
    alone.state(PSP)
    assert (alone.store.made, woken) == ([], [True])
    alone.tick()
    assert alone.store.made == ["put", "find"]


def test_a_keeper_reads_only_what_payments_ask_for(alone: Process) -> None:
    alone.wake = lambda: None
    alone.state(PSP)
    alone.store.made.clear()
    for _ in range(5):
        alone.clock.forward(FRESH_S)
        alone.tick()
    assert alone.store.made == []


def test_a_keeper_takes_the_probe_for_the_next_payment(alone: Process) -> None:
    alone.wake = lambda: None
    alone.sees(*[False] * 5)
    alone.tick()
    alone.clock.forward(10)
    assert alone.state(PSP) is OPEN
    alone.tick()
    assert alone.state(PSP) is HALF_OPEN


def test_nobody_takes_a_probe_for_a_connection_without_payments(alone: Process) -> None:
    alone.wake = lambda: None
    alone.sees(*[False] * 5)
    alone.tick()
    alone.clock.forward(10)
    alone.tick()
    assert alone.told().circuit.probe is None


def test_without_a_database_a_process_goes_by_what_it_saw(alone: Process) -> None:
    alone.store.sick = True
    assert alone.state(PSP) is CLOSED
    alone.sees(*[False] * 5)
    assert alone.state(PSP) is OPEN
    alone.clock.forward(10)
    assert (alone.state(PSP), alone.state(PSP)) == (HALF_OPEN, OPEN)
    alone.sees(True)
    alone.clock.forward(FRESH_S)
    assert alone.state(PSP) is HALF_OPEN
    alone.sees(True)
    assert alone.state(PSP) is CLOSED


def test_what_could_not_be_told_is_told_later(alone: Process) -> None:
    alone.store.sick = True
    alone.sees(False, False)
    alone.store.sick = False
    alone.clock.forward(TELL_EVERY_S)
    alone.sees(True)
    assert alone.told().window.figures(alone.clock.at.timestamp()).calls == 3


def test_a_lost_document_begins_anew(pair: tuple[Process, Process]) -> None:
    one, _ = pair
    one.sees(False)
    one.store.delete(HEALTH, KEY, expect=one.store.get(HEALTH, KEY).version)
    with pytest.raises(NotFound):
        one.told()
    one.sees(False)
    assert one.told().window.figures(one.clock.at.timestamp()).calls == 1


@pytest.mark.parametrize("override", ["open", "closed"])
def test_an_override_is_what_routing_hears_and_nothing_is_read_for_it(alone: Process, override: str) -> None:
    assert alone.state(replace(PSP, override=override)) == override
    assert alone.store.made == []
    assert alone.states([replace(PSP, override=override)]) == {"psp-1": override}


def tried(kind: RefusalKind) -> Tried:
    return tried_of(NOW, attempt(), Refusal(kind, "no"))


@pytest.mark.parametrize("kind", RefusalKind)
def test_a_decline_shows_a_psp_at_work_and_any_other_no_is_a_failure(alone: Process, kind: RefusalKind) -> None:
    alone.watch("default", "psp-1", 20, lambda: tried(kind))
    figures = alone.look("default", "psp-1").window.figures(alone.clock.at.timestamp())
    assert (figures.calls, figures.failures) == (1, 0 if kind is RefusalKind.DECLINED else 1)


def test_what_a_call_took_is_measured(alone: Process) -> None:
    def call() -> Tried:
        alone.clock.forward(0.3)
        return tried(RefusalKind.DECLINED)

    alone.watch("default", "psp-1", 20, call)
    assert alone.look("default", "psp-1").window.figures(alone.clock.at.timestamp()).p50_ms == 400


@pytest.mark.parametrize(("left_s", "kind", "counts"), [
    (FAIR_S, RefusalKind.RATE_LIMITED, 1),
    (FAIR_S - 0.1, RefusalKind.RATE_LIMITED, 0),
    (FAIR_S - 0.1, RefusalKind.DECLINED, 1),
])  # fmt: skip
def test_a_failure_for_lack_of_our_own_time_is_not_held_against_the_psp(
    alone: Process, left_s: float, kind: RefusalKind, counts: int
) -> None:
    alone.watch("default", "psp-1", left_s, lambda: tried(kind))
    assert alone.look("default", "psp-1").window.figures(alone.clock.at.timestamp()).calls == counts


def test_a_call_that_is_broken_off_is_no_longer_under_way(alone: Process) -> None:
    def broken() -> Tried:
        raise StorageFault("no")

    with pytest.raises(StorageFault):
        alone.watch("default", "psp-1", 20, broken)
    alone.sees(*[False] * 5)
    alone.clock.forward(10)
    assert alone.state(PSP) is HALF_OPEN


def test_a_document_costs_one_write_unit() -> None:
    """DynamoDB counts them by the kilobyte, keys included; compressed it is smaller yet."""
    buckets = tuple(Bucket(177236640 + number, 4_000, 1_000, (999,) * 4 + (0,) * 7) for number in range(BUCKETS))
    window = Window(buckets, (NOW.timestamp() + 0.123,) * 5, NOW.timestamp() + 0.123)
    name = "a" * 16
    assert len(HEALTH.encode(ConnectionHealth(name, name, window))) + 2 * len(f"{name}/{name}") < 1024


def test_a_health_survives_its_document(pair: tuple[Process, Process]) -> None:
    health = merged(ConnectionHealth("default", "psp-1"), [Outcome(1.0, 2.0, False)] * 5)
    pair[0].store.put(HEALTH, health, expect=NEW)
    assert pair[1].told() == health
