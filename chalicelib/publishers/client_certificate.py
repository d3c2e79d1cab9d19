"""What PaymentServer shows of itself to a target that asks for a client certificate (mutual TLS)."""

from __future__ import annotations

import secrets
import ssl
import tempfile
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from urllib3.util.ssl_ import create_urllib3_context

from chalicelib.domain.errors import Pointer

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

CERTIFICATE, KEY = "/client_certificate", "/client_key"


def objection_to(certificate: str | None, key: str | None, now: datetime) -> Pointer | None:
    """What is wrong with a chain and its key, both PEM, before they are ever used."""
    if certificate is None and key is None:
        return None
    if certificate is None:
        return Pointer(CERTIFICATE, "is needed with client_key")
    if key is None:
        return Pointer(KEY, "is needed with client_certificate")
    if "PRIVATE KEY" in certificate:
        return Pointer(
            CERTIFICATE, "holds a private key, and is shown to whoever reads the subscription: send client_key"
        )
    try:
        chain = _chain_in(certificate)
        objection = _objection_to_chain(chain, now)
    except Exception:  # whatever a hostile certificate makes of its parser
        return Pointer(CERTIFICATE, "must be certificates in PEM, the client's own first")
    if objection is not None:
        return Pointer(CERTIFICATE, objection)
    try:
        private = _key_in(key)
    except TypeError:
        return Pointer(KEY, "is encrypted: send it without a passphrase, it is kept encrypted here")
    except Exception:
        return Pointer(KEY, "must be a private key in PEM")
    if _public_of(private.public_key()) != _public_of(chain[0].public_key()):
        return Pointer(KEY, "is not the key of the first certificate of client_certificate")
    try:
        client_context(certificate, key)
    except (ssl.SSLError, ValueError) as error:
        return Pointer(KEY, f"can not be used for TLS ({getattr(error, 'reason', None) or type(error).__name__})")
    return None


def client_context(certificate: str, key: str) -> ssl.SSLContext:
    """Shows this certificate, and verifies servers as any other context. Raises ssl.SSLError, ValueError.

    The ssl module takes keys from files alone. The file is only this user's and gone when the function ends; and what it held
    for that moment is encrypted with a passphrase that nobody but this function ever has, so that not even a disk that
    remembers, or a crash in between, gives the key away.
    """
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

    passphrase = secrets.token_hex(32).encode()
    encrypted = _key_in(key).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(passphrase))
    context = create_urllib3_context()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "client.pem"
        file.touch(mode=0o600)
        file.write_bytes(certificate.encode() + b"\n" + encrypted)
        context.load_cert_chain(file, password=passphrase)
    return context


def _chain_in(certificate: str) -> list[Certificate]:
    from cryptography.x509 import load_pem_x509_certificates

    return load_pem_x509_certificates(certificate.encode())


def _objection_to_chain(chain: list[Certificate], now: datetime) -> str | None:
    from cryptography.x509 import ExtendedKeyUsage, ExtensionNotFound
    from cryptography.x509.oid import ExtendedKeyUsageOID

    for one in chain:
        if one.not_valid_after_utc <= now:
            return f"holds a certificate that expired on {one.not_valid_after_utc:%Y-%m-%d}"
        if one.not_valid_before_utc > now:
            return f"holds a certificate that is not valid before {one.not_valid_before_utc:%Y-%m-%d}"
    try:
        usage = chain[0].extensions.get_extension_for_class(ExtendedKeyUsage).value
    except ExtensionNotFound:
        return None
    if {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE} & set(usage):
        return None
    return "begins with a certificate that is not for client authentication"


def _key_in(key: str) -> Any:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    return load_pem_private_key(key.encode(), password=None)


def _public_of(key: Any) -> Any:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
