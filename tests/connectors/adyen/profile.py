"""What the conformance kit needs to know of Adyen's connector."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import datetime
from typing import Any

from chalicelib.contracts.webhooks import Delivery
from chalicelib.domain.json_text import parse
from tests.conformance.connectors.profile import Profile, Signs

SECRET, PREVIOUS = "4B697450726573656E74" * 3 + "00A1", "4B697450726576696F7573" * 2 + "00B2" * 5
SIGNED = ("pspReference", "originalReference", "merchantAccountCode", "merchantReference", "eventCode", "success")
_ITEM = "/notificationItems/0/NotificationRequestItem"


def signature_of(item: dict[str, Any], key: str) -> str:
    psp, original, account, reference, event, success = (item.get(name) or "" for name in SIGNED)
    amount = item["amount"]
    fields = (psp, original, account, reference, str(amount["value"]), amount["currency"], event, success)
    return base64.b64encode(hmac.new(bytes.fromhex(key), ":".join(fields).encode(), hashlib.sha256).digest()).decode()


def sign(body: bytes, secret: str, at: datetime) -> Delivery:
    """Each item by itself; what is no delivery stays as it is."""
    try:
        document = parse(body)
        for one in document["notificationItems"]:
            item = one["NotificationRequestItem"]
            more = {"hmacSignature": signature_of(item, secret)}
            item["additionalData"] = {**item.get("additionalData", {}), **more}
    except (ValueError, KeyError, TypeError, AttributeError):
        return Delivery({"content-type": "application/json"}, body, at)
    return Delivery({"content-type": "application/json"}, json.dumps(document).encode(), at)


PROFILE = Profile(
    settings={
        "merchant_account": "KitAccountECOM",
        "api_key": "AQEkitSecretApiKeyOfNobody*x1-y2=",
        "hmac_key": SECRET,
        "hmac_key_previous": PREVIOUS,
    },
    sign=sign,
    psp_reference="PLKIT1",
    secret=SECRET,
    previous_secret=PREVIOUS,
    signs=Signs.FIELDS,
    signed_fields=(
        *(f"{_ITEM}/{name}" for name in SIGNED),
        f"{_ITEM}/amount/value",
        f"{_ITEM}/amount/currency",
        f"{_ITEM}/additionalData/hmacSignature",
    ),
    tolerance_s=None,
    own_words=("pspReference", "merchantAccount", "paymentLinks", "hmacSignature", "notificationItems"),
)
