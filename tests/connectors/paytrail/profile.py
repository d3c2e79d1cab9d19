"""What the conformance kit needs to know of Paytrail's connector. Signing is written apart from the connector's own code."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from chalicelib.contracts.webhooks import Delivery
from chalicelib.domain.facts import Kind
from tests.conformance.connectors.profile import Profile, Signs

SECRET, PREVIOUS = "KIT-PRESENT-KEY-OF-NOBODY", "KIT-PREVIOUS-KEY-OF-NOBODY"
MERCHANT = "100001"
AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def mac(secret: str, said: Mapping[str, str], body: bytes) -> str:
    """`said`: names and values of `checkout-` parameters, one of which is the algorithm."""
    text = "\n".join(":".join(pair) for pair in sorted(said.items()) if pair[0][:9] == "checkout-")
    return hmac.new(secret.encode(), b"\n".join([text.encode(), body]), said["checkout-algorithm"]).hexdigest()


def sign(body: bytes, secret: str, at: datetime) -> Delivery:
    """A callback: what it says as a JSON object becomes its query."""
    said = {"checkout-account": MERCHANT, "checkout-algorithm": "sha256", **json.loads(body)}
    query = urlencode({**said, "signature": mac(secret, said, b"")})
    return Delivery({}, b"", at, method="GET", query=query)


def sign_answer(headers: Mapping[str, str], body: bytes) -> Mapping[str, str]:
    """By SHA-512, whatever the request was signed by."""
    own = {
        "checkout-account": MERCHANT,
        "checkout-algorithm": hashlib.sha512().name,
        "checkout-method": "POST",
        "checkout-nonce": "e2e1b9b5",
        "checkout-timestamp": "2026-03-01T12:00:00.100Z",
        "request-id": "not signed",
    }
    return {**headers, **own, "signature": mac(SECRET, own, body)}


def at_one_time(connector: Any) -> None:
    connector._account.now_s = AT.timestamp


PROFILE = Profile(
    settings={
        "merchant_id": MERCHANT,
        "secret_key": SECRET,
        "secret_key_previous": PREVIOUS,
        "email": "payments@shop.example",
    },
    sign=sign,
    psp_reference="93ee8d18-10db-410b-92ac-7d6e49369ce3",
    secret=SECRET,
    previous_secret=PREVIOUS,
    signs=Signs.QUERY,
    tolerance_s=None,
    opening_tells_amount=False,
    own_words=("checkout-account", "checkout-stamp", "refundStamp", "SAIPPUAKAUPPIAS", "375917"),
    prepare=at_one_time,
    sign_answer=sign_answer,
    not_read=frozenset({Kind.REFUND}),
)
