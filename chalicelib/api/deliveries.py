"""The delivery log and redelivery."""

from __future__ import annotations

import json
from typing import Literal

from pydantic import Field

from chalicelib.api.listing import PageQuery
from chalicelib.api.models import DeliveryList, DeliveryModel
from chalicelib.api.operation import Answer, Call, operation
from chalicelib.domain.configuration import DeliveryRecord, Requested
from chalicelib.domain.errors import NotFound
from chalicelib.domain.payment import Json
from chalicelib.domain.view import text_of
from chalicelib.services.kinds import DELIVERY


class DeliveryQuery(PageQuery):
    subscription_id: str | None = Field(None, min_length=1, max_length=64)
    status: Literal["pending", "succeeded", "retrying", "dead"] | None = None
    payment_id: str | None = Field(None, min_length=1, max_length=64)


def delivery_view(record: DeliveryRecord) -> dict[str, Json]:
    return {
        "id": record.id,
        "subscription_id": record.subscription_id,
        "payment_id": record.payment_id,
        "event_id": record.event_id,
        "event_type": record.event_type,
        "status": record.status,
        "created_at": text_of(record.created_at),
        "next_try_at": text_of(record.due_at) if record.due_at else None,
        "tried": record.tried,
        "tries": [
            {
                "at": text_of(one.at),
                "http_status": one.status,
                "latency_ms": one.latency_ms,
                "detail": one.detail,
                "answer": one.answer,
                "request": _request_view(one.request),
            }
            for one in record.tries
        ],
        "event": json.loads(record.body),
    }


def _request_view(request: Requested | None) -> dict[str, Json] | None:
    if request is None:
        return None
    return {"method": request.method, "address": request.address, "headers": list(request.headers)}


@operation(
    "GET",
    "/v1/deliveries",
    summary="List deliveries, the newest first",
    tag="Subscriptions",
    scope="config:read",
    query=DeliveryQuery,
    answers={200: DeliveryList},
)
def list_deliveries(call: Call) -> Answer:
    query: DeliveryQuery = call.query
    where = {"subscription_id": query.subscription_id, "status": query.status, "payment_id": query.payment_id}
    page = call.wiring.store.find(
        DELIVERY,
        "by_time",
        call.merchant_id,
        where={name: value for name, value in where.items() if value is not None},
        after=query.cursor,
        limit=query.limit,
    )
    return Answer(200, {"items": [delivery_view(one.value) for one in page.items], "next_cursor": page.after})


@operation(
    "POST",
    "/v1/deliveries/{id}/redeliveries",
    summary="Deliver an event once more, now",
    tag="Subscriptions",
    scope="config:write",
    answers={200: DeliveryModel},
    problems=(409,),
)
def redeliver(call: Call) -> Answer:
    try:
        record = call.wiring.store.get(DELIVERY, call.params["id"]).value
    except NotFound:
        record = None
    if record is None or record.merchant_id != call.merchant_id:
        raise NotFound("There is no such delivery.")
    return Answer(200, delivery_view(call.wiring.notify.redeliver(record.id)))
