"""Every token that must not pass, and that nothing but Unauthenticated comes of it."""

from __future__ import annotations

import hmac
import json
from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from chalicelib.domain.errors import Unauthenticated
from chalicelib.identity.verify import TokenVerifier
from tests.identity.issuing import (
    AUDIENCE,
    NOW,
    Clock,
    Provider,
    b64,
    bearer,
    claims_of,
    ec_key,
    jwk_of,
    rsa_key,
    token_of,
)


def refuse(verifier: TokenVerifier, authorization: str | None) -> str:
    with pytest.raises(Unauthenticated) as caught:
        verifier.verify(authorization)
    return caught.value.detail


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://elsewhere.example"},
        {"iss": ...},
        {"iss": ["https://elsewhere.example"]},
        {"aud": "another-api"},
        {"aud": ["another-api", "and-another"]},
        {"aud": AUDIENCE + "x"},
        {"aud": {AUDIENCE: 1}},
        {"aud": ...},
        {"exp": NOW - 31},
        {"exp": ...},
        {"exp": str(NOW + 60)},
        {"exp": True},
        {"exp": float("inf")},
        {"exp": float("nan")},
        {"nbf": NOW + 31},
        {"nbf": "soon"},
        {"nbf": None},
        {"iat": NOW + 31},
        {"iat": ...},
        {"iat": True},
        {"sub": ...},
        {"sub": ""},
        {"sub": 7},
        {"sub": "x" * 256},
        {"sub": "line\nbreak"},
        {"client_id": ...},
        {"client_id": []},
    ],
    ids=repr,
)
def test_a_claim_that_is_not_as_it_must_be_is_refused(
    verifier: TokenVerifier, provider: Provider, claims: dict[str, Any]
) -> None:
    refuse(verifier, bearer(provider, **claims))


def test_an_issuer_that_only_begins_like_ours_is_another(verifier: TokenVerifier, provider: Provider) -> None:
    refuse(verifier, bearer(provider, iss=provider.url + "/"))


def test_alg_none_is_refused(verifier: TokenVerifier, provider: Provider) -> None:
    for alg in ("none", "None", "nOnE", ""):
        head = b64(json.dumps({"alg": alg, "typ": "at+jwt", "kid": "first"}))
        for signature in ("", b64("x")):
            refuse(verifier, f"Bearer {head}.{b64(json.dumps(claims_of(provider)))}.{signature}")


def test_the_public_key_is_never_an_hmac_secret(verifier: TokenVerifier, provider: Provider) -> None:
    public = rsa_key().public_key()
    secrets = [public.public_bytes(form, PublicFormat.SubjectPublicKeyInfo) for form in (Encoding.PEM, Encoding.DER)]
    secrets += [b"", json.dumps(provider.keys[0]).encode(), provider.keys[0]["n"].encode()]
    head = b64(json.dumps({"alg": "HS256", "typ": "at+jwt", "kid": "first"}))
    signed = f"{head}.{b64(json.dumps(claims_of(provider)))}"
    for secret in secrets:
        refuse(verifier, f"Bearer {signed}.{b64(hmac.new(secret, signed.encode(), sha256).digest())}")


def test_a_symmetric_key_among_the_issuers_keys_verifies_nothing(verifier: TokenVerifier, provider: Provider) -> None:
    provider.keys.append({"kty": "oct", "kid": "shared", "k": b64("secret"), "alg": "HS256"})
    refuse(verifier, bearer(provider, b"secret" * 6, "HS256", {"kid": "shared"}))


def test_the_algorithm_must_be_the_keys_own(provider: Provider, clock: Clock) -> None:
    provider.keys = [jwk_of(rsa_key(), alg="RS256")]
    verifier = TokenVerifier(provider.url, AUDIENCE, clock=clock)
    refuse(verifier, bearer(provider, alg="PS256"))


def test_a_key_of_another_type_under_the_same_id_is_not_used(verifier: TokenVerifier, provider: Provider) -> None:
    refuse(verifier, bearer(provider, ec_key(), "ES256"))


def test_an_algorithm_we_did_not_choose_is_refused(provider: Provider, clock: Clock) -> None:
    verifier = TokenVerifier(provider.url, AUDIENCE, algorithms=("ES256",), clock=clock)
    refuse(verifier, bearer(provider))


@pytest.mark.parametrize("kid", ["../../etc/passwd", "' OR '1'='1", "https://evil.example/keys", "\x00", "", "x" * 257])
def test_a_key_id_is_only_ever_looked_up(verifier: TokenVerifier, provider: Provider, kid: str) -> None:
    refuse(verifier, bearer(provider, rsa_key("attacker"), head={"kid": kid}))
    assert set(provider.asked) <= {"/.well-known/openid-configuration", "/keys"}


@pytest.mark.parametrize("kid", [7, ["first"], {"first": 1}, True])
def test_a_key_id_that_is_no_string_is_refused(verifier: TokenVerifier, provider: Provider, kid: Any) -> None:
    refuse(verifier, bearer(provider, head={"kid": kid}))


def test_a_key_id_without_bounds_is_not_even_looked_up(verifier: TokenVerifier, provider: Provider) -> None:
    refuse(verifier, bearer(provider, head={"kid": "x" * 257}))
    assert provider.asked == []


def test_a_token_signed_by_another_key_under_our_key_id_is_refused(verifier: TokenVerifier, provider: Provider) -> None:
    refuse(verifier, bearer(provider, rsa_key("attacker")))


