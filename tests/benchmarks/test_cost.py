"""The bill of a payment: its lines add up, and it stays within what was promised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from benchmarks import assumptions
from benchmarks.cloud import Invocation
from benchmarks.cost import Line, lines_of, measured
from benchmarks.cost_report import bill, month, units_table
from benchmarks.prices import GB, MILLION, PRICES
from chalicelib.contracts.queue import Topic

USD_MAX = 45.0
CPU_S = 0.004  # of an invocation, about what most take; a busy machine would make the sum another each time
PAYMENTS = 10  # side by side, as in a minute of fifteen thousand a day


@pytest.fixture(scope="module")
def lived() -> tuple[list[Invocation], list[Line]]:
    done, stored = measured(PAYMENTS)
    steady = [replace(one, cpu_s=CPU_S) for one in done]
    return steady, lines_of(steady, PAYMENTS, stored)


def of(lines: Sequence[Line], what: str) -> float:
    (found,) = [line.quantity for line in lines if line.what == what]
    return found


def test_a_million_payments_cost_at_most_45_dollars(lived: tuple[list[Invocation], list[Line]]) -> None:
    assert sum(line.usd for line in lived[1]) <= USD_MAX


def test_a_payment_uses_at_most_32_write_and_16_read_units(lived: tuple[list[Invocation], list[Line]]) -> None:
    assert of(lived[1], "write units") <= 32
    assert of(lived[1], "read units") <= 16


def test_a_life_is_a_checkout_a_refund_one_notification_and_what_the_psp_tells(
    lived: tuple[list[Invocation], list[Line]],
) -> None:
    done, lines = lived
    assert of(lines, "calls") == 2
    assert sum(one.told for one in done) == PAYMENTS
    assert of(lines, f"{Topic.INBOUND}: send") == 2, "the PSP tells of the refund too"
    assert of(lines, f"{Topic.EVENTS}: send") == 1, "nobody wants the others"
    looked_again = 4  # times after the refund
    assert sum(one.psp_calls for one in done) == PAYMENTS * (2 + looked_again)


def test_the_tables_name_every_line_and_its_sum(lived: tuple[list[Invocation], list[Line]]) -> None:
    done, lines = lived
    text = bill(lines)
    assert all(line.what in text for line in lines if line.quantity)
    assert f"${sum(line.usd for line in lines):.2f}" in text.splitlines()[-1]
    assert "| **one payment** | | **28** |" in units_table(done, PAYMENTS)
    assert "metrics of alarms" in month(done)


def test_a_price_is_for_so_many_of_its_unit() -> None:
    assert PRICES["write unit"].of(2 * MILLION) == 1.25
    assert PRICES["log"].of(GB) == 0.5
    assert Line("DynamoDB", "write units", "write unit", 28).usd == 17.5


def test_less_memory_is_a_smaller_share_of_a_processor_and_waits_cost_the_same_time() -> None:
    assert assumptions.billed_ms(10, 300, 1769) == 310 + assumptions.COLD_SHARE * assumptions.INIT_MS
    assert assumptions.billed_ms(10, 300, 256) > 360
    assert assumptions.share_of_a_cpu(10_000) == 1
