"""The sandbox PSPs over real HTTP: sessions, idempotency, the hosted page, and what moves money."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from dev.sandbox.accounts import ACCOUNTS
from dev.sandbox.display import money
from dev.sandbox.loopback import serving
from dev.sandbox.timing import Timing
from tests.dev.merchant import CANCEL_URL, EURO_1050, QUICK, RETURN_URL, Inbox, Merchant, euro, listening


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with listening() as inbox:
        yield inbox


@pytest.fixture
def merchant(tmp_path: Path, inbox: Inbox) -> Iterator[Merchant]:
    with serving(tmp_path, webhook_base=inbox.url, timing=QUICK) as base:
        yield Merchant(base)


def test_an_opened_session_is_found_by_id_and_by_reference(merchant: Merchant) -> None:
    session = merchant.opened()
    assert (session["status"], session["payment"], session["amount"]) == ("open", None, EURO_1050)
    assert merchant.read(session) == session
    assert merchant.call("GET", "/sessions?reference=att_1").json()["items"] == [session]


def test_the_same_key_and_body_replay_the_same_session(merchant: Merchant) -> None:
    first, again = merchant.create(), merchant.create()
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert (first.headers.get("Idempotent-Replayed"), again.headers["Idempotent-Replayed"]) == (None, "true")
    assert len(merchant.log()["sessions"]) == 1


def test_the_same_key_at_once_creates_one_session(merchant: Merchant) -> None:
    threads = [threading.Thread(target=merchant.create) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log = merchant.log()
    assert len(log["sessions"]) == 1
    assert log["calls"] == [{"operation": "create_session", "idempotency_key": "att_1", "count": 6}]


def test_the_same_key_with_another_body_is_a_mismatch(merchant: Merchant) -> None:
    merchant.opened()
    other = merchant.create(amount=euro(1051))
    assert (other.status_code, other.json()["error"]["code"]) == (409, "idempotency_mismatch")


def test_a_key_is_forgotten_when_its_life_ends(tmp_path: Path) -> None:
    with serving(tmp_path, timing=Timing(key_life_s=0)) as base:
        assert Merchant(base).opened()["id"] != Merchant(base).opened()["id"]


def test_a_post_without_a_key_is_refused(merchant: Merchant) -> None:
    assert merchant.call("POST", "/sessions", merchant.order()).status_code == 422


def test_another_accounts_key_opens_nothing(merchant: Merchant) -> None:
    headers = {"Authorization": f"Bearer {ACCOUNTS['sandbox-b'].api_key}"}
    answer = requests.get(f"{merchant.base}/sandbox-a/v1/sessions", headers=headers, timeout=10)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthorized")


def test_another_host_name_reaches_nothing(merchant: Merchant) -> None:
    answer = requests.get(f"{merchant.base}/healthz", headers={"Host": "evil.example"}, timeout=10)
    assert answer.status_code == 403


@pytest.mark.parametrize("value", [10.5, 10.0, True, "10", 0, -1, None, 10**13])
def test_an_amount_that_is_no_positive_integer_is_refused(merchant: Merchant, value: object) -> None:
    assert merchant.create(amount={"value": value, "currency": "EUR"}).status_code == 422


@pytest.mark.parametrize(
    ("outcome", "capture", "event", "status", "goes_to"),
    [
        ("paid", "automatic", "session.paid", "captured", RETURN_URL),
        ("authenticated", "automatic", "session.paid", "captured", RETURN_URL),
        ("authorized", "automatic", "session.authorized", "authorized", RETURN_URL),
        ("paid", "manual", "session.authorized", "authorized", RETURN_URL),
        ("authenticated", "manual", "session.authorized", "authorized", RETURN_URL),
        ("declined", "automatic", "try.declined", "declined", RETURN_URL),
        ("cancelled", "automatic", "session.cancelled", "cancelled", CANCEL_URL),
    ],
)
def test_a_button_changes_the_payment_sends_a_webhook_and_the_shopper_back(
    merchant: Merchant, inbox: Inbox, outcome: str, capture: str, event: str, status: str, goes_to: str
) -> None:
    session = merchant.opened(capture=capture)
    answer = merchant.act(session, outcome)
    assert (answer.status_code, answer.headers["Location"]) == (303, goes_to)
    told = inbox.wait_for(event)[0]
    assert told["data"] == merchant.read(session)
    assert told["data"]["payment"]["status"] == status
    assert told["version"] == session["version"] + 1


def test_a_declined_shopper_can_try_again(merchant: Merchant) -> None:
    session = merchant.opened()
    merchant.act(session, "declined")
    assert merchant.read(session)["status"] == "open"
    merchant.act(session, "paid")
    payment = merchant.read(session)["payment"]
    assert [one["status"] for one in payment["tries"]] == ["declined", "approved"]
    assert (payment["captures"], payment["amount_captured"]) == ([], EURO_1050)


def test_the_page_shows_the_order_and_escapes_it(merchant: Merchant) -> None:
    session = merchant.opened(description="<b>Two books</b>", metadata={"order_reference": "order-1001"})
    page = requests.get(session["url"], timeout=10)
    assert page.status_code == 200
    for text in ("EUR 10.50", "&lt;b&gt;Two books", "order-1001", "sandbox"):
        assert text in page.text
    for outcome in ("paid", "declined", "authenticated", "cancelled", "authorized"):
        assert f'name="outcome" value="{outcome}"' in page.text


def test_a_paid_page_can_not_be_paid_again(merchant: Merchant) -> None:
    session = merchant.paid()
    before = merchant.read(session)
    assert merchant.act(session, "paid").status_code == 409
    assert "is paid" in requests.get(session["url"], timeout=10).text
    assert merchant.read(session) == before


def test_an_expired_page_is_gone(merchant: Merchant, inbox: Inbox) -> None:
    session = merchant.opened(expires_in_s=1)
    assert inbox.wait_for("session.expired")[0]["data"]["status"] == "expired"
    assert merchant.act(session, "paid").status_code == 410
    assert merchant.read(session)["payment"] is None


def test_expiry_needs_no_ticker(tmp_path: Path) -> None:
    with serving(tmp_path, timing=Timing(tick_s=60)) as base:
        session = Merchant(base).opened(expires_in_s=1)
        time.sleep(1)
        assert Merchant(base).act(session, "paid").status_code == 410


def test_the_merchant_expires_an_open_session_but_not_a_paid_one(merchant: Merchant, inbox: Inbox) -> None:
    opened, paid = merchant.opened(), merchant.paid(key="att_2")
    assert merchant.call("POST", f"/sessions/{opened['id']}/expire", {}, "e1").json()["status"] == "expired"
    assert merchant.call("POST", f"/sessions/{paid['id']}/expire", {}, "e2").status_code == 409
    inbox.wait_for("session.expired")


def test_captures_and_the_final_one_share_the_authorized_amount(merchant: Merchant, inbox: Inbox) -> None:
    session = merchant.paid(capture="manual")
    assert merchant.move(session, "captures", "op_1", amount=euro(400)).status_code == 201
    over = merchant.move(session, "captures", "op_2", amount=euro(651))
    assert (over.status_code, over.json()["error"]["code"]) == (422, "amount_exceeds_capturable")
    merchant.move(session, "captures", "op_3", amount=euro(600), final=True)
    payment = merchant.read(session)["payment"]
    assert (payment["status"], payment["amount_captured"]["value"]) == ("captured", 1000)
    assert [one["amount"]["value"] for one in payment["voids"]] == [50]
    inbox.wait_for("capture.succeeded", 2)


def test_a_cancellation_voids_what_is_authorized_once(merchant: Merchant, inbox: Inbox) -> None:
    session = merchant.paid(capture="manual")
    assert merchant.move(session, "cancel").json()["amount"] == EURO_1050
    assert merchant.move(session, "cancel").headers["Idempotent-Replayed"] == "true"
    assert merchant.move(session, "cancel", "op_2").status_code == 409
    assert merchant.read(session)["payment"]["status"] == "voided"
    inbox.wait_for("void.succeeded")


def test_refunds_never_exceed_what_was_captured(merchant: Merchant, inbox: Inbox) -> None:
    session = merchant.paid()
    first = merchant.move(session, "refunds", "op_1", amount=euro(1000), reason="damaged").json()
    over = merchant.move(session, "refunds", "op_2", amount=euro(51))
    assert (over.status_code, over.json()["error"]["code"]) == (422, "amount_exceeds_refundable")
    assert merchant.move(session, "refunds", "op_3").json()["amount"] == euro(50)
    path = f"/sessions/{session['id']}/refunds"
    assert merchant.call("GET", f"{path}/{first['id']}").json() == first
    assert merchant.call("GET", f"{path}?reference=op_1").json()["items"] == [first]
    inbox.wait_for("refund.succeeded", 2)


def test_nothing_moves_before_the_shopper_paid(merchant: Merchant) -> None:
    session = merchant.opened()
    assert [merchant.move(session, what).status_code for what in ("captures", "cancel", "refunds")] == [409] * 3


def test_a_refund_in_the_dashboard_has_no_reference(merchant: Merchant, inbox: Inbox) -> None:
    session = merchant.paid()
    path = f"/dashboard/sessions/{session['id']}/refunds"
    assert merchant.control("POST", path, {"amount": euro(50)}).status_code == 201
    assert inbox.wait_for("refund.succeeded")[0]["data"]["payment"]["refunds"][0]["reference"] is None
    assert session["id"] in merchant.control("GET", "/dashboard").text


def test_a_dispute_opens_holds_the_money_and_is_decided(merchant: Merchant, inbox: Inbox) -> None:
    session = merchant.paid()
    path = f"/dashboard/sessions/{session['id']}/disputes"
    assert merchant.control("POST", path, {"state": "won"}).status_code == 409
    assert merchant.control("POST", path, {"state": "opened"}).json()["amount"] == EURO_1050
    assert merchant.move(session, "refunds").status_code == 422
    assert merchant.control("POST", path, {"state": "won"}).status_code == 201
    assert merchant.move(session, "refunds").status_code == 201
    inbox.wait_for("dispute.won")


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [(1050, "EUR", "EUR 10.50"), (123456, "JPY", "JPY 123,456"), (5, "KWD", "KWD 0.005")],
)
def test_an_amount_is_written_with_its_currencys_decimals(minor: int, currency: str, text: str) -> None:
    assert money({"value": minor, "currency": currency}) == text
