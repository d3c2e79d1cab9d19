"""Payments as CSV (RFC 4180), for accounting and spreadsheets: the filters of the list, and many rows at once."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Iterable, Sequence

from pydantic import Field

from chalicelib.api.operation import Answer, Call, operation
from chalicelib.api.patterns import CURSOR
from chalicelib.api.payments import PaymentQuery, page_of
from chalicelib.contracts.store import PAGE_MAX
from chalicelib.domain.fold import Amounts, fold
from chalicelib.domain.payment import Payment
from chalicelib.domain.tally import stand_of
from chalicelib.domain.view import decline_of, text_of

ROWS_MAX = 10_000
EXPORT_S = 20.0  # an API gateway ends a call at 29 s
ANSWER_BYTES_MAX = 5_000_000  # a function on Lambda answers with 6 MB of JSON at most
NEXT_CURSOR = "X-Next-Cursor"

COLUMNS = (
    "id",
    "created_at",
    "updated_at",
    "order_reference",
    "status",
    "currency",
    "amount",
    *Amounts._fields,
    "payment_method",
    "capture",
    "route",
    "route_version",
    "arm",
    "attempts",
    "connection_id",
    "connector",
    "psp_reference",
    "decline_code",
    "customer_id",
)
_FORMULA = ("=", "+", "-", "@")  # what a spreadsheet would calculate, and who orders says how it begins


class ExportQuery(PaymentQuery):
    limit: int = Field(ROWS_MAX, ge=1, le=ROWS_MAX)
    """How many payments an answer may hold."""
    cursor: str | None = Field(None, max_length=1024, json_schema_extra={"pattern": CURSOR})
    """The `X-Next-Cursor` of the answer before."""


@operation(
    "GET",
    "/v1/exports/payments.csv",
    summary="Export payments as CSV, the newest first",
    description="One row for each payment, amounts in minor units. `connection_id`, `connector`, `psp_reference` and "
    "`decline_code` are those of the attempt that was paid, else of the newest. Text that a spreadsheet would take for a "
    "formula has an apostrophe before it. Where the header `X-Next-Cursor` is there, call again with it for the rest: an "
    "answer ends after 10,000 payments, 20 s or 5 MB.",
    tag="Payments",
    scope="payments:read",
    query=ExportQuery,
    answers={200: None},
    media_type="text/csv",
)
def export_payments(call: Call) -> Answer:
    query: ExportQuery = call.query
    ends = time.monotonic() + EXPORT_S
    pages, cursor, left, size_bytes = [_lines([COLUMNS])], query.cursor, query.limit, 0
    while True:
        found, cursor = page_of(call, query, after=cursor, limit=min(left, PAGE_MAX))
        pages.append(_lines(map(_row_of, found)))
        left -= len(found)
        size_bytes += len(json.dumps(pages[-1]))  # as it is answered from Lambda: escaped to ASCII
        if cursor is None or left == 0 or size_bytes >= ANSWER_BYTES_MAX or time.monotonic() >= ends:
            break
    headers = {"Content-Disposition": 'attachment; filename="payments.csv"'}
    if cursor is not None:
        headers[NEXT_CURSOR] = cursor
    return Answer(200, "".join(pages), headers, "text/csv; charset=utf-8; header=present")


def _lines(rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue()


def _row_of(payment: Payment) -> tuple[object, ...]:
    folded, order, route = fold(payment), payment.order, payment.route
    current, _, _ = stand_of(payment, folded)
    attempt = payment.attempts[current]
    decline = decline_of(attempt, payment.facts)
    return (
        payment.id,
        text_of(payment.created_at),
        text_of(payment.updated_at),
        _text(order.order_reference),
        folded.status,
        order.amount.currency,
        order.amount.value,
        *folded.amounts,
        order.payment_method,
        order.capture,
        route.name,
        route.version,
        _text(route.arm),
        len(payment.attempts),
        attempt.connection_id,
        attempt.connector,
        _text(attempt.psp_reference),
        decline.code if decline else None,
        _text(order.customer.id if order.customer else None),
    )


def _text(value: str | None) -> str | None:
    return f"'{value}" if value is not None and value.startswith(_FORMULA) else value
