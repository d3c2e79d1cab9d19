"""What operators configure: connections, routes, subscriptions; and the audit log of their changes.

`version` counts the changes operators made and is served as the ETag; a store's own version is another matter.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from chalicelib.domain.draft import Draft as Draft
from chalicelib.domain.draft import Json


@dataclass(frozen=True, slots=True)
class Connection:
    """An account at a PSP. `settings` are public; `secrets` map a setting's name to what the vault sealed. `override`
    ("open", "closed") is an operator's word on its circuit."""

    merchant_id: str
    id: str
    connector: str
    enabled: bool
    settings: dict[str, Json]
    secrets: dict[str, str]
    version: int
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None
    unaudited: tuple[Draft, ...] = ()
    override: str | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """An event that tells of a change to the configuration, on its way to subscribers; `body` is the CloudEvents object,
    byte for byte. It is committed together with the change. `due_at` is when it is looked after next."""

    id: str
    type: str
    body: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Route:
    """`document` is the route as the API takes it (name, rules, otherwise, unanswered, late). `notices` stay until
    all subscribers have them."""

    merchant_id: str
    name: str
    document: dict[str, Json]
    version: int
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None
    unaudited: tuple[Draft, ...] = ()
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True, slots=True)
class RouteVersion:
    """One version of a route, kept for ever."""

    merchant_id: str
    name: str
    version: int
    document: dict[str, Json]
    created_at: datetime
    created_by: str


@dataclass(frozen=True, slots=True)
class SigningSecret:
    """`public_key` is what subscribers verify with, None where they need the secret itself."""

    id: str
    sealed: str
    created_at: datetime
    public_key: str | None = None


@dataclass(frozen=True, slots=True)
class Subscription:
    """Where status changes go. `target` is public; `secrets` map a setting's name to what the vault sealed."""

    merchant_id: str
    id: str
    name: str
    channel: str
    target: dict[str, Json]
    secrets: dict[str, str]
    events: tuple[str, ...]
    enabled: bool
    version: int
    created_at: datetime
    updated_at: datetime
    signing: tuple[SigningSecret, ...] = ()
    deleted_at: datetime | None = None
    unaudited: tuple[Draft, ...] = ()
    notices: tuple[Notice, ...] = ()

    def wants(self, event_type: str) -> bool:
        """Whether one of `events` matches: an exact type, or a prefix that ends in ``.*``, or ``*``."""
        return any(
            pattern in ("*", event_type) or (pattern.endswith(".*") and event_type.startswith(pattern[:-1]))
            for pattern in self.events
        )


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One link of a merchant account's chain: `hash` covers everything above it, `previous_hash` included."""

    merchant_id: str
    sequence: int
    draft: Draft
    previous_hash: str
    hash: str


@dataclass(frozen=True, slots=True)
class Requested:
    """What was asked of a target: `address` without its query, and of the headers the names alone."""

    method: str
    address: str
    headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DeliveryTry:
    """One try of a delivery. `answer` is the first kilobyte of what the target said; `request` is None where the channel tells
    of none, or nothing was asked."""

    at: datetime
    status: int | None
    latency_ms: int
    detail: str
    answer: str
    request: Requested | None = None


@dataclass(frozen=True, slots=True)
class EndpointTrouble:
    """A subscription's endpoint has failed `since` then, without a delivery that arrived."""

    merchant_id: str
    subscription_id: str
    since: datetime


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    """One event on its way to one subscription. `status`: pending, succeeded, retrying, dead. `behind` is the delivery of
    the payment's event before it, which it waits for; `begun_at` is when a recovery began it anew."""

    id: str
    merchant_id: str
    subscription_id: str
    event_id: str
    event_type: str
    payment_id: str | None
    body: str
    status: str
    created_at: datetime
    tries: tuple[DeliveryTry, ...] = ()
    tried: int = 0
    due_at: datetime | None = None
    behind: str | None = None
    begun_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class InboxItem:
    """A webhook that was not applied. `status`: unmatched, unverified, rejected, anomalous, failed, applied. Only a
    `verified` one is ever applied without its signature being checked again. `query` may hold a secret."""

    id: str
    merchant_id: str
    connection_id: str
    status: str
    detail: str
    headers: dict[str, str]
    body_base64: str
    received_at: datetime
    tried: int = 0
    due_at: datetime | None = None
    count: int = 1
    verified: bool = False
    method: str = "POST"
    query: str = field(default="", repr=False)
