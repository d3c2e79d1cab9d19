"""A shop that is paid by a PSP's peers: the product's own services, and its own driver."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from chalicelib.contracts.connector import Connector
from chalicelib.contracts.webhooks import Acknowledgement, Delivery
from chalicelib.domain.fold import Amounts, fold
from chalicelib.domain.operation import OperationKind
from chalicelib.domain.payment import Payment, Status
from chalicelib.services.apply import Apply
from chalicelib.services.audit import Actor
from chalicelib.services.configure_connections import (
    ConnectionBody,
    ConnectionTest,
    check_connection,
    create_connection,
)
from chalicelib.services.intake import Intake
from chalicelib.services.kinds import INBOX
from chalicelib.services.turns import Answer
from tests.connectors.peer import Peer, PeerDriver
from tests.psp import SimulatedConnector, SimulatedPsp
from tests.world import HandClock, World

P = TypeVar("P", bound=Peer)


class Shop(Generic[P]):
    """A connection to each account, by its name. The routes `default`, and `careful`, which holds, use one after the other, and
    then `psp-2`, which is simulated."""

    connector: ClassVar[type[Connector]]

    def __init__(
        self, folder: Path, driver: PeerDriver, clock: HandClock, accounts: Mapping[str, P], **settings: Any
    ) -> None:
        """`settings` in place of those that fit the accounts."""
        self.accounts, self.driver, self.first = dict(accounts), driver, next(iter(accounts))
        connectors = {self.connector.name: self.connector, "simulated": SimulatedConnector}
        psps = {"psp-2": SimulatedPsp("psp-2")}
        self.world = World(folder, psps=psps, clock=clock, connectors=connectors, driver=driver)
        passing = (self.world.ports, self.world.configuration, lambda: clock.at.timestamp())
        self.world.intake, self.world.apply = Intake(*passing), Apply(*passing)
        for name, peer in accounts.items():
            body = ConnectionBody(id=name, connector=self.connector.name, settings={**peer.settings, **settings})
            create_connection(self.world.ports, Actor("an-operator", "api"), "default", body)
        for route in ("default", "careful"):
            self.world.route(route, otherwise={"use": [*accounts, "psp-2"]})

    @property
    def psp(self) -> P:
        """The first account's."""
        return self.accounts[self.first]

    def open(self, **order: Any) -> Payment:
        return self.now(self.world.open(**order).payment)

    def pays(self, payment: Payment) -> None:
        """The shopper does, and we hear of it."""
        raise NotImplementedError

    def paid(self, **order: Any) -> Payment:
        payment = self.open(**order)
        self.pays(payment)
        return self.now(payment)

    def now(self, payment: Payment) -> Payment:
        return self.world.payment(payment.id)

    def status(self, payment: Payment) -> Status:
        return self.now(payment).status

    def amounts(self, payment: Payment) -> Amounts:
        return fold(self.now(payment)).amounts

    def operations(self, payment: Payment) -> list[tuple[str, str]]:
        return [(str(one.kind), str(one.status)) for one in self.now(payment).operations]

    def tried(self, payment: Payment) -> list[str]:
        """The connections, one after the other."""
        return [one.connection_id for one in self.now(payment).attempts]

    def page(self, payment: Payment) -> tuple[P, str]:
        """Where the shopper of the newest attempt is: the account, and the PSP's name for the page."""
        attempt = self.now(payment).attempts[-1]
        assert attempt.psp_reference is not None
        return self.accounts[attempt.connection_id], attempt.psp_reference

    def url(self, payment: Payment) -> str:
        """Where the shopper is sent."""
        action = self.now(payment).attempts[-1].action
        assert action is not None
        return action.url

    def reference(self, payment: Payment) -> str:
        return self.page(payment)[1]

    def take(self, delivery: Delivery, name: str | None = None) -> Acknowledgement:
        """At the door of the connection that is named, of the first one otherwise. Raises SignatureInvalid."""
        return self.world.intake.take(
            "default", name or self.first, delivery.headers, delivery.body, query=delivery.query
        )

    def inbox(self) -> list[tuple[str, str]]:
        items = self.world.store.find(INBOX, "by_time", "default").items
        return [(one.value.status, one.value.detail) for one in items]

    def check(self) -> ConnectionTest:
        return check_connection(self.world.ports, "default", self.first)


class SettlingShop(Shop[P]):
    """At a PSP whose refunds wait for banks, and whose peer `settles` them."""

    currency: ClassVar[str] = "EUR"
    done: ClassVar[str]  # the PSP's word

    def hears(self) -> None:
        """All that the PSP has to tell, the newest first, and each twice."""
        raise NotImplementedError

    def pays(self, payment: Payment) -> None:
        self.psp.pays(self.reference(payment))
        self.hears()

    def refunds(self, payment: Payment, key: str, value: int | None = None) -> Answer:
        return self.world.do(OperationKind.REFUND, payment.id, key, value, currency=self.currency)

    def settled(self, status: str | None = None) -> None:
        """Banks are done, and the PSP says so."""
        self.psp.settles(status or self.done)
        self.hears()

    def must_refund_in_two_parts(self, payment: Payment) -> None:
        """400 of 1000, and then the rest; nothing is left over in the inbox."""
        self.refunds(payment, "some", 400)
        assert (self.operations(payment), self.amounts(payment).refundable) == ([("refund", "pending")], 600)
        self.settled()
        assert (self.status(payment), self.amounts(payment).refundable) == (Status.PARTIALLY_REFUNDED, 600)
        self.refunds(payment, "rest")
        self.settled()
        assert (self.status(payment), self.operations(payment)) == (Status.REFUNDED, [("refund", "succeeded")] * 2)
        assert [one["amount"] for one in self.psp.refunds] == [400, 600]
        assert self.inbox() == []
