"""The Tansu broker with a login in front of it. It holds its topics in memory, so it is the wire that stops and starts;
`test_channel_kafka.py` stops brokers themselves."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chalicelib.contracts.publisher import Publisher, Target
from chalicelib.publishers.kafka import KafkaPublisher, KafkaTarget
from tests.conformance.channel import LOOPBACK, Received, wired
from tests.conformance.kafka_front import Front
from tests.conformance.tansu import Tansu
from tests.conformance.wire import Wire

USERNAME, PASSWORD = "shop-events", "password-of-the-shop"
_numbers = itertools.count()


class _Destination:
    secrets = (USERNAME, PASSWORD)

    def __init__(self, broker: _Broker, topic: str) -> None:
        self._broker, self._topic = broker, topic
        self.target = self._at(f"127.0.0.1:{broker.wire.port}")
        self.missing = self._at(f"127.0.0.1:{broker.wire.port}", topic="nobody")
        self.wrong_credentials = self._at(f"127.0.0.1:{broker.wire.port}", password="wrong")

    def received(self) -> list[Received]:
        return self._broker.tansu.received(self._topic)

    def plain_at(self, host: str) -> Target:
        return self._at(f"{host}:9092")

    @contextmanager
    def tls_at(self, port: int, ca: Path | None) -> Iterator[Target]:
        front = self._broker.front
        usual, front.advertised = front.advertised, ("localhost", port)
        try:
            yield self._at(f"localhost:{port}", tls=True, ca_certificates=None if ca is None else ca.read_text())
        finally:
            front.advertised = usual

    def _at(self, servers: str, **changed: Any) -> Target:
        login = {"sasl_mechanism": "SCRAM-SHA-256", "username": USERNAME, "password": PASSWORD}
        given = {"bootstrap_servers": servers, "topic": self._topic, "tls": False, **login, **changed}
        return Target(KafkaTarget.model_validate(given))


class _Broker:
    wire: Wire

    def __init__(self) -> None:
        self.tansu = Tansu()
        self.front = Front(self.tansu.address, USERNAME, PASSWORD)
        self.address = self.front.address

    def publisher(self, *, connect_timeout_s: float = 5.0, answer_timeout_s: float = 15.0) -> Publisher:
        return KafkaPublisher(
            allowed_networks=LOOPBACK, connect_timeout_s=connect_timeout_s, answer_timeout_s=answer_timeout_s
        )

    @contextmanager
    def destination(self) -> Iterator[_Destination]:
        topic = f"payments-{next(_numbers)}"
        self.tansu.create(topic)
        yield _Destination(self, topic)

    def stop(self) -> None:
        self.wire.cut()

    def start(self) -> None:
        self.wire.mend()


@contextmanager
def kafka(folder: Path) -> Iterator[_Broker]:
    broker = _Broker()
    try:
        with wired(broker.address) as broker.wire:
            broker.front.advertised = ("127.0.0.1", broker.wire.port)
            yield broker
    finally:
        broker.front.shutdown()
        broker.front.server_close()
        broker.tansu.stop()
