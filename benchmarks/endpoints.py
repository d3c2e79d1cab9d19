"""``python -m benchmarks.endpoints``: webhooks in the worker, beside a bare loop, and beside endpoints that are dead.

Throughput: two worker processes deliver what waits in the queue to one endpoint, eight at a time each; the floor is one
process of eight threads that post the same body with a `requests.Session` each, and do nothing else: no queue, no signature,
no record.

Dead endpoints: events go to 90 endpoints, and to 90 with 10 dead ones beside them, five that refuse and five that take the
connection and never answer. What counts is how long a delivery to one of the 90 waited, from the event's message to the
request's arrival. Each round begins with a worker that knows of no trouble yet.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import requests

ALIVE, DEAD, AT_ONCE, WORKERS = 90, 10, 8, 2
BODY_BYTES = 2_000


@contextmanager
def receiver() -> Iterator[str]:
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.receiver"], stdout=subprocess.PIPE)
    assert process.stdout is not None, "it was asked for"
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()


@contextmanager
def black_hole() -> Iterator[str]:
    """Takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"


def told(url: str) -> list[tuple[float, str, str]]:
    answer: list[tuple[float, str, str]] = requests.get(f"{url}/told", timeout=30).json()
    return answer


class Worker:
    """The worker's own consumers over queue and store of this process, made anew for each round."""

    def __init__(self) -> None:
        from chalicelib.contracts.queue import Topic
        from chalicelib.services.notify import Notify
        from chalicelib.services.work import Work
        from chalicelib.wiring import wiring
        from server.worker import THREADS, Consumer

        self.wired, self._topic = wiring(), Topic
        self._notify = Notify(self.wired.ports, self.wired.configuration)
        work = Work(SimpleNamespace(apply=self.wired.apply, attend=self.wired.attend, notify=self._notify))
        topics = (Topic.EVENTS, Topic.CHORES)
        self._consumers = [Consumer(self.wired.queue, topic, work.handle, THREADS[topic]) for topic in topics]

    def subscribe(self, merchant_id: str, url: str) -> None:
        from chalicelib.services.audit import Actor
        from chalicelib.services.configure_subscriptions import SubscriptionBody, create_subscription

        target = {"url": url, "concurrency": AT_ONCE // WORKERS}
        body = SubscriptionBody.model_validate(
            {"name": "bench", "channel": "webhook", "target": target, "events": ["*"]}
        )
        create_subscription(self.wired.ports, Actor("bench", "bench"), merchant_id, body)

    def send(self, merchant_id: str, number: int) -> str:
        from chalicelib.domain.ids import event_id_of, payment_id_of

        payment_id = payment_id_of(merchant_id, f"{time.time_ns()}-{number}")
        event_id = event_id_of(payment_id, 1)
        document = {
            "merchant_id": merchant_id,
            "payment_id": payment_id,
            "event_id": event_id,
            "event_type": "payment.captured",
            "body": json.dumps({"id": event_id, "data": "x" * BODY_BYTES}),
            "again": False,
            "before": [],
        }
        self.wired.queue.send(self._topic.EVENTS, json.dumps(document).encode())
        return event_id

    def start(self) -> None:
        for consumer in self._consumers:
            consumer.start()

    def stop(self) -> None:
        for consumer in self._consumers:
            consumer.stop()
        for consumer in self._consumers:
            consumer.join(0.1)
        threading.Thread(target=self._notify.close, daemon=True).start()


def arrived(url: str, count: int, limit_s: float = 60) -> list[tuple[float, str, str]]:
    """What came, once it is as much as `count`."""
    came: list[tuple[float, str, str]] = []
    ends = time.monotonic() + limit_s
    while len(came) < count and time.monotonic() < ends:
        time.sleep(0.1)
        came += told(url)
    assert len(came) >= count, f"{len(came)} of {count} arrived"
    return came


def waited_ms(url: str, merchant_id: str, events: int, every_s: float) -> list[float]:
    worker = Worker()
    worker.start()
    sent = {}
    for number in range(events):
        at = time.time()
        sent[worker.send(merchant_id, number)] = at
        time.sleep(every_s)
    came = [one for one in arrived(url, events * ALIVE) if one[2] in sent]
    worker.stop()
    return sorted((at - sent[event_id]) * 1000 for at, _, event_id in came)


def delivered_per_s(url: str, count: int) -> float:
    """Two worker processes on what waits for them; their start does not count, from the first arrival on all does."""
    sender = Worker()
    for number in range(count):
        sender.send("one", number)
    workers = [
        subprocess.Popen([sys.executable, "-m", "server.worker", *more])
        for more in (["--metrics-port", "0"], ["--queues-only"])
    ]
    try:
        times = sorted(at for at, _, _ in arrived(url, count))
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.wait()
    begun = times[count // 10]  # both are at work by then
    return (count - count // 10 - 1) / (times[-1] - begun)


def posted_per_s(url: str, count: int) -> float:
    body = json.dumps({"id": "evt_1", "data": "x" * BODY_BYTES}).encode()

    def loop(_: int) -> None:
        with requests.Session() as session:
            for _ in range(count // AT_ONCE):
                session.post(url + "/", data=body, headers={"Content-Type": "application/json"}, timeout=10)

    began = time.time()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(loop, range(AT_ONCE)))
    return count // AT_ONCE * AT_ONCE / (max(at for at, _, _ in told(url)) - began)


def percentile(sorted_values: list[float], share: float) -> float:
    return sorted_values[min(int(len(sorted_values) * share), len(sorted_values) - 1)]


def told_of(sorted_values: list[float], form: str) -> str:
    """The median, and the least and the greatest."""
    return f"{statistics.median(sorted_values):{form}} ({sorted_values[0]:{form}} to {sorted_values[-1]:{form}})"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.endpoints")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--events", type=int, default=20, help="events in each round beside dead endpoints")
    parser.add_argument("--count", type=int, default=2_000, help="deliveries in each round of the throughput")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, receiver() as url, black_hole() as hole:
        os.environ.update(
            PAYMENTSERVER_VAR=folder, PAYMENTSERVER_ENV="development", PAYMENTSERVER_PUBLIC_URL="http://localhost:8000"
        )
        (Path(folder) / "metrics").mkdir()
        from chalicelib import telemetry
        from server.metrics import share_metrics

        share_metrics(Path(folder) / "metrics")
        os.environ["PAYMENTSERVER_LOG_LEVEL"] = "ERROR"
        telemetry.configure_logging("CRITICAL")
        setting = Worker()
        setting.wired.store.migrate()
        setting.subscribe("one", f"{url}/one")
        for merchant_id in ("alone", "beside"):
            for number in range(ALIVE):
                setting.subscribe(merchant_id, f"{url}/{merchant_id}/{number}")
        for number in range(DEAD):
            setting.subscribe("beside", "http://127.0.0.1:9/" if number % 2 else hole)
        rates = [(delivered_per_s(url, options.count), posted_per_s(url, options.count)) for _ in range(options.pairs)]
        waits = [
            (waited_ms(url, "alone", options.events, 0.5), waited_ms(url, "beside", options.events, 0.5))
            for _ in range(options.pairs)
        ]
    ratios = sorted(ours / floor for ours, floor in rates)
    ours, floor = (statistics.median(side) for side in zip(*rates, strict=True))
    print(f"throughput: {ours:.0f}/s; bare loop {floor:.0f}/s; ratio {told_of(ratios, '.2f')}")
    longer = sorted(percentile(beside, 0.5) - percentile(alone, 0.5) for alone, beside in waits)
    tails = sorted(percentile(beside, 0.99) / percentile(alone, 0.99) for alone, beside in waits)
    alone = statistics.median(percentile(one, 0.5) for one, _ in waits)
    print(f"waiting in the queue, median: {alone:.1f} ms, beside dead ones {told_of(longer, '+.1f')} ms")
    print(f"waiting in the queue, p99: beside dead ones {told_of(tails, '.2f')} times")
    os._exit(0)  # what still waits for the black hole is waited for no more


if __name__ == "__main__":
    main()
