"""A header that holds a secret of ours, such as the password that a PSP's webhook shows, kept as a digest: a queue and an
inbox must not hold the secret, and a verification that is put off must still be able to compare it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os

_MARK = "digest:"
_SALT_BYTES = 16
_ROUNDS = 20_000  # of PBKDF2: about 5 ms, for those few deliveries whose verification is put off
PRESENTED_CHARACTERS_MAX = 2_048


def digest_of(text: str) -> str:
    return _digest(text, os.urandom(_SALT_BYTES))


def _digest(text: str, salt: bytes) -> str:
    found = hashlib.pbkdf2_hmac("sha256", text.encode(errors="surrogatepass"), salt, _ROUNDS)
    return _MARK + base64.b64encode(salt + found).decode()


def is_presented(shown: str | None, expected: str) -> bool:
    """Whether a header's text, or its digest, is `expected`; in constant time, and never an error, whatever it holds."""
    if not shown or len(shown) > PRESENTED_CHARACTERS_MAX or not shown.isascii():
        return False
    if not shown.startswith(_MARK):
        return hmac.compare_digest(shown.encode(), expected.encode())
    try:
        salt = base64.b64decode(shown.removeprefix(_MARK), validate=True)[:_SALT_BYTES]
    except ValueError:
        return False
    return hmac.compare_digest(shown.encode(), _digest(expected, salt).encode())
