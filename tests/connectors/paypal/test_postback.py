"""PayPal asked whether it sent a webhook: the question holds the event byte for byte, and no body can ask another one."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.connectors.paypal.postback import is_confirmed, question_of
from chalicelib.connectors.paypal.signature import Transmission
from chalicelib.contracts.conversation import HttpResponse, ReadFailed
from chalicelib.domain.errors import SignatureInvalid
from tests.conformance.connectors.profile import connector_of
from tests.connectors.paypal.profile import PREVIOUS, WEBHOOK_ID
from tests.connectors.paypal.signing import CERTIFICATE_URL, signed

SENT = Transmission("69cd13f0-d67a-11e5-baa3-778b53f4ae55", "2026-03-01T12:00:00Z", "c2ln" * 90, CERTIFICATE_URL)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(st.characters(exclude_categories=("Cs",))),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=60)
@given(
    event=st.dictionaries(st.text(st.characters(exclude_categories=("Cs",)), max_size=8), JSON, max_size=5),
    indent=st.none() | st.integers(0, 3),
    escaped=st.booleans(),
)
def test_the_event_stands_in_the_question_as_it_came(event: dict[str, Any], indent: int | None, escaped: bool) -> None:
    body = json.dumps(event, indent=indent, ensure_ascii=escaped).encode()
    question = question_of(SENT, body, WEBHOOK_ID)
    assert body in question
    parsed = json.loads(question)
    assert parsed.pop("webhook_event") == event
    assert parsed == {
        "auth_algo": "SHA256withRSA",
        "cert_url": CERTIFICATE_URL,
        "transmission_id": SENT.id,
        "transmission_sig": SENT.signature,
        "transmission_time": SENT.time,
        "webhook_id": WEBHOOK_ID,
    }


@pytest.mark.parametrize(
    "body",
    [
        b'{}, "webhook_id": "ANOTHER"',
        b'{"a": 1}}, "x": {"b": 2',
        b'{"a": 1, "a": 2}',
        b'{"a": {"b": 1, "b": 2}}',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b"[]",
        b"null",
        b'"text"',
        b"",
        b"\xff",
        b'\xef\xbb\xbf{"a": 1}',
        '{"a": 1}'.encode("utf-16"),
        '{"a": 1}'.encode("utf-16-le"),
        b'{"a": 1} {"b": 2}',
        b"{" * 50_000,
        b'{"a":' * 50_000,
        b'{"a": ' + b"9" * 5_000 + b"}",
    ],
)
def test_a_body_that_is_no_event_or_might_be_read_as_two_is_invalid(body: bytes) -> None:
    with pytest.raises(SignatureInvalid, match=r"^The webhook is no JSON object\.$"):
        question_of(SENT, body, WEBHOOK_ID)


def verified(*answers: HttpResponse) -> list[dict[str, Any]]:
    """The questions that were put."""
    delivery = signed(b'{"id": "WH-1"}', WEBHOOK_ID, datetime.now(UTC))
    conversation, left, asked = connector_of("paypal", webhook_verification="postback").verify(delivery), [*answers], []
    try:
        request = next(conversation)
        while True:
            assert not request.moves_money
            if request.operation == "verify":
                assert request.url == "https://api-m.sandbox.paypal.com/v1/notifications/verify-webhook-signature"
                asked.append(json.loads(request.body or b""))
            request = conversation.send(left.pop(0))
    except StopIteration:
        return asked


def answer(status: str) -> HttpResponse:
    return HttpResponse(200, {}, json.dumps({"verification_status": status}).encode())


def test_what_paypal_confirms_is_valid() -> None:
    assert [one["webhook_id"] for one in verified(answer("SUCCESS"))] == [WEBHOOK_ID]


def test_it_is_asked_about_the_webhook_before_too() -> None:
    asked = verified(answer("FAILURE"), answer("SUCCESS"))
    assert [one["webhook_id"] for one in asked] == [WEBHOOK_ID, PREVIOUS]


@pytest.mark.parametrize("status", ["FAILURE", "success", "", "SUCCESS ", "TELEPORTED"])
def test_anything_else_is_a_forgery(status: str) -> None:
    with pytest.raises(SignatureInvalid):
        verified(answer(status), answer(status))


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429])
def test_where_paypal_does_not_say_it_is_asked_again_later(status: int) -> None:
    with pytest.raises(ReadFailed):
        verified(HttpResponse(status, {}, b"{}"), HttpResponse(status, {}, b"{}"), HttpResponse(status, {}, b"{}"))


@pytest.mark.parametrize("said", [None, True, "SUCCESS", ["SUCCESS"], {}, 17])
def test_an_answer_that_is_none_confirms_nothing(said: Any) -> None:
    with pytest.raises((KeyError, TypeError)):
        is_confirmed(said)


def test_it_is_left_to_a_queue_function() -> None:
    assert not connector_of("paypal", webhook_verification="postback").verifies_offline
    assert connector_of("paypal").verifies_offline


def test_without_a_webhook_id_every_webhook_is_invalid() -> None:
    for way in ("certificate", "postback"):
        connector = connector_of("paypal", webhook_verification=way, webhook_id=None, webhook_id_previous=None)
        with pytest.raises(SignatureInvalid):
            next(connector.verify(signed(b"{}", WEBHOOK_ID, datetime.now(UTC))))
