"""A shop that is paid by Adyen: the real services against two merchant accounts as its specification has them, over HTTP and
with signed deliveries."""

from __future__ import annotations

from chalicelib.connectors.adyen.connector import AdyenConnector
from chalicelib.domain.configuration import InboxItem
from chalicelib.domain.payment import Payment
from chalicelib.services.audit import Actor
from chalicelib.services.configure_connections import ConnectionChange, update_connection
from chalicelib.services.kinds import INBOX
from tests.connectors.adyen.peer import Adyen
from tests.connectors.adyen.profile import SECRET, sign
from tests.connectors.shop import Shop

ACCOUNTS = {
    "adyen-1": ("FirstECOM", "AQEfirstSecretApiKeyOfNobody"),
    "adyen-2": ("SecondECOM", "AQEsecondSecretApiKeyOfNobody"),
}


class AdyenShop(Shop[Adyen]):
    connector = AdyenConnector

    def signed(self, name: str = "adyen-1") -> bytes:
        """What the account has to tell, in one signed delivery."""
        return sign(self.accounts[name].delivery(), SECRET, self.world.clock.now()).body

    def hears(self, name: str = "adyen-1", body: bytes | None = None) -> None:
        """Of what the account has to tell, or of another body."""
        answer = self.world.intake.take("default", name, {}, self.signed(name) if body is None else body)
        assert (answer.status, answer.body) == (200, "[accepted]")
        self.world.settle()

    def pays(self, payment: Payment) -> None:
        adyen, page = self.page(payment)
        adyen.pay(page)
        self.hears()

    def change(self, name: str, **settings: str | bool) -> None:
        """The merchant changes these settings of the connection."""
        given = ConnectionChange(settings={**self.accounts[name].settings, **settings})
        update_connection(self.world.ports, Actor("an-operator", "api"), "default", name, given, 1)
        self.world.configuration.forget()

    def kept(self) -> list[InboxItem]:
        return [one.value for one in self.world.store.find(INBOX, "by_time", "default").items]
