"""Operations of a payment that are refused or repeated over HTTP: keys, scopes, strangers, the schema."""

from __future__ import annotations

import pytest

from tests.stack.problems import problem_of
from tests.stack.running import Json, Stack
from tests.stack.test_payment_operations import held, money, opened, paid, post

KEYED = ("captures", "cancellations", "refunds", "retries")
ALL = (*KEYED, "syncs", "resolutions")


@pytest.mark.parametrize("what", KEYED)
def test_what_can_move_money_needs_an_idempotency_key(stack: Stack, what: str) -> None:
    answer = stack.call("POST", f"/v1/payments/{opened(stack)['id']}/{what}")
    problem_of(stack, answer, 400, "unreadable")


@pytest.mark.parametrize("what", ["captures", "cancellations", "refunds", "retries"])
def test_a_repeat_is_the_same_byte_for_byte_and_says_so(stack: Stack, what: str) -> None:
    payment = {"captures": held, "cancellations": held, "refunds": paid, "retries": opened}[what](stack)
    first, again = (post(stack, payment, what, key="repeat") for _ in range(2))
    assert first.status_code == again.status_code == 201
    assert again.content == first.content
    assert (first.headers.get("Idempotency-Replayed"), again.headers["Idempotency-Replayed"]) == (None, "true")


def test_a_key_with_another_body_is_422(stack: Stack) -> None:
    payment = paid(stack)
    post(stack, payment, "refunds", money(100), key="one")
    problem_of(stack, post(stack, payment, "refunds", money(200), key="one"), 422, "key-reused")


def test_a_key_of_a_refund_is_no_key_of_a_retry(stack: Stack) -> None:
    payment = paid(stack)
    post(stack, payment, "refunds", money(100), key="one")
    problem_of(stack, post(stack, payment, "retries", key="one"), 422, "key-reused")


@pytest.mark.parametrize("what", ["refunds", "resolutions"])
def test_a_shop_that_may_only_sell_is_forbidden(stack: Stack, what: str) -> None:
    body = {"attempt_id": "att_1", "outcome": "accept", "note": "n"} if what == "resolutions" else None
    answer = post(stack, paid(stack), what, body, client="shop")
    problem = problem_of(stack, answer, 403, "forbidden")
    assert {"refunds": "refunds:write", "resolutions": "config:write"}[what] in problem["detail"]


@pytest.mark.parametrize("what", ["captures", "cancellations", "retries", "syncs"])
def test_a_shop_may_do_what_belongs_to_selling(stack: Stack, what: str) -> None:
    payment = opened(stack) if what in ("retries", "syncs") else held(stack)
    assert post(stack, payment, what, client="shop").status_code in (200, 201)


@pytest.mark.parametrize("what", ALL)
def test_without_a_token_nothing_is_done(stack: Stack, what: str) -> None:
    problem_of(stack, post(stack, {"id": "pay_1"}, what, client=None), 401, "unauthenticated")


@pytest.mark.parametrize("what", ALL)
def test_a_payment_that_is_not_there_is_404(stack: Stack, what: str) -> None:
    body = {"attempt_id": "att_1", "outcome": "accept", "note": "n"} if what == "resolutions" else None
    problem_of(stack, post(stack, {"id": "pay_" + "a" * 24}, what, body), 404, "not-found")


@pytest.mark.parametrize(
    ("what", "body", "pointer"),
    [
        ("refunds", {"amount": {"value": 0, "currency": "EUR"}}, "/amount/value"),
        ("refunds", {"amount": {"value": 1.5, "currency": "EUR"}}, "/amount/value"),
        ("refunds", {"amount": {"value": 1}}, "/amount/currency"),
        ("refunds", {"final": True}, "/final"),
        ("captures", {"final": "yes"}, "/final"),
        ("captures", {"reason": "x"}, "/reason"),
        ("cancellations", {"amount": {"value": 1, "currency": "EUR"}}, "/amount"),
        ("retries", {"supersede": 1}, "/supersede"),
        ("retries", {"connection_id": ""}, "/connection_id"),
        ("resolutions", {"attempt_id": "att_1", "outcome": "accept"}, "/note"),
    ],
)
def test_what_the_schema_refuses_is_422_and_pointed_at(stack: Stack, what: str, body: Json, pointer: str) -> None:
    problem = problem_of(stack, post(stack, opened(stack), what, body), 422, "invalid")
    assert [one["pointer"] for one in problem["errors"]] == [pointer]
