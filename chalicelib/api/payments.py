"""Reading payments: one, a list, a timeline."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from chalicelib import telemetry
from chalicelib.api.listing import PageQuery
from chalicelib.api.models import PaymentList, PaymentModel, TimelineList
from chalicelib.api.operation import Answer, Call, operation
from chalicelib.api.patterns import CURRENCY
from chalicelib.api.times import Instant
from chalicelib.contracts.store import PAGE_MAX
from chalicelib.domain.configuration import DeliveryRecord
from chalicelib.domain.errors import NotFound, Unreadable
from chalicelib.domain.fold import fold
from chalicelib.domain.payment import Json, Payment
from chalicelib.domain.view import route_of, text_of, view_of
from chalicelib.services.explain import explain
from chalicelib.services.kinds import DELIVERY, PAYMENT

StatusName = Literal[
    "created",
    "pending",
    "authorized",
    "partially_captured",
    "captured",
    "partially_refunded",
    "refunded",
    "cancelled",
    "failed",
    "expired",
    "unknown",
]


DELIVERY_PAGES_MAX = 20  # of a timeline: 4,000 deliveries


class PaymentQuery(PageQuery):
    order_reference: str | None = Field(None, min_length=1, max_length=64)
    """The shop's own reference."""
    status: StatusName | None = None
    connection_id: str | None = Field(None, min_length=1, max_length=40)
    """The connection of the newest attempt."""
    currency: str | None = Field(None, pattern=CURRENCY)
    attention: bool | None = None
    """`true`: only those that wait for an operator, the operators' queue."""
    created_from: Instant | None = None
    """The earliest time of creation, included."""
    created_to: Instant | None = None
    """The latest time of creation, not included."""


def payment_of(call: Call, payment_id: str) -> Payment:
    """The payment, if it is this merchant account's. Raises NotFound."""
    try:
        payment = call.wiring.store.get(PAYMENT, payment_id).value
    except NotFound:
        payment = None
    if payment is None or payment.merchant_id != call.merchant_id:
        raise NotFound("There is no such payment.")
    telemetry.note(payment_id=payment.id)
    return payment


@operation(
    "GET",
    "/v1/payments/{id}",
    summary="Read a payment",
    tag="Payments",
    scope="payments:read",
    answers={200: PaymentModel},
)
def read_payment(call: Call) -> Answer:
    payment = payment_of(call, call.params["id"])
    shown = view_of(payment, fold(payment))
    shown["route"] = {**route_of(payment.route), "explanation": explain(call.wiring.ports, payment)}
    return Answer(200, shown)


@operation(
    "GET",
    "/v1/payments",
    summary="List payments, the newest first",
    tag="Payments",
    scope="payments:read",
    query=PaymentQuery,
    answers={200: PaymentList},
)
def list_payments(call: Call) -> Answer:
    query: PaymentQuery = call.query
    found, after = page_of(call, query, after=query.cursor, limit=query.limit)
    return Answer(200, {"items": [view_of(one, fold(one)) for one in found], "next_cursor": after})


def page_of(call: Call, query: PaymentQuery, *, after: str | None, limit: int) -> tuple[list[Payment], str | None]:
    """The payments that the query asks for, the newest first, and where to go on; the page may be short before the end."""
    index, partition = _listed(call.merchant_id, query)
    where = {"status": query.status, "connection_id": query.connection_id, "currency": query.currency}
    page = call.wiring.store.find(
        PAYMENT,
        index,
        partition,
        since=text_of(query.created_from) if query.created_from else None,
        until=text_of(query.created_to) if query.created_to else None,
        where={name: value for name, value in where.items() if value is not None},
        after=after,
        limit=limit,
    )
    found = (stored.value for stored in page.items)
    return [one for one in found if query.attention in (None, one.attention)], page.after


def _listed(merchant_id: str, query: PaymentQuery) -> tuple[str, str]:
    """The index that a list reads, and the partition of it."""
    if query.order_reference is not None:
        return "by_order", f"{merchant_id}/{query.order_reference}"
    return "attention" if query.attention else "by_time", merchant_id


@operation(
    "GET",
    "/v1/payments/{id}/timeline",
    summary="Read everything that happened to a payment, the oldest first",
    tag="Payments",
    scope="payments:read",
    query=PageQuery,
    answers={200: TimelineList},
)
def read_timeline(call: Call) -> Answer:
    """The timeline is bounded, so it is one page unless `limit` makes it several; the cursor is a position."""
    payment = payment_of(call, call.params["id"])
    entries: list[tuple[str, dict[str, Json]]] = [
        (text_of(entry.at), {"kind": entry.kind, "summary": entry.summary, "data": entry.data})
        for entry in payment.timeline
    ]
    if payment.timeline[:1] and payment.timeline[0].kind == "routing":  # the decision; it is never dropped
        why = {**payment.timeline[0].data, "explanation": explain(call.wiring.ports, payment)}
        entries[0] = (entries[0][0], {**entries[0][1], "data": why})
    for record in _deliveries_of(call, payment.id):
        entries += _tries_of(record)
    entries.sort(key=lambda one: one[0])
    query: PageQuery = call.query
    start = _position_of(query.cursor)
    shown = [{"at": at, **entry} for at, entry in entries[start : start + query.limit]]
    end = start + query.limit
    return Answer(200, {"items": shown, "next_cursor": str(end) if end < len(entries) else None})


def _deliveries_of(call: Call, payment_id: str) -> Iterator[DeliveryRecord]:
    after: str | None = None
    for _ in range(DELIVERY_PAGES_MAX):
        page = call.wiring.store.find(
            DELIVERY, "by_payment", payment_id, newest_first=False, after=after, limit=PAGE_MAX
        )
        yield from (stored.value for stored in page.items)
        after = page.after
        if after is None:
            return


def _position_of(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 9):
        raise Unreadable("The cursor is none of this list's.")
    return int(cursor)


def _tries_of(record: DeliveryRecord) -> list[tuple[str, dict[str, Json]]]:
    told = []
    for number, one in enumerate(record.tries, start=record.tried - len(record.tries) + 1):
        summary = f"{record.event_type} to {record.subscription_id}, try {number}: {one.detail}."
        data = {
            "delivery_id": record.id,
            "subscription_id": record.subscription_id,
            "event_id": record.event_id,
            "http_status": one.status,
            "latency_ms": one.latency_ms,
        }
        told.append((text_of(one.at), {"kind": "delivery", "summary": summary, "data": data}))
    return told
