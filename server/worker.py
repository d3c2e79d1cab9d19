"""The worker: takes messages off the queues, sweeps the due indexes, rolls statistics up, watches guardrails, serves
metrics. Stops gracefully, loses nothing.

A message is leased for 25 s and the lease is renewed while its handler runs, so that what a killed worker held is taken up
again within 30 s.
"""

from __future__ import annotations

import argparse
import logging
import signal
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from chalicelib import telemetry
from chalicelib.contracts.queue import Message, Queue, Topic
from chalicelib.domain.errors import Fault, PaymentServerError
from chalicelib.services.change import sweep_audit
from chalicelib.services.guardrail import Guardrail
from chalicelib.services.roll_up import roll_up_all
from chalicelib.services.sweep import Sweep
from chalicelib.settings import Settings
from chalicelib.wiring import Wiring, wiring
from server.metrics import serve_metrics, share_metrics

log = logging.getLogger("paymentserver.worker")
LEASE_S = 25.0
RENEW_EVERY_S = 8.0
SWEEP_EVERY_S = 3.0
ROLL_UP_EVERY_S = 60.0
IDLE_WAIT_S = (0.01, 0.02, 0.05, 0.1)  # the longer nothing comes, the longer the wait
THREADS = {Topic.INBOUND: 4, Topic.EVENTS: 16, Topic.CHORES: 8}
RETRY_DELAY_MAX_S = 60.0
STOP_WAIT_S = 25.0


class Consumer:
    """Takes messages of one topic and hands each to a thread of its own.

    An outage that is longer than all tries of a message makes a dead letter of it, which was promised to somebody: after a
    fault, the first message that goes through again brings the dead letters back.
    """

    def __init__(self, queue: Queue, topic: Topic, handle: Callable[[Message], None], threads: int) -> None:
        self._queue, self._topic, self._handle, self._threads = queue, topic, handle, threads
        self._stop, self._joined = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._running: dict[tuple[str, str], Message] = {}
        self._faulty = False
        self._free = threading.Semaphore(threads)
        self._taken: deque[Message] = deque()  # leased and renewed, and not begun yet
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=f"{topic}-handler")
        self._loops = [
            threading.Thread(target=loop, name=f"{topic}-{loop.__name__.strip('_')}", daemon=True)
            for loop in (self._take, self._renew)
        ]

    def start(self) -> None:
        for loop in self._loops:
            loop.start()

    def stop(self) -> None:
        self._stop.set()

    def join(self, timeout_s: float) -> None:
        """Waits for handlers that run; what is not finished by then is delivered again after its lease."""
        ends = time.monotonic() + timeout_s
        for _ in range(self._threads):
            self._free.acquire(timeout=max(ends - time.monotonic(), 0))
        self._joined.set()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _take(self) -> None:
        idle = 0
        while not self._stop.is_set():
            self._free.acquire()
            if self._stop.is_set():  # it was waiting for a handler to end
                self._free.release()
                break
            taken = False
            try:
                taken = self._take_one()
            except PaymentServerError as error:
                log.error("queue fault", extra={"fields": {"detail": error.detail}})
                idle = len(IDLE_WAIT_S) - 1
            except Exception:
                log.exception("unexpected queue error")
                idle = len(IDLE_WAIT_S) - 1
            if taken:
                idle = 0
                continue
            self._free.release()
            self._stop.wait(IDLE_WAIT_S[idle])
            idle = min(idle + 1, len(IDLE_WAIT_S) - 1)
        self._give_up_taken()

    def _give_up_taken(self) -> None:
        """What is leased and not begun is somebody else's at once."""
        with suppress(PaymentServerError):  # then their leases end by themselves
            while self._taken:
                message = self._taken.popleft()
                with self._lock:
                    self._running.pop((message.id, message.receipt), None)
                self._queue.release(message)

    def _take_one(self) -> bool:
        """Begins a message, if there is one. As many are leased at once as there are threads: a lease costs a commit."""
        if not self._taken:
            messages = self._queue.receive(self._topic, count=self._threads, lease_s=LEASE_S)
            with self._lock:
                self._running.update({(one.id, one.receipt): one for one in messages})
            self._taken.extend(messages)
        if not self._taken:
            return False
        self._pool.submit(self._run, self._taken.popleft())
        return True

    def _run(self, message: Message) -> None:
        with telemetry.bind(topic=message.topic, receives=message.receives):
            began = time.perf_counter()
            result = self._handled(message)
            with self._lock:
                self._running.pop((message.id, message.receipt), None)
            self._free.release()
            telemetry.count("queue_messages_total", queue=message.topic, result=result)
            duration_ms = round((time.perf_counter() - began) * 1000, 2)
            log.info("message", extra={"fields": {"result": result, "duration_ms": duration_ms}})

    def _handled(self, message: Message) -> str:
        """How it went; a message that failed was given back."""
        try:
            self._handle(message)
            self._queue.done(message)
            if self._faulty:
                self._faulty = False
                self._queue.redrive(message.topic)
        except Exception as error:
            self._faulty = self._faulty or isinstance(error, Fault)
            detail = error.detail if isinstance(error, PaymentServerError) else type(error).__name__
            log.exception("message failed", extra={"fields": {"detail": detail}})
            self._give_back(message)
            return "failed"
        return "done"

    def _give_back(self, message: Message) -> None:
        try:
            self._queue.release(message, delay_s=min(2.0 ** (message.receives - 1), RETRY_DELAY_MAX_S))
        except PaymentServerError:
            log.warning("message comes back after its lease")

    def _renew(self) -> None:
        """Until the last handler has ended: a stop waits for them."""
        while not self._joined.wait(RENEW_EVERY_S):
            with self._lock:
                running = list(self._running.values())
            for message in running:
                try:
                    self._queue.extend(message, lease_s=LEASE_S)
                except PaymentServerError as error:
                    log.error("lease not renewed", extra={"fields": {"detail": error.detail}})
                except Exception:
                    log.exception("unexpected error of a lease")


