"""Stripe's webhook signature: ``Stripe-Signature: t=<unix s>,v1=<hex>[,v1=…][,v0=…]``, HMAC-SHA256 over ``t.body`` with the
endpoint's whole secret (docs.stripe.com/webhooks/signature)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

from chalicelib.domain.errors import SignatureInvalid

TOLERANCE_S = 300
HEADER_CHARACTERS_MAX = 2048  # several signatures while a secret is being replaced


def check(header: str | None, body: bytes, secrets: Iterable[str], now_s: float) -> None:
    """Raises SignatureInvalid and nothing else, whatever the header holds. A time ahead of ours is no more to be trusted
    than an old one, but clocks differ."""
    if not header or len(header) > HEADER_CHARACTERS_MAX or not header.isascii():
        raise SignatureInvalid("The webhook has no usable Stripe-Signature header.")
    parts = [part.strip().partition("=") for part in header.split(",")]
    times = [value for name, _, value in parts if name == "t"]
    if len(times) != 1 or not times[0].isdigit() or len(times[0]) > 12:
        raise SignatureInvalid("The Stripe-Signature header has no time.")
    if abs(now_s - int(times[0])) > TOLERANCE_S:
        raise SignatureInvalid(f"The webhook was not signed within {TOLERANCE_S} s.")
    signed = times[0].encode() + b"." + body
    wanted = [hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets]
    given = [value for name, _, value in parts if name == "v1"]
    if not any(hmac.compare_digest(one, other) for one in wanted for other in given):
        raise SignatureInvalid("No signature of the webhook fits its body and the endpoint's secret.")
