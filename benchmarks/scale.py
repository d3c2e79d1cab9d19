"""``python -m benchmarks.scale``: the figures of docs/scale.md, from what one payment's life uses. `--write` keeps them there.

A test makes them again and compares: no figure of the page can drift from the code.
"""

from __future__ import annotations

import argparse
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import assumptions as given
from benchmarks.cloud import Invocation
from benchmarks.cost import BY_THE_CLOCK, MEMORY_OF, STAGE, billed_ms_of, measured
from benchmarks.cost_report import write
from chalicelib.services.kinds import KINDS
from infra.stages import stage_of

RATE = 10_000  # payments a second
PAYMENTS = 10
CPU_S = 0.004  # of an invocation: this machine's own would make every run another page
PARTITION_WRITES, PARTITION_READS = 1_000, 3_000  # units a second
SHARDS_MAX = 128
RESERVE = 2  # as much again is asked for
CONFIGURATION = "configuration, then AWS on request"
PAGE = Path(__file__).parents[1] / "docs" / "scale.md"

# Quotas of a new account in us-east-1, as they were known in November 2026; all of these can be raised.
EXECUTIONS = 1_000
GATEWAY_RPS = 10_000
TABLE_WRITES = 40_000
STARTED_A_SECOND = 100  # processes of one function, beyond the first thousand

# What the code itself can do, where one process does it for all.
SENT_MS = given.QUEUE_MS  # of a request with ten chores
ROLLED_UP_MS = 0.4  # of a processor, for reading and counting one payment: 356 µs and 28 µs on this machine
READ_AGAIN = 1.5  # times that closing an hour reads each of its payments, in two lists
HOUR_S = 3_600
PSP_CALLS_S = 100  # calls a second that PSPs allow an account at first; some say so, some do not
TELLS_EVERY_S = 5.0  # each process, of each connection's health
CONFIGURATION_TTL_S = 3.0


@dataclass(frozen=True, slots=True)
class Life:
    """Of one payment: write units by (table, index), "" for the table itself; calls and milliseconds by function."""

    writes: dict[tuple[str, str], float]
    calls: dict[str, float]
    ms: dict[str, float]
    chores: float
    psp_calls: float
    stored_bytes: float


def life_of(done: Sequence[Invocation], payments: int, stored: tuple[float, float]) -> Life:
    writes: defaultdict[tuple[str, str], float] = defaultdict(float)
    working = [one for one in done if one.function not in BY_THE_CLOCK]
    for one in working:
        for call in one.used:
            for part, units in call.parts.items():
                writes[call.kind, part] += units
    calls: Counter[str] = Counter(one.function for one in working)
    ms: defaultdict[str, float] = defaultdict(float)
    for one in working:
        ms[one.function] += billed_ms_of(one)
    return Life(
        {name: units / payments for name, units in writes.items()},
        {name: count / payments for name, count in calls.items()},
        {name: ms[name] / calls[name] for name in calls},
        sum(one.messages for one in working if one.function == "attend") / payments,
        sum(one.psp_calls for one in working) / payments,
        sum(stored),
    )


def lived() -> Life:
    done, stored = measured(PAYMENTS)
    return life_of([replace(one, cpu_s=CPU_S) for one in done], PAYMENTS, stored)


# The tables of the page


def database(life: Life) -> Iterable[str]:
    yield "| table, index | units a payment | units a second | written under | partitions or shards, at least |"
    yield "| --- | --- | --- | --- | --- |"
    spread = {(kind.name, index.name) for kind in KINDS for index in kind.indexes if index.spread}
    for (kind, index), units in sorted(life.writes.items()):
        if kind not in ("payments", "deliveries"):
            continue
        a_second = units * RATE
        if (kind, index) in spread:
            under = "one key for all" if index in ("due", "refunded") else "one key for each merchant account"
        else:
            under = "a key of its own" if index else "its id"
        least = math.ceil(a_second / PARTITION_WRITES)
        yield f"| `{kind}`{f', `{index}`' if index else ''} | {units:g} | {a_second:,.0f} | {under} | {least} |"


def functions(life: Life) -> Iterable[str]:
    yield "| function | calls a payment | calls a second | ms each | at a time | reserved now | enough for, payments/s |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for name, calls in life.calls.items():
        needed, reserved = at_a_time(life, name), reserved_of(name)
        yield (
            f"| `{name}` | {calls:g} | {calls * RATE:,.0f} | {_tens(life.ms[name])} | {_hundreds(needed)} | {reserved} | "
            f"{_hundreds(enough_for(life, name))} |"
        )


def enough_for(life: Life, function: str) -> float:
    """Payments a second."""
    return reserved_of(function) / (life.calls[function] * life.ms[function] / 1000)


def reserved_of(function: str) -> int:
    reserved = stage_of(STAGE).reserved(MEMORY_OF.get(function, function))
    assert reserved is not None, "every function has executions of its own"
    return reserved


