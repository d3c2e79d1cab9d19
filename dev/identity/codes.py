"""Authorization codes: used once, within a minute, by the client that asked, with the secret behind its challenge."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from dev.identity.accounts import User

CODE_LIVES_S = 60
CODES_MAX = 1_000
CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")  # RFC 7636: base64url of a SHA-256
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


@dataclass(frozen=True, slots=True)
class Grant:
    """What a code stands for."""

    client_id: str
    redirect_uri: str
    challenge: str
    user: User
    scopes: tuple[str, ...]
    nonce: str | None
    signed_in_s: int
    ends_s: float


class Codes:
    """In memory: a code lives for a minute, and a server that was started again asks for another sign-in."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._grants: dict[str, Grant] = {}
        self._lock = threading.Lock()

    def issue(
        self,
        user: User,
        *,
        client_id: str,
        redirect_uri: str,
        challenge: str,
        scopes: tuple[str, ...],
        nonce: str | None,
        signed_in_s: int,
    ) -> str:
        code, now = secrets.token_urlsafe(32), self._clock()
        grant = Grant(client_id, redirect_uri, challenge, user, scopes, nonce, signed_in_s, now + CODE_LIVES_S)
        with self._lock:
            living = [(name, one) for name, one in self._grants.items() if one.ends_s > now]
            self._grants = dict(living[-CODES_MAX + 1 :])
            self._grants[code] = grant
        return code

    def redeem(self, code: str, *, client_id: str, redirect_uri: str, verifier: str) -> Grant | None:
        """The grant, or None. Whatever the answer, the code is used up."""
        with self._lock:
            grant = self._grants.pop(code, None)
        if grant is None or self._clock() >= grant.ends_s:
            return None
        fits = (
            grant.client_id == client_id
            and grant.redirect_uri == redirect_uri
            and _VERIFIER.fullmatch(verifier) is not None
            and hmac.compare_digest(grant.challenge, challenge_of(verifier))
        )
        return grant if fits else None


def challenge_of(verifier: str) -> str:
    """S256 of RFC 7636."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
