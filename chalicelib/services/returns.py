"""The shopper's return: a signed link of ours that asks for a sync and sends the shopper on to the shop."""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import urlencode, urlsplit, urlunsplit

from chalicelib import telemetry
from chalicelib.contracts.queue import Topic
from chalicelib.domain.errors import NotFound
from chalicelib.domain.ids import is_payment_id
from chalicelib.services.commit import chore
from chalicelib.services.kinds import PAYMENT
from chalicelib.services.ports import Ports

SIGNATURE_CHARACTERS = 32


def return_token(key: bytes, payment_id: str) -> str:
    return f"{payment_id}.{_signature(key, payment_id)}"


def return_link(ports: Ports, payment_id: str) -> str:
    """Where a PSP sends the shopper whose payment is only complete once we know that she came back."""
    return f"{ports.public_url}/returns/{return_token(ports.return_key, payment_id)}"


def _signature(key: bytes, payment_id: str) -> str:
    return hmac.new(key, payment_id.encode(), hashlib.sha256).hexdigest()[:SIGNATURE_CHARACTERS]


def come_back(ports: Ports, token: str) -> str:
    """The shop's return address with ``payment_id`` in its query. Raises NotFound for a token that we did not sign."""
    payment_id, _, signature = token.partition(".")
    if not is_payment_id(payment_id) or not signature.isascii():
        raise NotFound("This return link is not one of ours.")
    if not hmac.compare_digest(signature, _signature(ports.return_key, payment_id)):
        raise NotFound("This return link is not one of ours.")
    telemetry.note(payment_id=payment_id)
    payment = ports.store.get(PAYMENT, payment_id).value
    ports.queue.send(Topic.CHORES, chore("sync", payment_id))
    parts = urlsplit(payment.order.return_url)
    query = "&".join(filter(None, (parts.query, urlencode({"payment_id": payment_id}))))
    return urlunsplit(parts._replace(query=query))
