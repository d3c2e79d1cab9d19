"""Connections: accounts at PSPs, with their credentials."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.contracts.calls import Refusal, RefusalKind
from chalicelib.contracts.connector import Connector
from chalicelib.contracts.conversation import CallFailed
from chalicelib.contracts.store import Page
from chalicelib.domain.configuration import Connection
from chalicelib.domain.errors import Conflict, Invalid, Pointer, StaleVersion, StorageFault, VaultFault
from chalicelib.outbound.driver import Deadline
from chalicelib.routing.rules import SLUG
from chalicelib.services.audit import Actor
from chalicelib.services.change import CONNECTIONS, insert, read, update
from chalicelib.services.kinds import CONNECTION, connection_key
from chalicelib.services.ports import Ports
from chalicelib.services.seal_settings import Place, seal_settings
from chalicelib.services.secrets import concealed, opened_settings, secret_texts

TEST_BUDGET_S = 10.0


class ConnectionBody(BaseModel):
    """A connection to create."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, defer_build=True)

    id: str = Field(pattern=SLUG)
    """A name of your own, such as `cards-nl`. It can never be used again."""
    connector: str = Field(min_length=1, max_length=40)
    """The PSP's name in the catalogue of connectors."""
    settings: dict[str, Any]
    """What the connector's settings schema asks for."""
    enabled: bool = True
    """Whether new payments may go there."""


