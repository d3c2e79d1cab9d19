"""A shop that is paid by PayPal: the real services and the real driver against the peer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chalicelib.connectors.paypal import PayPalConnector
from chalicelib.domain.payment import Payment
from chalicelib.services.returns import Returns
from tests.connectors.paypal.peer import PayPal
from tests.connectors.peer import Json, serving
from tests.connectors.shop import Shop
from tests.world import HandClock


class PayPalShop(Shop[PayPal]):
    connector = PayPalConnector

    def returns(self, payment: Payment) -> None:
        """The shopper comes back by the link that PayPal was given."""
        unit = payment.attempts[0].return_url
        assert unit is not None
        Returns(self.world.ports).come_back(unit.rpartition("/")[2])
        self.world.settle()

    def pays(self, payment: Payment) -> None:
        self.psp.approve(self.reference(payment))
        self.returns(payment)

    def order_of(self, payment: Payment) -> Json:
        """As PayPal has it."""
        return self.psp.orders[self.reference(payment)]

    def movements(self, payment: Payment, kind: str) -> list[Json]:
        return self.order_of(payment)["purchase_units"][0]["payments"][kind]  # type: ignore[no-any-return]

    def hears(self, type: str, resource_type: str, resource: Any) -> None:
        self.take(self.psp.event(type, resource_type, resource))
        self.world.settle()


@contextmanager
def shop_of(folder: Path, **settings: Any) -> Iterator[PayPalShop]:
    clock = HandClock(datetime.now(UTC).replace(microsecond=0))  # its certificate is valid now
    paypal = PayPal(clock.now)
    with serving(paypal) as driver:
        yield PayPalShop(folder, driver, clock, {"paypal-eu": paypal}, **settings)
