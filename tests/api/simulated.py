"""A shop with a history, and its simulations over HTTP."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from chalice.test import Client

from chalicelib.api.application import create_app
from chalicelib.contracts.store import Store
from chalicelib.domain.payment import Payment
from chalicelib.identity.caller import Caller
from chalicelib.wiring import Wiring
from tests.psp import ANSWER, DECLINE, SimulatedPsp
from tests.services.histories import pay
from tests.world import World

NL, BE = "NL", "BE"
ROUTE = {
    "rules": [
        {
            "name": "Belgium",
            "when": {"field": "country", "op": "eq", "value": BE},
            "then": {"use": ["sandbox-b", "sandbox-a"]},
        }
    ],
    "otherwise": {"use": ["sandbox-a", "sandbox-b"]},
}


class PlainTokens:
    """Tokens that read as what they say; the verification of real ones has tests of its own."""

    def verify(self, header: str | None) -> Caller:
        merchant_id, *scopes = (header or "").split()
        return Caller("operator", "studio", merchant_id, frozenset(scopes))


class Shop:
    """Its route sends Belgians to `sandbox-b` first, everybody else to `sandbox-a`. A minute passes after each payment."""

    def __init__(self, folder: Path, store: Store | None = None) -> None:
        self.world = World(folder, store, psps={name: SimulatedPsp(name) for name in ("sandbox-a", "sandbox-b")})
        self._wired = SimpleNamespace(
            ports=self.world.ports,
            store=self.world.store,
            configuration=self.world.configuration,
            try_chain=self.world.try_chain,
            verifier=PlainTokens(),
        )
        assert self.call("PUT", "/v1/routes/default", ROUTE, {"If-Match": '"1"'}).status_code == 200

    def call(
        self, method: str, path: str, body: Any, headers: dict[str, str] | None = None, merchant: str = "default"
    ) -> Any:
        scopes = "config:read config:write" if method == "PUT" else "config:read"
        given = {"Content-Type": "application/json", "Authorization": f"{merchant} {scopes}", **(headers or {})}
        with Client(create_app(lambda: cast(Wiring, self._wired))) as client:
            return client.http.request(method, path, given, json.dumps(body).encode())

    def simulate(self, body: Any, route: str = "default", merchant: str = "default") -> Any:
        return self.call("POST", f"/v1/routes/{route}/simulations", body, merchant=merchant)

    def opened(self, country: str = NL, **order: Any) -> Payment:
        """It waits for the shopper."""
        number = sum(len(psp.opened) for psp in self.world.psps.values()) + 1
        payment = self.world.open(f"key-{number}", country=country, **order).payment
        self.world.clock.forward(60)
        return payment

    def paid(self, country: str = NL, **order: Any) -> Payment:
        payment = self.opened(country, **order)
        pay(self.world, payment)
        return payment

    def paid_at_the_second(self) -> Payment:
        """`sandbox-a` declines, `sandbox-b` does not."""
        self.world.psps["sandbox-a"].script = lambda order: DECLINE
        payment = self.paid()
        self.world.psps["sandbox-a"].script = lambda order: ANSWER
        return payment

    def left(self, country: str = NL) -> Payment:
        """The shopper never paid, and the page's time is over."""
        payment = self.opened(country)
        for seconds in (901, 961, 11):
            self.world.settle(seconds)
        return payment
