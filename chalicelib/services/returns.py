"""The shopper's return: a signed link of ours that asks for a sync and sends the shopper on to the shop.

The link itself says whose return it is and where it leads, so that a shopper comes back while the database is down, and who
serves it needs no right to read payments. It leads nowhere that we did not sign.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import time
import zlib
from collections.abc import Callable
from urllib.parse import urlencode, urlsplit, urlunsplit

from chalicelib import telemetry
from chalicelib.contracts.queue import Topic
from chalicelib.domain.errors import NotFound, QueueFault
from chalicelib.domain.ids import is_payment_id
from chalicelib.services.chores import chore
from chalicelib.services.looks import Looks
from chalicelib.services.ports import InboundPorts

log = logging.getLogger("paymentserver.returns")
SIGNATURE_CHARACTERS = 32  # 128 bits
TOKEN_CHARACTERS_MAX = 2_900  # of a shop's address of 2048 characters that do not compress at all


def return_link(ports: InboundPorts, payment_id: str, shop_url: str) -> str:
    """Where a PSP sends the shopper whose payment is only complete once we know that she came back.

    It is about as long as `shop_url` and our own address together and 100 characters more; a random query makes it up to a
    third longer than that.
    """
    return f"{ports.internet_url}/returns/{return_token(ports.return_key(), payment_id, shop_url)}"


def return_token(key: bytes, payment_id: str, shop_url: str) -> str:
    """The payment's id, the shop's address and a signature of both, with points between."""
    signed = f"{payment_id}.{_packed(shop_url)}"
    return f"{signed}.{_signature(key, signed)}"


class Returns:
    """Whoever has a link can open it without end; of one payment's returns each LOOK_EVERY_S asks for one sync at most, for
    each process that serves them (services.looks)."""

    def __init__(self, ports: InboundPorts, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._ports = ports
        self._looks = Looks(monotonic)

    def come_back(self, token: str) -> str:
        """The shop's return address with ``payment_id`` in its query. Raises NotFound for a token that we did not sign."""
        signed, _, signature = token.rpartition(".")
        payment_id, _, packed = signed.partition(".")
        well_formed = len(token) <= TOKEN_CHARACTERS_MAX and token.isascii() and is_payment_id(payment_id)
        if not well_formed or not hmac.compare_digest(signature, _signature(self._ports.return_key(), signed)):
            raise NotFound("This return link is not one of ours.")
        telemetry.note(payment_id=payment_id)
        self._sync(payment_id)
        parts = urlsplit(_unpacked(packed))
        query = "&".join(filter(None, (parts.query, urlencode({"payment_id": payment_id}))))
        return urlunsplit(parts._replace(query=query))

    def _sync(self, payment_id: str) -> None:
        delay_s = self._looks.delay_s(payment_id)
        if delay_s is None:
            return
        try:
            self._ports.queue.send(Topic.INBOUND, chore("sync", payment_id), delay_s=delay_s)
        except QueueFault as error:  # the shopper is not to stand before an error page: the due index asks in time
            log.error("no sync after a return", extra={"fields": {"detail": error.detail}})
        else:
            self._looks.queued(payment_id, delay_s)


def _signature(key: bytes, signed: str) -> str:
    return hmac.new(key, signed.encode(), hashlib.sha256).hexdigest()[:SIGNATURE_CHARACTERS]


def _packed(url: str) -> str:
    """Deflated, which makes up for what base64 adds."""
    deflate = zlib.compressobj(9, wbits=-15)
    return base64.urlsafe_b64encode(deflate.compress(url.encode()) + deflate.flush()).decode().rstrip("=")


def _unpacked(packed: str) -> str:
    return zlib.decompress(base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)), wbits=-15).decode()
