"""What a million payments cost on AWS, line by line, from lives lived through here: counts are the running code's, prices
and assumptions are tables.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import assumptions as given
from benchmarks.cloud import Invocation, cloud
from benchmarks.life import live
from benchmarks.prices import MILLION, PRICES
from chalicelib.contracts.queue import Topic
from chalicelib.functions.queues import THREADS
from infra.stages import stage_of

STAGE = "prod"
OWN = ("payments", "deliveries")  # tables of what belongs to one payment; the others' use is shared by many
BY_THE_CLOCK = ("sweep", "measure")
MEMORY_OF = {"api": "api_handler"}


@dataclass(frozen=True, slots=True)
class Units:
    writes: float = 0.0
    reads: float = 0.0

    def __add__(self, other: Units) -> Units:
        return Units(self.writes + other.writes, self.reads + other.reads)

    def of_one(self, payments: int) -> Units:
        return Units(self.writes / payments, self.reads / payments)


@dataclass(frozen=True, slots=True)
class Line:
    """Of one payment: `quantity` of what a price is for."""

    group: str
    what: str
    price: str
    quantity: float

    @property
    def usd(self) -> float:
        """For a million payments."""
        return PRICES[self.price].of(self.quantity * MILLION)


def own_units(done: Iterable[Invocation]) -> Units:
    """Units of the tables that hold payments' own documents. What lists cost that schedules make is left out: they are made
    whether there are payments or not."""
    total = Units()
    for one in done:
        total += _own(one)
    return total


def _own(one: Invocation) -> Units:
    used = [call for call in one.used if call.kind in OWN]
    lists = sum(call.listed for call in used) if one.function in BY_THE_CLOCK else 0.0
    return Units(sum(call.write_units for call in used), sum(call.read_units for call in used) - lists)


def lines_of(done: Sequence[Invocation], payments: int, stored: tuple[float, float]) -> list[Line]:
    """`stored`: bytes of one payment in tables, and in their indexes."""
    units = own_units(done).of_one(payments)
    working = [one for one in done if one.function not in BY_THE_CLOCK]
    lines = [
        Line("API Gateway", "calls", "API request", _count(working, "api") / payments),
        Line("DynamoDB", "write units", "write unit", units.writes),
        Line("DynamoDB", "read units", "read unit", units.reads),
        Line("DynamoDB", "kept for the first month", "storage", sum(stored)),
        Line("DynamoDB", "point-in-time recovery, that month", "point-in-time recovery", stored[0]),
    ]
    for function in ("api", "webhooks", "apply", "notify", "attend"):
        mine = [one for one in working if one.function == function]
        lines.append(Line("Lambda", f"{function}: invocations", "invocation", len(mine) / payments))
        lines.append(Line("Lambda", f"{function}: duration", "duration", sum(map(gb_seconds, mine)) / payments))
    for topic in Topic:
        sends = sum(_requests(sizes) for one in done for name, sizes in one.sends if name == topic)
        taken = sum(1 for one in working if one.topic == topic)
        lines.append(Line("SQS", f"{topic}: send", "queue request", sends / payments))
        lines.append(Line("SQS", f"{topic}: receive and delete", "queue request", 2 * taken / payments))
    traces = given.SAMPLED * len(working)  # Lambda samples each function by itself
    lines += [
        Line("CloudWatch Logs", "our lines", "log", sum(_log_bytes(one) for one in working) / payments),
        Line("CloudWatch Logs", "Lambda's own lines", "log", len(working) * _platform_bytes() / payments),
        Line("X-Ray", "traces", "trace", traces / payments),
        Line("Internet", "bytes out", "transfer", sum(one.bytes_out for one in working) / payments),
    ]
    return lines


def gb_seconds(one: Invocation) -> float:
    return billed_ms_of(one) / 1000 * _memory_mb(one.function) / 1024


def _memory_mb(function: str) -> float:
    return float(stage_of(STAGE).of(MEMORY_OF.get(function, function), "lambda_memory_size"))


def billed_ms_of(one: Invocation) -> float:
    side_by_side = THREADS if one.function == "attend" else 1
    calls = len(one.used) + len(one.sends)
    waits_ms = len(one.used) * given.DATABASE_MS + len(one.sends) * given.QUEUE_MS
    waits_ms = waits_ms / min(side_by_side, max(one.messages, 1))
    waits_ms += math.ceil(one.psp_calls / side_by_side) * given.PSP_MS + (given.SUBSCRIBER_MS if one.told else 0)
    cpu_ms = one.cpu_s * 1000 + calls * given.AWS_CALL_CPU_MS
    return given.billed_ms(cpu_ms, waits_ms, _memory_mb(one.function))


def _count(done: Iterable[Invocation], function: str) -> int:
    return sum(1 for one in done if one.function == function)


def _requests(sizes: Sequence[int]) -> int:
    """Of ten messages each; and each 64 kB begun count as one."""
    batches = [sizes[begin : begin + given.SEND_MAX] for begin in range(0, len(sizes), given.SEND_MAX)]
    return sum(max(math.ceil(sum(batch) / 65_536), 1) for batch in batches)


def _log_bytes(one: Invocation) -> float:
    return one.log_bytes + one.log_lines * given.LINE_BYTES


def _platform_bytes() -> float:
    return sum(len(line) + given.LINE_BYTES for line in given.PLATFORM_LINES)


def shared_reads(done: Iterable[Invocation]) -> float:
    """Read units of configuration, health and the like, which payments side by side share."""
    working = [one for one in done if one.function not in BY_THE_CLOCK]
    return sum(call.read_units for one in working for call in one.used if call.kind not in OWN)


def measured(payments: int, *, at_hand: bool = True) -> tuple[list[Invocation], tuple[float, float]]:
    """So many lives side by side, once configuration is `at_hand` and the process is warm; and the bytes that one of them
    leaves in tables and in their indexes."""
    with tempfile.TemporaryDirectory(prefix="paymentserver-cost-") as folder:
        with cloud(Path(folder), at_hand=at_hand) as running:
            live(running, minutes=1)
            begun, before = len(running.done), running.meter.stored_bytes(OWN)
            live(running, payments)
            after = running.meter.stored_bytes(OWN)
        stored = ((after[0] - before[0]) / payments, (after[1] - before[1]) / payments)
        return running.done[begun:], stored
