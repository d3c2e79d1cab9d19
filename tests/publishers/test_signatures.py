"""Signatures of Standard Webhooks, verified by somebody else's code."""

from __future__ import annotations

import base64
import time

import pytest
import standardwebhooks
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.publishers.signatures import signature_of, signed_headers_of
from chalicelib.services.signing_keys import new_signing_key

SECRET, OLDER = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz", "whsec_b2xkZXJvbGRlcm9sZGVyb2xkZXJvbGRlcg=="


def whsec(key: bytes) -> str:
    return "whsec_" + base64.b64encode(key).decode()


secrets = st.binary(min_size=24, max_size=64).map(whsec)
event_ids = st.from_regex(r"evt_[A-Za-z0-9_]{1,40}", fullmatch=True)
bodies = st.text(st.characters(exclude_categories=["Cs"]), max_size=500).map(str.encode)


def test_an_hmac_signature_is_that_of_the_specification() -> None:
    """The example of standardwebhooks.com."""
    body = b'{"test": 2432232314}'
    signature = signature_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(event_ids, bodies, st.lists(secrets, min_size=1, max_size=2))
@settings(max_examples=1000, deadline=None)
def test_the_reference_library_verifies_all_that_hmac_signs_with_each_live_secret(
    event_id: str, body: bytes, live: list[str]
) -> None:
    headers = signed_headers_of(event_id, int(time.time()), body, live)
    for secret in live:
        standardwebhooks.Webhook(secret).verify(body, headers, json_parse=False)  # raises where it does not


@given(event_ids, st.binary(max_size=500))
@settings(max_examples=200, deadline=None)
def test_what_an_ed25519_key_signs_its_public_key_verifies(event_id: str, body: bytes) -> None:
    key = new_signing_key("ed25519")
    assert key.public is not None
    version, _, signature = signature_of(key.secret, event_id, 1700000000, body).partition(",")
    assert version == "v1a"
    verifier = Ed25519PublicKey.from_public_bytes(base64.b64decode(key.public.removeprefix("whpk_"), validate=True))
    verifier.verify(base64.b64decode(signature, validate=True), f"{event_id}.1700000000.".encode() + body)


def test_another_ed25519_key_does_not_verify_it() -> None:
    signature = signature_of(new_signing_key("ed25519").secret, "evt_1", 1, b"{}").removeprefix("v1a,")
    with pytest.raises(InvalidSignature):
        Ed25519PrivateKey.generate().public_key().verify(base64.b64decode(signature), b"evt_1.1.{}")


def test_secrets_of_both_kinds_sign_side_by_side_in_their_order() -> None:
    secrets = (new_signing_key("ed25519").secret, SECRET)
    headers = signed_headers_of("evt_1", 1, b"{}", secrets)
    assert headers == {
        "webhook-id": "evt_1",
        "webhook-timestamp": "1",
        "webhook-signature": " ".join(signature_of(one, "evt_1", 1, b"{}") for one in secrets),
    }


def test_nothing_goes_out_unsigned() -> None:
    with pytest.raises(ValueError, match=r"^there is no signing secret$"):
        signed_headers_of("evt_1", 1, b"{}", ())


@pytest.mark.parametrize("secret", ["whsec_a", "whsec_MDEy!zQ1", "MDEyMzQ1*"])
def test_a_secret_that_is_no_base64_signs_nothing(secret: str) -> None:
    with pytest.raises(ValueError, match=r"^a signing secret is whsec_ followed by base64$"):
        signature_of(secret, "evt_1", 1, b"{}")


@pytest.mark.parametrize("secret", ["whsk_a", "whsk_MDEy"])
def test_an_ed25519_secret_that_is_none_signs_nothing(secret: str) -> None:
    with pytest.raises(ValueError):
        signature_of(secret, "evt_1", 1, b"{}")


@pytest.mark.parametrize(("signature", "prefix"), [("hmac", "whsec_"), ("ed25519", "whsk_")])
def test_a_new_key_is_random_and_tells_nobody(signature: str, prefix: str) -> None:
    one, other = new_signing_key(signature), new_signing_key(signature)
    assert one.secret != other.secret
    assert len(base64.b64decode(one.secret.removeprefix(prefix), validate=True)) == 32
    assert one.secret not in repr(one)
