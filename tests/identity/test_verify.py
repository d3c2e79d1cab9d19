"""Good tokens, whom they stand for, and what a verifier refuses to be made of."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.domain.errors import Forbidden, IdentityFault, Unauthenticated
from chalicelib.identity.caller import Caller
from chalicelib.identity.verify import TokenVerifier
from tests.identity.issuing import AUDIENCE, NOW, Clock, Provider, bearer, ec_key, ed_key, jwk_of, rsa_key


def test_a_good_token_says_who_calls(verifier: TokenVerifier, provider: Provider) -> None:
    caller = verifier.verify(bearer(provider))
    assert caller == Caller("shop-7", "shop", "books", frozenset({"payments:read", "payments:write"}))


def test_a_caller_has_only_the_scopes_of_its_token(verifier: TokenVerifier, provider: Provider) -> None:
    caller = verifier.verify(bearer(provider))
    caller.require("payments:read")
    with pytest.raises(Forbidden, match="config:write"):
        caller.require("config:write")


@pytest.mark.parametrize("alg", ["RS256", "PS256", "ES256", "EdDSA"])
def test_every_pinned_algorithm_verifies(provider: Provider, clock: Clock, alg: str) -> None:
    keys = {"R": rsa_key(), "P": rsa_key(), "E": ec_key()}
    key = ed_key() if alg == "EdDSA" else keys[alg[0]]
    provider.keys = [jwk_of(key)]
    verifier = TokenVerifier(provider.url, AUDIENCE, clock=clock)
    assert verifier.verify(bearer(provider, key, alg)).client_id == "shop"


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_has_no_case(verifier: TokenVerifier, provider: Provider, scheme: str) -> None:
    assert verifier.verify(bearer(provider).replace("Bearer", scheme)).subject == "shop-7"


@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt"])
def test_the_type_is_a_media_type(verifier: TokenVerifier, provider: Provider, typ: str) -> None:
    assert verifier.verify(bearer(provider, head={"typ": typ})).subject == "shop-7"


@pytest.mark.parametrize(("accepted", "typ"), [("JWT", "JWT"), ("jwt", "JWT"), ("", ...)])
def test_other_types_can_be_accepted(provider: Provider, clock: Clock, accepted: str, typ: Any) -> None:
    verifier = TokenVerifier(provider.url, AUDIENCE, token_types=(accepted,), clock=clock)
    assert verifier.verify(bearer(provider, head={"typ": typ})).subject == "shop-7"


def test_the_audience_may_be_one_of_several(verifier: TokenVerifier, provider: Provider) -> None:
    assert verifier.verify(bearer(provider, aud=["account", AUDIENCE])).subject == "shop-7"


@pytest.mark.parametrize("claims", [{"exp": NOW - 29}, {"nbf": NOW + 29}, {"iat": NOW + 29}, {"nbf": ...}], ids=repr)
def test_clocks_may_differ_a_little(verifier: TokenVerifier, provider: Provider, claims: dict[str, Any]) -> None:
    assert verifier.verify(bearer(provider, **claims)).subject == "shop-7"


@pytest.mark.parametrize("claim", ["azp", "cid", "appid"])
def test_providers_name_the_client_differently(verifier: TokenVerifier, provider: Provider, claim: str) -> None:
    caller = verifier.verify(bearer(provider, client_id=..., **{claim: "theirs"}))
    assert caller.client_id == "theirs"


@pytest.mark.parametrize(
    ("scope", "scopes"),
    [
        ("a b", {"a", "b"}),
        ("  a   b ", {"a", "b"}),
        (["a", "b"], {"a", "b"}),
        (["a b", 7, None], {"a b"}),
        (..., set()),
        ("", set()),
        (7, set()),
        ({"a": 1}, set()),
    ],
)
def test_scopes_are_a_string_or_a_list(
    verifier: TokenVerifier, provider: Provider, scope: Any, scopes: set[str]
) -> None:
    assert verifier.verify(bearer(provider, scope=scope)).scopes == scopes


def test_without_a_merchant_account_a_good_token_is_forbidden(verifier: TokenVerifier, provider: Provider) -> None:
    with pytest.raises(Forbidden, match="names no merchant account"):
        verifier.verify(bearer(provider, merchant_id=...))


def test_the_default_merchant_account_steps_in(provider: Provider, clock: Clock) -> None:
    verifier = TokenVerifier(provider.url, AUDIENCE, default_merchant="fallback", clock=clock)
    assert verifier.verify(bearer(provider, merchant_id=...)).merchant_id == "fallback"
    assert verifier.verify(bearer(provider)).merchant_id == "books"


@pytest.mark.parametrize(
    "merchant", ["", "Books", "-books", "b" * 41, "a/b", "a b", "books\n", "é", 7, ["books"], True]
)
def test_a_malformed_merchant_account_is_forbidden_whatever_the_default(
    provider: Provider, clock: Clock, merchant: Any
) -> None:
    verifier = TokenVerifier(provider.url, AUDIENCE, default_merchant="fallback", clock=clock)
    with pytest.raises(Forbidden):
        verifier.verify(bearer(provider, merchant_id=merchant))


def test_the_merchant_claim_can_be_named(provider: Provider, clock: Clock) -> None:
    verifier = TokenVerifier(provider.url, AUDIENCE, merchant_claim="https://shop.example/account", clock=clock)
    assert verifier.verify(bearer(provider, **{"https://shop.example/account": "toys"})).merchant_id == "toys"


def test_a_token_ends_while_it_is_remembered(verifier: TokenVerifier, provider: Provider, clock: Clock) -> None:
    authorization = bearer(provider, exp=NOW + 20)
    verifier.verify(authorization)
    clock.now = NOW + 49
    verifier.verify(authorization)
    clock.now = NOW + 50
    with pytest.raises(Unauthenticated, match="expired"):
        verifier.verify(authorization)


def test_a_token_from_the_future_is_not_remembered_past_a_clock_set_back(
    verifier: TokenVerifier, provider: Provider, clock: Clock
) -> None:
    authorization = bearer(provider)
    verifier.verify(authorization)
    clock.now = NOW - 100
    with pytest.raises(Unauthenticated, match="future"):
        verifier.verify(authorization)


def test_without_an_issuer_nobody_is_let_in(provider: Provider) -> None:
    with pytest.raises(IdentityFault):
        TokenVerifier("", AUDIENCE).verify(bearer(provider))


@pytest.mark.parametrize(
    "issuer",
    [
        "http://login.example",
        "ftp://localhost",
        "https://",
        "https://login.example?a=b",
        "https://login.example#a",
        "https://user:secret@login.example",
        "https://login.example:99999",
        "https://login .example",
        "http://localhost.example",
        "http://128.0.0.1",
        "login.example",
    ],
)
def test_an_issuer_that_could_be_read_or_changed_on_the_way_is_refused(issuer: str) -> None:
    with pytest.raises(ValueError, match="issuer"):
        TokenVerifier(issuer, AUDIENCE)


@pytest.mark.parametrize("issuer", ["https://login.example/tenant/", "http://127.0.0.1:1", "http://[::1]:1"])
def test_other_issuers_can_be_configured(issuer: str) -> None:
    TokenVerifier(issuer, AUDIENCE)


@pytest.mark.parametrize("algorithms", [("none",), ("HS256",), ("RS256", "HS256"), ("RS1",), ()])
def test_weak_or_symmetric_algorithms_can_not_be_configured(algorithms: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="signed with"):
        TokenVerifier("https://login.example", AUDIENCE, algorithms=algorithms)


@pytest.mark.parametrize(
    "options",
    [{"default_merchant": "Not A Slug"}, {"default_merchant": ""}, {"token_types": ()}, {"merchant_claim": ""}],
)
def test_settings_that_would_let_too_much_in_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        TokenVerifier("https://login.example", AUDIENCE, **options)


def test_an_empty_audience_is_refused() -> None:
    with pytest.raises(ValueError, match="audience"):
        TokenVerifier("https://login.example", "")
