"""What an issuer may publish, and what gives no keys."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from chalicelib.domain.errors import IdentityFault, Unauthenticated
from chalicelib.identity.key_source import FRESH_S
from chalicelib.identity.keys import KeySet
from chalicelib.identity.verify import TokenVerifier
from tests.identity.issuing import AUDIENCE, Clock, Provider, bearer, ec_key, jwk_of, rsa_key


@pytest.mark.parametrize(
    "discovery",
    [
        {"issuer": "https://elsewhere.example"},
        {"issuer": None},
        {"jwks_uri": "http://elsewhere.example/keys"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": None},
        {"jwks_uri": ["a"]},
        {"jwks_uri": "http://[broken"},
    ],
    ids=repr,
)
def test_a_discovery_document_that_is_not_the_issuers_gives_no_keys(
    verifier: TokenVerifier, provider: Provider, discovery: dict[str, Any]
) -> None:
    provider.discovery = discovery
    with pytest.raises(IdentityFault):
        verifier.verify(bearer(provider))


@pytest.mark.parametrize(
    "body", [b"", b"not json", b"[]", b"null", b'{"keys": {}}', b"\xff", b"[" * 100_000, b" " * 300_000], ids=len
)
def test_an_answer_that_is_none_gives_no_keys(verifier: TokenVerifier, provider: Provider, body: bytes) -> None:
    provider.body = body
    with pytest.raises(IdentityFault):
        verifier.verify(bearer(provider))


def test_a_document_without_bounds_is_not_read(verifier: TokenVerifier, provider: Provider) -> None:
    provider.discovery = {"padding": "x" * 300_000}
    with pytest.raises(IdentityFault):
        verifier.verify(bearer(provider))


class FromMemory(requests.adapters.BaseAdapter):
    """Answers for an https issuer, whose discovery document names keys on this machine's loopback."""

    def __init__(self, provider: Provider) -> None:
        super().__init__()
        self.provider = provider

    def send(self, request: Any, *arguments: Any, **named: Any) -> requests.Response:
        response = requests.Response()
        response.status_code = 200
        document = {"issuer": "https://login.example", "jwks_uri": f"{self.provider.url}/keys"}
        response.raw = io.BytesIO(json.dumps(document).encode())
        return response

    def close(self) -> None: ...


def test_a_secure_issuer_can_not_name_keys_that_are_fetched_in_the_clear(provider: Provider, clock: Clock) -> None:
    with requests.Session() as http:
        http.mount("https://login.example", FromMemory(provider))
        verifier = TokenVerifier("https://login.example", AUDIENCE, http=http, clock=clock)
        with pytest.raises(IdentityFault):
            verifier.verify(bearer(provider))
    assert provider.asked == []


def test_redirects_are_not_followed(verifier: TokenVerifier, provider: Provider) -> None:
    provider.status = 302
    with pytest.raises(IdentityFault):
        verifier.verify(bearer(provider))
    assert provider.asked == ["/.well-known/openid-configuration"]


def test_an_issuer_may_end_with_a_slash(provider: Provider, clock: Clock) -> None:
    issuer = provider.url + "/"
    provider.discovery = {"issuer": issuer}
    assert TokenVerifier(issuer, AUDIENCE, clock=clock).verify(bearer(provider, iss=issuer)).subject == "shop-7"


def test_a_session_that_is_given_is_used(provider: Provider, clock: Clock) -> None:
    with requests.Session() as http:
        http.headers["X-Mark"] = "ours"
        verifier = TokenVerifier(provider.url, AUDIENCE, http=http, clock=clock)
        assert verifier.verify(bearer(provider)).subject == "shop-7"


def test_a_token_without_a_key_id_needs_a_single_key(verifier: TokenVerifier, provider: Provider, clock: Clock) -> None:
    provider.keys.append(jwk_of(ec_key(), "elliptic"))
    unnamed = bearer(provider, head={"kid": ...})
    assert verifier.verify(unnamed).subject == "shop-7"
    provider.keys.append(jwk_of(rsa_key("second"), "second"))
    clock.now += FRESH_S
    with pytest.raises(Unauthenticated):
        verifier.verify(unnamed)


@pytest.mark.parametrize(
    "members",
    [{"use": "enc"}, {"key_ops": ["encrypt"]}, {"key_ops": "verify"}, {"alg": "HS256"}, {"alg": 7}, {"kty": "EC"}],
    ids=repr,
)
def test_a_key_that_is_not_for_signatures_verifies_nothing(
    verifier: TokenVerifier, provider: Provider, members: dict[str, Any]
) -> None:
    provider.keys = [jwk_of(rsa_key()) | members]
    with pytest.raises(Unauthenticated):
        verifier.verify(bearer(provider))


def test_broken_keys_do_not_harm_the_good_one(verifier: TokenVerifier, provider: Provider) -> None:
    good = provider.keys[0]
    broken: list[Any] = [7, None, {}, {"kty": "RSA"}, {"kty": ["RSA"]}, good | {"n": 7}, good | {"n": "%"}]
    broken += [{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}, {"kty": "OKP", "crv": "Ed25519", "x": "AA"}]
    broken += [jwk_of(ec_key()) | {"crv": "P-999"}, good | {"kid": 7}, good | {"d": "AQAB"}, good | {"e": "AQ"}]
    provider.keys = [*broken, good]
    assert verifier.verify(bearer(provider)).subject == "shop-7"


def test_a_key_whose_private_half_is_published_verifies_nothing() -> None:
    jwk = RSAAlgorithm.to_jwk(rsa_key(), as_dict=True) | {"key_ops": ["verify"], "kid": "first"}
    assert "d" in jwk
    assert not KeySet({"keys": [jwk]}).candidates("first", "RS256")


def test_a_weak_key_is_not_used() -> None:
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    assert not KeySet({"keys": [jwk_of(weak)]}).candidates("first", "RS256")


def test_sets_of_the_same_keys_are_equal_in_any_order() -> None:
    one, two = jwk_of(rsa_key()), jwk_of(ec_key(), "two")
    assert KeySet({"keys": [one, two]}) == KeySet({"keys": [two, one]})
    assert KeySet({"keys": [one, two]}) != KeySet({"keys": [one]})
    assert KeySet({"keys": [one]}) != KeySet({"keys": [jwk_of(rsa_key("second"))]})
