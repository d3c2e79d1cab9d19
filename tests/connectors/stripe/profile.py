"""What the conformance kit needs to know of Stripe's connector."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime

from chalicelib.contracts.webhooks import Delivery
from tests.conformance.connectors.profile import Profile

SECRET, PREVIOUS = "whsec_KitPresentSigningSecret", "whsec_KitPreviousSigningSecret"


def sign(body: bytes, secret: str, at: datetime) -> Delivery:
    sent = int(at.timestamp())
    mac = hmac.new(secret.encode(), f"{sent}.".encode() + body, hashlib.sha256).hexdigest()
    return Delivery({"stripe-signature": f"t={sent},v1={mac}", "content-type": "application/json"}, body, at)


PROFILE = Profile(
    settings={
        "api_key": "sk_test_KitSecretKeyOfNobody",
        "webhook_secret": SECRET,
        "webhook_secret_previous": PREVIOUS,
    },
    sign=sign,
    psp_reference="cs_test_kit1",
    secret=SECRET,
    previous_secret=PREVIOUS,
    own_words=("payment intent", "payment_intent", "checkout session", "checkout.session", "sk_test_", "sk_live_"),
)
