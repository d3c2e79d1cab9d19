"""What the conformance kit needs to know of Mollie's connector."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime

from chalicelib.contracts.webhooks import Delivery
from tests.conformance.connectors.profile import Profile
from tests.conformance.connectors.recordings import ATTEMPT_ID

SECRET, PREVIOUS = "KitPresentSigningSecret", "KitPreviousSigningSecret"


def sign(body: bytes, secret: str, at: datetime) -> Delivery:
    """A signed event; or the form of a payment's own webhook, which came to the attempt's own address."""
    if body.startswith(b"id="):
        return Delivery({"content-type": "application/x-www-form-urlencoded"}, body, at, attempt_id=ATTEMPT_ID)
    mac = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return Delivery({"x-mollie-signature": f"sha256={mac}"}, body, at)


AT = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)  # a hold of the scenarios stands until the 8th
PROFILE = Profile(
    settings={
        "api_key": "test_KitApiKeyOfNobody",
        "webhook_secret": SECRET,
        "webhook_secret_previous": PREVIOUS,
    },
    sign=sign,
    psp_reference="tr_kit1",
    secret=SECRET,
    previous_secret=PREVIOUS,
    tolerance_s=None,
    prepare=lambda connector: setattr(connector, "now_s", AT.timestamp),
    own_words=("release-authorization", "banktransfer", "przelewy24", "isCancelable"),
)
