"""PayPal's signing certificates: asked for where a webhook says, believed where a public root vouches for them.

They are public documents: how many are asked for, and who remembers them, is not decided here (services.public_documents). One
that nobody vouched for is not asked for again for a while.
"""

from __future__ import annotations

import re
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from chalicelib.contracts.conversation import Conversation, HttpRequest, HttpResponse, ReadFailed
from chalicelib.domain.errors import SignatureInvalid

KEPT_S = 86_400
BELIEVED_MAX = 32
REFUSED_MAX, REFUSED_S = 1_000, 600.0
PEM_BYTES_MAX = 65_536
CHAIN_MAX = 6
KEY_BITS_MIN = 2_048
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----")
_NAME = re.compile(r"([a-z0-9-]+\.)+paypal\.com")


@lru_cache(maxsize=1)
def public_roots() -> Store:
    """The roots that TLS clients trust, without those that are not to the letter of RFC 5280."""
    import certifi

    with open(certifi.where(), "rb") as file:
        pems = _PEM.findall(file.read())
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        for pem in pems:
            try:
                found.append(x509.load_pem_x509_certificate(pem))
            except ValueError:
                continue
    return Store(found)


def certificates_in(pem: str) -> list[x509.Certificate]:
    """Raises ValueError."""
    return x509.load_pem_x509_certificates(pem.encode())


@dataclass(frozen=True, slots=True)
class Certificate:
    key: RSAPublicKey
    begins: datetime
    ends: datetime


class Believed:
    """Certificates that were found good, by their files' digests, so that none is read twice. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: dict[bytes, Certificate] = {}

    def get(self, pem: bytes) -> Certificate | None:
        return self._found.get(sha256(pem).digest())

    def put(self, pem: bytes, found: Certificate) -> None:
        with self._lock:
            if len(self._found) >= BELIEVED_MAX:
                self._found.clear()
            self._found[sha256(pem).digest()] = found


SHARED = Believed()  # of this process


class Certificates:
    """Thread-safe. `intermediates`: PEM, besides those that PayPal's own file brings."""

    def __init__(self, intermediates: str | None, believed: Believed, now_s: Callable[[], float] = time.time) -> None:
        self._intermediates = certificates_in(intermediates) if intermediates else []
        self._known, self._now_s = believed, now_s
        self._lock = threading.Lock()
        self._refused: dict[str, float] = {}  # where, and when

    def key(self, url: str, at: datetime) -> Conversation[RSAPublicKey]:
        """The key of the certificate at `url`, which the caller has checked. Raises SignatureInvalid for one that nobody
        vouches for, ReadFailed where it can not be had now."""
        self._check_refused(url)
        response = yield HttpRequest("GET", url, {"Accept": "*/*"}, operation="certificate", keeps_s=KEPT_S)
        found = self._found(url, response, at)
        if not found.begins <= at <= found.ends:
            raise SignatureInvalid("The webhook's certificate was not valid then.")
        return found.key

    def _found(self, url: str, response: HttpResponse, at: datetime) -> Certificate:
        try:
            pem = _pem_in(response)
            known = self._known.get(pem)
            if known is None:
                known = self._believed(pem, at)
                self._known.put(pem, known)
        except SignatureInvalid:
            with self._lock:
                if len(self._refused) >= REFUSED_MAX:
                    self._refused.clear()
                self._refused[url] = self._now_s()
            raise
        return known

    def _check_refused(self, url: str) -> None:
        """Raises SignatureInvalid where nobody vouched for it a moment ago."""
        refused_s = self._refused.get(url)
        if refused_s is not None and 0 <= self._now_s() - refused_s < REFUSED_S:
            raise SignatureInvalid("Nobody vouched for the webhook's certificate a moment ago.")

    def _believed(self, pem: bytes, at: datetime) -> Certificate:
        """Raises SignatureInvalid. One of the certificates is PayPal's own, the others lead towards a root."""
        try:
            chain = x509.load_pem_x509_certificates(pem)[:CHAIN_MAX]
            leaf, name = next((one, name) for one in chain for name in _names_in(one))
            key, others = leaf.public_key(), [one for one in chain if one != leaf]
            policy = PolicyBuilder().store(public_roots()).time(at.astimezone(UTC))
            policy.build_server_verifier(x509.DNSName(name)).verify(leaf, [*others, *self._intermediates])
        except (ValueError, TypeError, StopIteration, VerificationError) as error:
            raise SignatureInvalid(f"Nobody vouches for the webhook's certificate ({type(error).__name__}).") from None
        if not isinstance(key, RSAPublicKey) or key.key_size < KEY_BITS_MIN:
            raise SignatureInvalid("The webhook's certificate has no RSA key of a safe size.")
        return Certificate(key, leaf.not_valid_before_utc, leaf.not_valid_after_utc)


def _names_in(certificate: x509.Certificate) -> list[str]:
    """The names below paypal.com that it is for. Raises ValueError for one that is not well-formed."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [name for name in names.get_values_for_type(x509.DNSName) if _NAME.fullmatch(name)]


def _pem_in(response: HttpResponse) -> bytes:
    """Raises SignatureInvalid where PayPal has no such certificate, ReadFailed where it does not say."""
    if response.status in (400, 404, 410):
        raise SignatureInvalid("PayPal has no such certificate.")
    if response.status != 200:
        raise ReadFailed(f"the certificate could not be read ({response.status})")
    if len(response.body) > PEM_BYTES_MAX:
        raise SignatureInvalid("The webhook's certificate is too large.")
    return response.body
