"""A shop that is paid by Mollie: the real services and the real driver against the peer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from chalicelib.connectors.mollie import MollieConnector
from chalicelib.connectors.mollie.settings import MollieSettings
from chalicelib.domain.configuration import Connection, Route
from chalicelib.domain.facts import Kind
from chalicelib.domain.payment import Payment
from chalicelib.services.intake import Intake
from chalicelib.services.kinds import CONNECTION, INBOX, ROUTE
from chalicelib.services.looks import LOOK_EVERY_S
from tests.builders import NOW
from tests.connectors.mollie.peer import API_KEY, Mollie
from tests.connectors.mollie.served import PeerDriver, serving
from tests.psp import SimulatedConnector, SimulatedPsp
from tests.world import HandClock, World

EVENT_SECRET = "APeerSigningSecret"


def punctual(clock: HandClock) -> type[MollieConnector]:
    """Mollie's connector by the clock of the world."""

    class Punctual(MollieConnector):
        def __init__(self, settings: MollieSettings) -> None:
            super().__init__(settings, lambda: clock.at.timestamp())

    return Punctual


class Shop:
    """A world in which `mollie-nl` is Mollie's, and `psp-2` comes after it."""

    def __init__(self, folder: Path, url: str, mollie: Mollie, clock: HandClock, **settings: Any) -> None:
        self.mollie = mollie
        connectors: dict[str, Any] = {"mollie": punctual(clock), "simulated": SimulatedConnector}
        driver = PeerDriver(url, call_timeout_s=settings.pop("call_timeout_s", 5.0))
        psps = {"psp-2": SimulatedPsp("psp-2")}
        self.world = World(folder, psps=psps, clock=clock, connectors=connectors, driver=driver)
        self.world.intake = Intake(self.world.ports, self.world.configuration, lambda: clock.at.timestamp())
        key = settings.pop("api_key", API_KEY)
        secrets = {
            "api_key": f"default/mollie-nl/api_key|{key}",
            "webhook_secret": f"default/mollie-nl/webhook_secret|{EVENT_SECRET}",
        }
        self.world._put(CONNECTION, Connection("default", "mollie-nl", "mollie", True, {}, secrets, 1, NOW, NOW))
        document = {"name": "nl", "otherwise": {"use": ["mollie-nl", "psp-2"]}, "unanswered": "next", "late": "accept"}
        self.world._put(ROUTE, Route("default", "nl", document, 1, NOW, NOW))

    def open(self, **order: Any) -> Payment:
        return self.world.open(route="nl", **order).payment  # type: ignore[no-any-return]

    def id_of(self, payment: Payment) -> str:
        reference = payment.attempts[0].psp_reference
        assert reference is not None
        return reference

    def refund_id(self, payment: Payment) -> str:
        """What Mollie calls the payment's only refund."""
        (id,) = [one.id for one in self.now(payment).facts if one.kind is Kind.REFUND]
        return id

    def calls(self, payment: Payment, times: int = 1) -> None:
        """Mollie calls the address that the payment gave it."""
        id = self.id_of(payment)
        url = urlsplit(self.mollie.payments[id]["webhookUrl"])
        assert (url.scheme, url.netloc) == ("https", "hooks.pay.example")
        merchant, connection = url.path.removeprefix("/webhooks/").split("/")
        headers = {"content-type": "application/x-www-form-urlencoded"}
        for _ in range(times):
            self.world.intake.take(merchant, connection, headers, f"id={id}".encode(), query=url.query)

    def hears(self, payment: Payment) -> None:
        self.calls(payment)
        self.world.settle(LOOK_EVERY_S)

    def paid(self, method: str = "ideal", **order: Any) -> Payment:
        payment = self.open(**order)
        self.mollie.pays(self.id_of(payment), method)
        self.hears(payment)
        return self.now(payment)

    def settled(self, payment: Payment) -> Payment:
        """Banks are done, and Mollie says so."""
        self.mollie.settles(self.id_of(payment))
        self.hears(payment)
        return self.now(payment)

    def now(self, payment: Payment) -> Payment:
        return self.world.payment(payment.id)

    def inbox(self) -> list[tuple[str, str]]:
        items = self.world.store.find(INBOX, "by_time", "default").items
        return [(one.value.status, one.value.detail) for one in items]

    def operations(self, payment: Payment) -> list[tuple[str, str]]:
        return [(str(one.kind), str(one.status)) for one in self.now(payment).operations]


@contextmanager
def shop_of(folder: Path, **settings: Any) -> Iterator[Shop]:
    clock = HandClock()
    mollie = Mollie(clock.now)
    with serving(mollie) as url:
        yield Shop(folder, url, mollie, clock, **settings)
