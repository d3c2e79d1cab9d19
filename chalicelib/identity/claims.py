"""The inside of an access token whose signature is good: is it meant for us, and is it valid now?"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.domain.errors import Forbidden, Unauthenticated
from chalicelib.identity.caller import Caller

MERCHANT_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
NAME_LIMIT = 255  # characters: OpenID Connect Core, section 2, on `sub`
# RFC 9068 says `client_id`. OpenID Connect has `azp`; `cid` and `appid` are what two large providers send instead.
_CLIENT_CLAIMS = ("client_id", "azp", "cid", "appid")


@dataclass(frozen=True, slots=True)
class Expected:
    """What a token must say. Raises ValueError for a default merchant account that can not be one."""

    issuer: str
    audience: str
    merchant_claim: str
    default_merchant: str | None
    leeway_s: float

    def __post_init__(self) -> None:
        if not self.audience or not self.merchant_claim:
            raise ValueError("The audience and the merchant claim must be named.")
        if self.default_merchant is not None and not MERCHANT_ID.fullmatch(self.default_merchant):
            raise ValueError("The default merchant account is not of the form [a-z0-9][a-z0-9-]{0,39}.")


def caller_of(claims: Mapping[str, Any], expected: Expected, now_s: float) -> tuple[Caller, float]:
    """The caller, and when the token ends (seconds since 1970, leeway included).

    Raises Unauthenticated for a token that is not for us or not valid now, Forbidden for one without a merchant account.
    """
    if claims.get("iss") != expected.issuer:
        raise Unauthenticated("The access token is from another issuer.")
    audience = claims.get("aud")
    if audience != expected.audience and not (isinstance(audience, list) and expected.audience in audience):
        raise Unauthenticated("The access token is for another audience.")
    ends_s = _time_of(claims, "exp") + expected.leeway_s
    if now_s >= ends_s:
        raise Unauthenticated("The access token has expired.")
    if _time_of(claims, "iat") > now_s + expected.leeway_s:
        raise Unauthenticated("The access token was issued in the future: a clock is wrong.")
    if "nbf" in claims and _time_of(claims, "nbf") > now_s + expected.leeway_s:
        raise Unauthenticated("The access token is not valid yet.")
    subject = _name_of(claims, "sub")
    client_id = _name_of(claims, next((name for name in _CLIENT_CLAIMS if name in claims), "client_id"))
    scopes = _scopes_of(claims.get("scope"))
    return Caller(subject, client_id, _merchant_of(claims, expected), scopes), ends_s


def _time_of(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if value is None:
        raise Unauthenticated(f"The access token has no `{name}`.")
    # Python's JSON reads NaN and Infinity, with which every comparison would be false or every token eternal.
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Unauthenticated(f"The access token's `{name}` is not a time.")
    return value


def _name_of(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= NAME_LIMIT or not value.isprintable():
        raise Unauthenticated(f"The access token's `{name}` is missing or not usable.")
    return value


def _scopes_of(value: object) -> frozenset[str]:
    """RFC 9068 has a string with spaces; some providers send a list. Anything else carries no scope."""
    if isinstance(value, str):
        return frozenset(value.split())
    return frozenset(one for one in value if isinstance(one, str)) if isinstance(value, list) else frozenset()


def _merchant_of(claims: Mapping[str, Any], expected: Expected) -> str:
    value = claims.get(expected.merchant_claim)
    if value is None:
        if expected.default_merchant is None:
            raise Forbidden("The access token names no merchant account.")
        return expected.default_merchant
    if not isinstance(value, str) or not MERCHANT_ID.fullmatch(value):
        raise Forbidden("The access token's merchant account is not of the form [a-z0-9][a-z0-9-]{0,39}.")
    return value
