"""A shop that is paid by Paystack, in naira."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chalicelib.connectors.paystack import PaystackConnector
from chalicelib.domain.money import Money
from chalicelib.domain.payment import Payment
from chalicelib.services.looks import LOOK_EVERY_S
from tests.connectors.paystack.peer import Paystack
from tests.connectors.paystack.profile import SECRET, sign
from tests.connectors.peer import serving
from tests.connectors.shop import SettlingShop
from tests.world import HandClock


class PaystackShop(SettlingShop[Paystack]):
    connector = PaystackConnector
    currency = "NGN"
    done = "processed"

    def open(self, **order: Any) -> Payment:
        return super().open(**{"amount": self.naira(1000), **order})

    @staticmethod
    def naira(kobo: int) -> Money:
        return Money(kobo, "NGN")

    def hears(self) -> None:
        """All that Paystack has to tell, the newest first, and each twice."""
        told, self.psp.told = self.psp.told, []
        for event in [*reversed(told), *told]:
            self.take(sign(json.dumps(event).encode(), SECRET, self.world.clock.now()))
        self.world.settle(LOOK_EVERY_S)


@contextmanager
def shop_of(folder: Path) -> Iterator[PaystackShop]:
    """Behind Paystack is a PSP that takes naira too."""
    clock = HandClock()
    paystack = Paystack(clock.now)
    with serving(paystack) as driver:
        shop = PaystackShop(folder, driver, clock, {"paystack-ng": paystack})
        shop.world.offer("psp-2", currencies=frozenset({"NGN"}))
        yield shop
