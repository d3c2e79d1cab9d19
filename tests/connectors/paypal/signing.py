"""Webhooks signed as PayPal signs them, by a certificate of our own making: none of PayPal's is public."""

from __future__ import annotations

import base64
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import Store

from chalicelib.contracts.webhooks import Delivery

NAME = "messageverificationcerts.sandbox.paypal.com"
CERTIFICATE_URL = "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-360caa42-fca2a594-a5cafa77"
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@dataclass(frozen=True)
class Party:
    """Somebody with a certificate."""

    certificate: x509.Certificate
    key: Key

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)


def issued(
    subject: str,
    issuer: Party | None = None,
    *,
    names: tuple[str, ...] = (),
    key: Key | None = None,
    begins: datetime | None = None,
    days: int = 365,
) -> Party:
    """A certificate of `issuer`, of its own where there is none; with `names` a server's, else an authority's."""
    made = key or (rsa.generate_private_key(65537, 2048) if names else ec.generate_private_key(ec.SECP256R1()))
    start = begins or datetime.now(UTC) - timedelta(days=30)
    own = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    authority = issuer.key.public_key() if issuer else made.public_key()
    builder = (
        x509.CertificateBuilder()
        .subject_name(own)
        .issuer_name(issuer.certificate.subject if issuer else own)
        .public_key(made.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=not names, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(made.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority), critical=False)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
    builder = builder.add_extension(
        x509.KeyUsage(bool(names), False, False, False, False, not names, not names, False, False), critical=True
    )
    return Party(builder.sign(issuer.key if issuer else made, SHA256()), made)


@cache
def root() -> Party:
    return issued("A Root")


@cache
def intermediate() -> Party:
    return issued("An Intermediate", root())


@cache
def paypal() -> Party:
    """What PayPal would sign with."""
    return issued(NAME, intermediate(), names=(NAME,))


@cache
def trusted() -> Store:
    return Store([root().certificate])


def chain() -> bytes:
    """The file at `CERTIFICATE_URL`."""
    return paypal().pem + intermediate().pem


def signed(
    body: bytes,
    webhook_id: str,
    at: datetime,
    *,
    by: Party | None = None,
    url: str = CERTIFICATE_URL,
    transmission_id: str = "69cd13f0-d67a-11e5-baa3-778b53f4ae55",
) -> Delivery:
    sent_at = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    text = f"{transmission_id}|{sent_at}|{webhook_id}|{zlib.crc32(body)}"
    key = (by or paypal()).key
    assert isinstance(key, rsa.RSAPrivateKey)
    headers = {
        "content-type": "application/json",
        "paypal-auth-algo": "SHA256withRSA",
        "paypal-cert-url": url,
        "paypal-transmission-id": transmission_id,
        "paypal-transmission-sig": base64.b64encode(key.sign(text.encode(), PKCS1v15(), SHA256())).decode(),
        "paypal-transmission-time": sent_at,
    }
    return Delivery(headers, body, at)
