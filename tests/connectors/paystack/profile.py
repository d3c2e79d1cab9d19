"""What the conformance kit needs to know of Paystack's connector."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha512

from chalicelib.contracts.webhooks import Delivery
from chalicelib.domain.ids import attempt_id_of, payment_id_of
from tests.conformance.connectors.profile import Profile

SECRET, PREVIOUS = "sk_test_kit0key0of0nobody", "sk_test_kit0previous0key0of0nobody"
BLOCK = 128  # bytes, of SHA-512


def sign(body: bytes, secret: str, at: datetime) -> Delivery:
    """The delivery that Paystack would send: an HMAC by its definition, made apart from the connector's own code."""
    key = secret.encode()
    key = (sha512(key).digest() if len(key) > BLOCK else key).ljust(BLOCK, b"\0")
    inner = sha512(bytes(byte ^ 0x36 for byte in key) + body).digest()
    outer = sha512(bytes(byte ^ 0x5C for byte in key) + inner).hexdigest()
    return Delivery({"content-type": "application/json", "x-paystack-signature": outer}, body, at)


PROFILE = Profile(
    settings={
        "business": "kit",
        "mode": "test",
        "secret_key": SECRET,
        "secret_key_previous": PREVIOUS,
        "email": "payments@shop.example",
    },
    sign=sign,
    psp_reference=attempt_id_of(payment_id_of("default", "kit"), 1).replace("_", "-"),
    secret=SECRET,
    previous_secret=PREVIOUS,
    tolerance_s=None,
    opening_tells_amount=False,
    own_words=("access_code", "authorization_url", "gateway_response"),
)
