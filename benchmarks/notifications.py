"""Notifications: a child that does nothing else, and a subscriber in this process that answers at once."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.load import Comparison, Round
from benchmarks.parts import Parts, answering, finished
from benchmarks.trips import Made, Trips


@dataclass(frozen=True, slots=True)
class Notifications:
    comparison: Comparison
    trips: Made


def compare_notifications(parts: Parts, count: int, rounds: int) -> Notifications:
    """Every message is one that the checkouts before have queued, under an id of its own."""
    folder = parts.var.parent / "notifier"
    (folder / "var" / "metrics").mkdir(parents=True)
    message = folder / "message.json"
    message.write_bytes(_queued(parts.var / "queue.db"))
    environment = {**parts.environment, "PAYMENTSERVER_VAR": str(folder / "var")}
    trips = Trips(folder / "var", per="deliveries_total")
    with answering({}) as sink:
        arguments = {
            "--sink": f"http://localhost:{sink.server_address[1]}/",
            "--message": str(message),
            "--count": str(count),
            "--rounds": str(rounds),
        }
        given = [part for pair in arguments.items() for part in pair]
        told: dict[str, Any] = json.loads(finished(["-m", "benchmarks.notifier", *given], environment))
    floor, product = ([Round(**one) for one in told[name]] for name in ("floor", "product"))
    made = trips.since_last()
    own_sends = made.queue_sends - 1  # one for each is the message that the benchmark itself queued
    return Notifications(Comparison(floor, product), Made(made.store_calls, own_sends))


def _queued(queue: Path) -> bytes:
    connection = sqlite3.connect(f"file:{queue}?mode=ro", uri=True)
    try:
        (body,) = connection.execute("SELECT body FROM messages WHERE topic = 'events' LIMIT 1").fetchone()
    finally:
        connection.close()
    return bytes(body)
