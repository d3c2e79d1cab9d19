"""Google Cloud Pub/Sub by its REST interface (projects.topics.publish), with google-auth for the credentials.

A service account signs its own tokens (RFC 7523, Google's AIP-4111), so no other address is called for them. Without one the
environment's credentials are used, and those go to Google alone: an endpoint that is not Google's gets none.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote, urlsplit

import requests
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator
from urllib3.exceptions import HTTPError

from chalicelib.contracts.publisher import DeliveryFailed, Publication, Receipt, Rejected, Retry, Target
from chalicelib.contracts.validation import worded
from chalicelib.domain.configuration import Requested
from chalicelib.domain.errors import Pointer
from chalicelib.domain.json_text import parse
from chalicelib.outbound.dial import AddressRefused, guarded_session
from chalicelib.outbound.failures import reason_of
from chalicelib.publishers.broker import ANSWER_TIMEOUT_S, CONNECT_TIMEOUT_S, library_of, objection_to
from chalicelib.publishers.clients import Clients
from chalicelib.publishers.cloudevents import CONTENT_TYPE, headers_of, ordering_key_of
from chalicelib.publishers.redaction import margin_of, redacted
from chalicelib.publishers.retry_after import seconds_in

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

ENDPOINT = "https://pubsub.googleapis.com"
SCOPE = "https://www.googleapis.com/auth/pubsub"
ANSWER_KEPT = 1024
IDENTITIES_KEPT = 100
PROJECT = worded(
    r"^([a-z0-9.-]{1,100}:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$",
    "must be the project's id, neither its name nor its number: 6 to 30 lower-case letters, digits and -, a letter first",
)
TOPIC = worded(
    r"^[A-Za-z][A-Za-z0-9._~+%-]{2,254}$",
    "must be the topic's name alone: 3 to 255 letters, digits, dots, _ ~ + % and -, a letter first",
)
_GOOGLE = re.compile(r"([a-z0-9-]+\.)+googleapis\.com")
_MENDED_BY = {
    401: "the credentials are not accepted (401): give the JSON key of a service account that is live",
    403: "the credentials may not publish to {topic} (403): grant roles/pubsub.publisher, and enable the Pub/Sub API",
    404: "the topic {topic} does not exist (404)",
}


class PubSubTarget(BaseModel):
    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, use_attribute_docstrings=True, hide_input_in_errors=True
    )

    project: str = Field(pattern=PROJECT)
    """The id of the Google Cloud project."""
    topic: str = Field(pattern=TOPIC)
    """The topic's name, without `projects/…/topics/`. Its subscriptions keep the order if message ordering is enabled."""
    service_account: SecretStr | None = Field(default=None, max_length=10_000)
    """The JSON key of a service account that may publish. Left out, the credentials of PaymentServer's environment."""
    endpoint: str = Field(default=ENDPOINT, max_length=300)
    """A regional endpoint such as `https://europe-west3-pubsub.googleapis.com`, or an emulator's address."""

    @field_validator("service_account")
    @classmethod
    def _a_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _is_key(value.get_secret_value()):
            raise ValueError("must be the JSON key of a service account, whole, as text")
        return value

    @field_validator("endpoint")
    @classmethod
    def _bare(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            whole = f"{parts.scheme}://{parts.netloc}" == value.removesuffix("/") and parts.port != 0
        except ValueError:
            whole = False
        if not whole or parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            raise ValueError("must be an http or https address without credentials and path")
        if not re.fullmatch(r"[A-Za-z0-9.:\[\]-]+", parts.netloc):
            raise ValueError("must name a host and a port that can be")
        return value.removesuffix("/")


class PubSubPublisher:
    """Thread-safe."""

    channel: ClassVar[str] = "pubsub"
    settings: ClassVar[type[BaseModel]] = PubSubTarget
    signs: ClassVar[bool] = False

    def __init__(
        self,
        *,
        allowed_networks: tuple[str, ...] = (),
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        answer_timeout_s: float = ANSWER_TIMEOUT_S,
    ) -> None:
        self._allowed, self._timeout = allowed_networks, (connect_timeout_s, answer_timeout_s)
        self._sessions: Clients[requests.Session] = Clients(requests.Session.close)
        self._lock = threading.Lock()
        self._identities: dict[bytes, _Identity] = {}  # by the digest of the key

    def objection(self, settings: BaseModel) -> Pointer | None:
        assert isinstance(settings, PubSubTarget)
        parts = urlsplit(settings.endpoint)
        return objection_to(parts.hostname or "", self._allowed, tls=parts.scheme == "https", at="/endpoint")

    def publish(self, publication: Publication, target: Target) -> Receipt:
        settings = target.settings
        assert isinstance(settings, PubSubTarget)
        topic = f"projects/{settings.project}/topics/{settings.topic}"
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        token = self._token(settings)
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        url = f"{settings.endpoint}/v1/{quote(topic, safe='/:')}:publish"
        request = Requested("POST", url, tuple(headers))
        try:
            status, answer, retry_after = self._post(url, headers, json.dumps(_message_of(publication)).encode(), token)
            _judge(topic, status, answer, retry_after)
        except DeliveryFailed as failed:
            failed.request = request
            raise
        return Receipt(status, answer, request)

    def close(self) -> None:
        self._sessions.close()

    def _post(self, url: str, headers: dict[str, str], body: bytes, token: str | None) -> tuple[int, str, str | None]:
        """The status, the kept part of the answer without the token, and Retry-After."""
        secrets = [] if token is None else [token]
        try:
            with self._sessions.lent(urlsplit(url).netloc, lambda: guarded_session(self._allowed)) as session:
                answer = session.post(
                    url, data=body, headers=headers, timeout=self._timeout, allow_redirects=False, stream=True
                )
                read = answer.raw.read(ANSWER_KEPT + margin_of(secrets), decode_content=True)
                answer.raw.read(1)  # to its end, so that the connection may be used again
                answer.close()
        except AddressRefused as error:
            raise Rejected(str(error)) from None
        except (requests.RequestException, HTTPError, OSError, UnicodeError) as error:
            reason = reason_of(error, connect_s=self._timeout[0], answer_s=self._timeout[1])
            raise Retry(f"no answer from Pub/Sub ({reason})") from None
        return answer.status_code, redacted(read, secrets, ANSWER_KEPT), answer.headers.get("Retry-After")

    def _token(self, settings: PubSubTarget) -> str | None:
        """None for an emulator. Raises Retry where there is none to be had."""
        if settings.service_account is None and not _is_google(settings.endpoint):
            return None
        with library_of(self.channel):
            from google.auth.exceptions import GoogleAuthError
        try:
            return self._identity_of(settings.service_account).token(self._timeout)
        except (GoogleAuthError, ValueError, OSError) as error:
            whose = "PaymentServer's environment" if settings.service_account is None else "the service account"
            raise Retry(f"no access token from {whose} ({type(error).__name__})") from None

    def _identity_of(self, service_account: SecretStr | None) -> _Identity:
        key = None if service_account is None else service_account.get_secret_value()
        kept_as = hashlib.sha256((key or "").encode()).digest()
        with self._lock:
            identity = self._identities.pop(kept_as, None) or _Identity(key)
            self._identities[kept_as] = identity
            while len(self._identities) > IDENTITIES_KEPT:
                del self._identities[next(iter(self._identities))]  # the longest unused
        return identity


class _Identity:
    """A service account (`key` is its JSON) or the environment's identity, and its token as long as that is valid."""

    def __init__(self, key: str | None) -> None:
        self._key = key
        self._lock = threading.Lock()
        self._credentials: Credentials | None = None

    def token(self, timeout: tuple[float, float]) -> str:
        """Raises google-auth's GoogleAuthError, ValueError, OSError."""
        from google.auth.transport.requests import Request

        def request(*positional: Any, **named: Any) -> Any:
            return Request()(*positional, **{**named, "timeout": timeout})

        with self._lock:
            if self._credentials is None:
                self._credentials = _credentials_of(self._key, request)
            if not self._credentials.valid:
                self._credentials.refresh(request)  # type: ignore[no-untyped-call]
            return str(self._credentials.token)


def _credentials_of(key: str | None, request: Any) -> Credentials:
    import google.auth
    from google.oauth2.service_account import Credentials as ServiceAccount

    if key is None:
        found, _ = google.auth.default(scopes=[SCOPE], request=request)
    else:
        found = ServiceAccount.from_service_account_info(parse(key), scopes=[SCOPE])  # type: ignore[no-untyped-call]
    if isinstance(found, ServiceAccount):
        found = found.with_always_use_jwt_access(True)  # type: ignore[no-untyped-call]
    return found


def _message_of(publication: Publication) -> dict[str, Any]:
    message = {
        "data": base64.b64encode(publication.body).decode(),
        "attributes": {"Content-Type": CONTENT_TYPE, **headers_of(publication, "ce-")},
        "orderingKey": ordering_key_of(publication),
    }
    return {"messages": [message]}


def _judge(topic: str, status: int, answer: str, retry_after: str | None) -> None:
    """Raises Retry for all but an answer that names the message."""
    if status == 200 and _is_confirmed(answer):
        return
    if status == 200:
        raise Retry("Pub/Sub's answer has no message id", status, answer)
    if status in _MENDED_BY:
        raise Retry(_MENDED_BY[status].format(topic=topic), status, answer)
    after_s = seconds_in(retry_after) if status in (429, 503) else None
    raise Retry(f"Pub/Sub answered {status}", status, answer, after_s=after_s)


def _is_confirmed(answer: str) -> bool:
    try:
        document = parse(answer)
    except ValueError:
        return False
    ids = document.get("messageIds") if isinstance(document, dict) else None
    return isinstance(ids, list) and len(ids) == 1


def _is_google(endpoint: str) -> bool:
    parts = urlsplit(endpoint)
    return parts.scheme == "https" and parts.port in (None, 443) and _GOOGLE.fullmatch(parts.hostname or "") is not None


def _is_key(text: str) -> bool:
    try:
        document = parse(text)
        if not isinstance(document, dict) or document.get("type") != "service_account":
            return False
        private = load_pem_private_key(str(document.get("private_key")).encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return isinstance(private, RSAPrivateKey) and isinstance(document.get("client_email"), str)
