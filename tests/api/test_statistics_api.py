"""Statistics over HTTP: what can be asked, how it is grouped and paged, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chalicelib.contracts.store import NEW
from chalicelib.domain.money import Money
from chalicelib.services.kinds import PAYMENT
from chalicelib.services.roll_up import roll_up
from chalicelib.services.statistics import GROUPS
from tests.api.reading import Reader, reading
from tests.services.histories import REFUND, sold


class Shop(Reader):
    path = "/v1/statistics"
    scope = "statistics:read"

    def items(self, query: str = "", **more: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.answered(query, **more).json_body["items"]
        return found


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with reading(Shop, tmp_path) as one:
        yield one


def refusal(answer: Any) -> tuple[int, str, str]:
    (error,) = answer.json_body["errors"]
    return answer.status_code, error["pointer"], error["detail"]


def test_an_hour_shows_every_figure(shop: Shop) -> None:
    sold(shop.world)
    (item,) = shop.items()
    latency = item.pop("latency_ms")
    assert latency["count"] == 1
    assert item == {
        "from": "2026-03-01T12:00:00.000000Z",
        "to": "2026-03-01T13:00:00.000000Z",
        "currency": "EUR",
        "payments": 1,
        "authorized": 1,
        "unpaid": 0,
        "authorized_share": 1.0,
        "attempts": 1,
        "outcomes": {
            "opened": 1,
            "authorized": 1,
            "unanswered": 0,
            "not_sent": 0,
            "misconfigured": 0,
            "rate_limited": 0,
        },
        "declines": {"hard": 0, "soft": 0, "fraud": 0},
        "amounts": {"authorized": 1000, "captured": 1000, "refunded": 0, "charged_back": 0},
    }


def test_nothing_is_no_item(shop: Shop) -> None:
    answer = shop.call()
    complete = "2026-03-01T12:00:00.000000Z"
    assert answer.json_body == {"items": [], "next_cursor": None, "complete_until": complete}


def test_the_newest_hour_comes_first(shop: Shop) -> None:
    payment = sold(shop.world)
    shop.world.clock.forward(7200)
    shop.world.do(REFUND, payment.id, "refund")
    assert [item["from"][11:13] for item in shop.items()] == ["14", "12"]


def test_a_day_is_one_of_utc(shop: Shop) -> None:
    payment = sold(shop.world)
    shop.world.clock.forward(12 * 3600)
    shop.world.do(REFUND, payment.id, "refund")
    found = [(one["from"][:10], one["to"][:10], one["amounts"]["refunded"]) for one in shop.items("?interval=day")]
    assert found == [("2026-03-02", "2026-03-03", 1000), ("2026-03-01", "2026-03-02", 0)]


def test_currencies_are_never_summed(shop: Shop) -> None:
    shop.world.offer("psp-1", currencies=frozenset({"EUR", "USD"}))
    sold(shop.world)
    sold(shop.world, key="dollars", order_reference="dollars", amount=Money(700, "USD"))
    found = [(one["currency"], one["amounts"]["captured"]) for one in shop.items("?group_by=route")]
    assert found == [("EUR", 1000), ("USD", 700)]


@pytest.mark.parametrize("name", GROUPS)
def test_every_group_stands_in_the_items_under_its_name(shop: Shop, name: str) -> None:
    sold(shop.world, payment_method="card")
    (*_, item) = shop.items(f"?group_by={name}")
    expected = {
        "connection_id": "psp-1",
        "route": "default",
        "route_version": "1",
        "rule": "otherwise",
        "arm": None,
        "currency": "EUR",
        "payment_method": "card",
        "status": "pending",
    }
    assert item[name] == expected[name]


def test_attempts_count_at_their_own_connection(shop: Shop) -> None:
    shop.world.psps["psp-1"].script = lambda order: "hard"
    sold(shop.world)
    found = {one["connection_id"]: one for one in shop.items("?group_by=connection_id")}
    assert (found["psp-1"]["payments"], found["psp-1"]["attempts"], found["psp-1"]["declines"]["hard"]) == (0, 1, 1)
    assert (found["psp-2"]["payments"], found["psp-2"]["attempts"]) == (1, 1)
    assert found["psp-2"]["amounts"]["captured"] == 1000


def test_payments_of_a_status_are_those_that_have_it(shop: Shop) -> None:
    sold(shop.world)
    shop.world.open(key="open")
    found = {one["status"]: one["payments"] for one in shop.items("?group_by=status")}
    assert found == {"captured": 1, "pending": 1}


def test_a_cursor_leads_through_every_item_once(shop: Shop) -> None:
    sold(shop.world)
    shop.world.psps["psp-1"].script = lambda order: "hard"
    for number in range(3):
        shop.world.clock.forward(3600)
        sold(shop.world, key=str(number), order_reference=str(number))
        roll_up(shop.world.ports, "default")
    whole = shop.items("?group_by=connection_id,status")
    paged: list[Any] = []
    cursor = ""
    for _ in whole:
        answer = shop.call(f"?group_by=connection_id,status&limit=1{cursor}").json_body
        paged += answer["items"]
        cursor = f"&cursor={answer['next_cursor']}"
    assert len(whole) > 4
    assert (paged, answer["next_cursor"]) == (whole, None)


@pytest.mark.parametrize("cursor", ["x", "WyJhIl0", "bnVsbA", "W10", "WzEsMl0", "e30", "WyJhIiwxXQ"])
def test_a_foreign_cursor_is_refused(shop: Shop, cursor: str) -> None:
    assert shop.call(f"?cursor={cursor}").status_code == 400


def test_an_unknown_group_is_refused_by_the_names_there_are(shop: Shop) -> None:
    status, pointer, detail = refusal(shop.call("?group_by=route,shop"))
    assert (status, pointer) == (422, "/query/group_by")
    assert "'shop'" in detail
    assert all(name in detail for name in GROUPS)


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("?from=2026-03-01T12:00:01Z&to=2026-03-01T12:00:00Z", "/query/from"),
        ("?from=2025-11-01", "/query/from"),
        ("?from=2025-01-01&interval=day", "/query/from"),
        ("?interval=week", "/query/interval"),
        ("?limit=10001", "/query/limit"),
        ("?since=2026-03-01", "/query/since"),
    ],
)
def test_what_can_not_be_answered_is_refused(shop: Shop, query: str, pointer: str) -> None:
    assert refusal(shop.call(query))[:2] == (422, pointer)


@pytest.mark.parametrize(
    "query",
    [
        "?from=2025-12-01&to=2026-03-01",
        "?from=2025-03-02&interval=day",
        "?from=9999-12-31T23:59:59Z&to=9999-12-31T23:59:59Z&interval=day",
        "?to=1970-01-01",
        "?from=2026-03-01T12:00:00Z&to=2026-03-01T12:00:00Z",
    ],
)
def test_any_period_within_the_limits_is_answered(shop: Shop, query: str) -> None:
    assert shop.call(query).status_code == 200


def test_another_merchant_account_sees_none_of_it(shop: Shop) -> None:
    sold(shop.world)
    assert shop.items(token="other statistics:read") == []
    shop.world.clock.forward(7200)
    roll_up(shop.world.ports, "default")
    assert shop.items(token="other statistics:read") == []


def test_each_merchant_account_sees_its_own(shop: Shop) -> None:
    payment = sold(shop.world)
    shop.world.store.put(PAYMENT, replace(payment, id="pay_others", merchant_id="other"), expect=NEW)
    for _ in range(2):
        assert [one["payments"] for one in shop.items()] == [1]
        assert [one["payments"] for one in shop.items(token="other statistics:read")] == [1]
        shop.world.clock.forward(7200)
        for merchant_id in ("default", "other"):
            roll_up(shop.world.ports, merchant_id)


def test_its_scope_is_asked_for(shop: Shop) -> None:
    assert shop.call(token="default payments:read audit:read").status_code == 403


def test_what_is_too_much_to_count_at_once_is_said_to_be_missing(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chalicelib.services.statistics.LIVE_MAX", 1)
    monkeypatch.setattr("chalicelib.services.roll_up.PAGE_MAX", 1)
    for number in range(3):
        sold(shop.world, key=str(number), order_reference=str(number))
        shop.world.clock.forward(60)
    answer = shop.call("?from=2026-03-01T12:00:00Z").json_body
    assert (answer["items"], answer["complete_until"]) == ([], "2026-03-01T12:00:00.000000Z")
    roll_up(shop.world.ports, "default")
    answer = shop.call("?from=2026-03-01T12:00:00Z").json_body
    assert (answer["items"][0]["payments"], answer["complete_until"]) == (3, "2026-03-01T12:03:00.000000Z")
