"""The health of connections: what was measured, and an operator's word on it."""

from __future__ import annotations

from chalicelib.api.configured import actor_of
from chalicelib.api.connections import TAG
from chalicelib.api.models_configuration import HealthModel
from chalicelib.api.operation import Answer, Call, operation
from chalicelib.domain.configuration import Connection
from chalicelib.domain.payment import Json
from chalicelib.services.configure_connections import read_connection
from chalicelib.services.connection_health import HealthOverride, health_view, override_health


@operation(
    "GET",
    "/v1/connections/{id}/health",
    summary="Read a connection's health",
    description="Errors and latency of the last minute, over all processes, and the state of the circuit.",
    tag=TAG,
    scope="config:read",
    answers={200: HealthModel},
)
def read_health(call: Call) -> Answer:
    return Answer(200, _shown(call, read_connection(call.wiring.ports, call.merchant_id, call.params["id"])))


@operation(
    "PUT",
    "/v1/connections/{id}/health",
    summary="Override a connection's health",
    description="Wins over what is measured until it is taken back. An open connection is tried after all others.",
    tag=TAG,
    scope="config:write",
    body=HealthOverride,
    answers={200: HealthModel},
    example={"override": "open"},
)
def put_health(call: Call) -> Answer:
    made = override_health(call.wiring.ports, actor_of(call), call.merchant_id, call.params["id"], call.body)
    call.wiring.configuration.forget()
    return Answer(200, _shown(call, made))


def _shown(call: Call, connection: Connection) -> dict[str, Json]:
    health = call.wiring.health.look(connection.merchant_id, connection.id)
    return health_view(connection, health, call.wiring.ports.clock.now())
