"""The catalogue of connectors: what each PSP can do, and which settings it takes."""

from __future__ import annotations

from chalicelib.api.listing import PageQuery
from chalicelib.api.models_configuration import ConnectorList
from chalicelib.api.operation import Answer, Call, operation
from chalicelib.contracts.connector import Connector
from chalicelib.domain.errors import Unreadable
from chalicelib.domain.payment import Json


@operation(
    "GET",
    "/v1/connectors",
    summary="List connectors by name",
    description="`settings` is the JSON Schema of what a connection of this connector takes.",
    tag="Connections",
    scope="config:read",
    query=PageQuery,
    answers={200: ConnectorList},
)
def list_connectors(call: Call) -> Answer:
    """The catalogue is fixed, so the cursor is simply the last name shown."""
    query: PageQuery = call.query
    names = sorted(call.wiring.ports.connectors)
    if query.cursor is not None:
        if query.cursor not in names:
            raise Unreadable("The cursor is none of this list's.")
        names = names[names.index(query.cursor) + 1 :]
    shown = [connector_view(call.wiring.ports.connectors[name]) for name in names[: query.limit]]
    more = len(names) > query.limit
    return Answer(200, {"items": shown, "next_cursor": names[query.limit - 1] if more else None})


def connector_view(connector: type[Connector]) -> dict[str, Json]:
    can = connector.capabilities
    return {
        "name": connector.name,
        "title": connector.title,
        "capabilities": {
            "operations": sorted(can.operations),
            "capture_modes": sorted(can.capture_modes),
            "partial_capture": can.partial_capture,
            "multiple_captures": can.multiple_captures,
            "partial_refund": can.partial_refund,
            "inert_until_visited": can.inert_until_visited,
            "reads_money": can.reads_money,
            "looks_up_references": can.looks_up_references,
            "completes_on_return": can.completes_on_return,
            "webhook_address": can.webhook_address,
            "webhook_methods": sorted(can.webhook_methods),
            "key_lives_s": dict(sorted(can.key_lives_s.items())),
        },
        "payment_methods": sorted(can.payment_methods),
        "currencies": sorted(can.currencies),
        "amount_limits": {
            currency: {"least": least, "most": most} for currency, (least, most) in sorted(can.amount_limits.items())
        },
        "settings": connector.settings.model_json_schema(),
    }
