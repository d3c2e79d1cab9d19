"""A PSP that calls back by GET, with all that it says in the query: as good as any webhook, and as hard to forge."""

from __future__ import annotations

import base64
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.contracts.query import QUERY_BYTES_MAX, check_query, parameters_of
from chalicelib.contracts.queue import MESSAGE_BYTES_MAX, Topic
from chalicelib.contracts.store import NEW
from chalicelib.contracts.webhooks import Delivery
from chalicelib.domain.configuration import InboxItem
from chalicelib.domain.errors import MethodNotAllowed, SignatureInvalid, StorageFault, TooLarge, Unreadable
from chalicelib.domain.payment import Payment, Status
from chalicelib.services.intake import delivery_in, message_of
from chalicelib.services.kinds import INBOX, PAYMENT
from chalicelib.telemetry.logs import JsonFormatter
from tests.builders import NOW
from tests.callback_psp import CallbackConnector, signed
from tests.conformance.connectors.hostile import QUERIES, UNREADABLE_QUERIES, changed_queries
from tests.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, connectors={"simulated": CallbackConnector})


def paid(world: World) -> tuple[Payment, str]:
    payment = world.open().payment
    attempt_id = payment.attempts[0].id
    world.psps["psp-1"].pay(attempt_id)
    return payment, attempt_id


def call_back(world: World, query: str, psp: str = "psp-1", method: str = "GET") -> None:
    world.intake.take("default", psp, {"user-agent": "psp"}, b"", method=method, query=query)


def status_of(world: World, payment: Payment) -> Status:
    return world.payment(payment.id).status


def inbox(world: World) -> list[InboxItem]:
    return [one.value for one in world.store.find(INBOX, "by_time", "default").items]


def queued(world: World) -> list[dict[str, Any]]:
    return [json.loads(one.body) for one in world.queue.receive(Topic.INBOUND)]


def database_down(*_: Any) -> Any:
    raise StorageFault("down")


def test_what_a_signed_get_says_is_applied(world: World) -> None:
    payment, attempt_id = paid(world)
    call_back(world, signed(attempt=attempt_id))
    world.settle()
    assert status_of(world, payment) is Status.CAPTURED


def test_its_query_is_queued_exactly_as_it_was_sent(world: World) -> None:
    query = signed(attempt="x", note="a b+c/é~")
    call_back(world, query)
    (message,) = queued(world)
    assert (message["method"], message["query"], message["body"], message["state"]) == ("GET", query, "", "verified")


def test_a_forged_query_is_refused(world: World) -> None:
    query = signed(attempt="x", note="a b+c")
    call_back(world, query)
    for forged in changed_queries(query):
        with pytest.raises((SignatureInvalid, Unreadable)):
            call_back(world, forged)


@pytest.mark.parametrize("query", QUERIES)
def test_a_senseless_query_is_not_signed(world: World, query: str) -> None:
    with pytest.raises(SignatureInvalid):
        call_back(world, query)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("query", UNREADABLE_QUERIES, ids=range(len(UNREADABLE_QUERIES)))
def test_what_no_address_may_hold_is_unreadable(world: World, query: str, method: str) -> None:
    with pytest.raises(Unreadable):
        call_back(world, query, method=method)
    with pytest.raises(SignatureInvalid):
        parameters_of(query)


def test_the_longest_query_fits_and_one_character_more_does_not(world: World) -> None:
    room = QUERY_BYTES_MAX - len(signed(note=""))
    call_back(world, signed(note="x" * room))
    with pytest.raises(TooLarge):
        call_back(world, signed(note="x" * (room + 1)))


def test_the_largest_webhook_with_the_longest_query_fits_a_message() -> None:
    delivery = Delivery({}, b"x" * 131_072, NOW, "POST", "x" * QUERY_BYTES_MAX)
    assert len(message_of("m" * 40, "c" * 40, delivery, "unverified")) < MESSAGE_BYTES_MAX


def test_a_parameter_that_stands_twice_is_not_signed() -> None:
    with pytest.raises(SignatureInvalid):
        parameters_of("a=1&b=2&%61=3")
    assert parameters_of("b=%C3%A9+x&a=") == {"b": "é x", "a": ""}


@settings(max_examples=500, deadline=None)
@given(query=st.text(max_size=60) | st.text("%&=+#;0aFfé\x00 ", max_size=60))
def test_whatever_the_query_is_it_is_taken_or_refused(query: str) -> None:
    try:
        check_query(query)
    except (Unreadable, TooLarge):
        return
    assert query.isascii()
    assert all(character.isprintable() for pair in parameters_or_nothing(query).items() for character in "".join(pair))


def parameters_or_nothing(query: str) -> dict[str, str]:
    try:
        found = parameters_of(query)
    except SignatureInvalid:
        return {}
    return {name: value for name, value in found.items() if name.isascii() and value.isascii()}


