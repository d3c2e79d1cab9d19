"""The child that notifies: ``python -m benchmarks.notifier --sink URL --message FILE …`` prints its rounds as JSON.

One thread, so that what is measured is the work and not how it is spread. Product: lease an event's message, read the
subscriptions, sign, post, record, acknowledge. Floor: two bare commits, one HMAC and one post.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests

from benchmarks.constants import NOTIFICATION_COMMITS
from benchmarks.floor import Journal
from chalicelib import telemetry
from chalicelib.contracts.queue import Topic
from chalicelib.domain.ids import event_id_of, payment_id_of
from chalicelib.services.audit import Actor
from chalicelib.services.configure_subscriptions import SubscriptionBody, create_subscription
from chalicelib.wiring import wiring
from server.metrics import share_metrics

MERCHANT = "default"


class Floor:
    def __init__(self, sink: str, message: dict[str, Any], folder: Path) -> None:
        self._sink, self._body = sink, message["body"].encode()
        self._journal = Journal(str(folder / "notifier-floor.db"))
        self._session = requests.Session()

    def prepare(self, count: int) -> None: ...

    def work(self, count: int) -> None:
        for number in range(count):
            at = str(int(time.time()))
            signed = hmac.new(b"k" * 32, f"{number}.{at}.".encode() + self._body, hashlib.sha256).hexdigest()
            headers = {"Content-Type": "application/json", "webhook-id": str(number), "webhook-signature": signed}
            self._session.post(self._sink, data=self._body, headers=headers, timeout=10).raise_for_status()
            for _ in range(NOTIFICATION_COMMITS):
                self._journal.commit(self._body)


class Product:
    def __init__(self, sink: str, message: dict[str, Any]) -> None:
        self._message, self._sent, self._wired = message, 0, wiring()
        body = {"name": "bench", "channel": "webhook", "target": {"url": sink}, "events": ["*"]}
        create_subscription(
            self._wired.ports, Actor("bench", "bench", None), MERCHANT, SubscriptionBody.model_validate(body)
        )

    def prepare(self, count: int) -> None:
        for _ in range(count):
            self._sent += 1
            payment_id = payment_id_of(MERCHANT, f"bench-{self._sent}")
            message = {**self._message, "payment_id": payment_id, "event_id": event_id_of(payment_id, 1)}
            self._wired.queue.send(Topic.EVENTS, json.dumps(message).encode())

    def work(self, count: int) -> None:
        queue, done = self._wired.queue, 0
        while done < count:
            for message in queue.receive(Topic.EVENTS, count=1):
                self._wired.work.handle(message)
                queue.done(message)
                done += 1


def measured(work: Callable[[int], None], count: int) -> dict[str, float]:
    cpu_s, began = time.process_time(), time.perf_counter()
    work(count)
    seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu_s
    return {"rate": count / seconds, "cpu_us": cpu_s / count * 1e6}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.notifier")
    parser.add_argument("--sink", required=True)
    parser.add_argument("--message", type=Path, required=True, help="a message of the events queue")
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--rounds", type=int, required=True)
    options = parser.parse_args()
    folder, message = options.message.parent, json.loads(options.message.read_bytes())
    share_metrics(folder / "var" / "metrics")
    telemetry.configure_logging("INFO")
    sides: dict[str, Floor | Product] = {
        "floor": Floor(options.sink, message, folder),
        "product": Product(options.sink, message),
    }
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in sides}
    for number in range(options.rounds + 1):
        for name, side in sides.items():
            side.prepare(options.count)
            result = measured(side.work, options.count)
            if number:  # the first round only warms up
                rounds[name].append(result)
    print(json.dumps(rounds))


if __name__ == "__main__":
    main()