class ConnectionChange(BaseModel):
    """A connection to replace. What a read shows may be sent back whole: read-only fields are ignored."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, defer_build=True)

    id: str | None = None
    """Never changes."""
    connector: str | None = None
    """Never changes."""
    settings: dict[str, Any] | None = None
    """All settings; `********` keeps a stored secret. Left out, they stay."""
    enabled: bool | None = None
    """Whether new payments may go there. Left out, it stays."""
    override: str | None = None
    """Read-only; `PUT /v1/connections/{id}/health` changes it."""
    health: str | None = None
    """Read-only."""
    version: int | None = None
    """Read-only; the header If-Match counts."""
    created_at: str | None = None
    """Read-only."""
    updated_at: str | None = None
    """Read-only."""


@dataclass(frozen=True, slots=True)
class ConnectionTest:
    """`problem` says whose move it is: the credentials must be mended, or the PSP is out of reach."""

    ok: bool
    problem: Literal["credentials", "outage"] | None
    detail: str


def create_connection(ports: Ports, actor: Actor, merchant_id: str, body: ConnectionBody) -> Connection:
    """Raises Invalid (unknown connector, bad settings), Conflict (the id is or was in use)."""
    connector = ports.connectors.get(body.connector)
    if connector is None:
        known = ", ".join(sorted(ports.connectors)) or "none"
        raise _invalid("/connector", f"there is no connector {body.connector!r}; there are: {known}")
    sealed = seal_settings(ports.vault, connector.settings, body.settings, Place(merchant_id, body.id, "/settings"))
    now = ports.clock.now()
    connection = Connection(
        merchant_id=merchant_id,
        id=body.id,
        connector=body.connector,
        enabled=body.enabled,
        settings=sealed.public,
        secrets=sealed.secrets,
        version=1,
        created_at=now,
        updated_at=now,
    )
    try:
        return insert(ports, CONNECTIONS, connection, actor)
    except StaleVersion:
        raise Conflict(f"The id {body.id!r} is or was in use; a connection's id is never used again.") from None


def read_connection(ports: Ports, merchant_id: str, connection_id: str) -> Connection:
    return read(ports, CONNECTIONS, connection_key(merchant_id, connection_id)).value


def list_connections(ports: Ports, merchant_id: str, *, after: str | None, limit: int) -> Page[Connection]:
    return ports.store.find(CONNECTION, "by_merchant", merchant_id, after=after, limit=limit)


def update_connection(
    ports: Ports, actor: Actor, merchant_id: str, connection_id: str, body: ConnectionChange, expected: int
) -> Connection:
    """Raises NotFound, PreconditionFailed, Invalid (another connector or PSP account, bad settings), Conflict."""

    def decide(present: Connection) -> Connection:
        if body.id not in (None, present.id):
            raise _invalid("/id", "a connection's id never changes")
        if body.connector not in (None, present.connector):
            raise _invalid("/connector", "a connection's connector never changes; make another connection")
        enabled = present.enabled if body.enabled is None else body.enabled
        if body.settings is None:
            return replace(present, enabled=enabled)
        connector = connector_of(ports, present)
        place = Place(merchant_id, connection_id, "/settings", present.secrets)
        sealed = seal_settings(ports.vault, connector.settings, body.settings, place)
        _check_account(connector, present, sealed.public)
        _check_mode(ports, connector, present, sealed.model)
        return replace(present, enabled=enabled, settings=sealed.public, secrets=sealed.secrets)

    return update(ports, CONNECTIONS, connection_key(merchant_id, connection_id), expected, decide, actor)


def _check_account(connector: type[Connector], present: Connection, settings: dict[str, Any]) -> None:
    """Payments under way belong to one account at the PSP, so what identifies it stays."""
    fields: frozenset[str] = getattr(connector.settings, "account_fields", frozenset())
    for name in sorted(fields):
        if settings.get(name) != present.settings.get(name):
            raise _invalid(
                f"/settings/{name}", "names the account at the PSP, which never changes; make another connection"
            )


def _check_mode(ports: Ports, connector: type[Connector], present: Connection, settings: BaseModel) -> None:
    """Test and live are two accounts, where only the key says which of them it is. One that can not be opened any more, since
    its key ring is lost, says nothing: it is what is being entered again."""
    wanted = getattr(settings, "livemode", None)
    if wanted is None:
        return
    try:
        before = getattr(opened_settings(ports.vault, present, connector.settings), "livemode", None)
    except (VaultFault, StorageFault):
        return
    if before not in (None, wanted):
        raise _invalid("/settings", "the key is of the other mode: test and live do not mix; make another connection")


def delete_connection(ports: Ports, actor: Actor, merchant_id: str, connection_id: str, expected: int) -> None:
    """A tombstone: credentials stay for refunds, questions and webhooks of payments that went there."""
    key = connection_key(merchant_id, connection_id)
    update(
        ports,
        CONNECTIONS,
        key,
        expected,
        lambda present: replace(present, enabled=False, deleted_at=ports.clock.now()),
        actor,
        "delete",
    )


def check_connection(ports: Ports, merchant_id: str, connection_id: str) -> ConnectionTest:
    """Asks the PSP something harmless, within 10 s. Raises NotFound, Conflict, VaultFault."""
    live, settings = opened(ports, read_connection(ports, merchant_id, connection_id))
    try:
        refusal = ports.driver.converse(live.test(), Deadline(TEST_BUDGET_S))
    except CallFailed as error:
        return ConnectionTest(False, "outage", error.detail)
    return judged(refusal and concealed(refusal, secret_texts(settings)))


def opened(ports: Ports, connection: Connection) -> tuple[Connector, BaseModel]:
    """The connection's connector, made of its settings, and these. Raises Conflict, VaultFault."""
    connector = connector_of(ports, connection)
    settings = opened_settings(ports.vault, connection, connector.settings)
    return connector(settings), settings  # type: ignore[call-arg]  # every connector is made of its settings


def judged(refusal: Refusal | None) -> ConnectionTest:
    if refusal is None:
        return ConnectionTest(True, None, "The PSP accepts the credentials.")
    passing = refusal.kind in (RefusalKind.RATE_LIMITED, RefusalKind.OUTAGE)
    return ConnectionTest(False, "outage" if passing else "credentials", refusal.detail)


def connector_of(ports: Ports, connection: Connection) -> type[Connector]:
    connector = ports.connectors.get(connection.connector)
    if connector is None:
        raise Conflict(f"The connector {connection.connector!r} is off here, so its settings can not be checked.")
    return connector


def _invalid(pointer: str, detail: str) -> Invalid:
    return Invalid(f"{pointer}: {detail}", (Pointer(pointer, detail),))