def test_a_token_can_not_bring_its_key(verifier: TokenVerifier, provider: Provider) -> None:
    attacker = rsa_key("attacker")
    brought = {
        "jwk": jwk_of(attacker),
        "jku": f"{provider.url}/evil",
        "x5u": f"{provider.url}/evil",
        "x5c": ["MIIB"],
    }
    for name, value in brought.items():
        assert name in refuse(verifier, bearer(provider, attacker, head={name: value}))
        refuse(verifier, bearer(provider, head={name: value}))
    assert provider.asked == []


@pytest.mark.parametrize("head", [{"crit": ["exp"], "exp": 1}, {"crit": []}, {"b64": False, "crit": ["b64"]}], ids=repr)
def test_rules_we_do_not_know_are_refused(verifier: TokenVerifier, provider: Provider, head: dict[str, Any]) -> None:
    refuse(verifier, bearer(provider, head=head))


@pytest.mark.parametrize("typ", ["JWT", "id+jwt", "logout+jwt", "at+jwt ", "", None, ["at+jwt"], 1, ...], ids=repr)
def test_a_token_of_another_type_is_refused(verifier: TokenVerifier, provider: Provider, typ: Any) -> None:
    refuse(verifier, bearer(provider, head={"typ": typ}))


def test_a_changed_token_is_refused_though_the_right_one_was_just_verified(
    verifier: TokenVerifier, provider: Provider
) -> None:
    good = bearer(provider)
    verifier.verify(good)
    head, content, signature = good.split(".")
    grown = b64(json.dumps(claims_of(provider, scope="config:write")))
    refuse(verifier, f"{head}.{grown}.{signature}")
    refuse(verifier, f"{head}.{content}.{signature[:-6]}AAAAAA")


def test_a_second_spelling_of_a_signature_is_refused(verifier: TokenVerifier, provider: Provider) -> None:
    good = bearer(provider)
    assert good[-1] in "AQgw"  # 256 bytes leave four bits over
    refuse(verifier, good[:-1] + chr(ord(good[-1]) + 1))
    refuse(verifier, good + "==")


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Basic ZGVtbzpkZW1vLXNlY3JldA==",
        "Bearer a",
        "Bearer a.b",
        "Bearer a.b.c",
        "Bearer a.b.c.d",
        "Bearer ..",
        "Bearer é.é.é",
        "Bearer \ud800.a.a",
        "Bearer \x00\x00.\x00.\x00",
        "Bearer \u0660\u0660\u0660\u0660.aaaa.aaaa",
        "Bearer aaaa.aaaa.aaaa\n",
        "Bearer aaaa.aaaa.aaaa aaaa.aaaa.aaaa",
        "Bearer aaaa.aaaa.aaaa,Bearer aaaa.aaaa.aaaa",
        f"Bearer {b64('[]')}.{b64('{}')}.aaaa",
        f"Bearer {b64('null')}.{b64('{}')}.aaaa",
        f"Bearer {b64(b'{' + bytes([255]) + b'}')}.{b64('{}')}.aaaa",
        f"Bearer {b64('{')}.{b64('{}')}.aaaa",
        f"Bearer {b64('[' * 3000)}.{b64('{}')}.aaaa",
        f"Bearer {b64('9' * 5000)}.{b64('{}')}.aaaa",
        f"Bearer {b64(json.dumps({'alg': ['RS256'], 'typ': 'at+jwt'}))}.{b64('{}')}.aaaa",
        f"Bearer {b64(json.dumps({'alg': {'RS256': 1}, 'typ': 'at+jwt'}))}.{b64('{}')}.aaaa",
        f"Bearer {b64('{' + chr(34) + 'alg' + chr(34) + ':null}')}.{b64('{}')}.aaaa",
    ],
)
def test_garbage_is_refused_and_costs_no_fetch(
    verifier: TokenVerifier, provider: Provider, authorization: str | None
) -> None:
    refuse(verifier, authorization)
    assert provider.asked == []


@pytest.mark.parametrize(
    "content",
    ["", "[]", "null", '"text"', "{", '{"iss":"a","iss":"b"}', "[" * 4000, "\ud7ff"],
    ids=lambda text: text[:9],
)
def test_content_that_is_no_plain_object_is_refused(verifier: TokenVerifier, content: str) -> None:
    refuse(verifier, f"Bearer {token_of(content or ' ', rsa_key())}")


def test_a_duplicate_header_member_is_refused(verifier: TokenVerifier, provider: Provider) -> None:
    head = b64('{"alg":"none","alg":"RS256","typ":"at+jwt","kid":"first"}')
    assert "header" in refuse(verifier, f"Bearer {head}.{b64(json.dumps(claims_of(provider)))}.aaaa")


def test_a_huge_token_is_refused_unread(verifier: TokenVerifier, provider: Provider) -> None:
    assert "8192" in refuse(verifier, bearer(provider, padding="x" * 8_192))
    assert provider.asked == []


def test_a_long_token_within_the_limit_is_accepted(verifier: TokenVerifier, provider: Provider) -> None:
    authorization = bearer(provider, padding="x" * 5_200)
    assert 7_500 < len(authorization) <= 8_192
    assert verifier.verify(authorization).subject == "shop-7"


def test_no_refusal_repeats_what_was_sent(verifier: TokenVerifier, provider: Provider) -> None:
    marks = {"sub": "s3cret\n", "aud": "s3cret", "iss": "s3cret", "exp": "s3cret", "client_id": ["s3cret"]}
    told = [refuse(verifier, bearer(provider, **{name: value})) for name, value in marks.items()]
    told += [refuse(verifier, bearer(provider, head={name: "s3cret"})) for name in ("kid", "typ", "jku")]
    told += [refuse(verifier, "Bearer s3cret"), refuse(verifier, "s3cret")]
    assert not [detail for detail in told if "s3cret" in detail]
