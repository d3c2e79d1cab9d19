"""What the conformance kit needs to know of the sandbox's connector."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime

from chalicelib.contracts.webhooks import Delivery
from tests.conformance.connectors.profile import Profile

SECRET, PREVIOUS = "whs_kit_present_secret", "whs_kit_previous_secret"


def sign(body: bytes, secret: str, at: datetime) -> Delivery:
    sent = int(at.timestamp())
    mac = hmac.new(secret.encode(), f"{sent}.".encode() + body, hashlib.sha256).hexdigest()
    return Delivery({"sandbox-signature": f"t={sent},v1={mac}"}, body, at)


PROFILE = Profile(
    settings={
        "base_url": "http://localhost:8002/kit",
        "account": "kit",
        "api_key": "sk_kit_key_of_nobody",
        "webhook_secret": SECRET,
        "webhook_secret_previous": PREVIOUS,
    },
    sign=sign,
    psp_reference="ses_kit1",
    secret=SECRET,
    previous_secret=PREVIOUS,
)
