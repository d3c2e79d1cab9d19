"""New keys that sign deliveries, as Standard Webhooks writes them.

The subscriber of an HMAC key must know the secret itself; that of an Ed25519 pair needs the public key alone, so the
private one is never shown to anybody.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from chalicelib.contracts.publisher import ED25519_PUBLIC, ED25519_SECRET, HMAC_SECRET

HMAC_BYTES = 32  # Standard Webhooks: 24 to 64


@dataclass(frozen=True, slots=True)
class SigningKey:
    """`public` is None where the subscriber needs `secret`."""

    secret: str = field(repr=False)
    public: str | None = None


def new_signing_key(signature: str) -> SigningKey:
    """`signature` is "hmac" or "ed25519"; KeyError for anything else."""
    return _NEW[signature]()


def _hmac() -> SigningKey:
    return SigningKey(HMAC_SECRET + _text_of(secrets.token_bytes(HMAC_BYTES)))


def _ed25519() -> SigningKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    return SigningKey(
        ED25519_SECRET + _text_of(key.private_bytes_raw()),
        ED25519_PUBLIC + _text_of(key.public_key().public_bytes_raw()),
    )


_NEW: dict[str, Callable[[], SigningKey]] = {"hmac": _hmac, "ed25519": _ed25519}


def _text_of(key: bytes) -> str:
    return base64.b64encode(key).decode()
