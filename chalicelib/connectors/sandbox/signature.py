"""The sandbox's webhook signature: ``Sandbox-Signature: t=<unix s>,v1=<hex>``, HMAC-SHA256 over ``t.body``."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

from chalicelib.domain.errors import SignatureInvalid

TOLERANCE_S = 300
HEADER_CHARACTERS_MAX = 1024


def check(header: str | None, body: bytes, secrets: Iterable[str], now_s: float) -> None:
    """Raises SignatureInvalid and nothing else, whatever the header holds."""
    if not header or len(header) > HEADER_CHARACTERS_MAX or not header.isascii():
        raise SignatureInvalid("The webhook has no usable Sandbox-Signature header.")
    parts = [part.partition("=") for part in header.split(",")]
    times = [value for name, _, value in parts if name == "t"]
    if len(times) != 1 or not times[0].isdigit() or len(times[0]) > 12:
        raise SignatureInvalid("The Sandbox-Signature header has no time.")
    if abs(now_s - int(times[0])) > TOLERANCE_S:
        raise SignatureInvalid(f"The webhook's signature is more than {TOLERANCE_S} s old.")
    signed = times[0].encode() + b"." + body
    wanted = [hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets]
    given = [value for name, _, value in parts if name == "v1"]
    if not any(hmac.compare_digest(one, other) for one in wanted for other in given):
        raise SignatureInvalid("No signature of the webhook fits its body and the account's secret.")
