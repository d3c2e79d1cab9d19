"""Checkout: creates the payment from its key and tries its route's chain.

The first put makes the call idempotent: whoever finds the payment there is a repeat.
"""

from __future__ import annotations

from dataclasses import replace

from chalicelib import telemetry
from chalicelib.contracts.store import NEW, Stored
from chalicelib.domain.amend import amend
from chalicelib.domain.claim import Claim, leased
from chalicelib.domain.errors import Fault, Invalid, NotFound, StaleVersion
from chalicelib.domain.ids import payment_id_of
from chalicelib.domain.order import Order
from chalicelib.domain.payment import Decision, Entry, Payment
from chalicelib.routing.explain import summary_of
from chalicelib.services.commit import first_commit
from chalicelib.services.configuration import Configuration
from chalicelib.services.decide import Decide
from chalicelib.services.kinds import PAYMENT
from chalicelib.services.ports import Ports
from chalicelib.services.try_chain import TryChain
from chalicelib.services.turns import Answer, Render, Turn

CHECKOUT = Turn()


class Checkout:
    def __init__(self, ports: Ports, configuration: Configuration, try_chain: TryChain) -> None:
        self._ports = ports
        self._try_chain = try_chain
        self._decide = Decide(configuration, try_chain.candidate)

    def open(self, merchant_id: str, key: str, fingerprint: str, order: Order, render: Render) -> Answer:
        """Raises Invalid (another body for the key, unknown route, no eligible connection), InProgress."""
        payment_id = payment_id_of(merchant_id, key)
        telemetry.note(payment_id=payment_id)
        try:
            decision = self._decide.decide(merchant_id, payment_id, order, self._ports.clock.now())
        except (Invalid, Fault):
            known = self._known(payment_id)
            if known is None:
                raise
            return self._try_chain.repeat(known, CHECKOUT, fingerprint, render)
        payment = self._created(payment_id, merchant_id, order, decision, fingerprint)
        try:
            stored = first_commit(self._ports, payment, NEW)
        except StaleVersion:
            stored = self._ports.store.get(PAYMENT, payment_id)
            return self._try_chain.repeat(stored, CHECKOUT, fingerprint, render)
        return self._try_chain.run(stored, CHECKOUT, render)

    def _created(
        self, payment_id: str, merchant_id: str, order: Order, decision: Decision, fingerprint: str
    ) -> Payment:
        now = self._ports.clock.now()
        claim = leased(Claim(fingerprint, None), now)
        payment = Payment(payment_id, merchant_id, order, decision, claim, created_at=now, updated_at=now)
        entry = Entry(now, "routing", summary_of(decision), {"route": decision.name, "version": decision.version})
        started = self._try_chain.started(payment, decision.chain[0], now)
        return amend(payment, replace(started, entries=(entry,)), now)

    def _known(self, payment_id: str) -> Stored[Payment] | None:
        try:
            return self._ports.store.get(PAYMENT, payment_id)
        except NotFound:
            return None
