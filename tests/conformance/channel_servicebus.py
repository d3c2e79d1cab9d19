"""A broker of AMQP 1.0 that checks what Azure Service Bus checks of a sender; it is killed and started again."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chalicelib.contracts.publisher import Publisher, Target
from chalicelib.publishers.servicebus import ServiceBusPublisher, ServiceBusTarget
from tests.conformance.channel import LOOPBACK, Received, lacking, needs_library, wired
from tests.conformance.wire import Wire
from tests.servers.servicebus.process import SENDER, SENDER_KEY, BrokerProcess, python_with_proton

_numbers = itertools.count()
PREFIX = "cloudEvents:"


def received_of(message: dict[str, Any]) -> Received:
    return Received(
        message["body"],
        message["content_type"],
        message["message_id"],
        message["session_id"],
        {name[len(PREFIX) :]: value for name, value in message["properties"].items() if name.startswith(PREFIX)},
    )


def target_of(namespace: str, entity: str, **more: Any) -> Target:
    given = {"namespace": namespace, "entity": entity, "key_name": SENDER, "key": SENDER_KEY, "tls": False, **more}
    return Target(ServiceBusTarget.model_validate_json(json.dumps(given)))


class _Destination:
    secrets = (SENDER_KEY,)

    def __init__(self, process: BrokerProcess, port: int, entity: str) -> None:
        self._process, self._entity = process, entity
        self.target = target_of(f"localhost:{port}", entity)
        self.missing = target_of(f"localhost:{port}", "nobody-made-it")
        self.wrong_credentials = target_of(f"localhost:{port}", entity, key="d3Jvbmc=")

    def received(self) -> list[Received]:
        return [received_of(one) for one in self._process.kept(self._entity)]

    def plain_at(self, host: str) -> Target:
        return target_of(host, self._entity)

    @contextmanager
    def tls_at(self, port: int, ca: Path | None) -> Iterator[Target]:
        certificates = None if ca is None else ca.read_text()
        yield target_of(f"localhost:{port}", self._entity, tls=True, ca_certificates=certificates)


class ServiceBus:
    def __init__(self, process: BrokerProcess, wire: Wire) -> None:
        self.process, self.address, self.wire = process, ("127.0.0.1", process.port), wire

    def publisher(self, *, connect_timeout_s: float = 5.0, answer_timeout_s: float = 15.0) -> Publisher:
        return ServiceBusPublisher(
            allowed_networks=LOOPBACK, connect_timeout_s=connect_timeout_s, answer_timeout_s=answer_timeout_s
        )

    @contextmanager
    def destination(self) -> Iterator[_Destination]:
        yield _Destination(self.process, self.wire.port, f"session-{next(_numbers)}")

    def stop(self) -> None:
        self.process.kill()

    def start(self) -> None:
        self.process.start()


@contextmanager
def servicebus(folder: Path, *arguments: str) -> Iterator[ServiceBus]:
    needs_library("azure.servicebus", "servicebus")
    if python_with_proton() is None:
        lacking("Qpid Proton is not here: apt-get install python3-qpid-proton, or pip install python-qpid-proton")
    process = BrokerProcess(folder, *arguments)
    process.start()
    try:
        with wired(("127.0.0.1", process.port)) as wire:
            yield ServiceBus(process, wire)
    finally:
        process.kill()
