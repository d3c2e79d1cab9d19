"""``python -m benchmarks``: measures floor and product side by side, prints the tables, and keeps them with `--write`."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks import report
from benchmarks.load import checkouts, compare, webhooks
from benchmarks.notifications import compare_notifications
from benchmarks.parts import running
from benchmarks.trips import Trips

CONNECTIONS = (1, 8, 32)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Speed as ratios to a floor.")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each side")
    parser.add_argument("--requests", type=int, default=240, help="requests in each round")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/performance.md")
    options = parser.parse_args(arguments)
    size = (options.requests, options.rounds)
    with tempfile.TemporaryDirectory(prefix="paymentserver-bench-") as folder, running(Path(folder)) as parts:
        trips = Trips(parts.var)
        lines = [
            (
                "checkout",
                connections,
                compare(parts.floor, parts.product, lambda: checkouts(parts.token), connections, *size),
            )
            for connections in CONNECTIONS
        ]
        checkout_trips = trips.since_last()
        lines += [
            ("webhook", connections, compare(parts.floor, parts.product, webhooks, connections, *size))
            for connections in CONNECTIONS
        ]
        webhook_trips = trips.since_last()
        notifications = compare_notifications(parts, *size)
    text = report.tables(lines, notifications, {"checkout": checkout_trips, "webhook": webhook_trips})
    print(text)
    if options.write:
        report.write(text)


if __name__ == "__main__":
    main()
