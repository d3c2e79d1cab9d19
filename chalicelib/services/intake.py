"""Takes a PSP's webhook in: verify the exact bytes, queue them, give the PSP its answer. It writes no database.

While the database is down and the connection is not cached, or the PSP must be asked for something, the delivery is queued as
not yet verified, and `apply` does it later: nothing is lost, and nothing unverified is applied. Of those about which the PSP
must be asked so many are taken for each connection and time; the others get 429, and their PSP sends them again. A stranger
who floods us spends neither our queue and inbox nor the merchant's calls at the PSP.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NoReturn

from chalicelib import telemetry
from chalicelib.contracts.connector import Verifying
from chalicelib.contracts.conversation import CallFailed
from chalicelib.contracts.query import check_query
from chalicelib.contracts.queue import Topic
from chalicelib.contracts.webhooks import Acknowledgement, AskPsp, Delivery, LeftOut, LookUp
from chalicelib.domain.errors import (
    Fault,
    MethodNotAllowed,
    NotFound,
    QueueFault,
    SignatureInvalid,
    StorageFault,
    TooLarge,
    TooManyRequests,
    VaultFault,
)
from chalicelib.domain.facts import Fact
from chalicelib.domain.ids import payment_id_in
from chalicelib.domain.view import text_of
from chalicelib.outbound.offline import WantsCall, finished
from chalicelib.services.allowance import Allowance
from chalicelib.services.configuration import Configuration, ReceivingConnection
from chalicelib.services.kept_headers import kept
from chalicelib.services.kinds import connection_key
from chalicelib.services.looks import Looks
from chalicelib.services.ports import InboundPorts
from chalicelib.services.public_documents import PublicDocuments
from chalicelib.services.webhook_links import addressed

BODY_BYTES_MAX = 131_072  # base64 of it fits a message
SAMPLE_EVERY_S = 60
CONNECTIONS_SAMPLED_MAX = 10_000
DOWN_FOR_S = 3.0  # what did not answer is not asked again so soon: each try would hold a PSP for seconds
# Deliveries about which a PSP must be asked, for each connection: at once, and then one each so many seconds. One is to be
# verified by a document that is not known yet, of which there is a new one in months; the other is itself asked about.
UNKNOWN_MAX, UNKNOWN_EVERY_S = 20, 6.0
ASKED_MAX, ASKED_EVERY_S = 100, 1.0
# Deliveries of which a part is left out, or is about nothing of ours beside others, for each connection: each is kept, and a
# few genuine parts make any number of them. While the store is down all are queued, and `apply` has the same bound.
MIXED_MAX, MIXED_EVERY_S = 20, 60.0
SLOW_S = (
    1.0  # a vault that takes so long to fail did not answer; a secret that does not open is one connection's affair
)


class Intake:
    def __init__(
        self, ports: InboundPorts, configuration: Configuration, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._ports, self._monotonic = ports, monotonic
        self._configuration = configuration
        self._lock = threading.Lock()
        self._sampled: dict[str, int] = {}
        self._asked_again_at = -DOWN_FOR_S
        self._looks = Looks(monotonic)
        self._documents = PublicDocuments(ports)
        self._unknown = Allowance(UNKNOWN_MAX, UNKNOWN_EVERY_S, monotonic)
        self._asked = Allowance(ASKED_MAX, ASKED_EVERY_S, monotonic)
        self._mixed = Allowance(MIXED_MAX, MIXED_EVERY_S, monotonic)

    def take(
        self,
        merchant_id: str,
        connection_id: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        method: str = "POST",
        query: str = "",
    ) -> Acknowledgement:
        """`headers` have lower-case names, `query` is as it was sent.

        Raises NotFound, MethodNotAllowed, SignatureInvalid, TooLarge, TooManyRequests, Unreadable, QueueFault.
        """
        if len(body) > BODY_BYTES_MAX:
            raise TooLarge(f"The body has {len(body)} bytes; {BODY_BYTES_MAX} are allowed.")
        check_query(query)
        delivery = Delivery(headers, body, self._ports.clock.now(), method, query)
        live = self._receiving(merchant_id, connection_id)
        if live is None:
            check_method(delivery, *self._ports.connectors.values())
            self._queue(merchant_id, connection_id, self._to_verify(delivery), verified=False)
            return Acknowledgement()
        telemetry.note(merchant_id=merchant_id, connection_id=connection_id)
        check_method(delivery, live.connector)
        verified = self._verified(live, delivery)
        if verified is None:
            self._queue(merchant_id, connection_id, self._to_verify(delivery, live.connector), verified=False)
            result = "queued"
        else:
            result = self._queue_verified(live, replace(verified, headers=kept(headers)))
        telemetry.count("webhooks_received_total", connector=live.connection.connector, result=result)
        return live.connector.acknowledgement

    def _receiving(self, merchant_id: str, connection_id: str) -> ReceivingConnection | None:
        """None while it can not be had. Raises NotFound."""
        began = self._monotonic()
        if began < self._asked_again_at:
            return None
        try:
            return self._configuration.receiving(merchant_id, connection_id)
        except NotFound:
            raise NotFound("There is no such connection.") from None
        except Fault as fault:
            now = self._monotonic()
            if isinstance(fault, StorageFault) or now - began >= SLOW_S:
                self._asked_again_at = now + DOWN_FOR_S
            return None

    def _verified(self, live: ReceivingConnection, delivery: Delivery) -> Delivery | None:
        """The delivery where it is verified now, with the attempt that its address names; None for later, where the PSP has
        to be asked for more, or the key of the addresses can not be had. Raises SignatureInvalid, and TooManyRequests where
        the PSP would have to be asked too often."""
        try:
            delivery = addressed(self._ports, live.connection, live.connector, delivery)
            finished(live.connector.verify(delivery), self._documents.kept)
        except SignatureInvalid as error:
            self._reject(live, replace(delivery, headers=kept(delivery.headers)), error)
        except WantsCall as wants:
            self._take_turn(self._unknown if wants.request.keeps_s else self._asked, live)
            return None
        except CallFailed:
            self._take_turn(self._unknown, live)
            return None
        except VaultFault:
            return None
        except Exception:  # a connector's mistake in what it would ask: `apply` tells of it, and keeps the delivery
            if live.connector.verifies_offline:
                raise
            self._take_turn(self._asked, live)
            return None
        return delivery

    def _take_turn(self, allowance: Allowance, live: ReceivingConnection) -> None:
        connection = live.connection
        wait_s = allowance.wait_s(connection_key(connection.merchant_id, connection.id))
        if wait_s:
            telemetry.count("webhooks_received_total", connector=connection.connector, result="too_many")
            raise TooManyRequests("More unknown webhooks came than can be looked into; send it again later.", wait_s)

    def _queue_verified(self, live: ReceivingConnection, delivery: Delivery) -> str:
        """What became of it: queued, or covered by a look at the same thing that is queued already. Raises TooManyRequests
        for one that is mixed, where too many came."""
        merchant_id, connection_id = live.connection.merchant_id, live.connection.id
        said = _said_by(live.connector, delivery)
        if _is_mixed(said):
            self._take_turn(self._mixed, live)
        looked_at = delivery.attempt_id or _looked_at(said)
        # Another account may name the attempt too, by its own genuine webhooks, and must cover none of these.
        whose = f"{connection_key(merchant_id, connection_id)}/{looked_at}"
        delay_s = self._looks.delay_s(whose) if looked_at else 0.0
        if delay_s is None:
            return "covered"
        self._queue(merchant_id, connection_id, delivery, verified=True, delay_s=delay_s)
        if looked_at:
            self._looks.queued(whose, delay_s)
        return "queued"

    def _to_verify(self, delivery: Delivery, connector: Verifying | None = None) -> Delivery:
        """With what its verification reads, also where nobody can say yet which connector's that is."""
        those = (connector,) if connector else self._ports.connectors.values()
        read = {name for one in those for name in one.signature_headers}
        return replace(delivery, headers=kept(delivery.headers, read))

    def _queue(
        self, merchant_id: str, connection_id: str, delivery: Delivery, *, verified: bool, delay_s: float = 0.0
    ) -> None:
        state = "verified" if verified else "unverified"
        message = message_of(merchant_id, connection_id, delivery, state)
        self._ports.queue.send(Topic.INBOUND, message, delay_s=delay_s)

    def _reject(self, live: ReceivingConnection, delivery: Delivery, error: SignatureInvalid) -> NoReturn:
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


