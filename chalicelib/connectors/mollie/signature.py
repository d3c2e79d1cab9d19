"""The signature of the webhooks that are entered in Mollie's Dashboard: ``X-Mollie-Signature: [sha256=]<hex>``, HMAC-SHA256 of
the body with the webhook's secret (docs.mollie.com/reference/webhooks-new). No time is signed: a replay says "look" again."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

from chalicelib.domain.errors import SignatureInvalid

HEADER = "x-mollie-signature"
_PREFIX = "sha256="
_CHARACTERS_MAX = 1_024  # several signatures while a secret is being replaced


def check(header: str, body: bytes, secrets: Iterable[str]) -> None:
    """Raises SignatureInvalid and nothing else, whatever the header holds."""
    if len(header) > _CHARACTERS_MAX or not header.isascii():
        raise SignatureInvalid("The webhook has no usable X-Mollie-Signature header.")
    given = [one.strip().removeprefix(_PREFIX) for one in header.split(",")]
    wanted = [hmac.new(secret.encode(), body, hashlib.sha256).hexdigest() for secret in secrets]
    if not any(hmac.compare_digest(one, other) for one in wanted for other in given):
        raise SignatureInvalid("No signature of the webhook fits its body and the webhook's secret.")
