"""Many callers at once, over two processes of eight threads each: one key is one payment, and nobody sees another's state."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.stack.problems import problem_of
from tests.stack.running import Stack

CALLS = 100
THREADS = 16


def at_once(count: int, call: Callable[[int], requests.Response], threads: int = THREADS) -> list[requests.Response]:
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(call, range(count)))


def test_a_hundred_equal_checkouts_are_one_payment(stack: Stack) -> None:
    key, reference = str(uuid.uuid4()), f"parallel-{uuid.uuid4().hex[:8]}"
    stack.token()
    answers = at_once(CALLS, lambda number: stack.checkout(key, order_reference=reference))

    made = [answer for answer in answers if answer.status_code == 201]
    assert made, {answer.status_code for answer in answers}
    assert len({answer.content for answer in made}) == 1
    assert sum("Idempotency-Replayed" not in answer.headers for answer in made) <= 1
    for answer in answers:
        if answer.status_code != 201:
            problem_of(stack, answer, 409, "in-progress")
            assert 1 <= int(answer.headers["Retry-After"]) <= 60

    payment = made[0].json()
    found = stack.call("GET", f"/v1/payments?order_reference={reference}").json()["items"]
    assert [one["id"] for one in found] == [payment["id"]]
    assert [attempt["connection_id"] for attempt in payment["attempts"]] == ["sandbox-a"]
    [session] = stack.sessions("sandbox-a", payment["attempts"][0]["id"])
    assert session["id"] == payment["attempts"][0]["psp_reference"]
    assert stack.sessions("sandbox-b", payment["attempts"][0]["id"]) == []


def test_a_repeat_afterwards_is_the_first_answer_byte_for_byte(stack: Stack) -> None:
    key = str(uuid.uuid4())
    first, second = stack.checkout(key), stack.checkout(key)
    assert (second.status_code, second.content) == (201, first.content)
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"


def test_another_body_under_the_same_key_is_refused(stack: Stack) -> None:
    key = str(uuid.uuid4())
    stack.token()
    answers = at_once(32, lambda number: stack.checkout(key, order_reference=f"order-{number % 2}"))
    made = {answer.content for answer in answers if answer.status_code == 201}
    assert len(made) == 1
    for answer in answers:
        if answer.status_code == 422:
            problem_of(stack, answer, 422, "key-reused")
        else:
            assert answer.status_code in (201, 409), answer.text
    assert any(answer.status_code == 422 for answer in answers)


def test_a_key_is_one_merchant_accounts_own(stack: Stack) -> None:
    """The other account has no route, so its call fails, whatever `default` did under the same key."""
    key = str(uuid.uuid4())
    assert stack.checkout(key).status_code == 201
    answer = stack.checkout(key, client="other-shop")
    assert answer.status_code == 422
    assert not answer.json()["type"].endswith("key-reused")


@pytest.mark.parametrize("threads", [8])
def test_callers_never_see_each_others_state(stack: Stack, threads: int) -> None:
    """Each call carries marks of its own (token, key, body, request id), and each answer must carry the same ones."""
    payment = stack.checkout(str(uuid.uuid4())).json()["id"]
    for client in ("demo", "shop", "other-shop"):
        stack.token(client)
    # client and call: the status that this client alone gets there
    expected = [
        ("demo", f"/v1/payments/{payment}", 200),
        ("shop", f"/v1/payments/{payment}", 200),
        ("other-shop", f"/v1/payments/{payment}", 404),
        (None, f"/v1/payments/{payment}", 401),
        ("demo", "/v1/routes/default", 200),
        ("shop", "/v1/routes/default", 403),
        ("other-shop", "/v1/routes/default", 404),
        (None, "/v1/routes/default", 401),
    ]

    def look(number: int) -> requests.Response:
        client, path, _ = expected[number % len(expected)]
        return stack.call("GET", path, client=client, headers={"X-Request-Id": f"caller-{number}"})

    for number, answer in enumerate(at_once(800, look, threads)):
        assert answer.status_code == expected[number % len(expected)][2], expected[number % len(expected)]
        assert answer.headers["X-Request-Id"] == f"caller-{number}"


def test_parallel_checkouts_get_their_own_orders_back(stack: Stack) -> None:
    clients = ("demo", "shop")
    for client in clients:
        stack.token(client)

    def buy(number: int) -> requests.Response:
        amount = {"value": 1000 + number, "currency": "EUR"}
        return stack.checkout(
            f"own-{number}", client=clients[number % 2], order_reference=f"own-{number}", amount=amount
        )

    answers = at_once(64, buy, 8)
    for number, answer in enumerate(answers):
        assert answer.status_code == 201, answer.text
        assert (answer.json()["order_reference"], answer.json()["amount"]["value"]) == (f"own-{number}", 1000 + number)
    assert len({answer.json()["id"] for answer in answers}) == 64
