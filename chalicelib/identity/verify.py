"""Verifies OpenID Connect access tokens of the one configured issuer (RFC 9068, with RFC 8725's advice)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import requests

from chalicelib.domain.errors import IdentityFault, Unauthenticated
from chalicelib.identity.caller import Caller
from chalicelib.identity.claims import Expected, caller_of
from chalicelib.identity.key_source import KeySource
from chalicelib.identity.keys import ALGORITHMS, Key, KeySet
from chalicelib.identity.provider import Provider
from chalicelib.identity.token import Unverified, bearer_of, object_of, type_of, unverified_of
from chalicelib.identity.verified import Verified


class TokenVerifier:
    """Turns an Authorization header into a `Caller`. Making one opens nothing; safe in many threads."""

    def __init__(
        self,
        issuer: str,
        audience: str,
        *,
        token_types: Sequence[str] = ("at+jwt",),
        merchant_claim: str = "merchant_id",
        default_merchant: str | None = None,
        algorithms: Sequence[str] = ("RS256", "PS256", "ES256", "EdDSA"),
        leeway_s: float = 30,
        http: requests.Session | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`token_types` are accepted `typ` headers; an empty string accepts tokens without one. Without an issuer
        every token meets an IdentityFault. Raises ValueError for anything that could not be verified safely."""
        if not algorithms or not set(algorithms) <= ALGORITHMS.keys():
            raise ValueError(f"Access tokens can be signed with {', '.join(ALGORITHMS)} and nothing else.")
        types = frozenset(type_of(one) for one in token_types)
        if not types:
            raise ValueError("At least one `typ` of access tokens must be accepted.")
        self._types = frozenset(one for one in types if one is not None)
        self._algorithms = frozenset(algorithms)
        self._expected = Expected(issuer, audience, merchant_claim, default_merchant, leeway_s)
        self._keys = KeySource(Provider(issuer, http).fetch, clock) if issuer else None
        self._verified = Verified()
        self._clock = clock

    def verify(self, authorization: str | None) -> Caller:
        """The caller that an Authorization header proves.

        Raises Unauthenticated for every kind of bad token, Forbidden for a good one without a usable merchant account,
        IdentityFault when the issuer's keys can not be had and none are remembered.
        """
        token = bearer_of(authorization)
        if self._keys is None:
            raise IdentityFault("No identity provider is configured, so no access token can be verified.")
        fresh = self._keys.fresh()
        known = self._verified.get(token, fresh, self._clock()) if fresh is not None else None
        if known is not None:
            return known
        unverified = unverified_of(token, self._algorithms, self._types)  # first: garbage must not cost a fetch
        keys = self._keys.current()
        key, keys = self._key_of(self._keys, keys, unverified)
        if not key.verifies(unverified.signed, unverified.signature):
            raise Unauthenticated("The access token's signature is not the issuer's.")
        now_s = self._clock()
        caller, ends_s = caller_of(object_of(unverified.claims, "content"), self._expected, now_s)
        self._verified.put(token, caller, keys, now_s, ends_s)
        return caller

    @staticmethod
    def _key_of(source: KeySource, keys: KeySet, unverified: Unverified) -> tuple[Key, KeySet]:
        """The one key that may have signed it. The token's key id only ever looks up, in the issuer's own keys."""
        found = keys.candidates(unverified.key_id, unverified.algorithm)
        if not found:
            keys = source.after(keys)
            found = keys.candidates(unverified.key_id, unverified.algorithm)
        if len(found) != 1:
            raise Unauthenticated("The access token is not signed with a key of the issuer.")
        return found[0], keys
