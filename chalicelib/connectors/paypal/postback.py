"""PayPal asked whether it sent a webhook (developer.paypal.com/api/webhooks/v1, verify webhook signature)."""

from __future__ import annotations

import json
from typing import Any

from chalicelib.connectors.paypal.signature import ALGORITHM, Transmission
from chalicelib.domain.errors import SignatureInvalid
from chalicelib.domain.json_text import parse

PATH = "/v1/notifications/verify-webhook-signature"


def question_of(sent: Transmission, body: bytes, webhook_id: str) -> bytes:
    """The event stands in it byte for byte, since PayPal signed those. Raises SignatureInvalid for what is no event, or could
    be read as two: PayPal might look at one of them and we at the other."""
    try:
        event = parse(body.decode("utf-8"), object_pairs_hook=_once, parse_constant=_never)
    except ValueError:
        event = None
    if not isinstance(event, dict):
        raise SignatureInvalid("The webhook is no JSON object.")
    about = {
        "auth_algo": ALGORITHM,
        "cert_url": sent.certificate_url,
        "transmission_id": sent.id,
        "transmission_sig": sent.signature,
        "transmission_time": sent.time,
        "webhook_id": webhook_id,
    }
    return json.dumps(about)[:-1].encode() + b', "webhook_event": ' + body + b"}"


def is_confirmed(answer: Any) -> bool:
    """Raises KeyError or TypeError for what is no answer."""
    return bool(answer["verification_status"] == "SUCCESS")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def _never(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")
