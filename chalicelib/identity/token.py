"""The outside of an access token: the Authorization header and the JOSE header. Nothing here is trusted yet.

RFC 6750 (bearer tokens), RFC 7515 (JWS), RFC 8725 (JWT best current practices), RFC 9068 (access tokens).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from chalicelib.domain.errors import Unauthenticated
from chalicelib.domain.json_text import parse

TOKEN_LIMIT = 8_192  # characters
KEY_ID_LIMIT = 256  # characters

_BEARER = re.compile(r"bearer +([^ ]+)", re.IGNORECASE)
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
# Keys come from the issuer alone, so a token that brings its own, or says where to get one, is an attack; `crit` and
# `b64` ask for rules that we do not know, and RFC 7515 wants those refused.
_REFUSED_HEADERS = ("jku", "jwk", "x5u", "x5c", "crit", "b64")


@dataclass(frozen=True, slots=True)
class Unverified:
    """A token that is well formed and names an algorithm and a type that we accept."""

    algorithm: str
    key_id: str | None
    signed: bytes
    claims: bytes  # JSON, perhaps
    signature: bytes


def bearer_of(authorization: str | None) -> str:
    """The token of an Authorization header. Raises Unauthenticated."""
    if not authorization:
        raise Unauthenticated("An access token is required: send it as `Authorization: Bearer ...`.", presented=False)
    if len(authorization) > TOKEN_LIMIT + len("Bearer "):
        raise Unauthenticated(f"The access token is longer than {TOKEN_LIMIT} characters.")
    found = _BEARER.fullmatch(authorization)
    if found is None:
        raise Unauthenticated("The Authorization header is not of the form `Bearer <access token>`.")
    return found[1]


def unverified_of(token: str, algorithms: Collection[str], types: Collection[str]) -> Unverified:
    """Takes a token apart. `types` are as `type_of` gives them. Raises Unauthenticated."""
    if not _COMPACT.fullmatch(token):
        raise Unauthenticated("The access token is not a signed JSON Web Token.")
    signed, _, signature = token.rpartition(".")
    head, _, claims = signed.partition(".")
    header = object_of(_bytes_of(head), "header")
    for name in _REFUSED_HEADERS:
        if name in header:
            raise Unauthenticated(f"The access token's header has `{name}`, which is not accepted.")
    algorithm, key_id = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or algorithm not in algorithms:
        raise Unauthenticated("The access token is not signed with an accepted algorithm.")
    if type_of(header.get("typ", "")) not in types:
        raise Unauthenticated("The access token's `typ` is not one that is accepted.")
    if key_id is not None and not (isinstance(key_id, str) and len(key_id) <= KEY_ID_LIMIT):
        raise Unauthenticated("The access token's `kid` is not usable.")
    return Unverified(algorithm, key_id, signed.encode("ascii"), _bytes_of(claims), _bytes_of(signature))


def type_of(typ: object) -> str | None:
    """``application/at+jwt`` and ``AT+JWT`` are ``at+jwt`` (RFC 7515, section 4.1.9); None for what is no type."""
    return typ.lower().removeprefix("application/") if isinstance(typ, str) else None


def object_of(text: bytes, part: str) -> dict[str, Any]:
    """A JSON object without duplicate names: what two readers could read differently is refused."""
    try:
        value = parse(text.decode("utf-8"), object_pairs_hook=_without_duplicates)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise Unauthenticated(f"The access token's {part} is not a JSON object.")
    return value


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("duplicate names")
    return made


def _bytes_of(part: str) -> bytes:
    """Base64url without padding, and only the one spelling of each value that RFC 4648 calls canonical."""
    if len(part) % 4 != 1:
        value = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
        if base64.urlsafe_b64encode(value).rstrip(b"=") == part.encode("ascii"):
            return value
    raise Unauthenticated("The access token is not a signed JSON Web Token.")
