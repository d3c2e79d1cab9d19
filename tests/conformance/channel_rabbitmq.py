"""A RabbitMQ of the tests' own, on ports of its own, that is killed and started again."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from chalicelib.contracts.publisher import Publisher, Target
from chalicelib.publishers.rabbitmq import RabbitmqPublisher, RabbitmqTarget
from tests.conformance.channel import LOOPBACK, Received, lacking, needs_library, until, wired
from tests.conformance.wire import Wire
from tests.ports import free_port

SERVER = "/usr/lib/rabbitmq/bin/rabbitmq-server"  # the one in the path is a script that becomes another user
USER, PASSWORD = "shop", "what-only-the-shop-knows"
PREFIX = "cloudEvents:"
_numbers = itertools.count()


class Destination:
    secrets = (PASSWORD,)

    def __init__(self, broker: RabbitmqBroker, exchange: str, queue: str) -> None:
        self._broker, self._exchange, self._queue = broker, exchange, queue
        self._got: list[Received] = []
        self.target = self.at()
        self.missing = self.at(exchange="nowhere")
        self.wrong_credentials = self.at(password="wrong")

    def at(self, host: str = "", scheme: str = "amqp", **other: str | None) -> Target:
        given = {
            "url": f"{scheme}://{host or f'localhost:{self._broker.wire.port}'}/",
            "exchange": self._exchange,
            "username": USER,
            "password": PASSWORD,
        }
        return Target(RabbitmqTarget.model_validate(given | other, strict=False))

    def received(self) -> list[Received]:
        with self._broker.administered() as channel:
            while True:
                method, properties, body = channel.basic_get(self._queue, auto_ack=True)
                if method is None:
                    return list(self._got)
                assert properties.delivery_mode == 2, "it outlives the broker"
                attributes = {name[len(PREFIX) :]: value for name, value in properties.headers.items()}
                self._got.append(
                    Received(body, properties.content_type, properties.message_id, None, attributes),
                )

    def plain_at(self, host: str) -> Target:
        return self.at(host)

    @contextmanager
    def tls_at(self, port: int, ca: Path | None) -> Iterator[Target]:
        yield self.at(f"localhost:{port}", "amqps", ca_certificates=ca and ca.read_text())


class RabbitmqBroker:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.wire: Wire
        port, self._distribution, self._epmd_port = (free_port() for _ in range(3))
        self.address = ("127.0.0.1", port)
        self._epmd = subprocess.Popen(
            [shutil.which("epmd") or "epmd", "-address", "127.0.0.1", "-port", str(self._epmd_port)]
        )
        (folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.local = 127.0.0.1:{port}\ndefault_user = {USER}\ndefault_pass = {PASSWORD}\n"
        )
        (folder / "plugins").write_text("[].\n")

    def publisher(self, *, connect_timeout_s: float = 5.0, answer_timeout_s: float = 15.0) -> Publisher:
        return RabbitmqPublisher(
            allowed_networks=LOOPBACK, connect_timeout_s=connect_timeout_s, answer_timeout_s=answer_timeout_s
        )

    @contextmanager
    def administered(self):  # type: ignore[no-untyped-def]
        """A channel of somebody else's, for what a subscriber does."""
        import pika

        parameters = pika.ConnectionParameters(
            "127.0.0.1", self.address[1], credentials=pika.PlainCredentials(USER, PASSWORD)
        )
        connection = pika.BlockingConnection(parameters)
        try:
            yield connection.channel()
        finally:
            if connection.is_open:
                connection.close()

    @contextmanager
    def destination(
        self, *, keys: Sequence[str] = ("#",), arguments: dict[str, str | int] | None = None
    ) -> Iterator[Destination]:
        name = f"events-{next(_numbers)}"
        with self.administered() as channel:
            channel.exchange_declare(name, "topic", durable=True)
            channel.queue_declare(name, durable=True, arguments=arguments)
            for key in keys:
                channel.queue_bind(name, name, key)
        yield Destination(self, name, name)

    def _environment(self) -> dict[str, str]:
        folder = str(self._folder)
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": folder,
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_FLAGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": folder + "/rabbitmq",
            "RABBITMQ_ADVANCED_CONFIG_FILE": folder + "/none",
            "RABBITMQ_ENABLED_PLUGINS_FILE": folder + "/plugins",
            "RABBITMQ_NODENAME": f"tests{self.address[1]}@localhost",
            "RABBITMQ_DIST_PORT": str(self._distribution),
            "RABBITMQ_MNESIA_BASE": folder,
            "RABBITMQ_LOG_BASE": folder,
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none",
        }

    def control(self, *command: str) -> None:
        """Runs one command of rabbitmqctl."""
        subprocess.run(
            [SERVER.removesuffix("-server") + "ctl", *command],
            env=self._environment(),
            check=True,
            capture_output=True,
            timeout=60,
        )

    def start(self) -> None:
        with open(self._folder / "output", "ab") as output:
            self._server = subprocess.Popen(
                [SERVER],
                env=self._environment(),
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        until(self._answers, "starting RabbitMQ", 90)

    def _answers(self) -> bool:
        from pika.exceptions import AMQPError

        assert self._server.poll() is None, (self._folder / "output").read_text()
        try:
            with self.administered():
                return True
        except (AMQPError, OSError):
            return False

    def stop(self) -> None:
        """Without a warning: what it has confirmed is on its disk."""
        with suppress(ProcessLookupError):
            os.killpg(self._server.pid, signal.SIGKILL)  # the group that it leads: script and server
        self._server.wait()
        until(self._is_gone, "ending RabbitMQ")

    def _is_gone(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(self.address) != 0

    def close(self) -> None:
        self.stop()
        self._epmd.kill()
        self._epmd.wait()


@contextmanager
def rabbitmq(folder: Path) -> Iterator[RabbitmqBroker]:
    needs_library("pika", "rabbitmq")
    if not Path(SERVER).exists():
        lacking("RabbitMQ is not installed (Debian: rabbitmq-server)")
    broker = RabbitmqBroker(folder)
    try:
        broker.start()
        with wired(broker.address) as broker.wire:
            yield broker
    finally:
        broker.close()
