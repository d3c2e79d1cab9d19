"""What is done to a payment after its checkout, over HTTP against the sandbox PSPs: statuses, problems, scopes."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests

from tests.stack.problems import problem_of
from tests.stack.running import Json, Stack, send
from tests.stack.test_misbehaviour import attempts, pay, timeline, wait_for

A = "sandbox-a"


def money(value: int, currency: str = "EUR") -> Json:
    return {"amount": {"value": value, "currency": currency}}


def post(
    stack: Stack, payment: Json, what: str, body: object = None, *, key: str = "", **how: Any
) -> requests.Response:
    """A call on a payment, with a key of its own where none is given."""
    headers = {"Idempotency-Key": key or str(uuid.uuid4())}
    return stack.call("POST", f"/v1/payments/{payment['id']}/{what}", body, headers=headers, **how)


def opened(stack: Stack, how: str | None = None, **order: Any) -> Json:
    answer = stack.checkout(str(uuid.uuid4()), metadata={A: how} if how else {}, **order)
    assert answer.status_code == 201, answer.text
    payment: Json = answer.json()
    return payment


def paid(stack: Stack, how: str | None = None, **order: Any) -> Json:
    payment = opened(stack, how, **order)
    pay(payment)
    return wait_for(stack, payment["id"], lambda now: now["status"] in ("captured", "authorized", "unknown"))


def held(stack: Stack, how: str | None = None) -> Json:
    return paid(stack, how, capture="manual")


@contextmanager
def silent(stack: Stack) -> Iterator[None]:
    """Meanwhile nobody learns what A did: its webhooks go where nobody listens, and its reads fail."""
    account = f"{stack.sandbox}/{A}"

    def tell(url: str | None, mode: str | None) -> None:
        assert send("PUT", f"{account}/webhook", json={"url": url}).status_code == 200
        assert send("PUT", f"{account}/behaviour", json={"operation": "fetch", "mode": mode}).status_code == 200

    tell("http://127.0.0.1:1/", "error_500")
    try:
        yield
    finally:
        tell(None, None)


def read(stack: Stack, payment: Json) -> Json:
    document: Json = stack.call("GET", f"/v1/payments/{payment['id']}").json()
    return document


def test_a_capture_is_201_with_the_operation(stack: Stack) -> None:
    payment = held(stack)
    answer = post(stack, payment, "captures", money(400))
    made = answer.json()
    assert answer.status_code == 201
    assert (made["kind"], made["status"], made["amount"]) == ("capture", "succeeded", {"value": 400, "currency": "EUR"})
    assert (made["origin"], made["attempt_id"]) == ("api", payment["attempts"][0]["id"])
    assert made["psp_reference"].startswith("cap_")
    assert read(stack, payment)["status"] == "partially_captured"


def test_a_final_capture_gives_the_rest_back(stack: Stack) -> None:
    payment = held(stack)
    post(stack, payment, "captures", {**money(400), "final": True})
    now = wait_for(stack, payment["id"], lambda now: now["status"] == "captured")
    assert (now["amounts"]["captured"], now["amounts"]["capturable"]) == (400, 0)


def test_a_capture_over_what_is_left_is_409(stack: Stack) -> None:
    payment = held(stack)
    problem_of(stack, post(stack, payment, "captures", money(1051)), 409, "conflict")


def test_a_void_is_201_and_cancels_the_payment(stack: Stack) -> None:
    payment = held(stack)
    answer = post(stack, payment, "cancellations")
    assert (answer.status_code, answer.json()["kind"], answer.json()["status"]) == (201, "cancellation", "succeeded")
    assert read(stack, payment)["status"] == "cancelled"


def test_a_cancellation_closes_the_page_at_the_psp(stack: Stack) -> None:
    payment = opened(stack)
    answer = post(stack, payment, "cancellations", {"reason": "out of stock"})
    assert (answer.status_code, answer.json()["reason"]) == (201, "out of stock")
    assert stack.sessions(A, payment["attempts"][0]["id"])[0]["status"] == "expired"
    assert (read(stack, payment)["status"], read(stack, payment)["next_action"]) == ("cancelled", None)


def test_a_page_that_can_not_be_closed_is_superseded_and_its_money_goes_back(stack: Stack) -> None:
    payment = opened(stack, "expire_error_500")
    assert post(stack, payment, "cancellations").status_code == 201
    assert attempts(read(stack, payment)) == [(A, "superseded")]
    pay(payment)
    now = wait_for(stack, payment["id"], lambda now: now["status"] == "refunded")
    assert [(one["kind"], one["origin"]) for one in now["operations"]] == [
        ("cancellation", "api"),
        ("refund", "policy"),
    ]


def test_a_cancellation_of_captured_money_is_409(stack: Stack) -> None:
    payment = paid(stack)
    problem_of(stack, post(stack, payment, "cancellations"), 409, "conflict")


def test_a_refund_is_201_with_the_operation(stack: Stack) -> None:
    payment = paid(stack)
    answer = post(stack, payment, "refunds", {**money(400), "reason": "one book came back"})
    made = answer.json()
    assert (answer.status_code, made["kind"], made["status"]) == (201, "refund", "succeeded")
    assert made["reason"] == "one book came back"
    now = read(stack, payment)
    assert (now["status"], now["amounts"]["refunded"], now["amounts"]["refundable"]) == ("partially_refunded", 400, 650)
    assert now["operations"] == [made]


def test_a_refund_that_the_psp_declines_is_201_failed_and_says_why(stack: Stack) -> None:
    payment = paid(stack, "refund_decline_hard")
    answer = post(stack, payment, "refunds")
    assert (answer.status_code, answer.json()["status"]) == (201, "failed")
    assert answer.json()["decline"]["class"] == "hard"
    assert read(stack, payment)["amounts"]["refundable"] == 1050


def test_a_refund_that_waits_is_201_pending(stack: Stack) -> None:
    payment = paid(stack, "refund_pending")
    assert post(stack, payment, "refunds").json()["status"] == "pending"
    wait_for(stack, payment["id"], lambda now: now["status"] == "refunded")


def test_a_refund_without_an_answer_is_202_until_it_is_known(stack: Stack) -> None:
    payment = paid(stack, "refund_error_500_after")
    with silent(stack):
        answer, again = (post(stack, payment, "refunds", money(400), key="unknown") for _ in range(2))
        assert (answer.status_code, answer.json()["status"]) == (202, "unknown")
        assert (again.status_code, "Idempotency-Replayed" in again.headers) == (202, False)
        assert answer.headers["Retry-After"] == "10"
        assert read(stack, payment)["amounts"]["refundable"] == 650
    post(stack, payment, "syncs")
    settled, fixed = (post(stack, payment, "refunds", money(400), key="unknown") for _ in range(2))
    assert (settled.status_code, settled.json()["status"]) == (201, "succeeded")
    assert fixed.content == settled.content


def test_a_refund_over_what_is_left_is_409(stack: Stack) -> None:
    payment = paid(stack)
    post(stack, payment, "refunds", money(400))
    problem_of(stack, post(stack, payment, "refunds", money(651)), 409, "conflict")


def test_another_currency_is_422_and_pointed_at(stack: Stack) -> None:
    payment = paid(stack)
    problem = problem_of(stack, post(stack, payment, "refunds", money(400, "USD")), 422, "invalid")
    assert [one["pointer"] for one in problem["errors"]] == ["/amount/currency"]


def test_a_refund_in_the_psps_dashboard_is_shown_as_the_psps(stack: Stack) -> None:
    payment = paid(stack)
    session = stack.sessions(A, payment["attempts"][0]["id"])[0]["id"]
    at_psp = f"{stack.sandbox}/{A}/dashboard/sessions/{session}/refunds"
    assert requests.post(at_psp, json=money(300), timeout=10).status_code == 201
    now = wait_for(stack, payment["id"], lambda now: now["operations"])
    assert [(one["kind"], one["origin"], one["amount"]["value"]) for one in now["operations"]] == [
        ("refund", "psp", 300)
    ]


def test_a_retry_is_201_with_a_new_page_once_the_old_one_is_closed(stack: Stack) -> None:
    payment = opened(stack)
    answer = post(stack, payment, "retries")
    assert answer.status_code == 201
    assert attempts(answer.json()) == [(A, "expired"), ("sandbox-b", "pending")]
    assert answer.json()["next_action"]["url"] != payment["next_action"]["url"]
    assert stack.sessions(A, payment["attempts"][0]["id"])[0]["status"] == "expired"


def test_a_retry_while_the_old_page_can_not_be_closed_is_409_of_its_own_name(stack: Stack) -> None:
    payment = opened(stack, "expire_error_500")
    problem_of(stack, post(stack, payment, "retries"), 409, "attempt-still-payable")
    answer = post(stack, payment, "retries", {"supersede": True})
    assert (answer.status_code, attempts(answer.json())) == (201, [(A, "superseded"), ("sandbox-b", "pending")])


def test_a_retry_once_money_moved_is_409(stack: Stack) -> None:
    problem_of(stack, post(stack, paid(stack), "retries"), 409, "conflict")


def test_a_retry_that_is_declined_is_402_with_the_payment(stack: Stack) -> None:
    declines = {A: "decline_soft", "sandbox-b": "decline_soft"}
    payment = stack.checkout(str(uuid.uuid4()), metadata=declines).json()["payment"]
    problem = problem_of(stack, post(stack, payment, "retries"), 402, "declined")
    assert len(problem["payment"]["attempts"]) == 4


def test_a_retry_at_an_unknown_connection_is_422_and_pointed_at(stack: Stack) -> None:
    answer = post(stack, opened(stack), "retries", {"connection_id": "nowhere"})
    problem = problem_of(stack, answer, 422, "invalid")
    assert [one["pointer"] for one in problem["errors"]] == ["/connection_id"]


def test_a_sync_is_200_with_what_the_psp_says_now(stack: Stack) -> None:
    payment = opened(stack, "late_webhook")
    pay(payment)
    answer = post(stack, payment, "syncs")
    assert (answer.status_code, answer.json()["status"]) == (200, "captured")


def test_a_resolution_is_201_with_the_payment_and_is_audited(stack: Stack) -> None:
    payment = paid(stack, "wrong_amount")
    said = {"attempt_id": payment["attempts"][0]["id"], "outcome": "accept", "note": "The bank confirms 10.51 EUR."}
    answer = post(stack, payment, "resolutions", said)
    assert (answer.status_code, answer.json()["status"]) == (201, "captured")
    assert answer.json()["amounts"]["captured"] == 1051
    assert any("An operator resolved" in entry["summary"] for entry in timeline(stack, payment["id"]))
    audit = stack.call("GET", "/v1/audit?limit=200").json()["items"]
    assert sum(payment["id"] in str(entry) for entry in audit) == 1


def test_where_there_is_nothing_to_resolve_it_is_409(stack: Stack) -> None:
    payment = paid(stack)
    said = {"attempt_id": payment["attempts"][0]["id"], "outcome": "accept", "note": "all is well"}
    problem_of(stack, post(stack, payment, "resolutions", said), 409, "conflict")


@pytest.mark.parametrize("outcome", ["whatever", "", None, 1])
def test_an_outcome_that_is_none_is_422(stack: Stack, outcome: object) -> None:
    payment = opened(stack)
    said = {"attempt_id": payment["attempts"][0]["id"], "outcome": outcome, "note": "n"}
    problem = problem_of(stack, post(stack, payment, "resolutions", said), 422, "invalid")
    assert [one["pointer"] for one in problem["errors"]] == ["/outcome"]


def test_what_needs_an_operator_is_in_the_queue_until_it_is_resolved(stack: Stack) -> None:
    payment = paid(stack, "wrong_amount")

    def queued() -> bool:
        items = stack.call("GET", "/v1/payments?attention=true&limit=200").json()["items"]
        return payment["id"] in {one["id"] for one in items}

    assert queued()
    said = {"attempt_id": payment["attempts"][0]["id"], "outcome": "accept", "note": "The bank confirms 10.51 EUR."}
    post(stack, payment, "resolutions", said)
    assert not queued()
