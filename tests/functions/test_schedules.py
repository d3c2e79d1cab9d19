"""The functions of the clock: they queue what is due and roll statistics up, as far as their time goes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.contracts.queue import Topic
from chalicelib.contracts.store import NEW
from chalicelib.domain.configuration import InboxItem
from chalicelib.domain.errors import StorageFault
from chalicelib.functions import schedules
from chalicelib.functions.handlers import handler_of
from chalicelib.functions.invocation import Failed
from chalicelib.services import sweep
from chalicelib.services.kinds import INBOX, PAYMENT
from chalicelib.services.sweep import OF_A_CLOUD
from infra.stages import stage_of
from tests.aws.events import Context, scheduled
from tests.functions.conftest import Process


def due(process: Process, count: int) -> None:
    past = datetime.now(UTC) - timedelta(minutes=5)
    for number in range(count):
        item = InboxItem(
            id=f"inb_{number}",
            merchant_id="default",
            connection_id="sandbox-a",
            status="unmatched",
            detail="",
            headers={},
            body_base64="",
            received_at=past,
            due_at=past,
            verified=True,
            tried=1,
        )
        process.wiring.store.put(INBOX, item, expect=NEW)


def test_each_minute_all_that_is_due_is_queued_once(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "OF_A_CLOUD", replace(sweep.OF_A_CLOUD, queued=4))
    due(process, 10)
    schedules.sweep(scheduled("sweep"), Context())
    assert process.wiring.queue.depth(Topic.CHORES)[0] == 10
    schedules.sweep(scheduled("sweep"), Context())
    assert process.wiring.queue.depth(Topic.CHORES)[0] == 10


def test_a_sweep_that_finds_many_chores_waiting_goes_on_when_they_are_worked_off(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    def work_off(seconds: float) -> None:
        waits.append(seconds)
        for message in process.wiring.queue.receive(Topic.CHORES, count=100):
            process.wiring.queue.done(message)

    monkeypatch.setattr(sweep, "OF_A_CLOUD", replace(sweep.OF_A_CLOUD, queued=4, backlog=3))
    monkeypatch.setattr(schedules.time, "sleep", work_off)
    due(process, 10)
    schedules.sweep(scheduled("sweep"), Context())
    assert process.wiring.queue.depth(Topic.CHORES)[0] == 2
    assert waits == [schedules.FULL_WAIT_S] * 2


def test_a_sweep_ends_in_time(process: Process) -> None:
    due(process, 3)
    schedules.sweep(scheduled("sweep"), Context(left_s=schedules.MARGIN_S - 1))
    assert process.wiring.queue.depth(Topic.CHORES)[0] == 0


@pytest.mark.parametrize("call", [schedules.sweep, schedules.measure])
def test_a_database_that_is_down_is_told_and_not_raised(
    process: Process,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    call: Callable[[object, Context], None],
) -> None:
    def down(*_: object, **__: object) -> None:
        raise StorageFault("no answer")

    monkeypatch.setattr(process.wiring.store, "find", down)
    monkeypatch.setattr(process.wiring.store, "due", down)
    with caplog.at_level(logging.INFO, "paymentserver.functions"):
        call(scheduled("x"), Context())
    told = [one for one in caplog.records if one.name == "paymentserver.functions"]
    assert told[-1].fields["result"] == "fault"  # type: ignore[attr-defined]
    assert {one.fields["detail"] for one in told[:-1]} == {"no answer"}  # type: ignore[attr-defined]


def test_a_mistake_of_ours_is_an_error_of_the_function(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("chalicelib.services.change.sweep_audit", broken)
    with pytest.raises(Failed, match="ZeroDivisionError"):
        schedules.sweep(scheduled("sweep"), Context())


@pytest.mark.parametrize("error", [StorageFault("no answer"), ZeroDivisionError()], ids=repr)
def test_the_audit_log_is_settled_whatever_becomes_of_what_is_due(
    process: Process, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    settled: list[object] = []
    monkeypatch.setattr("chalicelib.services.change.sweep_audit", settled.append)

    def failing(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(process.wiring.store, "due", failing)
    with suppress(Failed):
        schedules.sweep(scheduled("sweep"), Context())
    assert len(settled) == 1


def test_one_table_that_does_not_answer_hides_nothing_that_is_due_in_the_others(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    due(process, 3)
    of_all = process.wiring.store.due

    def without_payments(kind: Any, *arguments: Any, **named: Any) -> Any:
        if kind is PAYMENT:
            raise StorageFault("throttled")
        return of_all(kind, *arguments, **named)

    monkeypatch.setattr(process.wiring.store, "due", without_payments)
    schedules.sweep(scheduled("sweep"), Context())
    assert process.wiring.queue.depth(Topic.CHORES)[0] == 3


def test_a_round_has_the_time_to_queue_all_that_it_may_queue() -> None:
    """On the sixth part of a processor, which 256 MB buy, a batch of ten takes 20 ms with its answer."""
    batches = 3 * OF_A_CLOUD.queued / 10
    assert batches * 0.02 < schedules.MARGIN_S < stage_of("prod").timeout_s("sweep") / 2


def test_statistics_and_guardrails_go_on_while_there_is_time(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    rolled: list[str] = []
    monkeypatch.setattr("chalicelib.services.roll_up.merchants_of", lambda store: ["alpha", "beta"])
    monkeypatch.setattr("chalicelib.services.roll_up.roll_up", lambda ports, merchant_id: rolled.append(merchant_id))
    schedules.measure(scheduled("measure"), Context(left_s=schedules.MARGIN_S - 1))
    assert rolled == []
    schedules.measure(scheduled("measure"), Context())
    assert sorted(rolled) == ["alpha", "beta"]


@pytest.mark.parametrize("name", ["sweep", "measure"])
def test_a_function_starts_without_anybody_to_call(
    process: Process, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", name)
    assert handler_of(name) is getattr(schedules, name)
