"""Every kind of document, its indexes and filters, declared once.

An index is spread where each payment, delivery or webhook writes to one partition of it: those of a merchant account by
time, and what is due. Others are not, because their partitions stay small or quiet: what belongs to one order or one
payment, what people configure, an hour's roll-up. Reading what is spread costs a query for each shard.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import TypeAdapter

from chalicelib.contracts.store import Index, IndexKey, Kind
from chalicelib.domain.configuration import (
    AuditEntry,
    Connection,
    DeliveryRecord,
    EndpointTrouble,
    InboxItem,
    Route,
    RouteVersion,
    Subscription,
)
from chalicelib.domain.payment import Payment
from chalicelib.domain.public_document import PublicDocument
from chalicelib.domain.view import text_of
from chalicelib.domain.walk import Walk

if TYPE_CHECKING:
    from chalicelib.domain.statistics import RollUp
    from chalicelib.routing.health import ConnectionHealth

T = TypeVar("T")
EARLY = timedelta(seconds=15)  # an event that comes so soon after a payment's creation is found by that
DUE = "due"  # the one partition of a due index
KEPT_S = 90 * 86_400  # a delivery or an inbox item that is not due any more


def _codec(of: Callable[[], type[T]]) -> tuple[Callable[[T], bytes], Callable[[bytes], T]]:
    """Built when it is first used: a process meets few kinds, and one costs up to 20 ms."""

    @cache
    def adapter() -> TypeAdapter[T]:
        return TypeAdapter(of())

    return lambda value: adapter().dump_json(value), lambda document: adapter().validate_json(document)


def _due(at: datetime | None) -> IndexKey | None:
    return None if at is None else IndexKey(DUE, text_of(at))


def _audit_due(of: Connection) -> IndexKey | None:
    return IndexKey(DUE, text_of(of.updated_at)) if of.unaudited else None


def _told_due(of: Route | Subscription) -> IndexKey | None:
    return IndexKey(DUE, text_of(of.updated_at)) if of.unaudited or of.notices else None


def _listed(of: Connection | Route | Subscription) -> IndexKey | None:
    return IndexKey(of.merchant_id, text_of(of.created_at)) if of.deleted_at is None else None


def _kept_s(of: DeliveryRecord | InboxItem) -> int | None:
    return KEPT_S if of.due_at is None else None


def last_event(payment: Payment) -> IndexKey | None:
    """By the latest time of an event, whichever process' clock told it, so that nothing that happened since then is missed;
    none where all events came as the payment was made (services.moved)."""
    if all(timedelta(0) <= entry.time - payment.created_at <= EARLY for entry in payment.journal):
        return None
    return IndexKey(payment.merchant_id, text_of(max(entry.time for entry in payment.journal)))


def _refunded(payment: Payment) -> IndexKey | None:
    """By the time of its newest refund, of all accounts together (services.look_again)."""
    made = [one.made_at for one in payment.operations if one.made_at is not None]
    return IndexKey(DUE, text_of(max(made))) if made else None


def connection_key(merchant_id: str, connection_id: str) -> str:
    return f"{merchant_id}/{connection_id}"


def route_key(merchant_id: str, name: str) -> str:
    return f"{merchant_id}/{name}"


def route_version_key(merchant_id: str, name: str, version: int) -> str:
    return f"{merchant_id}/{name}/{version:09d}"


def subscription_key(merchant_id: str, subscription_id: str) -> str:
    return f"{merchant_id}/{subscription_id}"


def audit_key(merchant_id: str, sequence: int) -> str:
    return f"{merchant_id}/{sequence:012d}"


def public_document_key(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()


def roll_up_key(merchant_id: str, name: str) -> str:
    return f"{merchant_id}/{name}"


def _roll_up() -> type[RollUp]:
    """Imported by those who count."""
    from chalicelib.domain.statistics import RollUp

    return RollUp


def _connection_health() -> type[ConnectionHealth]:
    """Imported by those who choose a PSP."""
    from chalicelib.routing.health import ConnectionHealth

    return ConnectionHealth


def _kind(
    name: str,
    of: Callable[[], type[T]],
    id_of: Callable[[T], str],
    indexes: tuple[Index[T], ...],
    kept_s: Callable[[T], int | None] | None = None,
    **filters: Callable[[T], str | None],
) -> Kind[T]:
    encode, decode = _codec(of)
    return Kind(name, id_of, encode, decode, indexes, filters, kept_s)


PAYMENT: Kind[Payment] = _kind(
    "payments",
    lambda: Payment,
    lambda payment: payment.id,
    (
        Index("by_time", lambda payment: IndexKey(payment.merchant_id, text_of(payment.created_at)), spread=True),
        Index(
            "by_order",
            lambda payment: IndexKey(
                f"{payment.merchant_id}/{payment.order.order_reference}", text_of(payment.created_at)
            ),
        ),
        Index("due", lambda payment: _due(payment.due_at), spread=True),
        Index(
            "attention",
            lambda payment: IndexKey(payment.merchant_id, text_of(payment.created_at)) if payment.attention else None,
            spread=True,  # while a PSP is away it takes as many payments as by_time does
        ),
        Index("by_journal", last_event, spread=True),
        Index("refunded", _refunded, spread=True),
    ),
    status=lambda payment: payment.status,
    connection_id=lambda payment: payment.attempts[-1].connection_id if payment.attempts else None,
    currency=lambda payment: payment.order.amount.currency,
)
DELIVERY: Kind[DeliveryRecord] = _kind(
    "deliveries",
    lambda: DeliveryRecord,
    lambda delivery: delivery.id,
    (
        Index("by_time", lambda delivery: IndexKey(delivery.merchant_id, text_of(delivery.created_at)), spread=True),
        Index(
            "by_payment",
            lambda delivery: (
                IndexKey(delivery.payment_id, text_of(delivery.created_at)) if delivery.payment_id else None
            ),
        ),
        Index("due", lambda delivery: _due(delivery.due_at), spread=True),
    ),
    _kept_s,
    subscription_id=lambda delivery: delivery.subscription_id,
    status=lambda delivery: delivery.status,
    payment_id=lambda delivery: delivery.payment_id,
)
INBOX: Kind[InboxItem] = _kind(
    "inbox",
    lambda: InboxItem,
    lambda item: item.id,
    (
        Index(
            "by_time",
            lambda item: IndexKey(item.merchant_id, text_of(item.received_at)) if item.status != "applied" else None,
            spread=True,
        ),
        Index("due", lambda item: _due(item.due_at), spread=True),
    ),
    _kept_s,
    connection_id=lambda item: item.connection_id,
    status=lambda item: item.status,
)
CONNECTION: Kind[Connection] = _kind(
    "connections",
    lambda: Connection,
    lambda of: connection_key(of.merchant_id, of.id),
    (Index("by_merchant", _listed), Index("audit_due", _audit_due)),
)
ROUTE: Kind[Route] = _kind(
    "routes",
    lambda: Route,
    lambda of: route_key(of.merchant_id, of.name),
    (Index("by_merchant", _listed), Index("audit_due", _told_due)),
)
ROUTE_VERSION: Kind[RouteVersion] = _kind(
    "route_versions",
    lambda: RouteVersion,
    lambda of: route_version_key(of.merchant_id, of.name, of.version),
    (Index("by_route", lambda of: IndexKey(route_key(of.merchant_id, of.name), f"{of.version:09d}")),),
)
SUBSCRIPTION: Kind[Subscription] = _kind(
    "subscriptions",
    lambda: Subscription,
    lambda of: subscription_key(of.merchant_id, of.id),
    (Index("by_merchant", _listed), Index("audit_due", _told_due)),
)
AUDIT: Kind[AuditEntry] = _kind(
    "audit",
    lambda: AuditEntry,
    lambda entry: audit_key(entry.merchant_id, entry.sequence),
    (Index("by_merchant", lambda entry: IndexKey(entry.merchant_id, f"{entry.sequence:012d}")),),
)
ROLL_UP: Kind[RollUp] = _kind(
    "roll_ups",
    _roll_up,
    lambda of: roll_up_key(of.merchant_id, of.name),
    (Index("by_hour", lambda of: IndexKey(of.merchant_id, text_of(of.since)) if of.is_closed else None),),
)
WALK: Kind[Walk] = _kind("walks", lambda: Walk, lambda walk: walk.name, ())
ENDPOINT_TROUBLE: Kind[EndpointTrouble] = _kind(
    "endpoint_troubles",
    lambda: EndpointTrouble,
    lambda of: subscription_key(of.merchant_id, of.subscription_id),
    (),
)
HEALTH: Kind[ConnectionHealth] = _kind(
    "health",
    _connection_health,
    lambda of: connection_key(of.merchant_id, of.connection_id),
    (Index("by_merchant", lambda of: IndexKey(of.merchant_id, of.connection_id)),),
)
PUBLIC_DOCUMENT: Kind[PublicDocument] = _kind(
    "public_documents", lambda: PublicDocument, lambda of: public_document_key(of.url), ()
)

KINDS: tuple[Kind[Any], ...] = (
    PAYMENT,
    DELIVERY,
    INBOX,
    CONNECTION,
    ROUTE,
    ROUTE_VERSION,
    SUBSCRIPTION,
    AUDIT,
    ROLL_UP,
    HEALTH,
    ENDPOINT_TROUBLE,
    WALK,
    PUBLIC_DOCUMENT,
)
