"""The publisher port: one event to one target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from pydantic import BaseModel

from chalicelib.domain.configuration import Requested

# What Standard Webhooks puts before keys in base64; a secret says by it what it signs with.
HMAC_SECRET, ED25519_SECRET, ED25519_PUBLIC = "whsec_", "whsk_", "whpk_"


@dataclass(frozen=True, slots=True)
class Publication:
    """`body` is the CloudEvents object, the same bytes on every channel and every try."""

    event_id: str
    event_type: str
    payment_id: str | None
    body: bytes


@dataclass(frozen=True, slots=True)
class Target:
    """Validated settings of the channel, and the signing secrets that are live, the newest first."""

    settings: BaseModel
    signing_secrets: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the target answered; `answer` is its first kilobyte, without secrets of ours. `request` is for the delivery log."""

    status: int | None
    answer: str
    request: Requested | None = None


class DeliveryFailed(Exception):
    """Not delivered. `status`, `answer` and `request` as in a Receipt; `detail` names the problem without secrets."""

    request: Requested | None = None

    def __init__(self, detail: str, status: int | None = None, answer: str = "") -> None:
        super().__init__(detail)
        self.detail, self.status, self.answer = detail, status, answer


class Retry(DeliveryFailed):
    """Worth another try, after `after_s` at least where the target said so."""

    def __init__(self, detail: str, status: int | None = None, answer: str = "", after_s: float | None = None) -> None:
        super().__init__(detail, status, answer)
        self.after_s = after_s


class Rejected(DeliveryFailed):
    """Never worth another try: the target is gone, or not allowed."""


class Publisher(Protocol):
    """Where it `signs`, settings may have a `signature`, "hmac" or "ed25519": what new secrets sign with."""

    channel: ClassVar[str]
    settings: ClassVar[type[BaseModel]]
    signs: ClassVar[bool]

    def publish(self, publication: Publication, target: Target) -> Receipt:
        """Returns when the target has it. Raises Retry or Rejected."""

    def close(self) -> None: ...


Json = Mapping[str, Any]
