"""Where PSPs send their webhooks, and whose attempt an address is.

A PSP that signs nothing is told an address of its own for each attempt. Its query names the attempt and has a signature of
ours, which nobody knows but we and the PSP that was told it: so the address is the proof, checked at the door without asking
anybody. What comes there may only say "look", so a leaked address lets nobody say more than that.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace
from urllib.parse import quote

from chalicelib.contracts.connector import Verifying
from chalicelib.contracts.query import parameters_of
from chalicelib.contracts.webhooks import Delivery, WebhookAddress
from chalicelib.domain.configuration import Connection
from chalicelib.domain.errors import SignatureInvalid
from chalicelib.domain.ids import payment_id_in
from chalicelib.services.ports import InboundPorts

PARAMETER = "attempt"
SIGNATURE_CHARACTERS = 32  # 128 bits


def webhook_url(ports: InboundPorts, connection: Connection) -> str:
    """Where the PSP sends this connection's webhooks."""
    return f"{ports.internet_url}/webhooks/{quote(connection.merchant_id, safe='')}/{connection.id}"


def webhook_url_of(ports: InboundPorts, connection: Connection, address: WebhookAddress, attempt_id: str) -> str | None:
    """What the call that opens an attempt's page tells the PSP, None where it is not told. Raises VaultFault."""
    if address is WebhookAddress.ENTERED:
        return None
    url = webhook_url(ports, connection)
    if address is WebhookAddress.TOLD:
        return url
    return f"{url}?{PARAMETER}={attempt_id}.{_signature(ports.webhook_key(), connection, attempt_id)}"


def addressed(ports: InboundPorts, connection: Connection, connector: Verifying, delivery: Delivery) -> Delivery:
    """The delivery, with the attempt whose own address it came to. Raises VaultFault, and nothing for whatever the query
    holds: without an attempt, `verify` refuses what has no other proof."""
    if connector.capabilities.webhook_address is not WebhookAddress.OWN:
        return delivery
    return replace(delivery, attempt_id=_attempt_in(ports, connection, delivery.query))


def _attempt_in(ports: InboundPorts, connection: Connection, query: str) -> str | None:
    try:
        attempt_id, _, signature = parameters_of(query).get(PARAMETER, "").partition(".")
    except SignatureInvalid:
        return None
    if not attempt_id.startswith("att_") or payment_id_in(attempt_id) is None or not signature.isascii():
        return None
    expected = _signature(ports.webhook_key(), connection, attempt_id)
    return attempt_id if hmac.compare_digest(signature, expected) else None


def _signature(key: bytes, connection: Connection, attempt_id: str) -> str:
    """Of the whole address: another merchant's or another connection's is no proof here."""
    signed = "\x00".join((connection.merchant_id, connection.id, attempt_id))
    return hmac.new(key, signed.encode(), hashlib.sha256).hexdigest()[:SIGNATURE_CHARACTERS]
