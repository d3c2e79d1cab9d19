"""How a subscriber verifies what it receives; docs/webhooks.md shows this code."""

import base64
import hmac
import re
import time
from collections.abc import Mapping


class NotVerified(Exception):
    """Not a fresh delivery of ours."""


def verify(secret: str, headers: Mapping[str, str], body: bytes) -> None:
    id, at, signatures = (headers.get(f"webhook-{name}") or "" for name in ("id", "timestamp", "signature"))
    if not (re.fullmatch("[A-Za-z0-9_-]+", id) and re.fullmatch("[0-9]{1,12}", at)):
        raise NotVerified
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{id}.{at}.".encode() + body
    wanted = b"v1," + base64.b64encode(hmac.digest(key, signed, "sha256"))
    found = any(hmac.compare_digest(wanted, one.encode(errors="replace")) for one in signatures.split(" "))
    if not found or abs(time.time() - int(at)) > 300:
        raise NotVerified