class Worker:
    """`queues_only`: takes messages and leaves sweeping, statistics and guardrails to another one on the machine."""

    def __init__(self, wired: Wiring, *, queues_only: bool = False) -> None:
        self._wired = wired
        self._queues_only = queues_only
        self._sweep = Sweep(wired.ports)
        self._guardrail = Guardrail(wired.ports)
        self._stop = threading.Event()
        self._schema_checked = False  # the database may have been down when this process started
        self._consumers = [
            Consumer(wired.queue, topic, wired.work.handle, threads) for topic, threads in THREADS.items()
        ]
        # Of its own, because closing the hour of a busy shop takes longer than the sweeper may wait.
        self._statistics = threading.Thread(target=self._roll_up, name="statistics", daemon=True)

    def run(self) -> None:
        """Returns once `stop` was called and what ran is finished."""
        for consumer in self._consumers:
            consumer.start()
        if self._queues_only:
            self._stop.wait()
        else:
            self._statistics.start()
        while not self._stop.is_set():
            self._round()
            self._stop.wait(SWEEP_EVERY_S)
        for consumer in self._consumers:
            consumer.stop()
        ends = time.monotonic() + STOP_WAIT_S
        for consumer in self._consumers:
            consumer.join(max(ends - time.monotonic(), 0))
        if not self._queues_only:
            self._statistics.join(max(ends - time.monotonic(), 0))  # what it has begun, the next start does again

    def stop(self) -> None:
        self._stop.set()

    def _round(self) -> None:
        try:
            if not self._schema_checked:
                self._wired.store.migrate()
                self._schema_checked = True
                for topic in Topic:
                    self._wired.queue.redrive(topic)  # what died while nothing could be stored
            self._sweep.round()
            sweep_audit(self._wired.ports)
            for topic in Topic:
                waiting, oldest_s = self._wired.queue.depth(topic)
                telemetry.gauge("queue_depth", waiting, queue=topic)
                if oldest_s is not None:
                    telemetry.gauge("queue_oldest_age_seconds", oldest_s, queue=topic)
                telemetry.gauge("queue_dead_letters", self._wired.queue.dead_count(topic), queue=topic)
        except PaymentServerError as error:
            log.error("sweep failed", extra={"fields": {"detail": error.detail}})
        except Exception:
            log.exception("unexpected sweep error")

    def _roll_up(self) -> None:
        while not self._stop.wait(ROLL_UP_EVERY_S):
            try:
                roll_up_all(self._wired.ports)
            except PaymentServerError as error:
                log.error("statistics were not rolled up", extra={"fields": {"detail": error.detail}})
            except Exception:
                log.exception("unexpected error of the statistics")
            self._guard()

    def _guard(self) -> None:
        try:
            if self._guardrail.round():
                self._wired.configuration.forget()
        except PaymentServerError as error:
            log.error("guardrails were not watched", extra={"fields": {"detail": error.detail}})
        except Exception:
            log.exception("unexpected error of the guardrails")


def main() -> None:
    """`python -m server.worker --metrics-port 8003`"""
    parser = argparse.ArgumentParser(prog="python -m server.worker", description="Works the queues and schedules.")
    parser.add_argument("--metrics-port", type=int, default=9464, help="where Prometheus finds metrics, on loopback")
    parser.add_argument(
        "--queues-only", action="store_true", help="one more process for the queues, beside a worker without this"
    )
    options = parser.parse_args()
    settings = Settings()
    share_metrics(settings.var / "metrics")
    telemetry.configure_logging(settings.log_level)
    wired = wiring()
    metrics = None if options.queues_only else serve_metrics(options.metrics_port)
    worker = Worker(wired, queues_only=options.queues_only)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stop())
    worker.run()
    wired.notify.close()
    if metrics is not None:
        metrics.close()
    wired.queue.close()
    wired.store.close()


if __name__ == "__main__":
    main()
