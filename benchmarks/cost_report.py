"""``python -m benchmarks.cost_report``: what a million payments cost, as tables. `--write` keeps them in docs/costs.md."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import assumptions as given
from benchmarks.cloud import Invocation
from benchmarks.cost import (
    BY_THE_CLOCK,
    OWN,
    STAGE,
    Line,
    Units,
    gb_seconds,
    lines_of,
    measured,
    own_units,
    shared_reads,
)
from benchmarks.prices import AS_OF, MILLION, PRICES
from infra.template import merge_template

PAGE = Path(__file__).parents[1] / "docs" / "costs.md"
BEGIN, END = "<!-- measured -->", "<!-- /measured -->"


def units_table(done: Sequence[Invocation], payments: int) -> str:
    """Write and read units of one payment, by what happens and which function does it."""
    rows = ["| what happens | function | write units | read units |", "| --- | --- | --- | --- |"]
    for stage in dict.fromkeys(one.stage for one in done):
        for function in dict.fromkeys(one.function for one in done):
            units = own_units(one for one in done if (one.stage, one.function) == (stage, function)).of_one(payments)
            if units != Units():
                rows.append(f"| {stage} | {function} | {units.writes:g} | {units.reads:g} |")
    total = own_units(done).of_one(payments)
    return "\n".join([*rows, f"| **one payment** | | **{total.writes:g}** | **{total.reads:g}** |"])


def bill(lines: Iterable[Line]) -> str:
    rows = ["| | of one payment | price | a million payments |", "| --- | --- | --- | --- |"]
    groups: dict[str, list[Line]] = {}
    for line in lines:
        groups.setdefault(line.group, []).append(line)
    for group, members in groups.items():
        rows.append(f"| **{group}** | | | **${sum(line.usd for line in members):.2f}** |")
        rows += [
            f"| {line.what} | {line.quantity:.4g} | {PRICES[line.price].shown} | ${line.usd:.2f} |"
            for line in members
            if line.quantity
        ]
    total = sum(line.usd for members in groups.values() for line in members)
    return "\n".join([*rows, f"| **in all** | | | **${total:.2f}** |"])


def where_rare(reads: float) -> str:
    usd = PRICES["read unit"].of(reads * MILLION)
    return (
        f"Where calls are so rare that no process has configuration at hand, a payment reads {reads:g} units more: "
        f"${usd:.2f} a million."
    )


def month(done: Sequence[Invocation]) -> str:
    """What a month costs without any payment, one merchant account configured."""
    rows = ["| each month | how many | price | |", "| --- | --- | --- | --- |"]
    total = 0.0
    for what, price, quantity in _of_a_month(done):
        usd = PRICES[price].of(quantity)
        total += usd
        rows.append(f"| {what} | {quantity:,.4g} | {PRICES[price].shown} | ${usd:.2f} |")
    return "\n".join([*rows, f"| **in all** | | | **${total:.2f}** |"])


def _of_a_month(done: Sequence[Invocation]) -> Iterable[tuple[str, str, float]]:
    rounds = sum(1 for one in done if one.function == "sweep")
    clock = [one for one in done if one.function in BY_THE_CLOCK]
    reads = sum(call.listed if call.kind in OWN else call.read_units for one in clock for call in one.used)
    writes = sum(call.write_units for one in clock for call in one.used if call.kind not in OWN)
    each = given.MINUTES / rounds
    yield "schedules: invocations", "invocation", len(clock) * each
    yield "schedules: duration, GB-seconds", "duration", sum(map(gb_seconds, clock)) * each
    yield "schedules: lists and roll-ups", "read unit", reads * each
    yield "schedules: roll-ups, how far walks came", "write unit", writes * each
    yield "event sources that wait for messages", "queue request", 3 * given.POLLERS * given.MINUTES * 60 / given.POLL_S
    log_bytes = sum(one.log_bytes + one.log_lines * given.LINE_BYTES for one in clock) * each
    yield "logs of the schedules", "log", log_bytes
    yield from _declared(merge_template(STAGE)["Resources"])


def _declared(resources: dict[str, Any]) -> Iterable[tuple[str, str, float]]:
    of_type: dict[str, list[dict[str, Any]]] = {}
    for resource in resources.values():
        of_type.setdefault(resource.get("Type", ""), []).append(resource["Properties"])
    metrics = 0
    for alarm in of_type["AWS::CloudWatch::Alarm"]:
        metrics += max(sum("MetricStat" in one for one in alarm.get("Metrics", ())), 1)
    yield "metrics of alarms", "alarm", metrics
    yield "dashboards", "dashboard", len(of_type["AWS::CloudWatch::Dashboard"])
    yield "metrics of log filters", "own metric", len(of_type["AWS::Logs::MetricFilter"])
    yield "KMS keys", "key", len(of_type["AWS::KMS::Key"])


def write(page: Path, text: str) -> None:
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.cost_report", description="What a million payments cost on AWS."
    )
    parser.add_argument("--payments", type=int, default=10, help="lives side by side")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/costs.md")
    options = parser.parse_args(arguments)
    done, stored = measured(options.payments)
    lines = lines_of(done, options.payments, stored)
    rare = shared_reads(measured(1, at_hand=False)[0])
    text = "\n\n".join(
        (
            units_table(done, options.payments),
            bill(lines),
            where_rare(rare),
            month(done),
            f"Prices of us-east-1 as of {AS_OF}; check them. `python -m benchmarks.cost_report --write` wrote this.",
        )
    )
    print(text)
    if options.write:
        write(PAGE, text)


if __name__ == "__main__":
    main()
