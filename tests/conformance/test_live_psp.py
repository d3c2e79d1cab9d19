"""What every connector must do, run for each whose PSP can run here. The kit in `connectors/` runs for all of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chalicelib.contracts.calls import AttemptRef, MoneyOrder, Opened, Refusal, RefusalKind, reference_of
from chalicelib.contracts.conversation import Conversation, HttpResponse
from chalicelib.contracts.webhooks import Delivery
from chalicelib.domain.errors import SignatureInvalid, Unreadable
from chalicelib.domain.facts import DeclineClass, Fact, Kind, State
from chalicelib.domain.ids import attempt_id_of, operation_id_of, payment_id_of
from chalicelib.domain.money import Money
from chalicelib.domain.order import CaptureMode, Order
from chalicelib.domain.payment import Attempt
from chalicelib.outbound.driver import Deadline, Driver
from chalicelib.services.kept_headers import kept
from tests.conformance.live_psps import HARNESSES, Psp


@pytest.fixture(params=sorted(HARNESSES))
def psp(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Psp]:
    with HARNESSES[request.param](tmp_path) as running:
        yield running


def attempt_ref(key: str = "k", **order: Any) -> AttemptRef:
    wanted = Order(Money(1050, "EUR"), "order-1", "https://shop.example/r", "https://shop.example/c", **order)
    payment_id = payment_id_of("default", key)
    attempt = Attempt(attempt_id_of(payment_id, 1), "sandbox-a", "sandbox", datetime.now(UTC))
    return reference_of(attempt, wanted)


def run(conversation: Conversation[Any]) -> Any:
    return Driver().converse(conversation, Deadline(10))


def opened(psp: Psp, ref: AttemptRef) -> tuple[AttemptRef, str]:
    said = run(psp.connector.open_checkout(ref.checkout))
    assert isinstance(said, Opened)
    assert said.action is not None
    return replace(ref, psp_reference=said.psp_reference), said.action.url


def summary(facts: Any) -> set[tuple[str, str]]:
    return {(fact.kind, fact.state) for fact in facts}


def test_opening_gives_a_page(psp: Psp) -> None:
    _, url = opened(psp, attempt_ref())
    assert url.startswith("http")


def test_opening_twice_with_one_attempt_is_one_page(psp: Psp) -> None:
    ref = attempt_ref()
    assert opened(psp, ref) == opened(psp, ref)


def test_opening_moves_nothing(psp: Psp) -> None:
    ref, _ = opened(psp, attempt_ref())
    assert summary(run(psp.connector.fetch(ref))) == {(Kind.CHECKOUT, State.OPEN)}


def test_a_paid_page_is_one_capture_of_the_amount_from_every_source(psp: Psp) -> None:
    ref, url = opened(psp, attempt_ref())
    psp.shopper(url, "paid")
    fetched = {fact for fact in run(psp.connector.fetch(ref)) if fact.kind is Kind.CAPTURE}
    told = {
        fact for fact in psp.connector.read(psp.delivery(ref)) if isinstance(fact, Fact) and fact.kind is Kind.CAPTURE
    }
    assert fetched == told
    assert [(fact.state, fact.amount) for fact in fetched] == [(State.SUCCEEDED, Money(1050, "EUR"))]


def test_a_manual_capture_authorizes_first(psp: Psp) -> None:
    ref, url = opened(psp, attempt_ref(capture=CaptureMode.MANUAL))
    psp.shopper(url, "paid")
    assert (Kind.AUTHORIZATION, State.SUCCEEDED) in summary(run(psp.connector.fetch(ref)))
    order = MoneyOrder(ref, operation_id_of(payment_id_of("default", "k"), "c"), Money(400, "EUR"))
    captured = [fact for fact in run(psp.connector.capture(order)) if fact.kind is Kind.CAPTURE]
    assert [(fact.amount, fact.operation_id) for fact in captured] == [(Money(400, "EUR"), order.operation_id)]


def test_a_refund_names_its_operation_and_happens_once(psp: Psp) -> None:
    ref, url = opened(psp, attempt_ref())
    psp.shopper(url, "paid")
    order = MoneyOrder(ref, operation_id_of(payment_id_of("default", "k"), "r"), Money(400, "EUR"))
    for _ in range(2):
        refunds = [fact for fact in run(psp.connector.refund(order)) if fact.kind is Kind.REFUND]
        assert [(fact.amount, fact.operation_id) for fact in refunds] == [(Money(400, "EUR"), order.operation_id)]


def test_refunding_too_much_is_refused(psp: Psp) -> None:
    ref, url = opened(psp, attempt_ref())
    psp.shopper(url, "paid")
    order = MoneyOrder(ref, operation_id_of(payment_id_of("default", "k"), "r"), Money(1051, "EUR"))
    assert isinstance(run(psp.connector.refund(order)), Refusal)


def test_a_declined_card_ends_nothing(psp: Psp) -> None:
    ref, url = opened(psp, attempt_ref())
    psp.shopper(url, "declined")
    facts = run(psp.connector.fetch(ref))
    assert summary(facts) == {(Kind.CHECKOUT, State.OPEN), (Kind.TRY, State.DECLINED)}


def test_a_cancelled_page_is_cancelled(psp: Psp) -> None:
    ref, url = opened(psp, attempt_ref())
    psp.shopper(url, "cancelled")
    assert (Kind.CHECKOUT, State.CANCELLED) in summary(run(psp.connector.fetch(ref)))


def test_an_expired_page_can_be_expired_again(psp: Psp) -> None:
    ref, _ = opened(psp, attempt_ref())
    for _ in range(2):
        assert (Kind.CHECKOUT, State.EXPIRED) in summary(run(psp.connector.expire(ref)))


def test_expiring_a_paid_page_says_that_it_was_paid(psp: Psp) -> None:
    ref, url = opened(psp, attempt_ref())
    psp.shopper(url, "paid")
    assert (Kind.CAPTURE, State.SUCCEEDED) in summary(run(psp.connector.expire(ref)))


def test_an_attempt_is_found_by_our_reference(psp: Psp) -> None:
    ref, url = opened(psp, attempt_ref())
    found = run(psp.connector.recover(replace(ref, psp_reference=None)))
    assert isinstance(found, Opened)
    assert found.action is not None
    assert (found.psp_reference, found.action.url) == (ref.psp_reference, url)


def test_an_attempt_the_psp_never_saw_is_not_found(psp: Psp) -> None:
    assert run(psp.connector.recover(attempt_ref("never"))) is None


@pytest.mark.parametrize(
    ("how", "kind", "cls"),
    [
        ("decline_hard", RefusalKind.DECLINED, DeclineClass.HARD),
        ("decline_soft", RefusalKind.DECLINED, DeclineClass.SOFT),
        ("rate_limited", RefusalKind.RATE_LIMITED, None),
    ],
)
def test_a_no_is_told_apart(psp: Psp, how: str, kind: RefusalKind, cls: DeclineClass | None) -> None:
    said = run(psp.connector.open_checkout(attempt_ref(metadata=psp.misbehaving(how)).checkout))
    assert isinstance(said, Refusal)
    assert said.kind is kind
    assert (said.decline and said.decline.cls) == cls


def test_wrong_credentials_are_a_misconfiguration(psp: Psp) -> None:
    said = run(psp.wrong_credentials.open_checkout(attempt_ref().checkout))
    assert isinstance(said, Refusal)
    assert said.kind is RefusalKind.MISCONFIGURED
    assert isinstance(run(psp.wrong_credentials.test()), Refusal)
    assert run(psp.connector.test()) is None


def test_an_unknown_status_is_never_success(psp: Psp) -> None:
    ref, url = opened(psp, attempt_ref(metadata=psp.misbehaving("unknown_status")))
    psp.shopper(url, "paid")
    moved = {Kind.CAPTURE, Kind.AUTHORIZATION}
    assert not {fact for fact in run(psp.connector.fetch(ref)) if fact.kind in moved and fact.state is State.SUCCEEDED}


def test_a_webhook_is_verified_and_names_our_attempt(psp: Psp) -> None:
    ref, _ = opened(psp, attempt_ref())
    delivery = psp.delivery(ref)
    run(psp.connector.verify(delivery))
    assert {said.attempt_id for said in psp.connector.read(delivery)} == {ref.attempt_id}


def test_a_verification_that_is_put_off_finds_the_headers_it_reads(psp: Psp) -> None:
    ref, _ = opened(psp, attempt_ref())
    delivery = psp.delivery(ref)
    junk = {f"a-{number}": "x" for number in range(100)}
    run(
        psp.connector.verify(
            replace(delivery, headers=kept({**junk, **delivery.headers}, psp.connector.signature_headers))
        )
    )


def test_one_changed_byte_is_a_forgery(psp: Psp) -> None:
    ref, _ = opened(psp, attempt_ref())
    delivery = psp.delivery(ref)
    for position in range(0, len(delivery.body), 37):
        body = bytearray(delivery.body)
        body[position] ^= 1
        with pytest.raises(SignatureInvalid):
            run(psp.connector.verify(replace(delivery, body=bytes(body))))


HOSTILE = [
    "",
    "v1",
    "t=1,v1=",
    "v1,%%%",
    "t=x,v1=y",
    "t=99999999999999999999,v1=a",
    "é",
    "t=1,t=2,v1=a",
    "," * 2000,
    "=\x00",
]


@pytest.mark.parametrize("header", HOSTILE)
def test_a_hostile_signature_is_only_ever_invalid(psp: Psp, header: str) -> None:
    ref, _ = opened(psp, attempt_ref())
    delivery = psp.delivery(ref)
    with pytest.raises(SignatureInvalid):
        run(psp.connector.verify(replace(delivery, headers=dict.fromkeys(delivery.headers, header))))


def test_no_signature_at_all_is_invalid(psp: Psp) -> None:
    ref, _ = opened(psp, attempt_ref())
    with pytest.raises(SignatureInvalid):
        run(psp.connector.verify(replace(psp.delivery(ref), headers={})))


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b"null", b"\xff", b'{"data": 1}', b'{"data": {"reference": 1}}', b"[" * 50_000]
)
def test_a_senseless_webhook_is_unreadable_and_nothing_worse(psp: Psp, body: bytes) -> None:
    with pytest.raises(Unreadable):
        psp.connector.read(Delivery({}, body, datetime.now(UTC)))


def test_an_answer_that_is_no_answer_is_an_error_and_never_success(psp: Psp) -> None:
    for body in (b"", b"{}", b"[]", b"null", b'{"id": 1}'):
        conversation = psp.connector.open_checkout(attempt_ref().checkout)
        next(conversation)
        with pytest.raises((KeyError, ValueError, TypeError, AttributeError)):
            conversation.send(HttpResponse(201, {}, body))


def test_money_calls_carry_our_id_as_the_key(psp: Psp) -> None:
    ref = attempt_ref()
    request = next(psp.connector.open_checkout(ref.checkout))
    assert request.moves_money
    assert ref.attempt_id in json.dumps(dict(request.headers)) + (request.body or b"").decode()
    assert request == next(psp.connector.open_checkout(ref.checkout))
