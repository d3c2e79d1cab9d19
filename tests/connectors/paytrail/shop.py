"""A shop that is paid by Paytrail."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from chalicelib.connectors.paytrail import PaytrailConnector
from chalicelib.services.looks import LOOK_EVERY_S
from tests.connectors.paytrail.peer import Paytrail
from tests.connectors.peer import serving
from tests.connectors.shop import SettlingShop
from tests.world import HandClock


class PaytrailShop(SettlingShop[Paytrail]):
    connector = PaytrailConnector
    done = "ok"

    def called(self, url: str) -> None:
        """Somebody calls an address at our door, by GET, as Paytrail does. Raises SignatureInvalid."""
        parts = urlsplit(url)
        assert (parts.scheme, parts.netloc) == ("https", "hooks.pay.example")
        merchant, connection = parts.path.removeprefix("/webhooks/").split("/")
        self.world.intake.take(merchant, connection, {}, b"", method="GET", query=parts.query)

    def hears(self) -> None:
        """All that Paytrail has to tell, the newest first, and each twice."""
        told, self.psp.told = self.psp.told, []
        for url in [*reversed(told), *told]:
            self.called(url)
        self.world.settle(LOOK_EVERY_S)


@contextmanager
def shop_of(folder: Path, **settings: Any) -> Iterator[PaytrailShop]:
    clock = HandClock()
    paytrail = Paytrail(clock.now)
    with serving(paytrail) as driver:
        yield PaytrailShop(folder, driver, clock, {"paytrail-fi": paytrail}, **settings)
