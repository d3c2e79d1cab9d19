"""What a connector is asked to do at its PSP, and what the PSP definitely answered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from chalicelib.domain.facts import Decline, Fact
from chalicelib.domain.money import Money
from chalicelib.domain.operation import Called, Operation
from chalicelib.domain.order import Order
from chalicelib.domain.payment import Attempt, NextAction


class RefusalKind(StrEnum):
    DECLINED = "declined"
    MISCONFIGURED = "misconfigured"  # the credentials or the request are wrong for this account
    RATE_LIMITED = "rate_limited"
    OUTAGE = "outage"  # the PSP's own word that it is down and did nothing; a mere 5xx leaves the outcome unknown


@dataclass(frozen=True, slots=True)
class Refusal:
    """The PSP's definite no. `decline` is there for `DECLINED`; `retry_after_s` may be for `RATE_LIMITED`."""

    kind: RefusalKind
    detail: str
    decline: Decline | None = None
    retry_after_s: int | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """A checkout at the PSP: its reference, the shopper's page while there is one, and what is already known of it."""

    psp_reference: str
    action: NextAction | None
    facts: tuple[Fact, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckoutOrder:
    """One attempt to open a checkout. Everything in it is stored before the call, so that a repeat is byte-identical.

    `webhook_url`: where the PSP is to tell of it, empty where that is `WebhookAddress.ENTERED`.
    """

    attempt_id: str
    connection_id: str
    order: Order
    started_at: datetime
    return_url: str
    cancel_url: str
    webhook_url: str = ""


@dataclass(frozen=True, slots=True)
class AttemptRef:
    """What a connector needs to ask about an attempt; `checkout` lets it repeat the call where nothing can be looked up.

    `facts`: what is known of the attempt, for a PSP that names its money in webhooks alone. `begun`: when the PSP took
    its operations, by their ids, and since when those are known that somebody made there, by their movements'. That a PSP does
    not show something proves nothing while it is young.
    """

    checkout: CheckoutOrder
    psp_reference: str | None
    facts: tuple[Fact, ...] = ()
    begun: Mapping[str, datetime] = field(default_factory=dict)

    @property
    def attempt_id(self) -> str:
        return self.checkout.attempt_id

    def known_since(self, fact: Fact) -> datetime | None:
        return self.begun.get(fact.operation_id or fact.id) or self.begun.get(fact.id)


def reference_of(
    attempt: Attempt, order: Order, facts: Iterable[Fact] = (), operations: Iterable[Operation] = ()
) -> AttemptRef:
    """Names an attempt to its connector, with exactly the parameters its first call had. `facts` and `operations` are the
    payment's."""
    return_url = attempt.return_url or order.return_url
    checkout = CheckoutOrder(
        attempt.id,
        attempt.connection_id,
        order,
        attempt.started_at,
        return_url=return_url,
        cancel_url=order.cancel_url,
        webhook_url=attempt.webhook_url or "",
    )
    begun = {
        one.id if one.movement is None else one.movement[1]: one.called_at or one.created_at
        for one in operations
        if one.attempt_id == attempt.id and one.called is Called.ANSWERED
    }
    mine = tuple(fact for fact in facts if fact.attempt_id == attempt.id)
    return AttemptRef(checkout, attempt.psp_reference, mine, begun)


@dataclass(frozen=True, slots=True)
class MoneyOrder:
    """A capture, cancellation or refund. `operation_id` is the PSP's idempotency key and our reference.

    `repeats`: it may have been called for before. A connector that chooses what it asks the PSP for, by what it reads, chooses
    what it chose then, or raises Undecidable: the PSP may know the key for that alone.
    """

    attempt: AttemptRef
    operation_id: str
    amount: Money | None
    reason: str | None = None
    final: bool = False
    repeats: bool = False
