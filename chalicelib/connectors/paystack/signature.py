"""How Paystack signs a webhook: paystack.com/docs/payments/webhooks, "Verify event origin"."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

from chalicelib.domain.errors import SignatureInvalid

HEADER = "x-paystack-signature"
HEADER_CHARACTERS_MAX = 1024


def check(header: str | None, body: bytes, secrets: Iterable[str]) -> None:
    """HMAC-SHA512 of the exact bytes with the secret key, in lower-case hexadecimal. No time is signed, so a webhook that is
    sent again is valid for ever. Raises SignatureInvalid and nothing else, whatever comes."""
    if not header or len(header) > HEADER_CHARACTERS_MAX or not header.isascii():
        raise SignatureInvalid("The webhook has no usable signature.")
    wanted = [hmac.new(secret.encode(), body, hashlib.sha512).hexdigest() for secret in secrets]
    if not any(hmac.compare_digest(one, header) for one in wanted):
        raise SignatureInvalid("The signature does not fit the webhook's body and the business's secret key.")
