"""The signature of the Dashboard's webhooks, cross-checked with the official SDK both ways and with the vector made by it."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from mollie.utils.webhooks.signature_validator import InvalidSignatureException, SignatureValidator

from chalicelib.connectors.mollie.signature import check
from chalicelib.connectors.mollie.webhook import verify
from chalicelib.contracts.webhooks import Delivery
from chalicelib.domain.errors import SignatureInvalid
from tests.conformance.connectors.specs import vectors_of
from tests.connectors.mollie.profile import sign

ROUNDS = 1_000
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def bodies(seed: int) -> list[tuple[bytes, str]]:
    """Payloads and secrets of any length and script; a body is UTF-8, as JSON is."""
    chance = random.Random(seed)
    alphabet = 'abcXYZ019 {}[]":,.\\/\n\r\t é ß 漢字 😀 \u202e \x00 \x7f'
    return [
        (
            ("{" + "".join(chance.choices(alphabet, k=chance.randrange(0, 400)))).encode(),
            "".join(chance.choices("abcdefgh01234567+/=é", k=chance.randrange(1, 60))),
        )
        for _ in range(ROUNDS)
    ]


@pytest.mark.parametrize("prefix", ["", "sha256="])
def test_what_the_sdk_signs_is_valid(prefix: str) -> None:
    for body, secret in bodies(1):
        check(prefix + SignatureValidator.create_signature(body.decode(), secret), body, ["another", secret])


def test_what_the_kit_signs_is_valid_for_the_sdk_and_for_us() -> None:
    for body, secret in bodies(2):
        header = sign(body, secret, AT).headers["x-mollie-signature"]
        assert SignatureValidator.validate(body.decode(), secret, header)
        check(header, body, [secret])


def test_what_the_sdk_refuses_is_invalid() -> None:
    chance = random.Random(3)
    for body, secret in bodies(3):
        header = "sha256=" + SignatureValidator.create_signature(body.decode(), secret)
        place = chance.randrange(len(header))
        broken = header[:place] + chance.choice("0aZ=é ") + header[place + 1 :]
        if broken == header:
            continue
        try:
            SignatureValidator.validate(body.decode(), secret, broken)
        except (InvalidSignatureException, TypeError):  # a signature that is not ASCII
            with pytest.raises(SignatureInvalid):
                check(broken, body, [secret])


def test_where_the_sdk_says_nothing_we_refuse() -> None:
    """It takes a webhook without a signature for one of the kind that has none, and leaves it to its caller."""
    assert SignatureValidator.validate("{}", "secret", None) is False
    with pytest.raises(SignatureInvalid):
        verify(Delivery({}, b"{}", AT), ["secret"])


def test_several_signatures_are_looked_through() -> None:
    good = sign(b"{}", "present", AT).headers["x-mollie-signature"]
    check(f"sha256={'0' * 64}, {good}", b"{}", ["present"])
    with pytest.raises(SignatureInvalid, match="usable"):
        check(",".join([good] * 20), b"{}", ["present"])


def test_a_signature_that_is_there_counts_wherever_the_webhook_came_to() -> None:
    forged = replace(sign(b"{}", "wrong", AT), attempt_id="att_1")
    with pytest.raises(SignatureInvalid):
        verify(forged, ["present"])


def test_without_a_secret_nothing_fits() -> None:
    with pytest.raises(SignatureInvalid, match="fits"):
        verify(sign(b"{}", "", AT), [])


def test_the_vector_of_the_sdk_holds() -> None:
    vectors = vectors_of("mollie")
    assert vectors
    for vector in vectors:
        given = vector["inputs"]
        check(given["header_prefix"] + vector["expected"], given["raw_body"].encode(), [given["secret"]])


def told_of(header: str) -> str:
    """What an operator reads in the inbox."""
    try:
        check(header, b"{}", ["a-secret"])
    except SignatureInvalid as error:
        return error.detail
    return "genuine"


def test_an_operator_reads_why_a_webhook_was_rejected() -> None:
    good = SignatureValidator.create_signature("{}", "a-secret")
    assert told_of(good) == told_of(good.ljust(1_024, ",")) == "genuine"
    for odd in ("é", good.ljust(1_025, ",")):
        assert told_of(odd) == "The webhook has no usable X-Mollie-Signature header."
    assert told_of("00") == "No signature of the webhook fits its body and the webhook's secret."
