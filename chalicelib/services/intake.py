"""Takes a PSP's webhook in: verify the exact bytes, queue them, give the PSP its answer. It writes no database.

While the database is down and the connection is not cached, the delivery is queued as not yet verified, and `apply` does
it later: nothing is lost, and nothing unverified is applied.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Mapping
from datetime import datetime
from typing import NoReturn

from chalicelib import telemetry
from chalicelib.contracts.connector import Acknowledgement, Delivery
from chalicelib.contracts.queue import Topic
from chalicelib.domain.errors import Fault, NotFound, QueueFault, SignatureInvalid, TooLarge
from chalicelib.domain.view import text_of
from chalicelib.outbound.offline import finished
from chalicelib.services.configuration import Configuration, LiveConnection
from chalicelib.services.ports import InboundPorts

BODY_BYTES_MAX = 131_072  # base64 of it fits a message
HEADERS_MAX = 50
HEADER_CHARACTERS_MAX = 2_048
SAMPLE_EVERY_S = 60
CONNECTIONS_SAMPLED_MAX = 10_000

# Headers that are nobody's business in a queue or an inbox.
_PRIVATE = {"authorization", "cookie", "proxy-authorization", "x-api-key"}


class Intake:
    def __init__(self, ports: InboundPorts, configuration: Configuration) -> None:
        self._ports = ports
        self._configuration = configuration
        self._lock = threading.Lock()
        self._sampled: dict[str, int] = {}

    def take(self, merchant_id: str, connection_id: str, headers: Mapping[str, str], body: bytes) -> Acknowledgement:
        """`headers` have lower-case names. Raises NotFound, SignatureInvalid, TooLarge, QueueFault."""
        if len(body) > BODY_BYTES_MAX:
            raise TooLarge(f"The body has {len(body)} bytes; {BODY_BYTES_MAX} are allowed.")
        delivery = Delivery(_kept(headers), body, self._ports.clock.now())
        try:
            live = self._configuration.connection(merchant_id, connection_id)
        except NotFound:
            raise NotFound("There is no such connection.") from None
        except Fault:
            self._queue(merchant_id, connection_id, delivery, verified=False)
            return Acknowledgement()
        telemetry.note(merchant_id=merchant_id, connection_id=connection_id)
        verified = live.connector.verifies_offline
        if verified:
            try:
                finished(live.connector.verify(Delivery(headers, body, delivery.received_at)))
            except SignatureInvalid as error:
                self._reject(live, delivery, error)
        self._queue(merchant_id, connection_id, delivery, verified=verified)
        telemetry.count("webhooks_received_total", connector=live.connection.connector, result="queued")
        return live.connector.acknowledgement

    def _queue(self, merchant_id: str, connection_id: str, delivery: Delivery, *, verified: bool) -> None:
        state = "verified" if verified else "unverified"
        self._ports.queue.send(Topic.INBOUND, message_of(merchant_id, connection_id, delivery, state))

    def _reject(self, live: LiveConnection, delivery: Delivery, error: SignatureInvalid) -> NoReturn:
        """Counts every forgery, keeps one a minute for each connection."""
        telemetry.count("webhooks_rejected_total", connector=live.connection.connector)
        minute = int(delivery.received_at.timestamp()) // SAMPLE_EVERY_S
        key = f"{live.connection.merchant_id}/{live.connection.id}"
        with self._lock:
            fresh = self._sampled.get(key) != minute
            if len(self._sampled) >= CONNECTIONS_SAMPLED_MAX:
                self._sampled.clear()
            self._sampled[key] = minute
        if fresh:
            connection = live.connection
            try:
                self._ports.queue.send(
                    Topic.INBOUND, message_of(connection.merchant_id, connection.id, delivery, "rejected", error.detail)
                )
            except QueueFault:
                pass  # a forgery's sample is not worth an error; it was counted
        raise error


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in headers.items() if name not in _PRIVATE}
    return {name: value[:HEADER_CHARACTERS_MAX] for name, value in list(kept.items())[:HEADERS_MAX]}


def message_of(merchant_id: str, connection_id: str, delivery: Delivery, state: str, detail: str = "") -> bytes:
    """`state`: verified, unverified or rejected."""
    document = {
        "merchant_id": merchant_id,
        "connection_id": connection_id,
        "headers": dict(delivery.headers),
        "body": base64.b64encode(delivery.body).decode(),
        "received_at": text_of(delivery.received_at),
        "state": state,
        "detail": detail,
    }
    return json.dumps(document, separators=(",", ":")).encode()


def delivery_in(document: Mapping[str, object]) -> Delivery:
    """The delivery of a message that `message_of` made, parsed."""
    headers = document["headers"]
    assert isinstance(headers, dict)
    received_at = datetime.fromisoformat(str(document["received_at"]).replace("Z", "+00:00"))
    return Delivery(headers, base64.b64decode(str(document["body"])), received_at)
