"""Signed webhooks, as the Standard Webhooks specification says (standardwebhooks.com, version 1).

The address that is dialled is checked after DNS, and redirects are failures, so that a target can not lead to an internal
service.
"""

from __future__ import annotations

import hashlib
import ipaddress
import ssl
import time
from datetime import UTC, datetime
from typing import ClassVar, Literal
from urllib.parse import urlsplit

import requests
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator
from urllib3.exceptions import HTTPError

from chalicelib.contracts.publisher import DeliveryFailed, Publication, Receipt, Rejected, Retry, Target
from chalicelib.domain.configuration import Requested
from chalicelib.domain.errors import Pointer
from chalicelib.outbound.dial import AddressRefused, guarded_session
from chalicelib.outbound.failures import reason_of
from chalicelib.outbound.guard import is_allowed
from chalicelib.outbound.transport import beginning_of, prepared
from chalicelib.publishers import client_certificate
from chalicelib.publishers.broker import ANSWER_TIMEOUT_S, CONNECT_TIMEOUT_S
from chalicelib.publishers.clients import Clients
from chalicelib.publishers.cloudevents import CONTENT_TYPE, headers_of
from chalicelib.publishers.redaction import margin_of, redacted
from chalicelib.publishers.retry_after import seconds_in
from chalicelib.publishers.signatures import signed_headers_of

ANSWER_KEPT = 1024
ADDRESS_KEPT = 500
TOKEN_MIN = 8  # characters; shorter than that is the `Bearer` before a token
SESSIONS_MAX = 500  # idle ones, over all targets
# Further headers may replace neither what we set nor what says how a request is to be read. Libraries of Standard Webhooks take
# `svix-…` for `webhook-…`.
_RESERVED_GROUPS = ("webhook-", "svix-", "ce-", "content-", "proxy-")
_RESERVED = frozenset(
    ["host", "user-agent", "transfer-encoding", "connection", "keep-alive", "te", "trailer", "upgrade", "expect"]
)


