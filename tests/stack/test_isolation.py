"""Another merchant account's things are not there: every operation of the served document is called with a stranger's token."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from dev.sandbox.accounts import ACCOUNTS
from tests.stack.problems import problem_of
from tests.stack.running import Json, Stack, order, send

STRANGER = "other-shop"
IF_MATCH = {"If-Match": '"1"'}
KEY = {"Idempotency-Key": "isolation"}
Owned = dict[str, str]  # what merchant account `default` has: kind of object to id

# Operations on one object: the objects that its path names, in order, and a good body.
CALLS: dict[str, tuple[tuple[str, ...], object]] = {
    "read_payment": (("payment",), None),
    "read_timeline": (("payment",), None),
    "capture_payment": (("payment",), {}),
    "cancel_payment": (("payment",), {}),
    "refund_payment": (("payment",), {}),
    "retry_payment": (("payment",), {}),
    "sync_payment": (("payment",), None),
    "resolve_payment": (("payment",), {"attempt_id": "att_1", "outcome": "accept", "note": "seen"}),
    "read_connection": (("connection",), None),
    "update_connection": (("connection",), {"enabled": False}),
    "delete_connection": (("connection",), None),
    "check_connection": (("connection",), None),
    "read_webhook_setup": (("connection",), None),
    "make_webhook": (("connection",), None),
    "read_health": (("connection",), None),
    "put_health": (("connection",), {"override": "open"}),
    "read_route": (("route",), None),
    "update_route": (("route",), {"otherwise": {"use": ["sandbox-b"]}}),
    "delete_route": (("route",), None),
    "list_route_versions": (("route",), None),
    "read_route_experiments": (("route",), None),
    "read_route_version": (("route", "version"), None),
    "compare_route_versions": (("route",), None),
    "activate_route_version": (("route",), {"version": 1}),
    "simulate_route": (("route",), {"days": 1}),
    "read_subscription": (("subscription",), None),
    "update_subscription": (("subscription",), {"enabled": False}),
    "delete_subscription": (("subscription",), None),
    "add_signing_secret": (("subscription",), None),
    "end_signing_secret": (("subscription", "secret"), None),
    "check_subscription": (("subscription",), None),
    "recover_subscription": (("subscription",), {"since": "2026-01-01T00:00:00Z"}),
    "redeliver": (("delivery",), None),
    "replay_inbox": (("inbox",), None),
}
QUERIES = {"compare_route_versions": "?from=1&to=1"}
LISTS = {
    "list_payments",
    "list_connections",
    "list_routes",
    "list_subscriptions",
    "list_deliveries",
    "list_inbox",
    "list_audit",
    "read_statistics",
}
EXPORTS = {"export_payments"}
# Those that name no object: a catalogue that is everybody's, and what makes something new in one's own account.
NOBODYS = {
    "list_connectors",
    "create_checkout",
    "create_connection",
    "create_route",
    "create_subscription",
    "lint_route",
}


def operations(stack: Stack) -> Iterator[tuple[str, str, str]]:
    """Operation id, method and path of all that ask for a token."""
    paths = stack.call("GET", "/openapi.json", client=None).json()["paths"]
    for path, methods in paths.items():
        for method, operation in methods.items():
            if operation["security"]:
                yield operation["operationId"], method.upper(), path


def path_of(path: str, ids: list[str]) -> str:
    for one in ids:
        head, _, rest = path.partition("{")
        path = head + one + rest.partition("}")[2]
    assert "{" not in path, f"{path} names more objects than the table does"
    return path


def eventually(look: Callable[[], Json | None], promise: str) -> Json:
    ends = time.monotonic() + 30
    while time.monotonic() < ends:
        found = look()
        if found is not None:
            return found
        time.sleep(0.1)
    raise AssertionError(f"{promise} within 30 s")


def first_of(stack: Stack, path: str, **wanted: Any) -> Json | None:
    items: list[Json] = stack.call("GET", path).json()["items"]
    return next((one for one in items if wanted.items() <= one.items()), None)


def send_unmatched_webhook(stack: Stack) -> None:
    """Signed as the PSP would, about a payment that never was."""
    session = {"id": "ses_1", "reference": "att_" + "a" * 24 + "_01", "status": "open", "payment": None}
    event = {"id": f"evt_{uuid.uuid4().hex}", "type": "session.expired", "created": 1, "version": 1, "data": session}
    body, at = json.dumps(event).encode(), str(int(time.time()))
    secret = ACCOUNTS["sandbox-a"].webhook_secret.encode()
    signature = hmac.new(secret, f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    headers = {"Sandbox-Signature": f"t={at},v1={signature}"}
    answer = stack.call("POST", "/webhooks/default/sandbox-a", data=body, client=None, headers=headers)
    assert answer.status_code == 200, answer.text


@pytest.fixture(scope="module")
def owned(stack: Stack) -> Iterator[Owned]:
    """A paid payment, a subscription nobody listens to, its delivery, and a webhook in the inbox."""
    target = {"url": "http://localhost:9/"}
    wanted = {"name": "isolation", "channel": "webhook", "target": target, "events": ["payment.pending"]}
    subscription = stack.call("POST", "/v1/subscriptions", wanted).json()
    secret = stack.call("GET", f"/v1/subscriptions/{subscription['id']}").json()["secrets"][0]
    payment = stack.checkout("isolation").json()
    send_unmatched_webhook(stack)
    ours = f"/v1/deliveries?subscription_id={subscription['id']}"
    delivery = eventually(lambda: first_of(stack, ours, payment_id=payment["id"]), "a delivery is recorded")
    inbox = eventually(lambda: first_of(stack, "/v1/inbox", connection_id="sandbox-a"), "the webhook is in the inbox")
    yield {
        "payment": payment["id"],
        "connection": "sandbox-c",
        "route": "careful",
        "version": "1",
        "subscription": subscription["id"],
        "secret": secret["id"],
        "delivery": delivery["id"],
        "inbox": inbox["id"],
    }
    tag = stack.call("GET", f"/v1/subscriptions/{subscription['id']}").headers["ETag"]
    stack.call("DELETE", f"/v1/subscriptions/{subscription['id']}", headers={"If-Match": tag})


def test_this_test_knows_every_operation(stack: Stack) -> None:
    """A new operation must be entered above, so that it is called with a stranger's token too."""
    assert {name for name, _, _ in operations(stack)} == CALLS.keys() | LISTS | EXPORTS | NOBODYS


