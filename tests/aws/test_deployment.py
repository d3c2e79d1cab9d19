"""The demo and its troubles against API Gateway and the function URL of a deployed stack, each call within its role."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from chalicelib.api.problem import CONTENT_TYPE
from dev import demo
from dev.sandbox.accounts import ACCOUNTS
from dev.sandbox.outbox import signature
from dev.shop import Listener, Shop
from dev.troubles import late_money, refund_race, silent_refund
from tests.aws.events import scheduled
from tests.aws.shopping import Surroundings, come_back
from tests.aws.standin import NAME

pytestmark = [pytest.mark.deployment, pytest.mark.timeout(600)]
PATIENCE_S = 90.0  # a busy machine starts many functions at once


@pytest.fixture(scope="module")
def listener(around: Surroundings) -> Iterator[Listener]:
    listening = Listener()
    listening.secret = around.shop.subscribe(listening.url)
    yield listening
    around.shop.unsubscribe()
    listening.close()


ORDERS: dict[str, Callable[[Shop, Listener], str]] = {
    "paid, told, refunded": lambda shop, listener: demo.first_order(shop, listener, listener.secret),
    "declined at one PSP, paid at the next": lambda shop, listener: demo.second_order(shop),
    "a PSP that never answers": lambda shop, listener: demo.third_order(shop),
    "eight refunds at once, one is made": lambda shop, listener: refund_race(shop),
    "a refund that the PSP made and did not tell of": silent_refund,
    "money that comes after the shopper cancelled": late_money,
}


@pytest.mark.parametrize("order", ORDERS)
def test_an_order_goes_as_the_demo_promises(around: Surroundings, listener: Listener, order: str) -> None:
    payment_id = ORDERS[order](around.shop, listener)
    demo.tell(around.shop, f"Order: {order}", payment_id)


def test_no_function_was_refused_anything(around: Surroundings) -> None:
    assert [told for one in around.stack.recorders.values() for told in one.refused] == []


def test_what_api_gateway_refuses_by_itself_is_a_problem_document(around: Surroundings) -> None:
    answer = requests.get(f"{around.stack.api}/v1/nothing/like/it", timeout=30)
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, CONTENT_TYPE)
    told = answer.json()
    assert (told["status"], told["title"]) == (404, "There is no such thing")
    assert told["type"].endswith("/api/problems/not-found")
    assert told["request_id"] == answer.headers["X-Request-Id"]


def test_a_call_without_a_token_is_answered_by_us(around: Surroundings) -> None:
    answer = requests.get(f"{around.stack.api}/v1/payments", timeout=30)
    assert answer.status_code == 401
    assert answer.json()["type"].endswith("/problems/unauthenticated")


def test_the_function_url_takes_webhooks_and_returns_and_nothing_else(around: Surroundings) -> None:
    assert requests.get(f"{around.stack.webhooks}/v1/payments", timeout=30).status_code == 404
    assert requests.post(f"{around.stack.webhooks}/webhooks/default/unknown", data=b"{}", timeout=30).status_code == 404


def test_a_forged_webhook_is_refused(around: Surroundings) -> None:
    forged = {"Sandbox-Signature": signature(b"{}", ["guessed"], int(time.time()))}
    answer = requests.post(
        f"{around.stack.webhooks}/webhooks/default/sandbox-a", data=b"{}", headers=forged, timeout=30
    )
    assert answer.status_code == 400


def test_a_returning_shopper_is_sent_on_and_her_payment_completed(around: Surroundings) -> None:
    payment, answer = come_back(around)
    assert answer.status_code == 303
    sent_to = urlsplit(answer.headers["Location"])
    assert (sent_to.netloc, sent_to.path) == ("shop.example", "/return")
    assert parse_qs(sent_to.query) == {"payment_id": [payment["id"]]}
    around.shop.wait_until(payment["id"], _is_captured, "the return's sync completes the payment", PATIENCE_S)


def _is_captured(payment: dict[str, object]) -> bool:
    return payment["status"] == "captured"


def test_while_the_database_is_down_webhooks_are_taken_and_applied_once_it_is_back(around: Surroundings) -> None:
    payment = around.shop.checkout("outage").json()
    for recorder in around.stack.recorders.values():
        recorder.down.add("dynamodb")
    try:
        time.sleep(4)  # what the function has read of the connection is forgotten by then
        account = ACCOUNTS["sandbox-a"]
        body = json.dumps({"id": "evt_during_outage", "type": "ping"}).encode()
        signed = {"Sandbox-Signature": signature(body, [account.webhook_secret], int(time.time()))}
        url = f"{around.stack.webhooks}/webhooks/default/sandbox-a"
        assert requests.post(url, data=body, headers=signed, timeout=30).status_code == 200
        around.shop.pay(payment, "paid")
        unanswered = around.shop.call("GET", f"/v1/payments/{payment['id']}")
        assert unanswered.status_code == 503
    finally:
        for recorder in around.stack.recorders.values():
            recorder.down.clear()
    around.shop.wait_until(payment["id"], _is_captured, "what was told during the outage is applied", PATIENCE_S)
    assert _dead_letters(around) == 0


def _dead_letters(around: Surroundings) -> int:
    queues = around.stack.client("sqs")
    urls = [url for url in queues.list_queues()["QueueUrls"] if url.endswith("-dead")]
    assert len(urls) == 3
    asked = ["ApproximateNumberOfMessages"]
    counts = [queues.get_queue_attributes(QueueUrl=url, AttributeNames=asked)["Attributes"] for url in urls]
    return sum(int(one["ApproximateNumberOfMessages"]) for one in counts)


def test_statistics_are_rolled_up(around: Surroundings) -> None:
    around.stack.call("measure", scheduled("measure"))
    answer = around.shop.call("GET", "/v1/statistics?group_by=connection_id")
    assert answer.status_code == 200
    assert answer.json()["items"]


def test_tables_are_protected_and_on_demand(around: Surroundings) -> None:
    described = around.stack.client("dynamodb").describe_table(TableName=f"{NAME}-payments")["Table"]
    assert described["DeletionProtectionEnabled"] is True
    assert described["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
