"""A shop that is paid by Adyen: the real services against Adyen as its specification has it, over HTTP and with signed
deliveries."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chalicelib.connectors.adyen.connector import AdyenConnector
from chalicelib.contracts.store import NEW
from chalicelib.domain.configuration import InboxItem, Route, Subscription
from chalicelib.domain.payment import Payment, Status
from chalicelib.outbound.driver import Driver
from chalicelib.services.audit import Actor
from chalicelib.services.configure_connections import (
    ConnectionBody,
    ConnectionChange,
    create_connection,
    update_connection,
)
from chalicelib.services.kinds import INBOX, ROUTE, SUBSCRIPTION
from tests.builders import NOW
from tests.connectors.adyen.peer import Peer
from tests.connectors.adyen.profile import SECRET, sign
from tests.world import World

ACTOR = Actor("an-operator", "api")
KEYS = {"adyen-1": "AQEfirstSecretApiKeyOfNobody", "adyen-2": "AQEsecondSecretApiKeyOfNobody"}


class Adyen:
    """A PaymentServer with two merchant accounts at one Adyen, behind the route `default`."""

    def __init__(self, folder: Path) -> None:
        self.world = World(
            folder,
            psps={},
            configure=False,
            driver=Driver(call_timeout_s=2),
            connectors={"adyen": AdyenConnector},
        )
        self.peers: dict[str, Peer] = {}

    def configure(self, peer: Peer, name: str) -> None:
        self.peers[name] = peer
        settings = {"merchant_account": peer.account, "api_key": KEYS[name], "hmac_key": SECRET}
        body = ConnectionBody(id=name, connector="adyen", settings=settings)
        create_connection(self.world.ports, ACTOR, "default", body)

    def change(self, name: str, **settings: str) -> None:
        """The merchant changes these settings of the connection."""
        given = {"merchant_account": self.peers[name].account, "api_key": KEYS[name], "hmac_key": SECRET, **settings}
        update_connection(self.world.ports, ACTOR, "default", name, ConnectionChange(settings=given), 1)
        self.world.configuration.forget()

    def route(self, *names: str) -> None:
        document = {"name": "default", "otherwise": {"use": list(names)}, "unanswered": "next", "late": "accept"}
        self.world.store.put(ROUTE, Route("default", "default", document, 1, NOW, NOW), expect=NEW)
        subscription = Subscription("default", "sub_1", "one", "recorder", {}, {}, ("*",), True, 1, NOW, NOW)
        self.world.store.put(SUBSCRIPTION, subscription, expect=NEW)

    def open(self, **order: Any) -> Payment:
        answer = self.world.open(**order)
        assert answer.rendered.status == 201, answer.rendered.body
        return self.payment(answer.payment.id)

    def payment(self, id: str) -> Payment:
        return self.world.payment(id)

    def page(self, payment: Payment) -> tuple[Peer, str]:
        """Where the shopper of the newest attempt is."""
        attempt = payment.attempts[-1]
        assert attempt.psp_reference is not None
        return self.peers[attempt.connection_id], attempt.psp_reference

    def signed(self, name: str = "adyen-1") -> bytes:
        """What the account has to tell, in one signed delivery."""
        return sign(self.peers[name].delivery(), SECRET, self.world.clock.now()).body

    def deliver(self, name: str = "adyen-1", body: bytes | None = None) -> None:
        body = self.signed(name) if body is None else body
        answer = self.world.intake.take("default", name, {}, body)
        assert (answer.status, answer.body) == (200, "[accepted]")
        self.world.settle()

    def status(self, payment: Payment) -> Status:
        return self.payment(payment.id).status

    def inbox(self) -> list[InboxItem]:
        return [one.value for one in self.world.store.find(INBOX, "by_time", "default").items]
