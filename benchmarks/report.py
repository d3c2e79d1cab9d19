"""The tables, and where docs/performance.md keeps them."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Mapping
from pathlib import Path

from benchmarks.load import Comparison, spread_of
from benchmarks.notifications import Notifications
from benchmarks.trips import Made

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
BEGIN, END = "<!-- measured -->", "<!-- /measured -->"

Lines = Iterable[tuple[str, int, Comparison]]


def tables(lines: Lines, notifications: Notifications, trips: Mapping[str, Made]) -> str:
    """Markdown: medians, with the least and the greatest round in brackets."""
    cpu = [
        "| way | connections | floor, µs of CPU | PaymentServer, µs of CPU | ratio |",
        "| --- | --- | --- | --- | --- |",
    ]
    rate = ["| way | connections | floor, /s | PaymentServer, /s | ratio |", "| --- | --- | --- | --- | --- |"]
    for way, connections, made in [*lines, ("notification", 1, notifications.comparison)]:
        at = f"| {way} | {connections} |"
        floor, product = ([one.cpu_us for one in side] for side in (made.floor, made.product))
        cpu.append(f"{at} {spread_of(floor).shown()} | {spread_of(product).shown()} | {made.cpu_ratio.shown(2)} |")
        floor, product = ([one.rate for one in side] for side in (made.floor, made.product))
        rate.append(f"{at} {spread_of(floor).shown()} | {spread_of(product).shown()} | {made.rate_ratio.shown(2)} |")
    calls = ["| way | database calls | queue sends |", "| --- | --- | --- |"]
    for way, of_way in {**trips, "notification": notifications.trips}.items():
        calls.append(f"| {way} | {of_way.store_calls:.2f} | {of_way.queue_sends:.2f} |")
    machine = f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.system()}."
    return "\n".join([*cpu, "", *rate, "", *calls, "", machine])


def write(text: str) -> None:
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")
