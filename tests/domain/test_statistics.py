"""Figures by hour: what a payment's movements add to the rows, and how rows add up."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from chalicelib.domain.amend import amend
from chalicelib.domain.change import Change, Found
from chalicelib.domain.facts import Fact, Kind, State
from chalicelib.domain.payment import Payment
from chalicelib.domain.statistics import OPEN_MS, Of, Row, Rows, added, count_into, hour_of, order_of, rows_of
from tests.builders import NOW, attempt_id, fact, opened, page, payment

HOUR = timedelta(hours=1)
PAID = fact(Kind.CAPTURE, "p", State.SUCCEEDED, 1000)
OF = Of("psp-1", "default", "1", "otherwise", None, "EUR", None, "pending")


def told(known: Payment, *facts: Fact, at: datetime = NOW, open_ms: int | None = None) -> Payment:
    found = (Found(attempt_id(), "s", page(), open_ms=open_ms),) if open_ms else ()
    return amend(known, Change(facts=facts, found=found), at)


def counted(
    known: Payment, since: datetime = NOW - HOUR, until: datetime = NOW + 9 * HOUR
) -> dict[str, dict[str, int]]:
    """Figures of psp-1 by the hour they count in and the status they count for, as ``12 pending``."""
    rows: Rows = {}
    count_into(rows, known, since, until)
    return {f"{row.hour.hour} {row.of.status}": row.figures for row in rows_of(rows)}


@pytest.mark.parametrize(
    ("at", "hour"),
    [
        (datetime(2026, 3, 1, 12, 59, 59, 999_999, UTC), datetime(2026, 3, 1, 12, tzinfo=UTC)),
        (datetime(2026, 3, 1, 12, tzinfo=UTC), datetime(2026, 3, 1, 12, tzinfo=UTC)),
        (datetime(2026, 3, 1, 0, 30, tzinfo=timezone(2 * HOUR)), datetime(2026, 2, 28, 22, tzinfo=UTC)),
    ],
)
def test_an_hour_begins_in_utc(at: datetime, hour: datetime) -> None:
    assert hour_of(at) == hour
    assert hour_of(at).tzinfo is UTC


def test_a_payment_counts_where_it_stands_and_no_longer_where_it_stood() -> None:
    known = told(payment(), opened(), open_ms=340)
    assert counted(known) == {
        "12 pending": {"payments": 1, "attempts": 1, "opened": 1, "open_ms": 340, "open_ms_500": 1}
    }
    assert counted(told(known, PAID, at=NOW + HOUR)) == {
        "12 pending": {"payments": 1, "attempts": 1, "opened": 1, "open_ms": 340, "open_ms_500": 1},
        "13 pending": {"payments": -1},
        "13 captured": {
            "payments": 1,
            "payments_authorized": 1,
            "authorized": 1,
            "authorized_minor": 1000,
            "captured_minor": 1000,
        },
    }


@pytest.mark.parametrize(
    ("state", "status"), [(State.FAILED, "failed"), (State.EXPIRED, "expired"), (State.CANCELLED, "cancelled")]
)
def test_what_ended_without_money_counts_as_unpaid(state: State, status: str) -> None:
    known = told(told(payment(), opened()), fact(Kind.CHECKOUT, "s", state), at=NOW + HOUR)
    assert counted(known)[f"13 {status}"] == {"payments": 1, "payments_unpaid": 1}


def test_what_was_refunded_was_paid() -> None:
    refunded = fact(Kind.REFUND, "r", State.SUCCEEDED, 1000)
    known = told(told(payment(), opened(), PAID), refunded, at=NOW + HOUR)
    assert counted(known)["13 refunded"] == {"payments": 1, "payments_authorized": 1, "refunded_minor": 1000}
    assert counted(known)["13 captured"] == {"payments": -1, "payments_authorized": -1}


def test_an_event_that_moves_no_status_moves_no_payment() -> None:
    known = told(told(payment(), opened(), PAID), fact(Kind.DISPUTE, "d", State.OPENED, 400), at=NOW + HOUR)
    assert counted(known)["13 captured"] == {"charged_back_minor": 400}


@pytest.mark.parametrize(
    ("since", "until", "hours"),
    [
        (NOW, NOW + HOUR, {"12"}),
        (NOW + HOUR, NOW + 2 * HOUR, {"13"}),
        (NOW, NOW + 2 * HOUR, {"12", "13"}),
        (NOW + timedelta(seconds=1), NOW + HOUR, set()),
    ],
)
def test_a_roll_up_begins_with_its_hour_and_ends_before_the_next(
    since: datetime, until: datetime, hours: set[str]
) -> None:
    known = told(told(payment(), opened()), PAID, at=NOW + HOUR)
    assert {one.split()[0] for one in counted(known, since, until)} == hours


@pytest.mark.parametrize(
    ("open_ms", "bound"), [(1, 10), (10, 10), (11, 20), (60_000, 60_000), (60_001, 60_000), (999_999, 60_000)]
)
def test_how_long_a_page_took_counts_up_to_its_bound(open_ms: int, bound: int) -> None:
    figures = counted(told(payment(), opened(), open_ms=open_ms))["12 pending"]
    assert figures == {"payments": 1, "attempts": 1, "opened": 1, "open_ms": open_ms, f"open_ms_{bound}": 1}
    assert OPEN_MS[0] == 10
    assert OPEN_MS[-1] == 60_000


def test_a_row_is_of_all_that_may_be_grouped_by() -> None:
    start = payment()
    route = replace(start.route, name="shop", version=7, rule="large ones", arm="a")
    known = replace(start, order=replace(start.order, payment_method="card"), route=route)
    rows: Rows = {}
    count_into(rows, told(known, opened()), NOW, NOW + HOUR)
    assert list(rows) == [(NOW, Of("psp-1", "shop", "7", "large ones", "a", "EUR", "card", "pending"))]


def test_a_payment_without_an_attempt_is_of_no_connection() -> None:
    known = told(payment(), opened())
    rows: Rows = {}
    count_into(rows, replace(known, attempts=()), NOW, NOW + HOUR)
    assert [of.connection_id for _, of in rows] == [None]


def test_each_attempt_counts_at_its_own_connection() -> None:
    rows: Rows = {}
    count_into(rows, told(payment(2), opened(2), fact(Kind.CHECKOUT, "s", State.EXPIRED)), NOW, NOW + HOUR)
    assert {of.connection_id: figures["attempts"] for (_, of), figures in rows.items()} == {"psp-1": 1, "psp-2": 1}


def test_payments_of_one_kind_add_up() -> None:
    rows: Rows = {}
    for _ in range(2):
        count_into(rows, told(payment(), opened()), NOW, NOW + HOUR)
    assert rows == {(NOW, OF): {"payments": 2, "attempts": 2, "opened": 2}}


def test_rows_are_ordered_and_those_that_are_zero_left_out() -> None:
    other, arm = OF._replace(connection_id="psp-0"), OF._replace(arm="a")
    rows: Rows = {
        (NOW + HOUR, OF): {"payments": 1},
        (NOW, arm): {"payments": 1},
        (NOW, OF): {"payments": 2, "attempts": 0, "opened": -1},
        (NOW, other): {"payments": 1},
        (NOW - HOUR, OF): {"payments": 0},
    }
    assert rows_of(rows) == (
        Row(NOW, other, {"payments": 1}),
        Row(NOW, OF, {"opened": -1, "payments": 2}),
        Row(NOW, arm, {"payments": 1}),
        Row(NOW + HOUR, OF, {"payments": 1}),
    )
    assert list(rows_of(rows)[1].figures) == ["opened", "payments"], "so that the same figures are the same bytes"


def test_what_has_no_value_comes_first() -> None:
    assert order_of(("a", None)) == ((True, "a"), (False, ""))
    assert sorted([("a",), (None,), ("",)], key=order_of) == [(None,), ("",), ("a",)]


def test_rows_are_added_to_rows() -> None:
    rows: Rows = {(NOW, OF): {"payments": 1}}
    more = (Row(NOW, OF, {"payments": 2, "opened": 1}), Row(NOW + HOUR, OF, {"payments": 5}))
    assert added(more, rows) is rows
    assert rows == {(NOW, OF): {"payments": 3, "opened": 1}, (NOW + HOUR, OF): {"payments": 5}}
