"""One payment's life in this process: the product's own code on ports that count, the sandbox PSP and a subscriber on
loopback.

A checkout that is paid, one notification of it, one refund; then the clock goes on until nothing is left to do. It is told
as the functions that would run in the cloud, each with what it used.
"""

from __future__ import annotations

import io
import json
import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue as Mailbox
from threading import Thread
from typing import Any

import requests
from chalice.test import Client

from benchmarks.capacity import MeteredStore, Used
from benchmarks.parts import free_port, issuer, program, wait_for_port
from chalicelib import telemetry
from chalicelib.api.application import create_app
from chalicelib.contracts.connector import HttpRequest
from chalicelib.contracts.queue import Topic
from chalicelib.contracts.store import Store
from chalicelib.outbound.driver import Driver
from chalicelib.queues.embedded import EmbeddedQueue
from chalicelib.services.audit import Actor
from chalicelib.services.configure_subscriptions import SubscriptionBody, create_subscription
from chalicelib.services.kinds import PAYMENT
from chalicelib.services.roll_up import roll_up_all
from chalicelib.services.sweep import Sweep
from chalicelib.settings import Settings
from chalicelib.storage.memory import MemoryStore
from chalicelib.wiring import Wiring
from dev.seed import seed_into

FUNCTION_OF = {Topic.INBOUND: "apply", Topic.EVENTS: "notify", Topic.CHORES: "attend"}
TOLD_OF = "payment.captured"  # the one event that the subscriber wants
PAID_AFTER_S, REFUNDED_AFTER_S = 90, 3 * 86_400
AFTERWARDS_S = 40 * 86_400  # the last question about a refund is asked after 30 days
ROUND_S = 60.0  # how often the schedules run


@dataclass
class Invocation:
    """One run of a function: `stage` of the life it belongs to, `cpu_s` here, and what it used."""

    function: str
    stage: str
    used: list[Used] = field(default_factory=list)
    sends: list[tuple[str, int]] = field(default_factory=list)  # topic and bytes of each message
    psp_calls: int = 0
    told: int = 0  # notifications that were sent
    bytes_out: int = 0  # to merchants, PSPs and subscribers
    log_bytes: int = 0
    cpu_s: float = 0.0


