"""The identity provider over HTTP: its discovery document and its keys (OpenID Connect Discovery 1.0, RFC 8414)."""

from __future__ import annotations

import ipaddress
import time
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3

from chalicelib.domain.errors import IdentityFault
from chalicelib.domain.json_text import parse
from chalicelib.identity.keys import KeySet
from chalicelib.outbound.failures import reason_of

WELL_KNOWN = "/.well-known/openid-configuration"
TIMEOUT_S = 3.0  # to connect, and between two pieces of an answer
ANSWER_WITHIN_S = 5.0  # for one whole answer
ANSWER_LIMIT_BYTES = 256 * 1024
_PIECE_BYTES = 4 * 1024


class Provider:
    """One issuer. `http` is used for every call where it is given, else each fetch has a session of its own: fetches
    are minutes apart, and a pooled connection would be dead by then."""

    def __init__(self, issuer: str, http: requests.Session | None = None) -> None:
        """Raises ValueError for an issuer that could be read or changed on the way."""
        if not _is_safe(issuer, allow_loopback=True):
            raise ValueError("The issuer must be an https URL, or an http URL of this machine, without a query.")
        self.issuer = issuer
        self._http = http
        self._is_loopback = _is_loopback(issuer)

    def fetch(self) -> KeySet:
        """Raises IdentityFault."""
        if self._http is not None:
            return self._fetched(self._http)
        with requests.Session() as session:
            session.trust_env = not self._is_loopback  # a proxy can not reach this machine's loopback
            return self._fetched(session)

    def _fetched(self, http: requests.Session) -> KeySet:
        found = _document(http, self.issuer.rstrip("/") + WELL_KNOWN, "discovery document")
        if not isinstance(found, dict) or found.get("issuer") != self.issuer:
            # Discovery, section 4.3: else anyone whose document we are led to could have his keys accepted.
            raise IdentityFault("The identity provider's discovery document is another issuer's.")
        address = found.get("jwks_uri")
        if not isinstance(address, str) or not _is_safe(address, allow_loopback=self._is_loopback, query=True):
            raise IdentityFault("The identity provider's discovery document names no usable `jwks_uri`.")
        try:
            return KeySet(_document(http, address, "keys"))
        except ValueError:
            raise IdentityFault("The identity provider's keys are not a JWK set.") from None


def _document(http: requests.Session, url: str, what: str) -> Any:
    """The JSON at `url`; redirects are not followed. Raises IdentityFault."""
    ends = time.monotonic() + ANSWER_WITHIN_S
    try:
        with http.get(
            url,
            headers={"Accept": "application/json"},
            auth=_no_credentials,
            timeout=TIMEOUT_S,
            allow_redirects=False,
            stream=True,
        ) as answer:
            if answer.status_code != 200:
                raise IdentityFault(f"The identity provider answered {answer.status_code} when asked for its {what}.")
            body = b""
            for piece in answer.iter_content(_PIECE_BYTES):
                body += piece
                if len(body) > ANSWER_LIMIT_BYTES or time.monotonic() > ends:
                    raise IdentityFault(f"The identity provider's {what} took too long or are too large.")
        return parse(body)
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        reason = reason_of(error, connect_s=TIMEOUT_S, answer_s=TIMEOUT_S)
        raise IdentityFault(f"The identity provider's {what} could not be had: {reason}.") from error
    except ValueError as error:
        raise IdentityFault(f"The identity provider's {what} could not be had: no JSON.") from error


def _no_credentials(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Without it requests would send what a .netrc file has for the host."""
    return request


def _is_safe(url: str, *, allow_loopback: bool, query: bool = False) -> bool:
    try:
        parts = urlsplit(url)
        plain = parts.username is None and parts.password is None and not parts.fragment
        named = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
    if not plain or not named or (parts.query and not query) or not url.isprintable() or " " in url:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and allow_loopback and _is_loopback(url))


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
