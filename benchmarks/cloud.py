"""PaymentServer's functions in one process, run one at a time on ports that count, with the sandbox PSP and a subscriber on
loopback: what each would use in the cloud."""

from __future__ import annotations

import io
import json
import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import Queue as Mailbox
from typing import Any

from benchmarks.meter import MeteredStore, Used
from benchmarks.parts import free_port, issuer, program, wait_for_port
from benchmarks.surroundings import Webhook, environment, listening, patience
from chalicelib import telemetry
from chalicelib.contracts.conversation import HttpRequest
from chalicelib.contracts.queue import Topic
from chalicelib.contracts.store import Store
from chalicelib.functions import api, invocation, queues, schedules, webhooks
from chalicelib.functions.declared import QUEUES
from chalicelib.functions.wired import wired
from chalicelib.outbound.driver import Driver
from chalicelib.queues.embedded import EmbeddedQueue
from chalicelib.services.audit import Actor
from chalicelib.services.configure_subscriptions import SubscriptionBody, create_subscription
from chalicelib.services.kinds import PAYMENT
from chalicelib.storage.memory import MemoryStore
from dev.seed import seed_into
from tests.aws.events import Context, called, proxied, queued, scheduled

FUNCTION_OF = {Topic.INBOUND: queues.apply, Topic.EVENTS: queues.notify, Topic.CHORES: queues.attend}
TOLD_OF = "payment.captured"  # the one event that the subscriber wants
NOBODY = "nobody"  # in place of a function's name
HEAD_BYTES = 500  # of a request or an answer besides its body
AT_HAND_S = 3_600.0  # longer than a life takes: at such rates what is read anew is shared by very many


@dataclass
class Invocation:
    """One run of a function: `stage` of the life it belongs to, `cpu_s` here, and what it used."""

    function: str
    stage: str
    used: list[Used] = field(default_factory=list)
    sends: list[tuple[str, tuple[int, ...]]] = field(
        default_factory=list
    )  # topic, and bytes of each message of a request
    topic: Topic | None = None  # of the queue that it was given messages of
    messages: int = 0
    psp_calls: int = 0
    told: int = 0  # notifications that were sent
    bytes_out: int = 0  # to merchants, PSPs and subscribers
    log_bytes: int = 0
    log_lines: int = 0
    cpu_s: float = 0.0


class Clock:
    """The time of this machine, and how far the life is ahead of it: at first to a quarter past an hour, so that each life
    meets the ends of hours alike."""

    def __init__(self) -> None:
        self.ahead_s = (900.0 - time.time()) % 3600

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.ahead_s)


class CountingQueue(EmbeddedQueue):
    """Tells `note` of each request that sends."""

    def __init__(self, path: str, clock: Callable[[], float], note: Callable[[str, tuple[int, ...]], None]) -> None:
        super().__init__(path, clock=clock)
        self._note = note

    def send_all(self, topic: Topic, bodies: Sequence[bytes], *, delay_s: float = 0) -> None:
        if bodies:
            self._note(topic.value, tuple(len(body) for body in bodies))
        super().send_all(topic, bodies, delay_s=delay_s)


