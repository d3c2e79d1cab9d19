"""What the conformance suite of channels asks of a harness."""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

from chalicelib.contracts.publisher import Publisher, Target
from tests.conformance.wire import Wire

LOOPBACK = ("127.0.0.0/8", "::1/128")
PUBLIC = "93.184.216.34"  # an address that no test ever dials


@dataclass(frozen=True, slots=True)
class Received:
    """A message as a consumer sees it. `ordering_key` is None where the channel has no place for it.

    `attributes` are the CloudEvents attributes that came beside the body, without the binding's prefix.
    """

    body: bytes
    content_type: str
    message_id: str
    ordering_key: str | None
    attributes: Mapping[str, str]


class Destination(Protocol):
    """A queue, topic, exchange or address made for one test. All targets go through the broker's wire.

    `secrets` are the texts in `target` that must never be seen.
    """

    target: Target
    missing: Target
    wrong_credentials: Target
    secrets: tuple[str, ...]

    def received(self) -> list[Received]:
        """All that consumers got so far, as they got it. What the broker has acknowledged is in it, however long that takes."""

    def plain_at(self, host: str) -> Target:
        """The target at another host, without TLS."""

    def tls_at(self, port: int, ca: Path | None) -> AbstractContextManager[Target]:
        """The target by TLS at `localhost:port`, trusting the authority in the file `ca`, or none but the usual ones."""


class Broker(Protocol):
    """A server that runs. `wire` leads to it, `address` is its own; `stop` and `start` are the server's own where what it
    holds outlives it, otherwise the wire's.

    It keeps what it holds over a stop, and acknowledges nothing before it holds it.
    """

    wire: Wire
    address: tuple[str, int]

    def publisher(self, *, connect_timeout_s: float = 5.0, answer_timeout_s: float = 15.0) -> Publisher: ...

    def destination(self) -> AbstractContextManager[Destination]: ...

    def stop(self) -> None: ...

    def start(self) -> None: ...


@dataclass(frozen=True, slots=True)
class ChannelHarness:
    """`ordered` is whether the channel itself keeps the order of one payment's events."""

    channel: str
    opened: Callable[[Path], AbstractContextManager[Broker]]
    variant: str = ""
    ordered: bool = True

    def __str__(self) -> str:
        return f"{self.channel}-{self.variant}" if self.variant else self.channel


def lacking(what: str) -> None:
    """Skips what can not run on this machine; REQUIRE_SERVICES=1 makes that a failure."""
    if os.environ.get("REQUIRE_SERVICES") == "1":
        pytest.fail(what)
    pytest.skip(what)


def needs_library(module: str, channel: str) -> None:
    try:
        importlib.import_module(module)
    except ImportError:
        lacking(f"{module} is not installed: pip install -r requirements/channels/{channel}.txt")


def until(answer: Callable[[], bool], what: str, timeout_s: float = 60.0) -> None:
    """Waits for something that another process does."""
    ends = time.monotonic() + timeout_s
    while not answer():
        if time.monotonic() > ends:
            raise AssertionError(f"{what} took longer than {timeout_s:.0f} s")
        time.sleep(0.02)


@contextmanager
def wired(address: tuple[str, int]) -> Iterator[Wire]:
    wire = Wire(address)
    try:
        yield wire
    finally:
        wire.close()
