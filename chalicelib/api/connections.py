"""Connections: accounts at PSPs."""

from __future__ import annotations

from dataclasses import asdict

from chalicelib.api.configured import actor_of, changed, deleted, expected_of, versioned
from chalicelib.api.listing import PageQuery, list_answer
from chalicelib.api.models_configuration import ConnectionList, ConnectionModel, ConnectionTestModel
from chalicelib.api.operation import Answer, Call, operation
from chalicelib.domain.configuration import Connection
from chalicelib.domain.payment import Json
from chalicelib.services import configure_connections as configure
from chalicelib.services.configured_view import connection_view

TAG = "Connections"
SETTINGS_EXAMPLE = {
    "base_url": "http://localhost:8002/sandbox-c",
    "account": "sandbox-c",
    "api_key": "api-key-of-sandbox-c",
    "webhook_secret": "webhook-secret-of-sandbox-c",
}
EXAMPLE = {"id": "sandbox-d", "connector": "sandbox", "enabled": True, "settings": SETTINGS_EXAMPLE}


def _shown(call: Call, connection: Connection) -> dict[str, Json]:
    return {**connection_view(connection), "health": call.wiring.health.states([connection])[connection.id]}


@operation(
    "GET",
    "/v1/connections",
    summary="List connections, the newest first",
    tag=TAG,
    scope="config:read",
    query=PageQuery,
    answers={200: ConnectionList},
)
def list_connections(call: Call) -> Answer:
    query: PageQuery = call.query
    page = configure.list_connections(call.wiring.ports, call.merchant_id, after=query.cursor, limit=query.limit)
    states = call.wiring.health.states(one.value for one in page.items)
    return list_answer(page, lambda one: {**connection_view(one), "health": states[one.id]})


@operation(
    "POST",
    "/v1/connections",
    summary="Create a connection",
    description="`GET /v1/connectors` says which settings a connector takes. Secrets are sealed and never shown again.",
    tag=TAG,
    scope="config:write",
    body=configure.ConnectionBody,
    answers={201: ConnectionModel},
    problems=(409,),
    example=EXAMPLE,
)
def create_connection(call: Call) -> Answer:
    made = configure.create_connection(call.wiring.ports, actor_of(call), call.merchant_id, call.body)
    return changed(call, _shown(call, made), 201)


@operation(
    "GET",
    "/v1/connections/{id}",
    summary="Read a connection",
    tag=TAG,
    scope="config:read",
    answers={200: ConnectionModel},
)
def read_connection(call: Call) -> Answer:
    found = configure.read_connection(call.wiring.ports, call.merchant_id, call.params["id"])
    return versioned(_shown(call, found))


@operation(
    "PUT",
    "/v1/connections/{id}",
    summary="Change a connection",
    description="Its connector and its account at the PSP never change. A secret sent as `********` stays as it is.",
    tag=TAG,
    scope="config:write",
    body=configure.ConnectionChange,
    answers={200: ConnectionModel},
    problems=(409,),
    if_match=True,
    example={"enabled": False, "settings": {**SETTINGS_EXAMPLE, "api_key": "********"}},
)
def update_connection(call: Call) -> Answer:
    made = configure.update_connection(
        call.wiring.ports, actor_of(call), call.merchant_id, call.params["id"], call.body, expected_of(call)
    )
    return changed(call, _shown(call, made))


@operation(
    "DELETE",
    "/v1/connections/{id}",
    summary="Delete a connection",
    description="Ends new payments there. Its credentials stay for refunds and webhooks; its id is never used again.",
    tag=TAG,
    scope="config:write",
    answers={204: None},
    if_match=True,
)
def delete_connection(call: Call) -> Answer:
    configure.delete_connection(
        call.wiring.ports, actor_of(call), call.merchant_id, call.params["id"], expected_of(call)
    )
    return deleted(call)


@operation(
    "POST",
    "/v1/connections/{id}/tests",
    summary="Ask the PSP whether a connection's credentials are good",
    tag=TAG,
    scope="config:write",
    answers={200: ConnectionTestModel},
    problems=(409,),
)
def check_connection(call: Call) -> Answer:
    return Answer(200, asdict(configure.check_connection(call.wiring.ports, call.merchant_id, call.params["id"])))