class Clock:
    """The time of this machine, and how far the life is ahead of it."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.ahead_s)


class CountingQueue:
    """Hands every call on; `note` is told of each message that is sent."""

    def __init__(self, queue: EmbeddedQueue, note: Callable[[str, int], None]) -> None:
        self._queue, self._note = queue, note

    def send(self, topic: Topic, body: bytes, *, delay_s: float = 0) -> None:
        self._note(topic.value, len(body))
        self._queue.send(topic, body, delay_s=delay_s)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queue, name)


@dataclass
class Webhook:
    """As the PSP sent it."""

    path: str
    headers: dict[str, str]
    body: bytes


class Cloud:
    """A wired PaymentServer whose functions are run one at a time."""

    def __init__(self, folder: Path, token: str, settings: Settings, inner: Store) -> None:
        self.done: list[Invocation] = []
        self.clock, self.stage = Clock(), "before"
        self.webhooks: Mailbox[Webhook] = Mailbox()
        self._token, self._current = token, Invocation("none", "before")
        self._log = io.StringIO()
        telemetry.configure_logging("INFO", self._log)
        self.wiring, self._inner = Wiring(settings), inner
        self.wiring.store = MeteredStore(inner, lambda used: self._current.used.append(used))
        queue = EmbeddedQueue(str(folder / "queue.db"), clock=lambda: self.clock.now().timestamp())
        self.queue = queue
        counting = CountingQueue(queue, lambda topic, count: self._current.sends.append((topic, count)))
        driver = Driver(call_timeout_s=settings.psp_call_timeout_s, observe=self._psp_called)
        self.wiring.ports = replace(
            self.wiring.ports, queue=counting, clock=self.clock, driver=driver, outbox_patience_s=900
        )
        self._client = Client(create_app(lambda: self.wiring))
        self._client.__enter__()
        self._sweep = Sweep(self.wiring.ports)

    def _psp_called(self, request: HttpRequest, result: str, seconds: float) -> None:
        self._current.psp_calls += 1
        self._current.bytes_out += len(request.body or b"") + 500  # a request's head

    @contextmanager
    def invoked(self, function: str) -> Iterator[Invocation]:
        self._current = Invocation(function, self.stage)
        self.done.append(self._current)
        logged, began_s = self._log.tell(), time.process_time()
        yield self._current
        self._current.cpu_s = time.process_time() - began_s
        self._current.log_bytes = self._log.tell() - logged

    def call(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """A merchant's call, through the whole app."""
        headers = {
            "Authorization": f"Bearer {self._token}",
            "Content-Type": "application/json",
            "Idempotency-Key": str(uuid.uuid4()),
        }
        with self.invoked("api") as running:
            answer = self._client.http.request("POST", path, headers=headers, body=json.dumps(body).encode())
            running.bytes_out += len(answer.body) + 400
        assert answer.status_code == 201, answer.body
        document: dict[str, Any] = json.loads(answer.body)
        return document

    def take_webhook(self, within_s: float = 10) -> None:
        """The next webhook of the PSP. It is signed with this machine's time, so that the life's stands still for it."""
        came = self.webhooks.get(timeout=within_s)
        ahead_s, self.clock.ahead_s = self.clock.ahead_s, 0.0
        _, _, merchant_id, connection_id = came.path.split("/")
        with self.invoked("webhooks"):
            self.wiring.intake.take(merchant_id, connection_id, came.headers, came.body)
        self.clock.ahead_s = ahead_s

    def work(self) -> None:
        """Runs the queues' functions, a message at a time, until nothing is left that is due."""
        while sum(self._work(topic) for topic in Topic):
            pass

    def _work(self, topic: Topic) -> int:
        messages = self.queue.receive(topic)
        for message in messages:
            with self.invoked(FUNCTION_OF[topic]):
                self.wiring.work.handle(message)
                self.queue.done(message)
                assert self.wiring.notify.rest(10)
        return len(messages)

    def round(self) -> None:
        """What the schedules do each minute, and what that sets off."""
        with self.invoked("sweep"):
            self._sweep.round()
        with self.invoked("measure"):
            roll_up_all(self.wiring.ports)
        self.work()

    def pass_time(self, seconds: float) -> None:
        """Lets the time pass with a round just before its end; rounds in between would only repeat what that one does."""
        self.clock.ahead_s += seconds
        self.round()

    def due_in_s(self, payment_id: str) -> float | None:
        at = self._inner.get(PAYMENT, payment_id).value.due_at
        return None if at is None else (at - self.clock.now()).total_seconds()

    def close(self) -> None:
        self._client.__exit__(None, None, None)
        self.queue.close()


@contextmanager
def cloud(folder: Path, inner: Store | None = None) -> Iterator[Cloud]:
    """`inner` is the store below the meter, one in memory by default."""
    with ExitStack() as stack, (folder / "psp.log").open("wb") as log:
        issuer_url, token = stack.enter_context(issuer())
        mailbox: Mailbox[Webhook] = Mailbox()
        ears = stack.enter_context(_listening(mailbox))
        port = free_port()
        hooks = f"http://localhost:{ears}"
        arguments = ["-m", "dev.sandbox", "--port", str(port), "--state", str(folder / "psp"), "--webhook-base", hooks]
        stack.enter_context(program(arguments, {**os.environ, "PAYMENTSERVER_ENV": "development"}, log))
        wait_for_port(port)
        settings = Settings(env="development", var=folder / "var", issuer=issuer_url, public_url=hooks)
        settings.var.mkdir(exist_ok=True)
        made = Cloud(folder, token, settings, inner or MemoryStore())
        stack.callback(made.close)
        made.webhooks = mailbox
        seed_into(made.wiring, f"http://localhost:{port}")
        body = {"name": "cost", "channel": "webhook", "target": {"url": f"{hooks}/told"}, "events": [TOLD_OF]}
        create_subscription(
            made.wiring.ports, Actor("cost", "benchmark"), "default", SubscriptionBody.model_validate(body)
        )
        yield made


