"""What follows a payment at the sandbox PSPs: lost answers, movements that settle late, late money, and the PSP's own doing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from dev.sandbox.loopback import serving
from dev.sandbox.misbehaviour import MISBEHAVIOURS, misbehaviour_of
from tests.dev.merchant import CANCEL_URL, EURO_1050, QUICK, RETURN_URL, Inbox, Json, Merchant, euro, listening, until

LIST_OF = {"capture": "captures", "cancel": "voids", "refund": "refunds"}
PATH_OF = {"capture": "captures", "cancel": "cancel", "refund": "refunds"}
EVENT_OF = {"capture": "capture", "cancel": "void", "refund": "refund"}
MOVING = pytest.mark.parametrize("operation", ["capture", "cancel", "refund"])


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with listening() as inbox:
        yield inbox


@pytest.fixture
def merchant(tmp_path: Path, inbox: Inbox) -> Iterator[Merchant]:
    with serving(tmp_path, webhook_base=inbox.url, timing=QUICK) as base:
        yield Merchant(base)


def ready_for(merchant: Merchant, operation: str, misbehaviour: str | None = None) -> Json:
    """A session with money that `operation` can move."""
    return merchant.paid(misbehaviour, capture="automatic" if operation == "refund" else "manual")


def moved(merchant: Merchant, session: Json, operation: str) -> list[Json]:
    """What a merchant who lost the answer finds by its own reference."""
    found: list[Json] = merchant.call("GET", f"/sessions/{session['id']}/{LIST_OF[operation]}?reference=op_1").json()[
        "items"
    ]
    return found


def at_psp(merchant: Merchant, session: Json, what: str, body: Json | None = None) -> requests.Response:
    return merchant.control("POST", f"/dashboard/sessions/{session['id']}/{what}", body or {})


# Operations whose answer is lost


@MOVING
@pytest.mark.parametrize(
    ("fault", "done"),
    [("timeout_before", False), ("timeout_after", True), ("error_500", False), ("error_500_after", True)],
)
def test_a_lost_answer_is_found_by_its_reference_where_it_was_done(
    merchant: Merchant, operation: str, fault: str, done: bool
) -> None:
    session = ready_for(merchant, operation, f"{operation}_{fault}")
    for _ in range(2):
        if fault.startswith("timeout"):
            with pytest.raises(requests.ConnectionError):
                merchant.move(session, PATH_OF[operation])
        else:
            assert merchant.move(session, PATH_OF[operation]).status_code == 500
    assert len(moved(merchant, session, operation)) == done


@MOVING
def test_a_fault_that_is_told_once_is_gone_for_the_repeat(merchant: Merchant, operation: str) -> None:
    session = ready_for(merchant, operation)
    told = {"mode": "error_500_after", "operation": operation, "times": 1}
    assert merchant.control("PUT", "/behaviour", told).json() == told
    assert merchant.move(session, PATH_OF[operation]).status_code == 500
    repeat = merchant.move(session, PATH_OF[operation])
    assert (repeat.status_code, repeat.headers["Idempotent-Replayed"]) == (201, "true")
    assert [one["id"] for one in moved(merchant, session, operation)] == [repeat.json()["id"]]


def test_a_fault_of_one_operation_leaves_the_others_alone_until_it_is_taken_back(merchant: Merchant) -> None:
    session = merchant.paid()
    merchant.control("PUT", "/behaviour", {"mode": "error_500", "operation": "fetch"})
    assert merchant.call("GET", f"/sessions/{session['id']}").status_code == 500
    assert merchant.move(session, "refunds", amount=euro(1)).status_code == 201
    assert merchant.control("GET", "/behaviour?operation=fetch").json()["mode"] == "error_500"
    assert merchant.control("GET", "/behaviour").json() == {"mode": None}
    merchant.control("PUT", "/behaviour", {"mode": None, "operation": "fetch"})
    assert merchant.read(session)["status"] == "complete"


@pytest.mark.parametrize(
    "body",
    [
        {"mode": "error_500", "operation": "other"},
        {"mode": "other", "operation": "refund"},
        {"mode": "decline_hard", "operation": "fetch"},
        {"mode": "error_500", "operation": "refund", "times": 0},
        {"mode": "timeout_after"},
    ],
)
def test_a_behaviour_that_does_not_exist_is_refused(merchant: Merchant, body: Json) -> None:
    assert merchant.control("PUT", "/behaviour", body).status_code == 422


@MOVING
def test_a_declined_operation_is_an_answer_that_its_key_remembers(merchant: Merchant, operation: str) -> None:
    session = ready_for(merchant, operation)
    merchant.control("PUT", "/behaviour", {"mode": "decline_soft", "operation": operation, "times": 1})
    first, again = (merchant.move(session, PATH_OF[operation]) for _ in range(2))
    assert (first.status_code, again.content) == (402, first.content)
    assert moved(merchant, session, operation) == []
    assert merchant.move(session, PATH_OF[operation], "op_2").status_code == 201


@MOVING
def test_an_operations_key_with_another_body_is_a_mismatch(merchant: Merchant, operation: str) -> None:
    session = ready_for(merchant, operation)
    path = f"/sessions/{session['id']}/{PATH_OF[operation]}"
    assert merchant.call("POST", path, {"reference": "op_1"}, "k").status_code == 201
    other = merchant.call("POST", path, {"reference": "op_2"}, "k")
    assert (other.status_code, other.json()["error"]["code"]) == (409, "idempotency_mismatch")


def test_a_lapsed_key_moves_money_again(merchant: Merchant) -> None:
    session = merchant.paid()
    assert merchant.control("PUT", "/options", {"key_life_s": 0}).json()["key_life_s"] == 0
    assert {merchant.move(session, "refunds", amount=euro(10)).status_code for _ in range(2)} == {201}
    assert len(moved(merchant, session, "refund")) == 2


def test_misbehaviours_are_told_together_with_commas() -> None:
    odd = misbehaviour_of("a", {"a": "refund_timeout_after,duplicate_webhooks,refund_pending,capture_pending,nonsense"})
    assert (odd.faults, odd.webhook_copies, set(odd.settling)) == (
        {"refund": "timeout_after"},
        3,
        {"capture", "refund"},
    )


def test_every_misbehaviour_differs_from_behaving() -> None:
    assert [name for name, row in MISBEHAVIOURS.items() if row == misbehaviour_of("a", {})] == []


# Movements that settle later


@MOVING
@pytest.mark.parametrize("end", ["succeeded", "failed"])
def test_a_pending_movement_ends_by_itself(merchant: Merchant, inbox: Inbox, operation: str, end: str) -> None:
    session = ready_for(merchant, operation, f"{operation}_pending{'_fails' if end == 'failed' else ''}")
    assert merchant.move(session, PATH_OF[operation]).json()["status"] == "pending"
    told = inbox.wait_for(f"{EVENT_OF[operation]}.{end}")[0]["data"]
    assert told == merchant.read(session)
    assert [one["status"] for one in told["payment"][LIST_OF[operation]]] == [end]


@MOVING
@pytest.mark.parametrize("end", ["succeeded", "failed"])
def test_a_pending_movement_ends_when_it_is_told_to(merchant: Merchant, operation: str, end: str) -> None:
    session = ready_for(merchant, operation, f"{operation}_stays_pending")
    made = merchant.move(session, PATH_OF[operation]).json()
    assert made["status"] == "pending"
    assert at_psp(merchant, session, f"movements/{made['id']}", {"status": end}).status_code == 201
    assert moved(merchant, session, operation)[0]["status"] == end


@MOVING
def test_a_pending_movement_reserves_and_a_failed_one_gives_back(merchant: Merchant, operation: str) -> None:
    session = ready_for(merchant, operation, f"{operation}_stays_pending")
    made = merchant.move(session, PATH_OF[operation]).json()
    assert merchant.move(session, PATH_OF[operation], "op_2").status_code in (409, 422)
    at_psp(merchant, session, f"movements/{made['id']}", {"status": "failed"})
    assert merchant.move(session, PATH_OF[operation], "op_3").json()["amount"] == EURO_1050


def test_what_was_settled_by_hand_stays_so(merchant: Merchant) -> None:
    session = merchant.paid("refund_pending")
    made = merchant.move(session, "refunds").json()
    at_psp(merchant, session, f"movements/{made['id']}", {"status": "failed"})
    assert at_psp(merchant, session, f"movements/{made['id']}", {"status": "succeeded"}).status_code == 409
    time.sleep(2 * QUICK.settles_s)
    assert moved(merchant, session, "refund")[0]["status"] == "failed"


@pytest.mark.parametrize("operation", ["capture", "refund"])
def test_a_movement_that_succeeded_fails_later(merchant: Merchant, inbox: Inbox, operation: str) -> None:
    session = ready_for(merchant, operation, f"{operation}_fails_later")
    assert merchant.move(session, PATH_OF[operation]).json()["status"] == "succeeded"
    payment = inbox.wait_for(f"{operation}.failed")[0]["data"]["payment"]
    assert payment["status"] == ("authorized" if operation == "capture" else "captured")
    assert payment["amount_captured"]["value"] == (0 if operation == "capture" else 1050)


def test_a_sale_fails_later(merchant: Merchant, inbox: Inbox) -> None:
    session = merchant.paid("capture_fails_later")
    payment = inbox.wait_for("capture.failed")[0]["data"]["payment"]
    assert (payment["status"], payment["amount_captured"]["value"]) == ("failed", 0)
    assert merchant.move(session, "refunds").status_code == 422


@pytest.mark.parametrize(("movement", "status", "answer"), [("other", "failed", 404), ("other", "pending", 422)])
def test_only_a_movement_that_is_there_can_end(merchant: Merchant, movement: str, status: str, answer: int) -> None:
    session = merchant.paid()
    assert at_psp(merchant, session, f"movements/{movement}", {"status": status}).status_code == answer


# Money that comes late


@pytest.mark.parametrize("closed", ["expired", "cancelled"])
@pytest.mark.parametrize(("outcome", "event"), [("paid", "session.paid"), ("authorized", "session.authorized")])
def test_money_arrives_after_the_session_closed(
    merchant: Merchant, inbox: Inbox, closed: str, outcome: str, event: str
) -> None:
    session = merchant.opened()
    if closed == "expired":
        merchant.call("POST", f"/sessions/{session['id']}/expire", {}, "e")
    else:
        merchant.act(session, "cancelled")
    inbox.wait_for(f"session.{closed}")
    assert at_psp(merchant, session, "late_payments", {"outcome": outcome}).status_code == 201
    assert inbox.wait_for(event)[0]["data"] == merchant.read(session)
    assert at_psp(merchant, session, "late_payments").status_code == 409
    assert merchant.read(session)["status"] == "complete"


def test_money_arrives_late_by_itself(merchant: Merchant, inbox: Inbox) -> None:
    session = merchant.opened("late_success")
    merchant.call("POST", f"/sessions/{session['id']}/expire", {}, "e")
    assert inbox.wait_for("session.paid")[0]["data"]["payment"]["amount_captured"] == EURO_1050
    assert merchant.read(session)["version"] == session["version"] + 2


# What starts at the PSP


@pytest.mark.parametrize(
    ("what", "list_", "capture", "event"),
    [
        ("captures", "captures", "manual", "capture.succeeded"),
        ("voids", "voids", "manual", "void.succeeded"),
        ("refunds", "refunds", "automatic", "refund.succeeded"),
    ],
)
def test_what_the_psp_starts_has_no_reference(
    merchant: Merchant, inbox: Inbox, what: str, list_: str, capture: str, event: str
) -> None:
    session = merchant.paid(capture=capture)
    assert at_psp(merchant, session, what).status_code == 201
    [made] = inbox.wait_for(event)[0]["data"]["payment"][list_]
    assert (made["reference"], made["amount"]) == (None, EURO_1050)


def test_the_psp_captures_a_part_and_gives_the_rest_back(merchant: Merchant) -> None:
    session = merchant.paid(capture="manual")
    at_psp(merchant, session, "captures", {"amount": euro(400), "final": True})
    payment = merchant.read(session)["payment"]
    assert (payment["status"], payment["amount_captured"]["value"]) == ("captured", 400)
    assert [(one["amount"]["value"], one["reason"]) for one in payment["voids"]] == [(650, "final_capture")]


def test_an_inquiry_becomes_a_dispute_that_is_lost(merchant: Merchant, inbox: Inbox) -> None:
    session = merchant.paid()
    for state in ("inquiry", "opened", "lost"):
        assert at_psp(merchant, session, "disputes", {"state": state, "amount": euro(300)}).json()["state"] == state
        inbox.wait_for(f"dispute.{state}")
    assert at_psp(merchant, session, "disputes", {"state": "won"}).status_code == 409
    dispute = merchant.read(session)["payment"]["dispute"]
    assert (dispute["amount"], dispute["respond_by"] > session["created_at"]) == (euro(300), True)
    assert merchant.move(session, "refunds").json()["amount"] == euro(750)


def test_an_authorization_lapses_when_it_is_told_to(merchant: Merchant, inbox: Inbox) -> None:
    session = merchant.paid(capture="manual")
    merchant.move(session, "captures", amount=euro(400))
    assert at_psp(merchant, session, "authorization_expiry").json()["amount"] == euro(650)
    payment = inbox.wait_for("authorization.expired")[0]["data"]["payment"]
    assert (payment["status"], payment["voids"][0]["reason"]) == ("captured", "expired")
    assert at_psp(merchant, session, "authorization_expiry").status_code == 409


def test_an_authorization_lapses_by_itself_at_the_time_it_says(merchant: Merchant, inbox: Inbox) -> None:
    session = merchant.paid("authorization_expires", capture="manual")
    told = inbox.wait_for("authorization.expired")[0]
    said = inbox.events("session.authorized")[0]["data"]["payment"]["authorization_expires_at"]
    assert said > session["created_at"]
    assert told["data"]["payment"]["status"] == "voided"
    assert merchant.move(session, "captures").status_code == 422


# Accounts where nothing is paid until the merchant completes


@pytest.fixture
def completing(merchant: Merchant) -> Merchant:
    assert merchant.control("PUT", "/options", {"capture_on_return": True}).json()["capture_on_return"] is True
    return merchant


def complete(merchant: Merchant, session: Json, key: str = "c_1") -> requests.Response:
    return merchant.call("POST", f"/sessions/{session['id']}/complete", {"reference": session["reference"]}, key)


@pytest.mark.parametrize(("capture", "status"), [("automatic", "captured"), ("manual", "authorized")])
def test_an_approved_session_holds_no_money_until_it_is_completed(
    completing: Merchant, inbox: Inbox, capture: str, status: str
) -> None:
    session = completing.opened(capture=capture)
    assert completing.act(session, "paid").headers["Location"] == RETURN_URL
    approved = inbox.wait_for("session.approved")[0]["data"]
    assert (approved["status"], approved["payment"]["status"]) == ("approved", "approved")
    assert [completing.move(session, what).status_code for what in ("captures", "cancel", "refunds")] == [409] * 3
    done, again = complete(completing, session), complete(completing, session)
    assert (done.json()["status"], done.json()["payment"]["status"]) == ("complete", status)
    assert again.content == done.content
    assert complete(completing, session, "c_2").status_code == 409
    inbox.wait_for("session.paid" if status == "captured" else "session.authorized")


def test_metadata_makes_one_session_wait_to_be_completed(merchant: Merchant) -> None:
    session = merchant.paid("capture_on_return")
    assert merchant.read(session)["status"] == "approved"
    assert complete(merchant, session).json()["payment"]["amount_captured"] == EURO_1050


def test_an_open_session_can_not_be_completed(completing: Merchant) -> None:
    answer = complete(completing, completing.opened())
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "not_approved")


def test_an_approved_session_expires_and_can_not_be_completed(completing: Merchant, inbox: Inbox) -> None:
    session = completing.opened(expires_in_s=1)
    completing.act(session, "paid")
    inbox.wait_for("session.expired")
    assert complete(completing, session).status_code == 410
    assert completing.read(session)["payment"]["amount_captured"]["value"] == 0


def test_completing_is_declined_and_its_answer_lost(completing: Merchant) -> None:
    declined, lost = completing.paid(key="d"), completing.paid(key="l")
    completing.control("PUT", "/behaviour", {"mode": "decline_soft", "operation": "complete", "times": 1})
    assert complete(completing, declined, "c_d").status_code == 402
    assert completing.read(declined)["status"] == "approved"
    completing.control("PUT", "/behaviour", {"mode": "timeout_after", "operation": "complete", "times": 1})
    with pytest.raises(requests.ConnectionError):
        complete(completing, lost, "c_l")
    assert completing.read(lost)["payment"]["status"] == "captured"


def test_an_approved_page_says_that_the_shop_goes_on(completing: Merchant) -> None:
    session = completing.paid()
    page = requests.get(session["url"], timeout=10)
    assert (page.status_code, RETURN_URL in page.text, CANCEL_URL in page.text) == (200, True, False)
    assert completing.act(session, "paid").status_code == 409


def test_options_and_faults_survive_a_restart(tmp_path: Path) -> None:
    with serving(tmp_path, timing=QUICK) as base:
        Merchant(base).control("PUT", "/options", {"capture_on_return": True, "key_life_s": 60})
        Merchant(base).control("PUT", "/behaviour", {"mode": "slow", "operation": "open", "times": 1})
    with serving(tmp_path, timing=QUICK) as base:
        assert Merchant(base).control("GET", "/options").json() == {"capture_on_return": True, "key_life_s": 60}
        began = time.monotonic()
        Merchant(base).opened()
        assert time.monotonic() - began >= QUICK.slow_s
        until(lambda: Merchant(base).control("GET", "/behaviour?operation=open").json()["mode"] is None)
