"""What the server issues: access tokens as RFC 9068 has them, and ID tokens of OpenID Connect Core."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable
from typing import Any

import jwt

from dev.identity.accounts import Client, User
from dev.identity.key_file import TOKEN_LIVES_S, KeyFile


class Issuer:
    def __init__(self, url: str, audience: str, keys: KeyFile, clock: Callable[[], float] = time.time) -> None:
        self.url = url
        self.keys = keys
        self.clock = clock
        self._audience = audience

    def access_token(self, subject: str, client: Client, merchant_id: str, scopes: Iterable[str]) -> str:
        now = int(self.clock())
        return self._signed(
            "at+jwt",
            {
                "iss": self.url,
                "aud": self._audience,
                "sub": subject,
                "client_id": client.id,
                "merchant_id": merchant_id,
                "scope": " ".join(scopes),
                "iat": now,
                "nbf": now,
                "exp": now + TOKEN_LIVES_S,
                "jti": secrets.token_urlsafe(16),
            },
        )

    def id_token(self, user: User, client: Client, nonce: str | None, signed_in_s: int) -> str:
        now = int(self.clock())
        claims = {
            "iss": self.url,
            "aud": client.id,
            "sub": user.name,
            "iat": now,
            "exp": now + TOKEN_LIVES_S,
            "auth_time": signed_in_s,
            "name": user.full_name,
            "preferred_username": user.name,
        }
        return self._signed("JWT", claims if nonce is None else {**claims, "nonce": nonce})

    def read_access_token(self, token: str) -> dict[str, Any] | None:
        """The claims of a token of our own that is still good, else None."""
        try:
            kid = jwt.get_unverified_header(token).get("kid")
            key = next(key for key in self.keys.current().keys if key.id == kid)
            read = jwt.decode_complete(
                token,
                key.private.public_key(),
                algorithms=["RS256"],
                audience=self._audience,
                issuer=self.url,
                options={"require": ["exp", "sub"]},
            )
        except (jwt.PyJWTError, StopIteration, ValueError):
            return None
        claims: dict[str, Any] = read["payload"]
        return claims if read["header"].get("typ") == "at+jwt" else None

    def _signed(self, typ: str, claims: dict[str, Any]) -> str:
        key = self.keys.signing_key()
        return jwt.encode(claims, key.private, algorithm="RS256", headers={"kid": key.id, "typ": typ})
