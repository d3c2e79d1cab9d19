"""Applies a PSP's webhook: verify what was not, read its facts, load the payment, join, put. Two trips, or one when nothing
new was said.

What matches no payment is kept in the inbox and tried again, because a webhook may overtake the checkout's own answer.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from chalicelib import telemetry
from chalicelib.contracts.calls import reference_of
from chalicelib.contracts.conversation import CallFailed, Conversation
from chalicelib.contracts.queue import Topic
from chalicelib.contracts.store import NEW, Stored
from chalicelib.contracts.webhooks import AskPsp, Delivery, LeftOut, LookUp
from chalicelib.domain.amend import amend
from chalicelib.domain.change import Change, Found
from chalicelib.domain.configuration import InboxItem
from chalicelib.domain.errors import MethodNotAllowed, NotFound, PaymentServerError, SignatureInvalid, StaleVersion
from chalicelib.domain.facts import Fact, storable
from chalicelib.domain.fold import fold
from chalicelib.domain.ids import inbox_id_of, payment_id_in
from chalicelib.domain.payment import Entry, Payment
from chalicelib.domain.telling import words_of
from chalicelib.outbound.driver import Deadline
from chalicelib.services.allowance import Allowance
from chalicelib.services.chores import chore
from chalicelib.services.commit import commit
from chalicelib.services.configuration import Configuration, LiveConnection
from chalicelib.services.intake import MIXED_EVERY_S, MIXED_MAX, check_method, delivery_in
from chalicelib.services.kinds import CONNECTION, INBOX, PAYMENT, connection_key
from chalicelib.services.ports import Ports
from chalicelib.services.public_documents import PublicDocuments
from chalicelib.services.webhook_links import addressed

T = TypeVar("T")
log = logging.getLogger("paymentserver.apply")
_FIRST = ("unverified", "failed", "unmatched", "anomalous", "rejected")  # what is tried again goes before what is not
UNMATCHED_RETRY_AFTER_S = (2, 10, 60, 600, 3600)  # then the operator sees to it
BUDGET_S = 20.0


class NotApplied(Exception):
    """Why a delivery goes to the inbox. `status` as in InboxItem; `verified` once its signature was found good; `identity`
    tells it from others there, all of it where that is empty."""

    def __init__(self, status: str, detail: str, *, verified: bool = False, identity: bytes = b"") -> None:
        super().__init__(detail)
        self.status, self.detail, self.verified, self.identity = status, detail, verified, identity


class Apply:
    def __init__(
        self, ports: Ports, configuration: Configuration, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._ports = ports
        self._configuration = configuration
        self._documents = PublicDocuments(ports, monotonic)
        self._mixed = Allowance(MIXED_MAX, MIXED_EVERY_S, monotonic)

    def message(self, document: Mapping[str, Any]) -> None:
        """Handles one webhook of the inbound queue, as `message_of` made it. Raises faults of the store, so that the queue
        brings it again."""
        merchant_id, connection_id = document["merchant_id"], document["connection_id"]
        telemetry.note(merchant_id=merchant_id, connection_id=connection_id)
        delivery = delivery_in(document)
        if document["state"] == "rejected":
            self._keep(merchant_id, connection_id, delivery, NotApplied("rejected", document["detail"]), verified=False)
            return
        verified = document["state"] == "verified"
        try:
            self.deliver(merchant_id, connection_id, delivery, verified=verified)
        except NotApplied as reason:
            if not verified and reason.status == "unmatched" and self._is_nobodys(merchant_id, connection_id):
                telemetry.count("webhooks_applied_total", connector="any", result="nobodys")
                return
            self._keep(merchant_id, connection_id, delivery, reason, verified=verified or reason.verified)

    def _is_nobodys(self, merchant_id: str, connection_id: str) -> bool:
        """Whether it came to no connection that there ever was, while nobody could say so: at any other time it is told 404."""
        try:
            self._ports.store.get(CONNECTION, connection_key(merchant_id, connection_id))
        except NotFound:
            return True
        return False

    def again(self, item_id: str) -> InboxItem:
        """Tries an inbox item once more, on schedule or at an operator's word. Raises NotFound."""
        stored = self._ports.store.get(INBOX, item_id)
        item = stored.value
        if item.status in ("rejected", "applied"):
            return item
        body = base64.b64decode(item.body_base64)
        delivery = Delivery(item.headers, body, item.received_at, item.method, item.query)
        try:
            self.deliver(item.merchant_id, item.connection_id, delivery, verified=item.verified)
            item = replace(item, status="applied", detail="", due_at=None, verified=True)
        except NotApplied as reason:
            item = replace(item, status=reason.status, detail=reason.detail, tried=item.tried + 1)
            item = replace(item, verified=item.verified or reason.verified)
            item = replace(item, due_at=_due(item, self._ports.clock.now()))
        try:
            self._ports.store.put(INBOX, item, expect=stored.version)
        except StaleVersion:
            return self._ports.store.get(INBOX, item_id).value
        return item

    def deliver(self, merchant_id: str, connection_id: str, delivery: Delivery, *, verified: bool) -> None:
        """Raises NotApplied for what has to wait, having applied the rest; and faults of the store and the vault."""
        try:
            live = self._configuration.connection(merchant_id, connection_id)
        except NotFound as error:
            raise NotApplied("unmatched", error.detail) from None
        delivery = addressed(self._ports, live.connection, live.connector, delivery)
        if not verified:
            self._verify(live, delivery)
        identity = live.connector.identity_of(delivery)
        try:
            said = live.connector.read(delivery)
        except PaymentServerError as error:
            raise NotApplied("failed", error.detail, verified=True, identity=identity) from None
        except Exception as error:  # a connector's mistake: the delivery waits for a better one
            log.exception("a webhook could not be read")
            raise NotApplied("failed", type(error).__name__, verified=True, identity=identity) from None
        by_attempt: dict[str, list[Fact | AskPsp]] = {}
        for one in self._whose(live, said):
            by_attempt.setdefault(one.attempt_id, []).append(one)
        reasons = [self._joined(live, attempt_id, sayings) for attempt_id, sayings in by_attempt.items()]
        waits = [reason for reason in reasons if reason is not None]
        left_out = [NotApplied("failed", one.detail) for one in said if isinstance(one, LeftOut)]
        waits += left_out
        if waits:
            waits.sort(key=lambda reason: _FIRST.index(reason.status))
            if left_out and (verified or not self._mixed.wait_s(connection_key(merchant_id, connection_id))):
                identity = delivery.whole  # what is left out may be good for something, once a setting is put right
            detail = "; ".join(one.detail for one in waits)[:500]
            raise NotApplied(waits[0].status, detail, verified=True, identity=identity)
        telemetry.count("webhooks_applied_total", connector=live.connection.connector, result="applied")

    def _whose(self, live: LiveConnection, said: Sequence[Fact | AskPsp | LookUp | LeftOut]) -> Iterator[Fact | AskPsp]:
        """What a webhook says, the PSP asked about each thing that it does not say whose it is."""
        for one in said:
            if isinstance(one, LookUp):
                yield from self._converse(live.connector.look_up(one.psp_object), "failed", verified=True)
            elif not isinstance(one, LeftOut):
                yield one

    def _converse(self, conversation: Conversation[T], status: str, *, verified: bool = False) -> T:
        """Raises NotApplied with `status` for what could not be found out, a connector's mistake included: the delivery
        waits for a better one, and is not dropped with the message."""
        try:
            return self._ports.driver.converse(conversation, Deadline(BUDGET_S))
        except PaymentServerError:
            raise
        except CallFailed as error:
            raise NotApplied(status, error.detail, verified=verified) from None
        except Exception as error:
            log.exception("a PSP could not be asked about a webhook")
            raise NotApplied(status, type(error).__name__, verified=verified) from None

    def _joined(self, live: LiveConnection, attempt_id: str, sayings: Sequence[Fact | AskPsp]) -> NotApplied | None:
        """Why this attempt's part of a delivery must wait, None where it is applied. A payment that can not take it keeps no
        other's part back; faults pass."""
        try:
            self._join(live, attempt_id, sayings)
        except NotApplied as reason:
            return reason
        except PaymentServerError:
            raise
        except Exception as error:
            log.exception("what a webhook says could not be applied")
            return NotApplied("failed", type(error).__name__)
        return None

    def _verify(self, live: LiveConnection, delivery: Delivery) -> None:
        search = self._documents.search(connection_key(live.connection.merchant_id, live.connection.id))
        try:
            check_method(delivery, live.connector)
            self._converse(search.through(live.connector.verify(delivery)), "unverified")
        except (MethodNotAllowed, SignatureInvalid) as error:
            raise NotApplied("rejected", error.detail) from None
        finally:
            search.over()

    def _join(self, live: LiveConnection, attempt_id: str, sayings: Sequence[Fact | AskPsp]) -> None:
        stored = self._payment_of(live, attempt_id)
        change = Change(facts=tuple(storable(one) for one in sayings if isinstance(one, Fact)))
        looks = [one for one in sayings if isinstance(one, AskPsp)]
        if looks:
            change += self._fetched(live, stored.value, looks)
        facts, now = change.facts, self._ports.clock.now()
        summary = f"{live.connection.id} says by webhook: {words_of(facts)}."
        entry = Entry(now, "webhook", summary, {"attempt_id": attempt_id, "connection_id": live.connection.id})
        change += Change(entries=(entry,))
        stored = commit(self._ports, stored, lambda newest: amend(newest, change, now))
        folded = fold(stored.value)
        if live.connector.capabilities.completes_on_return and folded.standings[attempt_id].waits_for_completion:
            self._ports.queue.send(Topic.CHORES, chore("sync", stored.value.id))
        odd = {fact.id for fact in folded.anomalies} & {fact.id for fact in facts}
        if odd:
            raise NotApplied("anomalous", f"the amount is not what was asked ({', '.join(sorted(odd))[:200]})")

    def _payment_of(self, live: LiveConnection, attempt_id: str) -> Stored[Payment]:
        """The payment that has this attempt at this connection; another account's is as good as none."""
        payment_id = payment_id_in(attempt_id)
        if payment_id is None:
            raise NotApplied("unmatched", "the webhook names no payment of ours")
        try:
            stored = self._ports.store.get(PAYMENT, payment_id)
        except NotFound:
            raise NotApplied("unmatched", f"there is no payment {payment_id}") from None
        attempt = stored.value.attempt(attempt_id)
        mine = stored.value.merchant_id == live.connection.merchant_id
        if attempt is None or not mine or attempt.connection_id != live.connection.id:
            raise NotApplied("unmatched", f"this connection has no attempt {attempt_id[:40]}")
        telemetry.note(payment_id=payment_id)
        return stored

    def _fetched(self, live: LiveConnection, payment: Payment, looks: Sequence[AskPsp]) -> Change:
        """What the PSP says of one attempt. Where its reference came with the webhook alone, that this read it proves it."""
        attempt = payment.attempt(looks[0].attempt_id)
        assert attempt is not None, "the payment was found by this attempt"
        found: tuple[Found, ...] = ()
        if attempt.psp_reference is None:
            told = next((one.psp_reference for one in looks if one.psp_reference), None)
            if told is None:
                raise NotApplied("unmatched", "the PSP's own reference is not known yet")
            attempt, found = replace(attempt, psp_reference=told), (Found(attempt.id, told),)
        reference = reference_of(attempt, payment.order, payment.facts, payment.operations)
        return Change(facts=tuple(self._converse(live.connector.fetch(reference), "failed")), found=found)

    def _keep(
        self, merchant_id: str, connection_id: str, delivery: Delivery, reason: NotApplied, *, verified: bool
    ) -> None:
        """Keeps the delivery in the inbox; of rejected ones, one for each connection and minute."""
        now = self._ports.clock.now()
        if reason.status == "rejected":
            unique = str(int(delivery.received_at.timestamp()) // 60)
        else:
            unique = hashlib.sha256(reason.identity or delivery.whole).hexdigest()
        item = InboxItem(
            id=inbox_id_of(merchant_id, connection_id, (reason.status == "rejected" and "rejected") or "kept", unique),
            merchant_id=merchant_id,
            connection_id=connection_id,
            status=reason.status,
            detail=reason.detail,
            headers=dict(delivery.headers),
            body_base64=base64.b64encode(delivery.body).decode(),
            received_at=delivery.received_at,
            verified=verified,
            method=delivery.method,
            query=delivery.query,
        )
        item = replace(item, due_at=_due(item, now))
        telemetry.count("webhooks_applied_total", connector="any", result=reason.status)
        try:
            self._ports.store.put(INBOX, item, expect=NEW)
        except StaleVersion:
            self._keep_again(item)

    def _keep_again(self, item: InboxItem) -> None:
        """The same was kept before. Where they were applied or given up since, they say "look" once more, and must wait
        anew."""
        known = self._ports.store.get(INBOX, item.id)
        given_up = known.value.due_at is None and item.due_at is not None
        if known.value.status == "applied" or given_up:
            self._ports.store.put(INBOX, item, expect=known.version)


def _due(item: InboxItem, now: datetime) -> datetime | None:
    """Anomalies and forgeries wait for nobody; the others are tried again on schedule."""
    if item.status in ("rejected", "anomalous", "applied") or item.tried >= len(UNMATCHED_RETRY_AFTER_S):
        return None
    return now + timedelta(seconds=UNMATCHED_RETRY_AFTER_S[item.tried])
