"""Webhooks that were not applied, for an operator's eyes and hands."""

from __future__ import annotations

import base64
from typing import Literal

from pydantic import Field

from chalicelib.api.listing import PageQuery
from chalicelib.api.models import InboxList, InboxModel
from chalicelib.api.operation import Answer, Call, operation
from chalicelib.domain.configuration import InboxItem
from chalicelib.domain.errors import NotFound
from chalicelib.domain.payment import Json
from chalicelib.domain.view import text_of
from chalicelib.services.kinds import INBOX

BODY_SHOWN = 16_384


class InboxQuery(PageQuery):
    connection_id: str | None = Field(None, min_length=1, max_length=40)
    status: Literal["unmatched", "unverified", "rejected", "anomalous", "failed"] | None = None


def inbox_view(item: InboxItem) -> dict[str, Json]:
    body = base64.b64decode(item.body_base64)
    return {
        "id": item.id,
        "connection_id": item.connection_id,
        "status": item.status,
        "detail": item.detail,
        "received_at": text_of(item.received_at),
        "tried": item.tried,
        "next_try_at": text_of(item.due_at) if item.due_at else None,
        "body": body[:BODY_SHOWN].decode("utf-8", "replace"),
    }


@operation(
    "GET",
    "/v1/inbox",
    summary="List webhooks that were not applied, the newest first",
    tag="Inbox",
    scope="config:read",
    query=InboxQuery,
    answers={200: InboxList},
)
def list_inbox(call: Call) -> Answer:
    query: InboxQuery = call.query
    where = {"connection_id": query.connection_id, "status": query.status}
    page = call.wiring.store.find(
        INBOX,
        "by_time",
        call.merchant_id,
        where={name: value for name, value in where.items() if value is not None},
        after=query.cursor,
        limit=query.limit,
    )
    return Answer(200, {"items": [inbox_view(one.value) for one in page.items], "next_cursor": page.after})


@operation(
    "POST",
    "/v1/inbox/{id}/replays",
    summary="Try to apply a webhook once more",
    tag="Inbox",
    scope="config:write",
    answers={200: InboxModel},
)
def replay_inbox(call: Call) -> Answer:
    try:
        item = call.wiring.store.get(INBOX, call.params["id"]).value
    except NotFound:
        item = None
    if item is None or item.merchant_id != call.merchant_id:
        raise NotFound("There is no such webhook in the inbox.")
    return Answer(200, inbox_view(call.wiring.apply.again(item.id)))
