"""Standard Webhooks signatures (standardwebhooks.com, version 1): HMAC-SHA256 as ``v1,…``, Ed25519 as ``v1a,…``.

Signed is ``id.timestamp.body``. A secret says by its prefix what it signs with, so secrets of both kinds may be live at once.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

from chalicelib.contracts.publisher import ED25519_SECRET, HMAC_SECRET


def signed_headers_of(event_id: str, timestamp: int, body: bytes, secrets: Sequence[str]) -> dict[str, str]:
    """The three headers, with a signature for each live secret. Raises ValueError without a secret: nothing goes unsigned."""
    if not secrets:
        raise ValueError("there is no signing secret")
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signature_of(one, event_id, timestamp, body) for one in secrets),
    }


def signature_of(secret: str, event_id: str, timestamp: int, body: bytes) -> str:
    """One signature. Raises ValueError for a secret of neither kind."""
    signed = f"{event_id}.{timestamp}.".encode() + body
    if secret.startswith(ED25519_SECRET):
        return "v1a," + _text_of(_signed_by_ed25519(_key_in(secret, ED25519_SECRET), signed))
    return "v1," + _text_of(hmac.digest(_key_in(secret, HMAC_SECRET), signed, hashlib.sha256))


def _signed_by_ed25519(key: bytes, signed: bytes) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(key).sign(signed)


def _key_in(secret: str, prefix: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(prefix), validate=True)
    except binascii.Error as error:
        raise ValueError(f"a signing secret is {prefix} followed by base64") from error


def _text_of(signature: bytes) -> str:
    return base64.b64encode(signature).decode()