class WebhookTarget(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, use_attribute_docstrings=True)

    url: str = Field(max_length=2048)
    """An absolute http(s) address without credentials; https outside development."""
    headers: dict[str, SecretStr] = Field(default_factory=dict, max_length=10)
    """Further headers, kept secret; they may not replace those of the signature."""
    signature: Literal["hmac", "ed25519"] = "hmac"
    """What new signing secrets sign with: HMAC-SHA256 by a shared secret, or Ed25519, of which subscribers need the public key
    alone. Those that are live stay as they are."""
    client_certificate: str | None = Field(None, max_length=16_000)
    """For targets that ask for a client certificate: the chain in PEM, the client's own first."""
    client_key: SecretStr | None = Field(None, max_length=8_000)
    """Its private key in PEM, kept secret."""
    concurrency: int = Field(4, ge=1, le=32)
    """Deliveries side by side; one payment's are always one after the other."""

    @field_validator("url")
    @classmethod
    def _absolute(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must be an absolute http or https address")
        if parts.username or parts.password:
            raise ValueError("must not hold credentials; send them as a header")
        if any(ord(character) <= 32 or ord(character) == 127 for character in value) or parts.fragment:
            raise ValueError("must not hold spaces, control characters or a fragment")
        try:
            possible = parts.port != 0 and bool(parts.hostname.encode("idna"))
        except ValueError:  # a port out of range; a UnicodeError for a label that is empty or too long
            possible = False
        if not possible:
            raise ValueError("must name a host and a port that can be")
        return value

    @field_validator("headers")
    @classmethod
    def _harmless(cls, value: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name, secret in value.items():
            text = secret.get_secret_value()
            if not name.replace("-", "").isalnum() or not name.isascii() or len(name) > 64:
                raise ValueError("names are letters, digits and hyphens")
            if name.lower() in _RESERVED or name.lower().startswith(_RESERVED_GROUPS):
                raise ValueError(f"{name} is set by PaymentServer itself")
            if len(text) > 500 or not text.isprintable() or not text.isascii():
                raise ValueError("values are up to 500 printable ASCII characters")
            if text != text.strip():
                raise ValueError("values neither begin nor end with a space")
        if len({name.lower() for name in value}) < len(value):
            raise ValueError("the same name stands twice, in another case")
        return value


class WebhookPublisher:
    """Thread-safe: sessions belong to a target and are lent to one thread at a time, so connections are reused, never shared,
    and a client certificate is shown to no other target."""

    channel: ClassVar[str] = "webhook"
    settings: ClassVar[type[BaseModel]] = WebhookTarget
    signs: ClassVar[bool] = True

    def __init__(
        self,
        *,
        allowed_networks: tuple[str, ...] = (),
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        answer_timeout_s: float = ANSWER_TIMEOUT_S,
    ) -> None:
        self._allowed = allowed_networks
        self._timeouts_s = (connect_timeout_s, answer_timeout_s)
        self._sessions: Clients[requests.Session] = Clients(lambda session: session.close(), kept_max=SESSIONS_MAX)

    def objection(self, settings: BaseModel) -> Pointer | None:
        """What is wrong with a target before it is ever called; an address is checked again whenever it is dialled."""
        assert isinstance(settings, WebhookTarget)
        parts = urlsplit(settings.url)
        if parts.scheme != "https" and not self._allowed:
            return Pointer("/url", "must be https")
        host = parts.hostname or ""
        if _is_address(host) and not is_allowed(host, self._allowed):
            return Pointer(
                "/url", "is a private, loopback or reserved address; PAYMENTSERVER_ALLOWED_TARGETS may allow it"
            )
        if settings.client_certificate is not None and parts.scheme != "https":
            return Pointer("/client_certificate", "needs an https address")
        return client_certificate.objection_to(*_identity_of(settings), datetime.now(UTC))

    def publish(self, publication: Publication, target: Target) -> Receipt:
        settings = target.settings
        assert isinstance(settings, WebhookTarget)
        if urlsplit(settings.url).scheme != "https" and not self._allowed:
            raise Rejected("the target must be https")
        try:
            signed = signed_headers_of(publication.event_id, int(time.time()), publication.body, target.signing_secrets)
        except ValueError as error:
            raise Retry(f"the event can not be signed: {error}") from None
        headers = {
            **{name: secret.get_secret_value() for name, secret in settings.headers.items()},
            **headers_of(publication, "ce-"),
            "Content-Type": CONTENT_TYPE,
            **signed,
        }
        request = _requested(settings.url, headers)
        try:
            status, answer, retry_after = self._post(settings, headers, publication.body, _secrets_in(headers, target))
            _judge(status, answer, retry_after)
        except DeliveryFailed as failed:
            failed.request = request
            raise
        return Receipt(status, answer, request)

    def close(self) -> None:
        self._sessions.close()

    def _session_for(self, settings: WebhookTarget) -> requests.Session:
        certificate, key = _identity_of(settings)
        if certificate is None or key is None:
            return guarded_session(self._allowed)
        try:
            return guarded_session(self._allowed, client_certificate.client_context(certificate, key))
        except (ssl.SSLError, ValueError, TypeError):
            raise Retry("the client certificate and its key can not be used") from None

    def _post(
        self, settings: WebhookTarget, headers: dict[str, str], body: bytes, secrets: list[str]
    ) -> tuple[int, str, str | None]:
        """The status, the kept part of the answer without `secrets`, and Retry-After."""
        try:
            with self._sessions.lent(_place_of(settings), lambda: self._session_for(settings)) as session:
                request = prepared("POST", settings.url, headers, body)
                ends = time.monotonic() + sum(self._timeouts_s)
                adapter = session.get_adapter(settings.url)
                answer = adapter.send(request, stream=True, timeout=self._timeouts_s, verify=True)
                read = beginning_of(answer, ends, ANSWER_KEPT + margin_of(secrets))
        except AddressRefused as error:
            raise Rejected(str(error)) from None
        except (requests.RequestException, HTTPError, OSError, UnicodeError) as error:  # UnicodeError: no host name
            reason = reason_of(error, connect_s=self._timeouts_s[0], answer_s=self._timeouts_s[1])
            raise Retry(f"no answer from the target ({reason})") from None
        return answer.status_code, redacted(read, secrets, ANSWER_KEPT), answer.headers.get("Retry-After")


def _requested(url: str, headers: dict[str, str]) -> Requested:
    parts = urlsplit(url)
    return Requested("POST", f"{parts.scheme}://{parts.netloc}{parts.path}"[:ADDRESS_KEPT], tuple(headers))


def _secrets_in(headers: dict[str, str], target: Target) -> list[str]:
    """What the target may repeat: further headers, whole and what follows their scheme, signatures and what made them."""
    assert isinstance(target.settings, WebhookTarget)
    sent = [headers[name] for name in target.settings.headers]
    tokens = [token for value in sent for token in value.split() if len(token) >= TOKEN_MIN]
    signatures = [one.partition(",")[2] for one in headers["webhook-signature"].split()]
    return [*sent, *tokens, *signatures, *(one.partition("_")[2] for one in target.signing_secrets)]


def _identity_of(settings: WebhookTarget) -> tuple[str | None, str | None]:
    key = settings.client_key
    return settings.client_certificate, None if key is None else key.get_secret_value()


def _place_of(settings: WebhookTarget) -> tuple[str, str, bytes]:
    """What a connection is good for: the server that it leads to, and who it says that we are."""
    parts = urlsplit(settings.url)
    return parts.scheme, parts.netloc, hashlib.sha256(repr(_identity_of(settings)).encode()).digest()


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _judge(status: int, answer: str, retry_after: str | None) -> None:
    """2xx is delivered; 410 says never again; everything else, redirects too, is tried again."""
    if 200 <= status < 300:
        return
    if status == 410:
        raise Rejected("the target is gone (410)", status, answer)
    detail = f"the target answered {status}" + (", and redirects are not followed" if 300 <= status < 400 else "")
    raise Retry(detail, status, answer, after_s=seconds_in(retry_after) if status in (429, 503) else None)
