"""A shop that is paid by Mollie."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from chalicelib.connectors.mollie import MollieConnector
from chalicelib.connectors.mollie.settings import MollieSettings
from chalicelib.domain.facts import Kind
from chalicelib.domain.order import CaptureMode
from chalicelib.domain.payment import Payment
from chalicelib.services.looks import LOOK_EVERY_S
from tests.connectors.mollie.peer import Mollie
from tests.connectors.peer import serving
from tests.connectors.shop import Shop
from tests.world import HandClock


class MollieShop(Shop[Mollie]):
    connector = MollieConnector

    def refund_id(self, payment: Payment) -> str:
        """What Mollie calls the payment's only refund."""
        (id,) = [one.id for one in self.now(payment).facts if one.kind is Kind.REFUND]
        return id

    def calls(self, payment: Payment, times: int = 1) -> None:
        """Mollie calls the address that the payment gave it."""
        mollie, id = self.page(payment)
        url = urlsplit(mollie.payments[id]["webhookUrl"])
        assert (url.scheme, url.netloc) == ("https", "hooks.pay.example")
        merchant, connection = url.path.removeprefix("/webhooks/").split("/")
        headers = {"content-type": "application/x-www-form-urlencoded"}
        for _ in range(times):
            self.world.intake.take(merchant, connection, headers, f"id={id}".encode(), query=url.query)

    def hears(self, payment: Payment) -> None:
        self.calls(payment)
        self.world.settle(LOOK_EVERY_S)

    def pays(self, payment: Payment, method: str = "ideal") -> None:
        self.psp.pays(self.reference(payment), method)
        self.hears(payment)

    def held(self) -> Payment:
        """By a card, of which the money is taken later."""
        payment = self.open(capture=CaptureMode.MANUAL)
        self.pays(payment, "creditcard")
        return self.now(payment)

    def settled(self, payment: Payment) -> Payment:
        """Banks are done, and Mollie says so."""
        self.psp.settles(self.reference(payment))
        self.hears(payment)
        return self.now(payment)


@contextmanager
def shop_of(folder: Path, **settings: Any) -> Iterator[MollieShop]:
    clock = HandClock()
    mollie = Mollie(clock.now)

    class Punctual(MollieConnector):
        """By the clock of the world."""

        def __init__(self, settings: MollieSettings) -> None:
            super().__init__(settings, lambda: clock.at.timestamp())

    class Here(MollieShop):
        connector = Punctual

    with serving(mollie) as driver:
        yield Here(folder, driver, clock, {"mollie-nl": mollie}, **settings)
