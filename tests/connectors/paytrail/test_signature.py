"""Paytrail's signature: the published vectors, and another implementation both ways."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.connectors.paytrail.connector import PaytrailConnector
from chalicelib.connectors.paytrail.settings import PaytrailSettings
from chalicelib.connectors.paytrail.signature import is_signed, signature_of
from chalicelib.contracts.conversation import HttpRequest, HttpResponse
from chalicelib.contracts.webhooks import Delivery
from chalicelib.domain.errors import SignatureInvalid, Unreadable
from tests.conformance.connectors.profile import connector_of
from tests.conformance.connectors.specs import vectors_of
from tests.connectors.paytrail.profile import MERCHANT, PREVIOUS, SECRET, mac, sign_answer

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NAMES = st.from_regex(r"checkout-[a-z0-9_]{1,12}(-[a-z0-9_]{1,12})?", fullmatch=True)
VALUES = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=40)
SAID = st.dictionaries(NAMES, VALUES, max_size=8)
ALGORITHMS = st.sampled_from(["sha256", "sha512"])


def vectors() -> dict[str, Mapping[str, Any]]:
    return {one["id"]: one for one in vectors_of("paytrail")}


def delivered(connector: PaytrailConnector, delivery: Delivery) -> None:
    for _ in connector.verify(delivery):
        raise AssertionError("verifying asks nobody")


def test_the_published_request_is_signed_as_it_was() -> None:
    vector = vectors()["request"]
    inputs, body = vector["inputs"], vector["inputs"]["raw_body"].encode()
    assert signature_of(inputs["secret"], "sha256", inputs["params"], body) == vector["expected"]
    signed = {**inputs["params"], "signature": vector["expected"]}
    assert is_signed(signed, body, [inputs["secret"]])
    assert not is_signed(signed, body + b" ", [inputs["secret"]])


def test_the_published_redirect_is_as_good_as_a_callback() -> None:
    vector = vectors()["redirect-return"]
    params, secret = vector["inputs"]["params"], vector["inputs"]["secret"]
    settings = {"merchant_id": params["checkout-account"], "secret_key": secret}
    connector = PaytrailConnector(PaytrailSettings.model_validate(settings, strict=False))
    query = urlencode({**params, "signature": vector["expected"]})
    delivery = Delivery({}, b"", AT, method="GET", query=query)
    delivered(connector, delivery)
    assert connector.read(delivery) == [], "whose references are not ours"
    with pytest.raises(SignatureInvalid):
        delivered(connector, replace(delivery, body=b"x"))
    with pytest.raises(SignatureInvalid):
        delivered(connector, replace(delivery, query=query.replace("2964", "2965")))


@given(said=SAID, algorithm=ALGORITHMS, body=st.binary(max_size=200), secret=st.text(max_size=40))
def test_what_others_sign_fits_and_what_is_signed_here_fits_others(
    said: dict[str, str], algorithm: str, body: bytes, secret: str
) -> None:
    secret = secret.encode(errors="ignore").decode()
    whole = {**said, "checkout-algorithm": algorithm}
    made = mac(secret, whole, body)
    assert signature_of(secret, algorithm, {**whole, "other": "x"}, body) == made
    assert is_signed({**whole, "signature": made}, body, ["another", secret])
    assert not is_signed({**whole, "signature": made}, body + b"x", [secret])
    assert not is_signed({**whole, "signature": made, "checkout-status": "another"}, body, [secret])


@given(said=st.dictionaries(st.text(max_size=30) | NAMES | st.just("signature"), st.text(max_size=200), max_size=6))
def test_whatever_comes_is_at_worst_unsigned(said: dict[str, str]) -> None:
    for algorithm in ("sha256", "sha512", "md5", ""):
        whole = {"checkout-algorithm": algorithm, "signature": "0" * 64, **said}
        assert not is_signed(whole, b"", [SECRET])


@given(query=st.text(max_size=300), body=st.binary(max_size=50))
def test_a_hostile_callback_is_invalid_or_unreadable(query: str, body: bytes) -> None:
    connector = connector_of("paytrail")
    delivery = Delivery({}, body, AT, method="GET", query=query)
    with pytest.raises(SignatureInvalid):
        next(connector.verify(delivery))
    with pytest.raises(Unreadable):
        connector.read(delivery)


@pytest.mark.parametrize("name", ["checkout-status\nx", "checkout-a:b", "Checkout-Status", "checkout-"])
def test_a_name_that_could_be_read_in_two_ways_is_not_signed(name: str) -> None:
    """So nothing that it says is believed, and no line of it can stand in for another."""
    whole = {"checkout-algorithm": "sha256", "checkout-status": "fail"}
    assert signature_of(SECRET, "sha256", {**whole, name: "ok"}, b"") == signature_of(SECRET, "sha256", whole, b"")


def test_a_line_feed_in_a_value_can_not_make_two_parameters_of_one() -> None:
    honest = {"checkout-algorithm": "sha256", "checkout-b": "1", "checkout-c": "2"}
    forged = {"checkout-algorithm": "sha256", "checkout-b": "1\ncheckout-c:2"}
    assert mac(SECRET, honest, b"") == mac(SECRET, forged, b"")
    assert not is_signed({**forged, "signature": mac(SECRET, honest, b"")}, b"", [SECRET])


def test_every_request_is_signed_for_others_too() -> None:
    request: HttpRequest = next(connector_of("paytrail").test())
    assert request.headers["signature"] == mac(SECRET, request.headers, request.body or b"")


@pytest.mark.parametrize("secret", [SECRET, PREVIOUS])
def test_an_answer_may_be_signed_by_either_key(secret: str) -> None:
    own = {"checkout-account": MERCHANT, "checkout-algorithm": "sha256"}
    conversation = connector_of("paytrail").test()
    next(conversation)
    with pytest.raises(StopIteration) as told:
        conversation.send(HttpResponse(200, {**own, "signature": mac(secret, own, b"[]")}, b"[]"))
    assert told.value.value is None


def test_an_answer_of_another_account_is_none() -> None:
    own = {"checkout-account": "100002", "checkout-algorithm": "sha256"}
    conversation = connector_of("paytrail").test()
    next(conversation)
    with pytest.raises(ValueError, match="signature"):
        conversation.send(HttpResponse(200, {**own, "signature": mac(SECRET, own, b"[]")}, b"[]"))


def test_the_kit_signs_answers_as_paytrail_does() -> None:
    assert is_signed(sign_answer({}, b"{}"), b"{}", [SECRET])


def test_the_last_lines_that_were_signed_can_not_be_moved_into_the_body() -> None:
    said = {"checkout-account": MERCHANT, "checkout-algorithm": "sha256", "checkout-transaction-id": "1"}
    made = mac(SECRET, said, b"")
    moved = said.pop("checkout-transaction-id")
    query, body = urlencode({**said, "signature": made}), f"checkout-transaction-id:{moved}\n".encode()
    assert mac(SECRET, said, body) == made
    with pytest.raises(SignatureInvalid):
        next(connector_of("paytrail").verify(Delivery({}, body, AT, method="GET", query=query)))


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        ("x" * 2_000, True),
        ("x" * 2_001, False),
        ("a\nb", False),
        ("a\rb", False),
        ("\ud7ff\ue000", True),
        ("\ud800", False),
        (chr(0xDFFF), False),
    ],
)
def test_a_value_is_one_line_of_text_that_can_be_sent(value: str, fits: bool) -> None:
    said = {"checkout-algorithm": "sha256", "checkout-reference": value}
    text = "".join(f"{name}:{said[name]}\n" for name in sorted(said)).encode("utf-8", "surrogatepass")
    signature = hmac.new(SECRET.encode(), text, "sha256").hexdigest()
    assert is_signed({**said, "signature": signature}, b"", [SECRET]) is fits


@pytest.mark.parametrize("lacks", ["signature", "checkout-algorithm"])
def test_what_lacks_its_signature_or_says_no_algorithm_is_not_signed(lacks: str) -> None:
    said = {"checkout-algorithm": "sha256", "checkout-reference": "x"}
    signed = {**said, "signature": signature_of(SECRET, "sha256", said, b"")}
    assert is_signed(signed, b"", [SECRET])
    assert not is_signed({name: text for name, text in signed.items() if name != lacks}, b"", [SECRET])