def checkout_of(number: int) -> dict[str, Any]:
    """A shopper's cart as shops send it: two goods, both addresses, some metadata. No dictionary was made of it."""
    street = {"line1": f"Rosenheimer Strasse {number % 200}", "line2": "Hinterhaus", "city": "Augsburg"}
    address = {**street, "postal_code": f"86{number % 1000:03d}", "region": None, "country": "DE"}
    amount = {"value": 7994 + number, "currency": "EUR"}
    goods = (("Wool blanket, dark green", 5995 + number, "WB-20871"), ("Beeswax candles, 6", 1999, "BC-11405"))
    return {
        "amount": amount,
        "order_reference": f"WEB-{2_600_000 + number}",
        "payment_method": "card",
        "description": "Order at Haus & Garten",
        "locale": "de-DE",
        "country": "DE",
        "customer": {
            "id": f"kd-{88_100 + number}",
            "email": f"j.obermeier{number}@mail.example",
            "name": "Johanna Obermeier",
            "phone": f"+49821555{number:04d}",
        },
        "billing_address": address,
        "shipping_address": address,
        "lines": [
            {"name": name, "quantity": 1, "unit_amount": {"value": value, "currency": "EUR"}, "reference": reference}
            for name, value, reference in goods
        ],
        "return_url": "https://haus-garten.example/checkout/done",
        "cancel_url": "https://haus-garten.example/checkout/cart",
        "metadata": {"channel": "app", "basket": f"bk-{number:07d}", "campaign": "autumn"},
    }


def live(running: Cloud, payments: int = 1, order: Callable[[int], dict[str, Any]] = checkout_of) -> None:
    """`payments` lives side by side."""
    running.stage = "checkout"
    opened = [running.call("/v1/checkouts", order(number)) for number in range(payments)]
    running.work()
    running.stage = "webhook"
    running.pass_time(PAID_AFTER_S)
    for payment in opened:
        requests.post(payment["next_action"]["url"], data={"outcome": "paid"}, allow_redirects=False, timeout=10)
        running.take_webhook()
    running.work()
    running.stage = "after the webhook"
    _until_quiet(running, opened, REFUNDED_AFTER_S)
    running.stage = "refund"
    for payment in opened:
        running.call(f"/v1/payments/{payment['id']}/refunds", {"amount": payment["amount"]})
    running.work()
    running.stage = "webhook of the refund"
    for _ in opened:
        running.take_webhook()
    running.work()
    running.stage = "after the refund"
    _until_quiet(running, opened, AFTERWARDS_S)


def _until_quiet(running: Cloud, opened: list[dict[str, Any]], seconds: float) -> None:
    """Lets the time pass from one thing that is due to the next."""
    ends = running.clock.ahead_s + seconds
    while True:
        waits = [one for payment in opened if (one := running.due_in_s(payment["id"])) is not None]
        step = max(min(waits, default=seconds), 0) + ROUND_S
        if running.clock.ahead_s + step > ends:
            break
        running.pass_time(step)
    running.pass_time(ends - running.clock.ahead_s)


@contextmanager
def _listening(mailbox: Mailbox[Webhook]) -> Iterator[int]:
    """The port of a server that keeps webhooks of PSPs, and answers a subscriber's 204."""

    class Ears(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path.startswith("/webhooks/"):
                mailbox.put(Webhook(self.path, {name.lower(): text for name, text in self.headers.items()}, body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Ears)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
