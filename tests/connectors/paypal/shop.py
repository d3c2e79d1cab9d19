"""A shop that is paid by PayPal: the real services and the real driver against the peer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chalicelib.connectors.paypal import PayPalConnector
from chalicelib.domain.configuration import Connection, Route
from chalicelib.domain.payment import Payment
from chalicelib.services.apply import Apply
from chalicelib.services.kinds import CONNECTION, INBOX, ROUTE
from chalicelib.services.returns import Returns
from tests.builders import NOW
from tests.connectors.paypal.peer import WEBHOOK_ID, PayPal, PeerDriver, serving
from tests.psp import SimulatedConnector, SimulatedPsp
from tests.world import HandClock, World

SETTINGS = {"environment": "sandbox", "client_id": "APeerClientId", "webhook_id": WEBHOOK_ID}


class Shop:
    """A world in which `paypal-eu` is PayPal's, and `psp-2` comes after it."""

    def __init__(self, folder: Path, url: str, paypal: PayPal, clock: HandClock, **settings: Any) -> None:
        self.paypal = paypal
        connectors: dict[str, Any] = {"paypal": PayPalConnector, "simulated": SimulatedConnector}
        driver = PeerDriver(url, call_timeout_s=settings.pop("call_timeout_s", 5.0))
        psps = {"psp-2": SimulatedPsp("psp-2")}
        self.world = World(folder, psps=psps, clock=clock, connectors=connectors, driver=Either(driver))
        self.world.apply = Apply(self.world.ports, self.world.configuration, lambda: clock.at.timestamp())
        secrets = {"client_secret": "default/paypal-eu/client_secret|EPeerClientSecret"}
        mine = Connection("default", "paypal-eu", "paypal", True, {**SETTINGS, **settings}, secrets, 1, NOW, NOW)
        self.world._put(CONNECTION, mine)
        document = {"name": "eu", "otherwise": {"use": ["paypal-eu", "psp-2"]}, "unanswered": "next", "late": "accept"}
        self.world._put(ROUTE, Route("default", "eu", document, 1, NOW, NOW))

    def open(self, **order: Any) -> Payment:
        return self.world.open(route="eu", **order).payment  # type: ignore[no-any-return]

    def order_id(self, payment: Payment) -> str:
        reference = payment.attempts[0].psp_reference
        assert reference is not None
        return reference

    def returns(self, payment: Payment) -> None:
        """The shopper comes back by the link that PayPal was given."""
        unit = payment.attempts[0].return_url
        assert unit is not None
        Returns(self.world.ports).come_back(unit.rpartition("/")[2])
        self.world.settle()

    def paid(self, **order: Any) -> Payment:
        payment = self.open(**order)
        self.paypal.approve(self.order_id(payment))
        self.returns(payment)
        return self.now(payment)

    def now(self, payment: Payment) -> Payment:
        return self.world.payment(payment.id)

    def hears(self, type: str, resource_type: str, resource: Any) -> None:
        delivery = self.paypal.event(type, resource_type, resource)
        self.world.intake.take("default", "paypal-eu", delivery.headers, delivery.body)
        self.world.settle()

    def inbox(self) -> list[tuple[str, str]]:
        items = self.world.store.find(INBOX, "by_time", "default").items
        return [(one.value.status, one.value.detail) for one in items]


class Either:
    """Simulated PSPs ask nobody; PayPal is asked by the real driver."""

    def __init__(self, real: PeerDriver) -> None:
        self._real = real

    def converse(self, conversation: Any, deadline: Any, *, fresh: bool = False) -> Any:
        return self._real.converse(conversation, deadline, fresh=fresh)


@contextmanager
def shop_of(folder: Path, **settings: Any) -> Iterator[Shop]:
    clock = HandClock(datetime.now(UTC).replace(microsecond=0))  # its certificate is valid now
    paypal = PayPal(clock.now)
    with serving(paypal) as url:
        yield Shop(folder, url, paypal, clock, **settings)