def limits(life: Life) -> list[tuple[float, str, str]]:
    """(payments a second that it allows, what it is, whose it is to raise), the least first."""
    shards = 8
    payments = [(index, units) for (kind, index), units in life.writes.items() if kind == "payments" and index]
    index, most = max(((index, units) for index, units in payments if index != "by_order"), key=lambda one: one[1])
    executions = sum(life.calls[name] * life.ms[name] / 1000 for name in life.calls)
    table = sum(units for (kind, _), units in life.writes.items() if kind == "payments")
    measure = stage_of(STAGE)
    cpu_share = given.share_of_a_cpu(float(measure.of("measure", "lambda_memory_size")))
    closing_s = measure.timeout_s("measure")
    api_processes = life.calls["api"] * life.ms["api"] / 1000
    found = [
        (PSP_CALLS_S / life.psp_calls, f"{PSP_CALLS_S} calls a second of one PSP account", "the PSP; more connections"),
        *((enough_for(life, name), f"executions reserved for `{name}`", CONFIGURATION) for name in life.calls),
        (EXECUTIONS / executions, f"{EXECUTIONS:,} executions of an account", "AWS, on request"),
        (GATEWAY_RPS / life.calls["api"], f"{GATEWAY_RPS:,} calls a second of API Gateway", "AWS, on request"),
        (TABLE_WRITES / table, f"{TABLE_WRITES:,} write units a second of the table `payments`", "AWS, on request"),
        (
            shards * PARTITION_WRITES / most,
            f"{shards} shards of `payments`, `{index}`",
            f"the setting `shards`, up to {SHARDS_MAX}",
        ),
        (
            1000 / SENT_MS * given.SEND_MAX / life.chores,
            f"one sweep, which queues {1000 / SENT_MS * given.SEND_MAX:,.0f} chores a second",
            "code: a sweep for each shard",
        ),
        (
            closing_s / (HOUR_S * READ_AGAIN * ROLLED_UP_MS / 1000 / cpu_share),
            f"closing an hour of statistics within `measure`'s {closing_s} s",
            "code: a roll-up for each shard",
        ),
        (
            1000 / given.DATABASE_MS * TELLS_EVERY_S / api_processes,
            "one health document, of a connection that all payments use, put one after the other",
            "code: processes tell more rarely the more there are",
        ),
    ]
    return sorted(found)


def breaks_first(life: Life) -> Iterable[str]:
    yield "| payments/s | what ends there | who raises it |"
    yield "| --- | --- | --- |"
    for rate, what, who in limits(life):
        yield f"| {_hundreds(rate) if rate >= 200 else _tens(rate)} | {what} | {who} |"


def sizes(life: Life) -> Iterable[str]:
    processes = sum(at_a_time(life, name) for name in ("api", "webhooks", "apply", "attend"))
    yield "| | at 10,000 payments/s |"
    yield "| --- | --- |"
    yield f"| write units a second | {sum(life.writes.values()) * RATE:,.0f} |"
    yield f"| calls of PSPs a second | {life.psp_calls * RATE:,.0f} |"
    yield f"| chores a second | {life.chores * RATE:,.0f} |"
    yield f"| kept each day, indexes included | {life.stored_bytes * RATE * 86_400 / 1e12:.1f} TB |"
    yield f"| reads a second of a connection's document that all payments use | {_hundreds(processes / CONFIGURATION_TTL_S)} |"


def quotas(life: Life) -> Iterable[str]:
    """With a reserve."""
    units: defaultdict[str, float] = defaultdict(float)
    for (kind, _), count in life.writes.items():
        units[kind] += count * RATE * RESERVE
    executions = sum(at_a_time(life, name) for name in life.calls) * RESERVE
    yield "| to ask for, as much again in reserve | | of a new account |"
    yield "| --- | --- | --- |"
    yield f"| Lambda: executions at a time | {round(executions, -3):,.0f} | {EXECUTIONS:,} |"
    yield f"| API Gateway: calls a second | {life.calls['api'] * RATE * RESERVE:,.0f} | {GATEWAY_RPS:,} |"
    for kind in ("payments", "deliveries"):
        yield f"| DynamoDB: write units a second of `{kind}` | {units[kind]:,.0f} | {TABLE_WRITES:,} |"
    started_s = at_a_time(life, "api") / STARTED_A_SECOND
    yield f"| the API from nothing to this rate, by what Lambda starts of a function | {_tens(started_s)} s | |"


def at_a_time(life: Life, function: str) -> float:
    """Executions."""
    return life.calls[function] * RATE * life.ms[function] / 1000


def _tens(value: float) -> str:
    return f"{round(value, -1):,.0f}"


def _hundreds(value: float) -> str:
    return f"{round(value, -2):,.0f}"


def text_of(life: Life) -> str:
    return "\n\n".join("\n".join(table(life)) for table in (sizes, database, functions, quotas, breaks_first))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description="The figures of docs/scale.md.")
    parser.add_argument("--write", action="store_true", help="put them into the page")
    options = parser.parse_args(arguments)
    text = text_of(lived())
    print(text)
    if options.write:
        write(PAGE, text)


if __name__ == "__main__":
    main()