def test_a_method_that_the_psp_never_uses_is_not_taken(world: World) -> None:
    with pytest.raises(MethodNotAllowed) as refused:
        call_back(world, signed(attempt="x"), method="POST")
    assert refused.value.methods == {"GET"}
    assert queued(world) == []


def test_a_get_is_not_taken_where_the_psp_posts(tmp_path: Path) -> None:
    posting = World(tmp_path)
    with pytest.raises(MethodNotAllowed) as refused:
        call_back(posting, "a=1")
    assert refused.value.methods == {"POST"}


def test_with_the_database_down_only_methods_of_some_psp_are_taken(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, attempt_id = paid(world)
    world.configuration.forget()
    query = signed(attempt=attempt_id)
    with monkeypatch.context() as broken:
        broken.setattr(world.store, "get", database_down)
        with pytest.raises(MethodNotAllowed):
            call_back(world, query, method="POST")
        call_back(world, query)
    (message,) = queued(world)
    assert (message["method"], message["query"], message["state"]) == ("GET", query, "unverified")


def test_a_query_that_waited_is_verified_before_it_is_applied(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    payment, attempt_id = paid(world)
    world.configuration.forget()
    good = signed(attempt=attempt_id)
    with monkeypatch.context() as broken:
        broken.setattr(world.store, "get", database_down)
        call_back(world, good.replace("signature=", "signature=0"))
        call_back(world, good)
    world.settle()
    assert [item.status for item in inbox(world)] == ["rejected"]
    assert status_of(world, payment) is Status.CAPTURED


def test_a_method_that_waited_is_checked_before_it_is_applied(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    payment, attempt_id = paid(world)
    delivery = Delivery({}, b"", NOW, "POST", signed(attempt=attempt_id))
    world.queue.send(Topic.INBOUND, message_of("default", "psp-1", delivery, "unverified"))
    world.settle()
    assert [item.status for item in inbox(world)] == ["rejected"]
    assert status_of(world, payment) is Status.PENDING


def test_each_of_two_callbacks_that_overtook_their_payments_is_kept_and_applied_later(world: World) -> None:
    first, second = world.open("one").payment, world.open("two").payment
    hidden = [world.store.get(PAYMENT, one.id) for one in (first, second)]
    for payment, stored in zip((first, second), hidden, strict=True):
        world.psps["psp-1"].pay(payment.attempts[0].id)
        world.store.delete(PAYMENT, payment.id, expect=stored.version)
        call_back(world, signed(attempt=payment.attempts[0].id))
    world.settle()
    assert [(item.status, item.method, item.query != "") for item in inbox(world)] == [("unmatched", "GET", True)] * 2
    for stored in hidden:
        world.store.put(PAYMENT, stored.value, expect=NEW)
    world.settle(3)
    assert [status_of(world, one) for one in (first, second)] == [Status.CAPTURED] * 2
    assert inbox(world) == []


def test_an_operators_replay_says_the_same_query_again(world: World) -> None:
    payment, attempt_id = paid(world)
    call_back(world, signed(attempt=attempt_id))
    hidden = world.store.get(PAYMENT, payment.id)
    world.store.delete(PAYMENT, payment.id, expect=hidden.version)
    world.settle()
    world.store.put(PAYMENT, hidden.value, expect=NEW)
    assert world.apply.again(inbox(world)[0].id).status == "applied"
    assert status_of(world, payment) is Status.CAPTURED


def test_a_message_of_before_there_were_queries_is_a_post() -> None:
    written = json.loads(message_of("default", "psp-1", Delivery({"a": "b"}, b"x", NOW), "verified"))
    del written["method"], written["query"]
    assert delivery_in(written) == Delivery({"a": "b"}, b"x", NOW, "POST", "")


def test_an_inbox_item_of_before_there_were_queries_is_a_post(world: World) -> None:
    item = InboxItem("inb_1", "default", "psp-1", "unmatched", "", {}, base64.b64encode(b"x").decode(), NOW)
    written = json.loads(INBOX.encode(item))
    del written["method"], written["query"]
    assert INBOX.decode(json.dumps(written).encode()) == item


def test_a_query_is_in_no_log_and_in_nothing_that_shows_itself(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    shown = []
    for query in ("token=a-secret-of-ours", "token=a-secret-of-ours%", signed(attempt="a-secret-of-ours")):
        try:
            call_back(world, query)
        except (SignatureInvalid, Unreadable) as error:
            shown.append(f"{error} {error!r}")
    world.settle()
    assert len(inbox(world)) == 2
    shown += [repr(item) for item in inbox(world)]
    shown += [repr(Delivery({}, b"", NOW, "GET", "token=a-secret-of-ours"))]
    shown += [JsonFormatter().format(record) for record in caplog.records]
    assert not [text for text in shown if "a-secret-of-ours" in text]
