"""The issuer's keys: fetched seldom, replaced when they change, and usable for a while without the issuer."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from chalicelib.domain.errors import IdentityFault, Unauthenticated
from chalicelib.identity.key_source import FIRST_RETRY_S, FRESH_S, REFETCH_S, RETRY_S, STALE_S, KeySource
from chalicelib.identity.keys import KeySet
from chalicelib.identity.verify import TokenVerifier
from tests.identity.issuing import AUDIENCE, NOW, Clock, Provider, bearer, jwk_of, rsa_key

NEW = {"kid": "second"}


def lasting(provider: Provider, *arguments: Any, **claims: Any) -> str:
    return bearer(provider, *arguments, exp=NOW + 10 * STALE_S, **claims)


def test_a_hundred_calls_fetch_once(verifier: TokenVerifier, provider: Provider) -> None:
    for number in range(100):
        verifier.verify(bearer(provider, jti=str(number)))
    assert provider.fetches == 1


def test_threads_that_start_together_fetch_once(verifier: TokenVerifier, provider: Provider) -> None:
    with ThreadPoolExecutor(8) as pool:
        callers = list(pool.map(verifier.verify, [bearer(provider, jti=str(number)) for number in range(8)]))
    assert len(callers) == 8
    assert provider.fetches == 1


def test_a_new_key_is_found_by_its_first_token(verifier: TokenVerifier, provider: Provider) -> None:
    verifier.verify(bearer(provider))
    provider.keys.append(jwk_of(rsa_key("second"), "second"))
    assert verifier.verify(bearer(provider, rsa_key("second"), head=NEW)).subject == "shop-7"
    assert provider.fetches == 2


def test_after_a_rotation_the_old_keys_tokens_serve_while_it_is_published(
    verifier: TokenVerifier, provider: Provider, clock: Clock
) -> None:
    provider.keys.append(jwk_of(rsa_key("second"), "second"))
    verifier.verify(bearer(provider, rsa_key("second"), head=NEW))
    assert verifier.verify(bearer(provider)).subject == "shop-7"


def test_a_retired_keys_token_is_refused_though_it_was_verified_a_moment_ago(
    verifier: TokenVerifier, provider: Provider
) -> None:
    old = bearer(provider)
    verifier.verify(old)
    provider.keys = [jwk_of(rsa_key("second"), "second")]
    verifier.verify(bearer(provider, rsa_key("second"), head=NEW))
    with pytest.raises(Unauthenticated):
        verifier.verify(old)


def test_a_retired_key_is_noticed_without_any_new_token(
    verifier: TokenVerifier, provider: Provider, clock: Clock
) -> None:
    old = bearer(provider)
    verifier.verify(old)
    provider.keys = [jwk_of(rsa_key("second"), "second")]
    clock.now += FRESH_S
    with pytest.raises(Unauthenticated):
        verifier.verify(old)


def test_a_storm_of_invented_key_ids_fetches_once(verifier: TokenVerifier, provider: Provider, clock: Clock) -> None:
    verifier.verify(bearer(provider))
    forged = [bearer(provider, head={"kid": f"invented-{number}"}) for number in range(40)]

    def attempt(authorization: str) -> None:
        with pytest.raises(Unauthenticated):
            verifier.verify(authorization)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(attempt, forged))
    assert provider.fetches == 2
    clock.now += REFETCH_S
    attempt(forged[0])
    assert provider.fetches == 3


def test_good_tokens_are_served_during_the_storm(verifier: TokenVerifier, provider: Provider) -> None:
    good = bearer(provider)
    verifier.verify(good)
    with pytest.raises(Unauthenticated):
        verifier.verify(bearer(provider, head={"kid": "invented"}))
    provider.status = 503
    assert verifier.verify(good).subject == "shop-7"


def test_while_the_provider_is_down_the_keys_we_have_serve(
    verifier: TokenVerifier, provider: Provider, clock: Clock
) -> None:
    verifier.verify(lasting(provider))
    provider.status = 503
    clock.now += STALE_S - 1
    assert verifier.verify(lasting(provider, jti="another")).subject == "shop-7"


def test_but_not_for_ever(verifier: TokenVerifier, provider: Provider, clock: Clock) -> None:
    verifier.verify(lasting(provider))
    provider.status = 503
    clock.now += STALE_S
    with pytest.raises(IdentityFault):
        verifier.verify(lasting(provider))
    provider.status = 200
    clock.now += FIRST_RETRY_S
    assert verifier.verify(lasting(provider)).subject == "shop-7"


def test_a_provider_that_is_down_is_asked_seldom(verifier: TokenVerifier, provider: Provider, clock: Clock) -> None:
    verifier.verify(lasting(provider))
    provider.status = 503
    clock.now += FRESH_S
    for _ in range(20):
        verifier.verify(lasting(provider))
        with pytest.raises(Unauthenticated):
            verifier.verify(lasting(provider, head={"kid": "invented"}))
    assert provider.fetches == 2
    clock.now += RETRY_S
    verifier.verify(lasting(provider))
    assert provider.fetches == 3


def test_while_one_thread_waits_for_the_provider_the_others_are_served(
    verifier: TokenVerifier, provider: Provider, clock: Clock
) -> None:
    verifier.verify(lasting(provider))
    provider.gate = threading.Event()
    clock.now += FRESH_S
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(verifier.verify, lasting(provider))
        while provider.fetches < 2:
            time.sleep(0.005)
        assert verifier.verify(lasting(provider)).subject == "shop-7"
        assert not waiting.done()
        provider.gate.set()
        assert waiting.result().subject == "shop-7"


def test_without_any_keys_a_provider_that_is_down_is_our_fault(
    verifier: TokenVerifier, provider: Provider, clock: Clock
) -> None:
    provider.status = 500
    for _ in range(5):
        with pytest.raises(IdentityFault):
            verifier.verify(bearer(provider))
    assert provider.fetches == 1
    provider.status = 200
    clock.now += FIRST_RETRY_S
    assert verifier.verify(bearer(provider)).subject == "shop-7"


def test_a_provider_that_does_not_listen_is_our_fault(provider: Provider, clock: Clock) -> None:
    with pytest.raises(IdentityFault):
        TokenVerifier("http://127.0.0.1:1", AUDIENCE, clock=clock).verify(bearer(provider))


def test_the_same_keys_fetched_again_are_the_same_object(clock: Clock) -> None:
    source = KeySource(lambda: KeySet({"keys": [jwk_of(rsa_key())]}), clock)
    former = source.current()
    clock.now += FRESH_S
    assert source.current() is former