@pytest.mark.parametrize("name", sorted(CALLS))
def test_anothers_object_is_not_there(stack: Stack, owned: Owned, name: str) -> None:
    kinds, body = CALLS[name]
    method, path = next((method, path) for known, method, path in operations(stack) if known == name)
    path = path_of(path, [owned[kind] for kind in kinds]) + QUERIES.get(name, "")
    if method == "GET":
        assert stack.call("GET", path).status_code == 200, "its owner sees it"
    answer = stack.call(method, path, body, client=STRANGER, headers={**IF_MATCH, **KEY})
    problem_of(stack, answer, 404, "not-found")


@pytest.mark.parametrize("name", sorted(CALLS))
def test_what_another_has_can_not_be_told_from_what_nobody_has(stack: Stack, owned: Owned, name: str) -> None:
    kinds, body = CALLS[name]
    method, path = next((method, path) for known, method, path in operations(stack) if known == name)
    nobodys = {**dict.fromkeys(owned, "nobody-has-this"), "version": "7"}
    told = []
    for ids in (owned, nobodys):
        here = path_of(path, [ids[kind] for kind in kinds]) + QUERIES.get(name, "")
        answer = stack.call(method, here, body, client=STRANGER, headers={**IF_MATCH, **KEY})
        told.append({**answer.json(), "instance": "", "request_id": ""})
    assert told[0] == told[1]


