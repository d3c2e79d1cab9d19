"""What the operations on the configuration answer, for the OpenAPI document."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from chalicelib.api.models import Shown, Time


class Versioned(Shown):
    version: int
    """Counts changes; the ETag."""
    created_at: Time
    updated_at: Time


class Listed(Shown):
    next_cursor: str | None
    """For the next page; null on the last one."""


class ConnectionModel(Versioned):
    id: str
    connector: str
    enabled: bool
    settings: dict[str, Any]
    """Secrets read `********`."""
    override: Literal["open", "closed"] | None
    """An operator's word on its circuit."""
    health: Literal["closed", "open", "half_open"]
    """The state of its circuit, the override counted in."""


class LatencyModel(Shown):
    """Upper bounds, in milliseconds; null without calls."""

    p50: int | None
    p95: int | None


class HealthWindowModel(Shown):
    """Calls to open a checkout, in the last so many `seconds`."""

    seconds: int
    calls: int
    failures: int
    """Without a usable answer, refused as misconfigured or rate limited, or too slow."""
    failure_share: float
    latency_ms: LatencyModel


class HealthModel(Shown):
    connection_id: str
    state: Literal["closed", "open", "half_open"]
    """What routing goes by: the override, else the circuit. An open connection is tried after all others."""
    override: Literal["open", "closed"] | None
    circuit: Literal["closed", "open", "half_open"]
    """As measured."""
    reason: str | None
    """Why the circuit opened."""
    opened_at: Time | None
    next_probe_at: Time | None
    """When single payments begin to find out; null where they do already."""
    window: HealthWindowModel


class ConnectionList(Listed):
    items: list[ConnectionModel]


class ConnectionTestModel(Shown):
    ok: bool
    problem: Literal["credentials", "outage"] | None
    detail: str


class WebhookSetupModel(Shown):
    url: str
    """What to enter at the PSP."""
    events: list[str]
    """What to subscribe to; empty where there is nothing to choose."""
    where: str
    """The place at the PSP where it is entered."""
    secret: str
    """Where the PSP shows the secret that it signs with; empty where it has none."""
    secret_field: str
    """The connection's setting that the secret belongs in."""
    has_secret: bool
    """Whether the connection has what it verifies webhooks with."""
    creates: bool
    """Whether `POST` makes it through the PSP's API."""


class SigningSecretModel(Shown):
    id: str
    created_at: Time
    public_key: str | None = None
    """With Ed25519: `whpk_` and base64, which verifies."""


class NewSigningSecretModel(SigningSecretModel):
    signing_secret: str | None = None
    """With HMAC: `whsec_` and base64. It is never shown again."""


class SubscriptionModel(Versioned):
    id: str
    name: str
    channel: str
    target: dict[str, Any]
    """Secrets read `********`."""
    events: list[str]
    enabled: bool
    secrets: list[SigningSecretModel]


class NewSubscriptionModel(SubscriptionModel):
    signing_secret: str | None = None
    """Where the channel signs with HMAC: `whsec_` and base64. It is never shown again."""


class SubscriptionList(Listed):
    items: list[SubscriptionModel]


class SubscriptionTestModel(Shown):
    ok: bool
    status: int | None
    """The target's HTTP status, null where it gave none."""
    latency_ms: int
    detail: str


class CapabilitiesModel(Shown):
    operations: list[str]
    capture_modes: list[str]
    partial_capture: bool
    multiple_captures: bool
    partial_refund: bool
    inert_until_visited: bool
    """Opening a page moves nothing, so that an unanswered attempt may be sealed and the next PSP tried."""
    reads_money: bool
    """Asking the PSP shows what was paid; if not, its webhooks alone tell of it."""
    looks_up_references: bool
    """A page whose opening was never answered can be found by our reference."""
    completes_on_return: bool
    """Nothing is paid until the shopper is back and PaymentServer says so."""
    webhook_address: Literal["entered", "told", "own"]
    """How the PSP learns where its webhooks go: entered there once, told with each page, or an own one told for each
    attempt, which alone proves that a webhook is the PSP's."""
    webhook_methods: list[str]
    """How the PSP calls back: POST, or GET with all that it says in the query."""
    key_lives_s: dict[str, int]
    """How long the PSP remembers a call, so that it can be repeated, by call."""


class LimitsModel(Shown):
    """Minor units; null is no limit."""

    least: int | None
    most: int | None


class ConnectorModel(Shown):
    name: str
    title: str
    capabilities: CapabilitiesModel
    payment_methods: list[str]
    currencies: list[str]
    amount_limits: dict[str, LimitsModel]
    """By currency, of one payment."""
    settings: dict[str, Any] = Field(description="The JSON Schema of a connection's settings.")


class ConnectorList(Listed):
    items: list[ConnectorModel]


class AuditModel(Shown):
    sequence: int
    at: Time
    actor: str
    client: str
    action: str
    object_kind: str
    object_id: str
    before: Any
    """The object as the API showed it; null before it was created."""
    after: Any
    """The object as the API shows it; null after it was deleted."""
    request_id: str | None
    change_id: str
    previous_hash: str
    hash: str
    """SHA-256 over the entry and the hash before it."""


class AuditList(Listed):
    items: list[AuditModel]
