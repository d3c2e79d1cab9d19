"""Stripe's signature, cross-checked with the official SDK both ways and with the vectors that were made by it."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest
from stripe import SignatureVerificationError, WebhookSignature

from chalicelib.connectors.stripe.signature import HEADER_CHARACTERS_MAX, check
from chalicelib.domain.errors import SignatureInvalid
from tests.conformance.connectors.specs import vectors_of
from tests.connectors.stripe.profile import sign

ROUNDS = 1_000
AT = 1_772_366_400


def bodies(seed: int) -> list[tuple[bytes, str]]:
    """Payloads and secrets of any length and script; a body is UTF-8, as JSON is."""
    chance = random.Random(seed)
    alphabet = 'abcXYZ019 {}[]":,.\\/\n\r\t é ß 漢字 😀 \u202e \x00 \x7f'
    return [
        (
            "".join(chance.choices(alphabet, k=chance.randrange(0, 400))).encode(),
            "whsec_" + "".join(chance.choices("abcdefgh01234567+/=é", k=chance.randrange(1, 60))),
        )
        for _ in range(ROUNDS)
    ]


def test_what_the_sdk_signs_is_valid() -> None:
    for body, secret in bodies(1):
        header = WebhookSignature.generate_signature_header(body.decode(), secret, timestamp=AT)
        check(header, body, ["whsec_another", secret], AT)


def test_what_the_kit_signs_is_valid_for_the_sdk_and_for_us() -> None:
    at = datetime.fromtimestamp(AT, UTC)
    for body, secret in bodies(2):
        header = sign(body, secret, at).headers["stripe-signature"]
        assert WebhookSignature.verify_header(body.decode(), header, secret, tolerance=None)
        check(header, body, [secret], AT)


def test_what_the_sdk_refuses_is_invalid() -> None:
    chance = random.Random(3)
    for body, secret in bodies(3):
        header = WebhookSignature.generate_signature_header(body.decode(), secret, timestamp=AT)
        place = chance.randrange(len(header))
        broken = header[:place] + chance.choice("0aZ=,é ") + header[place + 1 :]
        if broken == header:
            continue
        try:
            WebhookSignature.verify_header(body.decode(), broken, secret, tolerance=None)
        except (SignatureVerificationError, ValueError, UnicodeError, TypeError):
            with pytest.raises(SignatureInvalid):
                check(broken, body, [secret], AT)


def test_the_published_vectors_hold() -> None:
    vectors = vectors_of("stripe")
    assert len(vectors) >= 4
    for vector in vectors:
        given = vector["inputs"]
        body, secret, at = given["raw_body"].encode(), given["secret"], given["timestamp"]
        if vector["valid"]:
            check(vector["expected"], body, [secret], at)
        else:
            with pytest.raises(SignatureInvalid):
                check(vector["expected"], body, [secret], at)


@pytest.mark.parametrize("over", [0, 1])
def test_a_header_has_2048_characters_at_most(over: int) -> None:
    body, secret = b"{}", "whsec_1"
    header = sign(body, secret, datetime.fromtimestamp(AT, UTC)).headers["stripe-signature"]
    header += ",v0=" + "0" * (HEADER_CHARACTERS_MAX + over - len(header) - 4)
    assert len(header) == HEADER_CHARACTERS_MAX + over
    if over:
        with pytest.raises(SignatureInvalid, match="usable"):
            check(header, body, [secret], AT)
    else:
        check(header, body, [secret], AT)


def test_without_a_secret_nothing_fits() -> None:
    header = sign(b"{}", "", datetime.fromtimestamp(AT, UTC)).headers["stripe-signature"]
    with pytest.raises(SignatureInvalid, match="fits"):
        check(header, b"{}", [], AT)


def told_of(header: str | None, at: float = AT) -> str:
    """What an operator reads in the inbox."""
    try:
        check(header, b"{}", ["whsec_one"], at)
    except SignatureInvalid as error:
        return error.detail
    return "genuine"


def test_an_operator_reads_why_a_webhook_was_rejected() -> None:
    good = WebhookSignature.generate_signature_header("{}", "whsec_one", timestamp=AT)
    assert told_of(good) == "genuine"
    for odd in (None, "", "é", good.ljust(HEADER_CHARACTERS_MAX + 1, ",")):
        assert told_of(odd) == "The webhook has no usable Stripe-Signature header."
    assert told_of(good.ljust(HEADER_CHARACTERS_MAX, ",")) == "genuine"
    for odd in ("v1=00", "t=", "t=soon", "t=1234567890123", f"{good},t={AT}", f"{good},t={AT}=1"):
        assert told_of(odd) == "The Stripe-Signature header has no time."
    for odd in ("t=1", "t=123456789012"):
        assert told_of(odd) == "The webhook was not signed within 300 s."
    assert told_of(f"t={AT},v1=00") == "No signature of the webhook fits its body and the endpoint's secret."


def test_a_time_is_good_for_300_seconds_either_way() -> None:
    good = WebhookSignature.generate_signature_header("{}", "whsec_one", timestamp=AT)
    assert [told_of(good, AT + seconds) for seconds in (-300, 300)] == ["genuine"] * 2
    assert [told_of(good, AT + seconds) for seconds in (-301, 301)] == ["The webhook was not signed within 300 s."] * 2