class Cloud:
    """A process in which every function runs, one at a time, wired as in the cloud but for its ports."""

    def __init__(self, folder: Path, token: str, inner: Store, *, at_hand: bool) -> None:
        """`current` is what runs now."""
        self.done: list[Invocation] = []
        self.clock, self.stage = Clock(), "before"
        self.webhooks: Mailbox[Webhook] = Mailbox()
        self._token, self._inner = token, inner
        self.current = Invocation(NOBODY, "before")
        self._log = io.StringIO()
        invocation.logs()
        telemetry.configure_logging("INFO", self._log)
        self.wiring = wired()
        self.meter = MeteredStore(
            inner, lambda used: self.current.used.append(used), shards=self.wiring.settings.shards
        )
        self.wiring.store = self.meter
        self.wiring.queue = self.queue = CountingQueue(
            str(folder / "queue.db"),
            lambda: self.clock.now().timestamp(),
            lambda topic, sizes: self.current.sends.append((topic, sizes)),
        )
        ttl_s = AT_HAND_S if at_hand else 0.0
        inbound = replace(self.wiring.inbound_ports, configuration_ttl_s=ttl_s, subscriptions_ttl_s=ttl_s)
        self.wiring.inbound_ports = replace(inbound, clock=self.clock)
        driver = Driver(call_timeout_s=self.wiring.settings.psp_call_timeout_s, observe=self._psp_called)
        self.wiring.ports = replace(self.wiring.ports, clock=self.clock, driver=driver)

    def _psp_called(self, request: HttpRequest, result: str, seconds: float) -> None:
        self.current.psp_calls += 1
        self.current.bytes_out += len(request.body or b"") + HEAD_BYTES

    def told(self, body_bytes: int) -> None:
        """The subscriber heard something."""
        self.current.told += 1
        self.current.bytes_out += body_bytes + HEAD_BYTES

    @contextmanager
    def invoked(self, function: str) -> Iterator[Invocation]:
        self.current = Invocation(function, self.stage)
        self.done.append(self.current)
        logged, began_s = self._log.tell(), time.process_time()
        yield self.current
        self.current.cpu_s = time.process_time() - began_s
        self.current.log_bytes = self._log.tell() - logged
        self.current.log_lines = self._log.getvalue()[logged:].count("\n")

    def call(self, resource: str, body: Mapping[str, Any], **params: str) -> dict[str, Any]:
        """A merchant's call. Raises Refused for any answer but a 201."""
        headers = {
            "Authorization": f"Bearer {self._token}",
            "Content-Type": "application/json",
            "Idempotency-Key": str(uuid.uuid4()),
        }
        event = proxied("POST", resource, params=params, headers=headers, body=json.dumps(body).encode())
        with self.invoked("api") as running:
            answer = api.handle(event, Context())
            running.bytes_out += len(answer["body"]) + HEAD_BYTES
        if answer["statusCode"] != 201:
            raise Refused(answer["body"])
        document: dict[str, Any] = json.loads(answer["body"])
        return document

    def take_webhook(self, within_s: float = 10) -> None:
        """The next webhook of the PSP. It is signed with this machine's time, so that the life's stands still for it."""
        came = self.webhooks.get(timeout=within_s)
        ahead_s, self.clock.ahead_s = self.clock.ahead_s, 0.0
        with self.invoked("webhooks") as running:
            answer = webhooks.handle(called("POST", came.path, headers=came.headers, body=came.body), Context())
            running.bytes_out += len(answer["body"]) + HEAD_BYTES
        assert answer["statusCode"] == 200, answer
        self.clock.ahead_s = ahead_s

    def work(self) -> None:
        """Runs the queues' functions until nothing is left that is due: chores, which the sweep queues together, in batches,
        everything else a message at a time, since nobody waits for company."""
        while sum(self._work(topic) for topic in Topic):
            pass

    def _work(self, topic: Topic) -> int:
        function, worked = FUNCTION_OF[topic], 0
        most = QUEUES["attend"][1] if topic is Topic.CHORES else 1
        while messages := self.queue.receive(topic, count=most):
            with self.invoked(function.__name__) as running:
                running.topic, running.messages = topic, len(messages)
                bodies = (message.body.decode() for message in messages)
                failed = function(queued(topic, *bodies), Context(120))["batchItemFailures"]
            assert not failed, self._log.getvalue()[-2000:]
            for message in messages:
                self.queue.done(message)
            worked += len(messages)
        return worked

    def round(self) -> None:
        """What the schedules do each minute, and what that sets off."""
        for function in (schedules.sweep, schedules.measure):
            with self.invoked(function.__name__):
                function(scheduled(function.__name__), Context(60))
        self.work()

    def pass_time(self, seconds: float) -> None:
        """Lets the time pass, with a round at its end; whoever leaves rounds out has nothing for them to find."""
        self.clock.ahead_s += seconds
        self.round()

    def pass_minutes(self, minutes: int) -> None:
        for _ in range(minutes):
            self.pass_time(60)

    def due_at(self, payment_id: str) -> datetime | None:
        """Asked beside the meter, and by no function."""
        self.current = Invocation(NOBODY, self.stage)
        return self._inner.get(PAYMENT, payment_id).value.due_at

    def close(self) -> None:
        self.wiring.notify.close()
        self.queue.close()


class Refused(Exception):
    """The answer to a merchant's call."""


@contextmanager
def cloud(folder: Path, inner: Store | None = None, shards: int = 8, *, at_hand: bool = True) -> Iterator[Cloud]:
    """`inner` is the store below the meter, one in memory by default. Without `at_hand` nothing is cached that may be read
    anew, as where calls are rare."""
    with ExitStack() as stack, (folder / "psp.log").open("wb") as log:
        issuer_url, token = stack.enter_context(issuer())
        heard: list[Callable[[int], None]] = []
        mailbox: Mailbox[Webhook] = Mailbox()
        ears = stack.enter_context(listening(mailbox, heard))
        port = free_port()
        hooks = f"http://localhost:{ears}"
        arguments = ["-m", "dev.sandbox", "--port", str(port), "--state", str(folder / "psp"), "--webhook-base", hooks]
        stack.enter_context(program(arguments, {**os.environ, "PAYMENTSERVER_ENV": "development"}, log))
        wait_for_port(port)
        (folder / "var").mkdir()
        settings = {"env": "development", "var": str(folder / "var"), "issuer": issuer_url, "public_url": hooks}
        stack.enter_context(
            environment({**settings, "database_url": "dynamodb:paymentserver-life", "shards": str(shards)})
        )
        stack.enter_context(patience())
        made = Cloud(folder, token, inner or MemoryStore(), at_hand=at_hand)
        stack.callback(made.close)
        heard.append(made.told)
        made.webhooks = mailbox
        seed_into(made.wiring, f"http://localhost:{port}")
        body = {"name": "life", "channel": "webhook", "target": {"url": f"{hooks}/told"}, "events": [TOLD_OF]}
        actor = Actor("life", "benchmark")
        create_subscription(made.wiring.ports, actor, "default", SubscriptionBody.model_validate(body))
        yield made
