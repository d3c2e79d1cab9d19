"""Payments as CSV over HTTP: the list's filters, a row for each payment, and a cursor where an answer ends."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chalicelib.api import exports
from chalicelib.api.exports import COLUMNS, NEXT_CURSOR
from chalicelib.domain.order import Customer
from chalicelib.services.kinds import PAYMENT
from tests.api.reading import Reader, reading
from tests.api.served import header
from tests.psp import DECLINE
from tests.services.histories import REFUND, pay, sealed, sold


class Shop(Reader):
    path = "/v1/exports/payments.csv"
    scope = "payments:read"

    def rows(self, query: str = "", **more: str) -> list[dict[str, str]]:
        return rows_of(self.answered(query, **more))


def rows_of(answer: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(answer.body.decode().split("\r\n"), strict=True))


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with reading(Shop, tmp_path) as one:
        yield one


def opened(shop: Shop, count: int) -> list[str]:
    """Ids, the newest first; a second lies between two."""
    ids = []
    for number in range(count):
        ids.insert(0, shop.world.open(f"key-{number}", order_reference=f"order-{number}").payment.id)
        shop.world.clock.forward(1)
    return ids


def test_a_row_has_what_an_accountant_asks_for(shop: Shop) -> None:
    payment = sold(
        shop.world, order_reference="order-17", customer=Customer("c-17", "shopper@example.com", "A Shopper")
    )
    shop.world.do(REFUND, payment.id, "a-refund", 300)
    (row,) = shop.rows()
    times = {name: row.pop(name) for name in ("created_at", "updated_at")}
    assert times["created_at"] == "2026-03-01T12:00:00.000000Z"
    assert row == {
        "id": payment.id,
        "order_reference": "order-17",
        "status": "partially_refunded",
        "currency": "EUR",
        "amount": "1000",
        "authorized": "1000",
        "captured": "1000",
        "refunded": "300",
        "refundable": "700",
        "capturable": "0",
        "charged_back": "0",
        "surplus": "0",
        "payment_method": "",
        "capture": "automatic",
        "route": "default",
        "route_version": "1",
        "arm": "",
        "attempts": "1",
        "connection_id": "psp-1",
        "connector": "simulated",
        "psp_reference": payment.attempts[0].psp_reference,
        "decline_code": "",
        "customer_id": "c-17",
    }


def test_an_export_of_nothing_is_its_header(shop: Shop) -> None:
    answer = shop.call()
    assert answer.body.decode() == ",".join(COLUMNS) + "\r\n"
    assert header(answer, "content-type") == "text/csv; charset=utf-8; header=present"
    assert header(answer, "content-disposition") == 'attachment; filename="payments.csv"'


def test_a_row_names_the_attempt_that_was_paid(shop: Shop) -> None:
    payment = sealed(shop.world)
    shop.world.psps["psp-1"].can_read = True
    pay(shop.world, payment, 0)
    (row,) = shop.rows()
    assert (row["connection_id"], row["attempts"], row["status"]) == ("psp-1", "2", "captured")


def test_a_declined_payment_says_why(shop: Shop) -> None:
    for psp in shop.world.psps.values():
        psp.script = lambda order: DECLINE
    shop.world.open()
    (row,) = shop.rows()
    assert (row["status"], row["decline_code"]) == ("failed", "declined")


def test_text_that_a_spreadsheet_would_calculate_is_text(shop: Shop) -> None:
    shop.world.open(order_reference='=HYPERLINK("https://evil.example")', customer=Customer("@SUM(A1)"))
    (row,) = shop.rows()
    assert (row["order_reference"], row["customer_id"]) == ('\'=HYPERLINK("https://evil.example")', "'@SUM(A1)")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?order_reference=order-1", [1]),
        ("?status=pending", [2, 1, 0]),
        ("?status=captured", []),
        ("?currency=USD", []),
        ("?connection_id=psp-2", []),
        ("?created_from=2026-03-01T12:00:01Z", [2, 1]),
        ("?created_to=2026-03-01T12:00:01Z", [0]),
        ("?attention=true", []),
    ],
)
def test_it_takes_the_filters_of_the_list(shop: Shop, query: str, found: list[int]) -> None:
    opened(shop, 3)
    assert [row["order_reference"] for row in shop.rows(query)] == [f"order-{number}" for number in found]


def test_a_cursor_leads_on_where_an_answer_ends(shop: Shop) -> None:
    ids = opened(shop, 5)
    first = shop.call("?limit=2")
    second = shop.call(f"?limit=2&cursor={header(first, NEXT_CURSOR)}")
    last = shop.call(f"?limit=2&cursor={header(second, NEXT_CURSOR)}")
    assert [row["id"] for answer in (first, second, last) for row in rows_of(answer)] == ids
    assert header(last, NEXT_CURSOR) is None


def test_one_answer_holds_many_pages_of_the_list(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "PAGE_MAX", 2)
    ids = opened(shop, 5)
    answer = shop.call()
    assert ([row["id"] for row in rows_of(answer)], header(answer, NEXT_CURSOR)) == (ids, None)


@pytest.mark.parametrize("bound", ["ANSWER_BYTES_MAX", "EXPORT_S"])
def test_an_answer_ends_before_it_is_too_large_or_too_late(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    monkeypatch.setattr(exports, "PAGE_MAX", 2)
    monkeypatch.setattr(exports, bound, 0)
    ids = opened(shop, 3)
    first = shop.call()
    assert [row["id"] for row in rows_of(first)] == ids[:2]
    assert [row["id"] for row in shop.rows(f"?cursor={header(first, NEXT_CURSOR)}")] == ids[2:]


def test_another_merchant_account_exports_none_of_it(shop: Shop) -> None:
    (payment_id,) = opened(shop, 1)
    assert shop.world.store.get(PAYMENT, payment_id).value.merchant_id == "default"
    assert shop.rows(token="other payments:read") == []


@pytest.mark.parametrize("query", ["?limit=0", "?limit=10001", "?status=paid", "?columns=id"])
def test_what_can_not_be_asked_is_refused(shop: Shop, query: str) -> None:
    assert shop.call(query).status_code == 422


def test_a_cursor_of_another_list_is_refused(shop: Shop) -> None:
    assert shop.call("?cursor=AAAA").status_code == 400


def test_a_token_needs_the_scope(shop: Shop) -> None:
    assert shop.call(token="default config:read").status_code == 403
