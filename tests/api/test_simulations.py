"""Simulations over HTTP: what they take, what they answer, and that they tell nothing of another merchant account's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chalicelib.api.models_simulation import SimulationModel
from tests.api.simulated import BE, Shop

DRAFT = {"otherwise": {"use": ["sandbox-b", "sandbox-a"]}}
PAYMENT = {"amount": {"value": 1050, "currency": "EUR"}}


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


@pytest.mark.parametrize("body", [{"days": 7}, {"payment": PAYMENT}, {"days": 7, "draft": DRAFT}])
def test_an_answer_is_as_documented(shop: Shop, body: Any) -> None:
    shop.paid()
    answer = shop.simulate(body)
    assert answer.status_code == 200
    SimulationModel.model_validate(answer.json_body)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, ""),
        ({"days": 7, "payment": PAYMENT}, ""),
        ({"days": 7, "at": "2026-03-01T12:00:00Z"}, ""),
        ({"payment": PAYMENT, "cursor": "x"}, ""),
        ({"payment": PAYMENT, "limit": 5}, ""),
        ({"days": 0}, "/days"),
        ({"days": 91}, "/days"),
        ({"days": 7, "limit": 201}, "/limit"),
        ({"days": 7, "cursor": "another-lists"}, "/cursor"),
        ({"payment": {}}, "/payment/amount"),
        ({"payment": PAYMENT, "at": 1_700_000_000}, "/at"),
        ({"payment": PAYMENT, "at": "yesterday"}, "/at"),
        ({"days": 7, "draft": {"otherwise": {}}}, "/draft/otherwise"),
    ],
)
def test_what_can_not_be_simulated_is_refused(shop: Shop, body: Any, pointer: str) -> None:
    answer = shop.simulate(body)
    assert (answer.status_code, answer.json_body["errors"][0]["pointer"]) == (422, pointer)


def test_the_route_as_it_stands_decides_and_tells_its_version(shop: Shop) -> None:
    answer = shop.simulate({"payment": {**PAYMENT, "country": BE}}).json_body
    assert (answer["version"], answer["replay"]) == (2, None)
    assert (answer["payment"]["rule"], answer["payment"]["chain"]) == ("Belgium", ["sandbox-b", "sandbox-a"])


def test_a_draft_decides_in_its_stead_and_has_no_version(shop: Shop) -> None:
    answer = shop.simulate({"payment": PAYMENT, "draft": DRAFT}).json_body
    assert (answer["version"], answer["payment"]["chain"]) == (None, ["sandbox-b", "sandbox-a"])
    assert answer["payment"]["explanation"]["summary"].startswith("Route default (a draft; no rule matched) chose")


def test_a_draft_is_checked_and_simulated_all_the_same(shop: Shop) -> None:
    answer = shop.simulate({"payment": PAYMENT, "draft": {"otherwise": {"use": ["nobody", "sandbox-a"]}}}).json_body
    assert [one["code"] for one in answer["findings"]["errors"]] == ["unknown-connection"]
    assert answer["payment"]["chain"] == ["sandbox-a"]


def test_a_payment_that_nobody_can_take_has_no_chain_but_reasons(shop: Shop) -> None:
    simulated = shop.simulate({"payment": {**PAYMENT, "payment_method": "ideal"}}).json_body["payment"]
    assert simulated["chain"] == []
    assert {one["reason"] for one in simulated["trace"][0]["candidates"]} == {"it offers no ideal"}
    assert simulated["explanation"]["summary"].endswith("found no connection that could take it.")


def test_what_rules_may_ask_for_reaches_them(shop: Shop) -> None:
    payment = {
        **PAYMENT,
        "order_reference": "order-1",
        "payment_method": "card",
        "country": "NL",
        "locale": "nl-NL",
        "customer": {"id": "c-1", "email": "a@shop.example"},
        "metadata": {"channel": "web"},
    }
    simulated = shop.simulate({"payment": payment, "at": "2026-03-01T23:30:00+02:00"}).json_body["payment"]
    assert simulated["trace"][0]["inputs"] == {
        "amount": 1050,
        "currency": "EUR",
        "country": "NL",
        "payment_method": "card",
        "locale": "nl-NL",
        "customer.id": "c-1",
        "customer.email_domain": "shop.example",
        "order_reference": "order-1",
        "hour_of_day": 21,
        "day_of_week": 7,
        "metadata.channel": "web",
    }


def test_a_capture_mode_that_a_connection_does_not_offer_counts(shop: Shop) -> None:
    shop.world.offer("sandbox-a", capture_modes=frozenset({"automatic"}))
    simulated = shop.simulate({"payment": {**PAYMENT, "capture": "manual"}}).json_body["payment"]
    assert simulated["chain"] == ["sandbox-b"]


def test_a_split_by_payment_deals_by_the_reference(shop: Shop) -> None:
    arms = [{"arm": "a", "weight": 50, "use": ["sandbox-a"]}, {"arm": "b", "weight": 50, "use": ["sandbox-b"]}]
    draft = {"otherwise": {"split": {"by": "payment", "arms": arms}}}

    def arm(reference: str) -> Any:
        payment = {**PAYMENT, "order_reference": reference}
        return shop.simulate({"payment": payment, "draft": draft}).json_body["payment"]["arm"]

    assert {arm(f"order-{number}") for number in range(12)} == {"a", "b"}
    assert len({arm("order-1") for _ in range(3)}) == 1


def test_the_deepest_condition_that_a_route_may_have_fits_into_a_simulation(shop: Shop) -> None:
    when: Any = {"field": "country", "op": "in", "value": ["NL"]}
    for _ in range(5):
        when = {"all": [when]}
    rule = {"name": "deep", "when": when, "then": {"use": ["sandbox-b"]}}
    body = {"payment": {**PAYMENT, "country": "NL"}, "draft": {**DRAFT, "rules": [rule]}}
    assert shop.simulate(body).json_body["payment"]["rule"] == "deep"


def test_a_replay_goes_on_where_its_cursor_says(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chalicelib.services.replay.PAGE_MAX", 2)
    monkeypatch.setattr("chalicelib.services.replay.READ_MAX", 2)
    payments = [shop.paid().id for _ in range(3)]
    first = shop.simulate({"days": 7, "draft": DRAFT}).json_body
    second = shop.simulate({"days": 7, "draft": DRAFT, "cursor": first["next_cursor"]}).json_body
    listed = [one["id"] for answer in (first, second) for one in answer["replay"]["payments"]]
    assert (listed, second["next_cursor"]) == (payments[::-1], None)


def test_an_empty_replay_has_no_shares(shop: Shop) -> None:
    replay = shop.simulate({"days": 7}).json_body["replay"]
    assert (replay["connections"], replay["authorized"]["before"], replay["payments"]) == ([], None, [])


def test_a_route_that_is_not_there_can_only_be_drafted(shop: Shop) -> None:
    assert shop.simulate({"days": 7}, "backup").status_code == 404
    assert shop.simulate({"days": 7, "draft": DRAFT}, "backup").status_code == 200


def test_another_merchant_accounts_route_is_not_found(shop: Shop) -> None:
    assert shop.simulate({"payment": PAYMENT}, merchant="other").status_code == 404


def test_a_draft_shows_nothing_of_another_merchant_accounts_payments_or_connections(shop: Shop) -> None:
    shop.paid()
    replay = shop.simulate({"days": 7, "draft": DRAFT}, merchant="other").json_body["replay"]
    assert replay["totals"]["read"] == 0
    simulated = shop.simulate({"payment": PAYMENT, "draft": DRAFT}, merchant="other").json_body["payment"]
    assert {one["reason"] for one in simulated["trace"][0]["candidates"]} == {"the connection does not exist"}


def test_another_merchant_accounts_cursor_leads_nowhere(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chalicelib.services.replay.PAGE_MAX", 1)
    monkeypatch.setattr("chalicelib.services.replay.READ_MAX", 1)
    shop.paid()
    shop.paid()
    cursor = shop.simulate({"days": 7}).json_body["next_cursor"]
    answer = shop.simulate({"days": 7, "draft": DRAFT, "cursor": cursor}, merchant="other")
    assert (answer.status_code, answer.json_body["errors"][0]["pointer"]) == (422, "/cursor")
