"""Attends to a payment that is due: events that may not have reached their subscribers, and open questions to PSPs."""

from __future__ import annotations

from datetime import datetime, timedelta

from chalicelib.contracts.queue import Topic
from chalicelib.contracts.store import PAGE_MAX, Stored
from chalicelib.domain.amend import amend, with_events_due, without_events
from chalicelib.domain.ids import delivery_id_of
from chalicelib.domain.payment import Payment
from chalicelib.services.ask import ask
from chalicelib.services.commit import commit, event_message
from chalicelib.services.configuration import Configuration
from chalicelib.services.kinds import DELIVERY, PAYMENT
from chalicelib.services.ports import Ports

QUEUED_AGAIN_S = 60


class Attend:
    def __init__(self, ports: Ports, configuration: Configuration) -> None:
        self._ports = ports
        self._configuration = configuration

    def sync(self, payment_id: str) -> Payment:
        """Asks about every unsettled attempt now, due or not. Raises NotFound."""
        return self.payment(payment_id, now_too=True)

    def payment(self, payment_id: str, *, now_too: bool = False) -> Payment:
        """Does what is due; with `now_too` the open questions that are not due yet, too. Raises NotFound."""
        stored = self._ports.store.get(PAYMENT, payment_id)
        now = self._ports.clock.now()
        if any(event.due_at <= now for event in stored.value.outbox):
            stored = self._outbox(stored, now)
        for attempt in stored.value.attempts:
            due = attempt.ask_at is not None and (now_too or attempt.ask_at <= now)
            if due:
                change = ask(self._ports, self._configuration, stored.value, attempt)
                stored = commit(
                    self._ports,
                    stored,
                    lambda newest, change=change: amend(newest, change, self._ports.clock.now()),  # type: ignore[misc]
                )
        return stored.value

    def _outbox(self, stored: Stored[Payment], now: datetime) -> Stored[Payment]:
        """Drops the events that are in every subscriber's delivery record; queues the others again."""
        payment = stored.value
        recorded = self._recorded(payment.id)
        subscriptions = self._configuration.subscriptions(payment.merchant_id)
        handled: set[str] = set()
        for event in payment.outbox:
            wanted = [one for one in subscriptions if one.wants(event.type)]
            if all(delivery_id_of(event.id, one.id) in recorded for one in wanted):
                handled.add(event.id)
            elif event.due_at <= now:
                self._ports.queue.send(Topic.EVENTS, event_message(payment, event, again=True))
        again_at = now + timedelta(seconds=QUEUED_AGAIN_S)

        def decide(newest: Payment) -> Payment:
            kept = without_events(newest, handled)
            late = [event for event in kept.outbox if event.due_at <= now]
            return with_events_due(kept, again_at) if late else kept

        return commit(self._ports, stored, decide)

    def _recorded(self, payment_id: str) -> set[str]:
        found: set[str] = set()
        after: str | None = None
        while True:
            page = self._ports.store.find(DELIVERY, "by_payment", payment_id, after=after, limit=PAGE_MAX)
            found |= {stored.value.id for stored in page.items}
            after = page.after
            if after is None:
                return found
