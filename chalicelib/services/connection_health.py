"""The health of a connection as the API shows it, and an operator's word on it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from chalicelib.domain.configuration import Connection
from chalicelib.domain.payment import Json
from chalicelib.domain.view import text_of
from chalicelib.routing.health import BUCKET_S, BUCKETS, CircuitState, ConnectionHealth, overridden
from chalicelib.services.audit import Actor
from chalicelib.services.change import CONNECTIONS, update
from chalicelib.services.kinds import connection_key
from chalicelib.services.ports import Ports


class HealthOverride(BaseModel):
    """What routing shall take the connection for."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, defer_build=True)

    override: Literal["open", "closed"] | None
    """`open`: tried after all others; `closed`: as if healthy; null: as measured."""


def override_health(
    ports: Ports, actor: Actor, merchant_id: str, connection_id: str, body: HealthOverride
) -> Connection:
    """Raises NotFound."""
    return update(
        ports,
        CONNECTIONS,
        connection_key(merchant_id, connection_id),
        None,
        lambda present: replace(present, override=body.override),
        actor,
        "override",
    )


def health_view(connection: Connection, health: ConnectionHealth, now: datetime) -> dict[str, Json]:
    circuit, at_s = health.circuit, now.timestamp()
    figures, measured = health.window.figures(at_s), health.circuit.state(at_s)
    is_closed = measured is CircuitState.CLOSED
    return {
        "connection_id": connection.id,
        "state": overridden(connection.override, measured),
        "override": connection.override,
        "circuit": measured,
        "reason": circuit.reason,
        "opened_at": None if is_closed else _time_of(circuit.since_s),
        "next_probe_at": _time_of(circuit.until_s) if measured is CircuitState.OPEN else None,
        "window": {
            "seconds": int(BUCKET_S * BUCKETS),
            "calls": figures.calls,
            "failures": figures.failures,
            "failure_share": round(figures.failure_share, 4),
            "latency_ms": {"p50": figures.p50_ms, "p95": figures.p95_ms},
        },
    }


def _time_of(at_s: float | None) -> str | None:
    return None if at_s is None else text_of(datetime.fromtimestamp(at_s, UTC))
