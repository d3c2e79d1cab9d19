"""The queue port: at least once, with leases. What SQS offers, and no more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from chalicelib.domain.errors import TooLarge

MESSAGE_BYTES_MAX = 240_000  # SQS takes 256 KiB with attributes
DELAY_MAX_S = 900  # SQS' longest delay; longer waits belong in a due index
RECEIVES_MAX = 10  # then the message is moved to the dead letters


class Topic(StrEnum):
    INBOUND = "inbound"  # webhooks of PSPs, verified or still to be verified
    EVENTS = "events"  # status changes on their way to subscribers
    CHORES = "chores"  # asking PSPs, closing sealed attempts, redelivery, sweeping


@dataclass(frozen=True, slots=True)
class Message:
    """`receipt` answers for this one lease of the message; `receives` counts leases, from 1. What was sent again counts those
    before as one, and `age_ms` from when it was sent first."""

    id: str
    topic: Topic
    body: bytes
    receipt: str
    receives: int
    age_ms: int


class Queue(Protocol):
    """Raises QueueFault where the queue can not be reached, TooLarge over MESSAGE_BYTES_MAX."""

    def send(self, topic: Topic, body: bytes, *, delay_s: float = 0) -> None:
        """Durable when it returns. `delay_s` from 0 to DELAY_MAX_S."""

    def send_all(self, topic: Topic, bodies: Sequence[bytes], *, delay_s: float = 0) -> None:
        """Each body as a message of its own; none does nothing. After a QueueFault some may have been sent."""

    def send_again(self, message: Message, *, delay_s: float = 0) -> None:
        """A new message with the body and age of this one, whose leases count as one from here on: for a failure that is not
        the message's. `message` itself stays leased, and is to be acknowledged."""

    def receive(self, topic: Topic, *, count: int = 10, lease_s: float = 60) -> Sequence[Message]:
        """Leases up to `count` due messages; an unacknowledged one comes back after `lease_s`. Never waits, and may miss
        some that are due: ask again. Oldest first where the queue keeps an order.

        A message over RECEIVES_MAX goes to the dead letters instead.
        """

    def done(self, message: Message) -> None:
        """Removes the message. A lapsed lease is not an error: the message may be delivered again."""

    def release(self, message: Message, *, delay_s: float = 0) -> None:
        """Gives the lease back early; the message is due again after `delay_s`."""

    def extend(self, message: Message, *, lease_s: float) -> None:
        """Holds the lease for `lease_s` from now."""

    def dead(self, topic: Topic, *, limit: int = 50) -> Sequence[Message]:
        """The oldest dead letters, unleased. A cloud's queue counts each look as a lease."""

    def dead_count(self, topic: Topic) -> int: ...

    def redrive(self, topic: Topic) -> int:
        """Puts all dead letters back, which may go on for a while after it returns, and says how many there were."""

    def depth(self, topic: Topic) -> tuple[int, int | None]:
        """Messages waiting (leased and delayed ones too), and the age in seconds of the oldest one that is due; None where the
        queue does not know. A cloud's counts are approximate."""

    def ready(self, topic: Topic) -> int:
        """Messages that could be leased now: neither leased, nor delayed, nor dead."""

    def close(self) -> None: ...


def checked_body(body: bytes) -> bytes:
    """Raises TooLarge."""
    if len(body) > MESSAGE_BYTES_MAX:
        raise TooLarge(f"A message of {len(body)} bytes is over the {MESSAGE_BYTES_MAX} allowed. It was not sent.")
    return body


def checked_delay(delay_s: float) -> float:
    """Raises ValueError, for NaN too."""
    if not 0 <= delay_s <= DELAY_MAX_S:
        raise ValueError(f"delay_s is {delay_s}; it goes from 0 to {DELAY_MAX_S}. Longer waits belong in a due index")
    return delay_s