def _said_by(connector: Verifying, delivery: Delivery) -> Sequence[Fact | AskPsp | LookUp | LeftOut]:
    if delivery.attempt_id is not None:
        return ()  # its address says it
    try:
        return connector.read(delivery)
    except Exception:  # `apply` tells of it, and keeps the delivery
        return ()


def _is_mixed(said: Sequence[Fact | AskPsp | LookUp | LeftOut]) -> bool:
    """Whether it is kept in the inbox for one of several parts. What says one thing is kept once, by what is signed of it."""
    foreign = any(isinstance(one, AskPsp) and not payment_id_in(one.attempt_id) for one in said)
    return any(isinstance(one, LeftOut) for one in said) or (foreign and len(set(said)) > 1)


def _looked_at(said: Sequence[Fact | AskPsp | LookUp | LeftOut]) -> str | None:
    """The attempt, or the thing of the PSP's, that a verified delivery says "look" about, where it says nothing else. What
    names no attempt of ours is for people, who see each."""
    looked_at = {_looked_at_by(one) for one in said}
    return looked_at.pop() if len(looked_at) == 1 else None


def _looked_at_by(said: Fact | AskPsp | LookUp | LeftOut) -> str | None:
    if isinstance(said, LookUp):
        return f"its {said.psp_object}"
    return said.attempt_id if isinstance(said, AskPsp) and payment_id_in(said.attempt_id) else None


def check_method(delivery: Delivery, *connectors: Verifying | type[Verifying]) -> None:
    """Raises MethodNotAllowed for a method by which none of their PSPs calls back."""
    methods = frozenset[str]().union(*(one.capabilities.webhook_methods for one in connectors))
    if delivery.method not in methods:
        raise MethodNotAllowed(f"This connection's PSP calls back by {' or '.join(sorted(methods))}.", methods)


def message_of(merchant_id: str, connection_id: str, delivery: Delivery, state: str, detail: str = "") -> bytes:
    """`state`: verified, unverified or rejected."""
    document = {
        "merchant_id": merchant_id,
        "connection_id": connection_id,
        "headers": dict(delivery.headers),
        "body": base64.b64encode(delivery.body).decode(),
        "method": delivery.method,
        "query": delivery.query,
        "received_at": text_of(delivery.received_at),
        "state": state,
        "detail": detail,
    }
    return json.dumps(document, separators=(",", ":")).encode()


def delivery_in(document: Mapping[str, object]) -> Delivery:
    """The delivery of a message that `message_of` made, parsed; one that was queued before there were others is a POST."""
    headers = document["headers"]
    assert isinstance(headers, dict)
    received_at = datetime.fromisoformat(str(document["received_at"]).replace("Z", "+00:00"))
    method, query = str(document.get("method", "POST")), str(document.get("query", ""))
    return Delivery(headers, base64.b64decode(str(document["body"])), received_at, method, query)
