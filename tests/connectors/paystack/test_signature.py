"""Paystack's signature, cross-checked both ways with an SDK that others wrote. Paystack has none in Python with a check, and
publishes no vectors."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime

import pytest
from pypaystack2 import PaystackClient

from chalicelib.connectors.paystack.signature import HEADER, HEADER_CHARACTERS_MAX, check
from chalicelib.domain.errors import SignatureInvalid
from tests.connectors.paystack.profile import PREVIOUS, SECRET, sign

ROUNDS = 1_000
AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def bodies(seed: int) -> list[tuple[bytes, str]]:
    """Payloads and keys of any length and script, keys longer than a block of SHA-512 among them."""
    chance = random.Random(seed)
    alphabet = 'abcXYZ019 {}[]":,.\\/\n\r\t é ß 漢字 😀 \u202e \x00 \x7f'
    return [
        (
            "".join(chance.choices(alphabet, k=chance.randrange(0, 400))).encode(),
            "sk_test_" + "".join(chance.choices("abcdefgh01234567", k=chance.randrange(8, 200))),
        )
        for _ in range(ROUNDS)
    ]


def sdk(secret: str) -> PaystackClient:
    return PaystackClient(secret_key=secret)


def test_what_the_kit_signs_is_valid_for_the_sdk_and_for_us() -> None:
    for body, secret in bodies(1):
        header = sign(body, secret, AT).headers[HEADER]
        assert sdk(secret).is_verified_webhook_payload(body, header)
        check(header, body, ["sk_test_another", secret])


def test_what_the_sdk_refuses_is_invalid() -> None:
    chance = random.Random(2)
    for body, secret in bodies(2):
        header = sign(body, secret, AT).headers[HEADER]
        place = chance.randrange(len(header))
        broken = header[:place] + chance.choice("0aF= ") + header[place + 1 :]
        if broken != header:
            assert not sdk(secret).is_verified_webhook_payload(body, broken)
            with pytest.raises(SignatureInvalid):
                check(broken, body, [secret])


def test_a_body_that_is_written_anew_is_another() -> None:
    """Paystack's own sample in JavaScript signs what it parsed and wrote again; only the bytes are sure."""
    body = b'{"event": "charge.success", "data": {"amount": 1050}}'
    header = sign(body, SECRET, AT).headers[HEADER]
    check(header, body, [SECRET])
    with pytest.raises(SignatureInvalid, match="fit"):
        check(header, json.dumps(json.loads(body), separators=(",", ":")).encode(), [SECRET])


@pytest.mark.parametrize("header", [None, "", "é", "0" * (HEADER_CHARACTERS_MAX + 1)], ids=range(4))
def test_a_header_that_is_none_is_no_signature(header: str | None) -> None:
    with pytest.raises(SignatureInvalid, match="usable"):
        check(header, b"{}", [SECRET, PREVIOUS])


def test_without_a_secret_nothing_fits() -> None:
    with pytest.raises(SignatureInvalid, match="fit"):
        check(sign(b"{}", "", AT).headers[HEADER], b"{}", [])
