"""Checkout: creates the payment from its key and tries its route's chain.

The first put makes the call idempotent: whoever finds the payment there is a repeat.
"""

from __future__ import annotations

from dataclasses import replace

from chalicelib import telemetry
from chalicelib.contracts.store import NEW, Stored
from chalicelib.domain.amend import amend
from chalicelib.domain.claim import Claim, leased
from chalicelib.domain.errors import Fault, Invalid, NotFound, Pointer, StaleVersion
from chalicelib.domain.ids import payment_id_of
from chalicelib.domain.payment import Decision, Entry, Order, Payment
from chalicelib.routing.plan import chain_of, plan
from chalicelib.services.commit import first_commit
from chalicelib.services.configuration import Configuration
from chalicelib.services.kinds import PAYMENT
from chalicelib.services.ports import Ports
from chalicelib.services.try_chain import TryChain
from chalicelib.services.turns import Answer, Render, Turn

CHECKOUT = Turn()


class Checkout:
    def __init__(self, ports: Ports, configuration: Configuration, try_chain: TryChain) -> None:
        self._ports = ports
        self._configuration = configuration
        self._try_chain = try_chain

    def open(self, merchant_id: str, key: str, fingerprint: str, order: Order, render: Render) -> Answer:
        """Raises Invalid (another body for the key, unknown route, no eligible connection), InProgress."""
        payment_id = payment_id_of(merchant_id, key)
        telemetry.note(payment_id=payment_id)
        try:
            decision = self._decide(merchant_id, order)
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

    def _decide(self, merchant_id: str, order: Order) -> Decision:
        try:
            route = self._configuration.route(merchant_id, order.route)
        except NotFound:
            detail = f"There is no route {order.route!r}; name one that is configured."
            raise Invalid(detail, (Pointer("/route", detail),)) from None
        candidates = [self._try_chain.candidate(merchant_id, connection_id) for connection_id in chain_of(route)]
        decision = plan(order, route, candidates)
        if not decision.chain:
            for candidate in candidates:
                if candidate.fault is not None:  # ours to mend, and for the caller to try again
                    raise candidate.fault
            reasons = [f"{one.connection_id}: {one.reason}" for one in decision.candidates]
            raise Invalid(
                f"No connection of route {order.route!r} can take this payment ({'; '.join(reasons)}).",
                slug="no-eligible-connection",
            )
        return decision

    def _created(
        self, payment_id: str, merchant_id: str, order: Order, decision: Decision, fingerprint: str
    ) -> Payment:
        now = self._ports.clock.now()
        claim = leased(Claim(fingerprint, None), now)
        payment = Payment(payment_id, merchant_id, order, decision, claim, created_at=now, updated_at=now)
        then = f", then {', '.join(decision.chain[1:])}" if len(decision.chain) > 1 else ""
        summary = f"Route {decision.name} (version {decision.version}) chose {decision.chain[0]}{then}."
        entry = Entry(now, "routing", summary, {"route": decision.name, "version": decision.version})
        started = self._try_chain.started(payment, decision.chain[0], now)
        return amend(payment, replace(started, entries=(entry,)), now)

    def _known(self, payment_id: str) -> Stored[Payment] | None:
        try:
            return self._ports.store.get(PAYMENT, payment_id)
        except NotFound:
            return None
