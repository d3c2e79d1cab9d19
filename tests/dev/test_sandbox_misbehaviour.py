"""The sandbox PSPs' webhooks, each way they can be told to go wrong, and the program through kills and stops."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from dev.sandbox.accounts import ACCOUNTS
from dev.sandbox.loopback import serving
from dev.sandbox.timing import RETRY_AFTER_S, Timing
from tests.dev.merchant import EURO_1050, QUICK, Inbox, Merchant, euro, is_signed, listening, until
from tests.ports import free_port

SECRET = ACCOUNTS["sandbox-a"].webhook_secret


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with listening() as inbox:
        yield inbox


@pytest.fixture
def merchant(tmp_path: Path, inbox: Inbox) -> Iterator[Merchant]:
    with serving(tmp_path, webhook_base=inbox.url, timing=QUICK) as base:
        yield Merchant(base)


def test_a_webhook_is_signed_by_every_live_secret(merchant: Merchant, inbox: Inbox) -> None:
    shown = merchant.control("PUT", "/webhook", {"second_secret": "the-second-secret"})
    assert shown.json() == {"url": f"{inbox.url}/webhooks/default/sandbox-a", "secrets": 2}
    merchant.paid()
    inbox.wait_for("session.paid")
    headers, body = inbox.received[0]
    assert [is_signed(headers, body, secret) for secret in (SECRET, "the-second-secret", "x")] == [True, True, False]


def test_a_webhook_goes_where_it_is_sent_now(merchant: Merchant) -> None:
    with listening() as other:
        assert merchant.control("PUT", "/webhook", {"url": f"{other.url}/new"}).status_code == 200
        merchant.paid()
        other.wait_for("session.paid")


def test_a_webhook_is_sent_again_until_it_is_acknowledged(merchant: Merchant, inbox: Inbox) -> None:
    inbox.answers = [500, 404, 302]
    merchant.paid()
    assert len({event["id"] for event in inbox.wait_for("session.paid", 4)}) == 1
    until(lambda: merchant.log()["webhooks"]["delivered"] == 1)
    assert merchant.log()["webhooks"]["attempts"] == 4


def test_a_webhook_is_given_up_after_twelve_attempts(merchant: Merchant, inbox: Inbox) -> None:
    inbox.answers = [500] * 100
    merchant.paid()
    until(lambda: merchant.log()["webhooks"]["given_up"] == 1)
    assert len(inbox.received) == 12 == len(RETRY_AFTER_S) + 1


def test_sessions_answers_and_waiting_webhooks_survive_a_restart(tmp_path: Path, inbox: Inbox) -> None:
    slow_again = Timing(retry_after_s=(0.5,) * 11)
    inbox.answers = [500]
    with serving(tmp_path, webhook_base=inbox.url, timing=slow_again) as base:
        created = Merchant(base).create()
        Merchant(base).act(created.json(), "paid")
        inbox.wait_for("session.paid")
        until(lambda: Merchant(base).log()["webhooks"]["attempts"] == 1)
    with serving(tmp_path, webhook_base=inbox.url, timing=slow_again) as base:
        assert Merchant(base).create().content == created.content
        assert Merchant(base).read(created.json())["payment"]["status"] == "captured"
        inbox.wait_for("session.paid", 2)
        until(lambda: Merchant(base).log()["webhooks"]["delivered"] == 1)


@pytest.mark.parametrize(
    ("misbehaviour", "status", "decline_code"),
    [
        ("decline_hard", 402, "stolen_card"),
        ("decline_soft", 402, "insufficient_funds"),
        ("error_500", 500, None),
        ("rate_limited", 429, None),
    ],
)
def test_creating_is_refused_and_creates_nothing(
    merchant: Merchant, misbehaviour: str, status: int, decline_code: str | None
) -> None:
    answer = merchant.create(misbehaviour)
    assert (answer.status_code, answer.json()["error"].get("decline_code")) == (status, decline_code)
    assert ("Retry-After" in answer.headers) == (status == 429)
    assert (merchant.create(misbehaviour).headers.get("Idempotent-Replayed") == "true") == (status == 402)
    assert merchant.log()["sessions"] == []


@pytest.mark.parametrize(("misbehaviour", "created"), [("timeout_before", 0), ("timeout_after", 1)])
def test_creating_is_never_answered(merchant: Merchant, misbehaviour: str, created: int) -> None:
    for _ in range(2):
        with pytest.raises(requests.ConnectionError):
            merchant.create(misbehaviour)
    assert len(merchant.log()["sessions"]) == created


def test_misbehaviour_of_another_account_is_plain_metadata(merchant: Merchant) -> None:
    assert merchant.opened(metadata={"sandbox-b": "decline_hard"})["metadata"] == {"sandbox-b": "decline_hard"}


def test_the_first_webhook_is_acknowledged_before_the_answer(merchant: Merchant, inbox: Inbox) -> None:
    session = merchant.opened("webhook_first")
    assert [event["data"] for event in inbox.events("session.created")] == [session]
    assert merchant.log()["webhooks"]["delivered"] == 1


def test_duplicate_webhooks_come_three_times(merchant: Merchant, inbox: Inbox) -> None:
    merchant.paid("duplicate_webhooks")
    assert len({event["id"] for event in inbox.wait_for("session.paid", 3)}) == 1
    until(lambda: merchant.log()["webhooks"]["delivered"] == 3)


def test_a_late_webhook_waits(merchant: Merchant, inbox: Inbox) -> None:
    merchant.paid("late_webhook")
    event = inbox.wait_for("session.paid")[0]
    assert time.time() * 1000 - event["created"] >= QUICK.late_webhook_s * 1000 - 1


def test_an_unsigned_webhook_carries_no_signature(merchant: Merchant, inbox: Inbox) -> None:
    merchant.paid("unsigned_webhook")
    inbox.wait_for("session.paid")
    assert "sandbox-signature" not in inbox.received[0][0]


def test_a_wrong_amount_shows_everywhere_but_in_the_answer(merchant: Merchant, inbox: Inbox) -> None:
    session = merchant.paid("wrong_amount")
    assert session["amount"] == EURO_1050
    told = inbox.wait_for("session.paid")[0]["data"]
    assert told == merchant.read(session)
    assert [told["amount"], told["payment"]["amount"], told["payment"]["amount_captured"]] == [euro(1051)] * 3


def test_an_unknown_status_shows_everywhere_but_in_the_answer(merchant: Merchant, inbox: Inbox) -> None:
    session = merchant.paid("unknown_status")
    assert session["status"] == "open"
    told = inbox.wait_for("session.paid")[0]["data"]
    assert told == merchant.read(session)
    assert {told["status"], told["payment"]["status"]} == {"frobnicated"}


@pytest.mark.parametrize(
    ("misbehaviour", "first", "then"),
    [("refund_fails_later", "succeeded", "failed"), ("refund_pending", "pending", "succeeded")],
)
def test_a_refund_ends_otherwise_than_it_began(
    merchant: Merchant, inbox: Inbox, misbehaviour: str, first: str, then: str
) -> None:
    session = merchant.paid(misbehaviour)
    assert merchant.move(session, "refunds").json()["status"] == first
    told = inbox.wait_for(f"refund.{then}")[0]["data"]
    assert told == merchant.read(session)
    assert told["payment"]["refunds"][0]["status"] == then
    assert told["payment"]["amount_refunded"]["value"] == (1050 if then == "succeeded" else 0)


def test_a_dispute_opens_by_itself(merchant: Merchant, inbox: Inbox) -> None:
    merchant.paid("dispute")
    dispute = inbox.wait_for("dispute.opened")[0]["data"]["payment"]["dispute"]
    assert (dispute["state"], dispute["amount"]) == ("opened", EURO_1050)


def test_a_whole_account_goes_down_and_up_again(merchant: Merchant) -> None:
    session = merchant.opened()
    assert merchant.control("PUT", "/behaviour", {"mode": "refuse"}).json() == {"mode": "refuse"}
    with pytest.raises(requests.ConnectionError):
        merchant.read(session)
    with pytest.raises(requests.ConnectionError):
        merchant.act(session, "paid")
    assert Merchant(merchant.base, "sandbox-b").create().status_code == 201
    assert merchant.control("GET", "/behaviour").json() == {"mode": "refuse"}
    merchant.control("PUT", "/behaviour", {"mode": "error_500"})
    assert merchant.create(key="att_2").status_code == 500
    merchant.control("PUT", "/behaviour", {"mode": "slow"})
    began = time.monotonic()
    assert merchant.read(session) == session
    assert time.monotonic() - began >= QUICK.slow_s
    merchant.control("PUT", "/behaviour", {"mode": None})
    assert merchant.read(session)["status"] == "open"
    assert merchant.control("PUT", "/behaviour", {"mode": "other"}).status_code == 422


def test_the_program_starts_in_development_alone(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "dev.sandbox", "--port", "1024", "--state", str(tmp_path)]
    environment = {name: value for name, value in os.environ.items() if name != "PAYMENTSERVER_ENV"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, "PAYMENTSERVER_ENV=development" in done.stderr) == (2, True)


def test_the_program_survives_a_kill_and_stops_while_it_holds_a_caller(tmp_path: Path) -> None:
    port = free_port()
    merchant = Merchant(f"http://localhost:{port}")
    with _running(port, tmp_path) as killed:
        session = merchant.paid()
        killed.kill()
        until(lambda: not _is_up(port))  # its worker sees that it is alone
    with _running(port, tmp_path) as stopped:
        assert merchant.read(session)["payment"]["status"] == "captured"
        held = threading.Thread(target=_is_never_answered, args=(merchant,))
        held.start()
        until(lambda: any(call["count"] > 1 for call in merchant.log()["calls"]))
        stopped.send_signal(signal.SIGTERM)
        held.join(5)
        assert (held.is_alive(), stopped.wait(5)) == (False, 0)


def _is_never_answered(merchant: Merchant) -> None:
    with pytest.raises(requests.ConnectionError):
        merchant.create("timeout_before")


@contextmanager
def _running(port: int, state_dir: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "dev.sandbox", "--port", str(port), "--state", str(state_dir)]
    environment = {**os.environ, "PAYMENTSERVER_ENV": "development"}
    with subprocess.Popen([*command, "--webhook-base", "http://127.0.0.1:1"], env=environment) as program:
        try:
            until(lambda: _is_up(port))
            yield program
        finally:
            program.terminate()


def _is_up(port: int) -> bool:
    try:
        return requests.get(f"http://localhost:{port}/healthz", timeout=1).status_code == 200
    except requests.RequestException:
        return False