@pytest.mark.parametrize("name", sorted(LISTS))
def test_a_strangers_lists_are_empty(stack: Stack, owned: Owned, name: str) -> None:
    path = next(path for known, _, path in operations(stack) if known == name)
    assert stack.call("GET", path).json()["items"], "its owner's is not"
    seen = stack.call("GET", path, client=STRANGER).json()
    assert (seen.pop("items"), seen.pop("next_cursor")) == ([], None)
    assert seen.keys() <= {"complete_until"}, "nothing else could tell of anything"


@pytest.mark.parametrize("name", sorted(EXPORTS))
def test_a_strangers_exports_are_empty(stack: Stack, owned: Owned, name: str) -> None:
    path = next(path for known, _, path in operations(stack) if known == name)
    assert len(stack.call("GET", path).text.splitlines()) > 1, "its owner's is not"
    answer = stack.call("GET", path, client=STRANGER)
    assert (answer.status_code, len(answer.text.splitlines())) == (200, 1)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/payments?order_reference=order-1001",
        "/v1/payments?connection_id=sandbox-a",
        "/v1/deliveries?payment_id={payment}",
        "/v1/deliveries?subscription_id={subscription}",
        "/v1/inbox?connection_id=sandbox-a",
    ],
)
def test_a_filter_finds_nothing_of_anothers(stack: Stack, owned: Owned, path: str) -> None:
    path = path.format_map(owned)
    assert stack.call("GET", path).json()["items"], "its owner finds it"
    assert stack.call("GET", path, client=STRANGER).json()["items"] == []


def test_anothers_cursor_shows_nothing_of_anothers(stack: Stack, owned: Owned) -> None:
    stack.checkout("isolation-2")
    cursor = stack.call("GET", "/v1/payments?limit=1").json()["next_cursor"]
    answer = stack.call("GET", f"/v1/payments?limit=1&cursor={cursor}", client=STRANGER)
    assert answer.status_code == 400 or answer.json()["items"] == []


def test_anothers_key_replays_nothing(stack: Stack, owned: Owned) -> None:
    """The stranger has no route of this name, although `default` has."""
    answer = stack.call("POST", "/v1/checkouts", order(), client=STRANGER, headers=KEY)
    assert owned["payment"] not in answer.text
    problem_of(stack, answer, 422)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_webhook_at_anothers_address_is_not_taken(stack: Stack, method: str) -> None:
    answer = send(method, f"{stack.api}/webhooks/other/sandbox-a?token=guessed")
    problem_of(stack, answer, 404, "not-found")


@pytest.mark.parametrize(
    ("query", "status", "slug"),
    [
        ("a=1", 405, "method-not-allowed"),
        ("a=1&a=2", 405, "method-not-allowed"),
        ("a=%zz", 400, "unreadable"),
        ("a=%", 400, "unreadable"),
        ("a=%ff", 400, "unreadable"),
        ("a=%00", 400, "unreadable"),
        ("&".join(["a=1"] * 101), 400, "unreadable"),
        ("a=" + "x" * 8_000, 413, "too-large"),
        ("a=" + "x" * 9_000, 414, "too-large"),
    ],
    ids=range(9),
)
def test_a_get_is_no_webhook_of_a_psp_that_posts_whatever_its_query(
    stack: Stack, query: str, status: int, slug: str
) -> None:
    connection = http.client.HTTPConnection("localhost", stack.port, timeout=40)  # which sends it as it is
    connection.request("GET", f"/webhooks/default/sandbox-a?{query}")
    with closing(connection), connection.getresponse() as answer:
        assert (answer.status, json.load(answer)["type"].rpartition("/")[2]) == (status, slug)


def test_nothing_of_the_owners_was_changed(stack: Stack, owned: Owned) -> None:
    """After all of the above, in the order of this file."""
    assert stack.call("GET", f"/v1/connections/{owned['connection']}").json()["version"] == 1
    assert stack.call("GET", f"/v1/routes/{owned['route']}").json()["version"] == 1
    subscription = stack.call("GET", f"/v1/subscriptions/{owned['subscription']}").json()
    assert subscription["version"] == 1
    assert [one["id"] for one in subscription["secrets"]] == [owned["secret"]]
