"""Everybody the development identity server knows. The secrets are public, which is why it runs nowhere else."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

API_SCOPES = (
    "payments:read",
    "payments:write",
    "refunds:write",
    "config:read",
    "config:write",
    "statistics:read",
    "audit:read",
)
PERSON_SCOPES = ("openid", "profile")  # what a sign-in may ask for besides
STUDIO = "studio"

_LOOPBACK = ("localhost", "127.0.0.1")
_STUDIO_PATH = re.compile(r"/studio(/[A-Za-z0-9._~/-]*)?")


@dataclass(frozen=True, slots=True)
class Client:
    """`secret` is None for the public client, which people sign in with."""

    id: str
    secret: str | None
    merchant_id: str
    scopes: tuple[str, ...]

    def proves_itself(self, secret: str) -> bool:
        return self.secret is not None and hmac.compare_digest(self.secret.encode(), secret.encode())


@dataclass(frozen=True, slots=True)
class User:
    name: str
    password: str
    full_name: str
    merchant_id: str
    scopes: tuple[str, ...]


CLIENTS: Mapping[str, Client] = {
    one.id: one
    for one in (
        Client("demo", "demo-secret", "default", API_SCOPES),
        Client("shop", "shop-secret", "default", ("payments:read", "payments:write")),
        Client("other-shop", "other-shop-secret", "other", API_SCOPES),
        Client(STUDIO, None, "default", API_SCOPES + PERSON_SCOPES),
    )
}
USERS: Mapping[str, User] = {
    one.name: one for one in (User("admin", "admin", "Administrator", "default", API_SCOPES + PERSON_SCOPES),)
}


def user_of(name: str, password: str) -> User | None:
    user = USERS.get(name)
    if user is not None and hmac.compare_digest(user.password.encode(), password.encode()):
        return user
    return None


class ScopeRefused(Exception):
    """A scope was asked for that the client or the user lacks."""


def scopes_of(asked: str | None, granted: tuple[str, ...]) -> tuple[str, ...]:
    """What is asked narrows what is granted. Naming only ``openid`` or ``profile`` leaves the API's scopes whole.

    Raises ScopeRefused.
    """
    wanted = (asked or "").split()
    if not set(wanted) <= set(granted):
        raise ScopeRefused
    api = [scope for scope in API_SCOPES if scope in granted]
    named = [scope for scope in api if scope in wanted]
    return (*(scope for scope in PERSON_SCOPES if scope in wanted), *(named or api))


def is_studio_address(uri: str) -> bool:
    """``http://localhost:<any port>/studio`` and below: where the Studio may be sent back to (RFC 8252, section 7.3)."""
    if not re.fullmatch(r"[!-~]{1,500}", uri) or "\\" in uri or "#" in uri or "@" in uri:
        return False
    try:
        parts = urlsplit(uri)
        port_is_good = parts.port is None or parts.port > 0
    except ValueError:
        return False
    inside = _STUDIO_PATH.fullmatch(parts.path) is not None and ".." not in parts.path
    return parts.scheme == "http" and parts.hostname in _LOOPBACK and port_is_good and inside


def is_local_origin(origin: str) -> bool:
    return re.fullmatch(r"http://(localhost|127\.0\.0\.1)(:\d{1,5})?", origin) is not None
