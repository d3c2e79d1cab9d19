"""The connector port: what a PSP's folder must say, without any input or output of its own.

A method that needs the PSP is a generator: it yields an `HttpRequest` and is sent the `HttpResponse`, so it reads like the
PSP's manual, and `outbound.driver` decides in one place what is certain.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Protocol, TypeVar

from pydantic import BaseModel

from chalicelib.contracts.amounts import Amounts
from chalicelib.contracts.words import Words
from chalicelib.domain.facts import Decline, Fact
from chalicelib.domain.money import Money
from chalicelib.domain.payment import Attempt, CaptureMode, NextAction, Order

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """`moves_money`: an error after sending it leaves the outcome unknown. `body` is sent as it is. Credentials stand in the
    headers or the body, so that neither is shown."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    moves_money: bool = False
    operation: str = "call"


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """`headers` have lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Raises ValueError for what is no JSON, or holds half a character, which no database takes."""
        document = json.loads(self.body)
        if b"\\ud" in self.body.lower():
            json.dumps(document, ensure_ascii=False).encode()
        return document


Conversation = Generator[HttpRequest, HttpResponse, T]


class CallFailed(Exception):
    """A call whose answer is not the PSP's word. `detail` holds no secret."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class NotSent(CallFailed):
    """Proof that the PSP never saw the request: no connection came about."""


class OutcomeUnknown(CallFailed):
    """A money call may or may not have worked: ask, never guess."""


class ReadFailed(CallFailed):
    """A call that moves nothing got no usable answer; try again later. No call that moves money was sent before it in the
    same conversation: after one, every failure is an `OutcomeUnknown`."""


NOTHING_MOVED = (NotSent, ReadFailed)  # proof that what a conversation was to do did not happen by it


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

    `facts`: what is known of the attempt, for a PSP that names its money in webhooks alone.
    """

    checkout: CheckoutOrder
    psp_reference: str | None
    facts: tuple[Fact, ...] = ()

    @property
    def attempt_id(self) -> str:
        return self.checkout.attempt_id


def reference_of(attempt: Attempt, order: Order, facts: Iterable[Fact] = ()) -> AttemptRef:
    """Names an attempt to its connector, with exactly the parameters its first call had. `facts` are the payment's."""
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
    return AttemptRef(checkout, attempt.psp_reference, tuple(fact for fact in facts if fact.attempt_id == attempt.id))


@dataclass(frozen=True, slots=True)
class MoneyOrder:
    """A capture, cancellation or refund. `operation_id` is the PSP's idempotency key and our reference."""

    attempt: AttemptRef
    operation_id: str
    amount: Money | None
    reason: str | None = None
    final: bool = False


@dataclass(frozen=True, slots=True)
class Delivery:
    """A webhook as it came: header names in lower case, the exact bytes of the body, the query as it was sent, percent-
    encoding and all (`contracts.query` reads it). A query may hold a secret, so it is not shown.

    `attempt_id`: whose own address it came to, as the address' token proved (`WebhookAddress.OWN`).
    """

    headers: Mapping[str, str]
    body: bytes
    received_at: datetime
    method: str = "POST"
    query: str = field(default="", repr=False)
    attempt_id: str | None = None


@dataclass(frozen=True, slots=True)
class AskPsp:
    """A webhook that only says "look": fetch this attempt."""

    attempt_id: str


@dataclass(frozen=True, slots=True)
class LookUp:
    """A webhook about a thing of the PSP's that does not say whose it is: `Connector.look_up` asks. A thing of nobody of
    ours is no error: an account may take payments by other ways too."""

    psp_object: str


@dataclass(frozen=True, slots=True)
class WebhookSetup:
    """What to enter at the PSP so that it tells us what happens, for people to read.

    `url` is ours. `events`: what to subscribe to, empty where there is nothing to choose. `where`: the place at the PSP.
    `secret`: where its secret is found and `secret_field` the setting it belongs in, both empty where it has none.
    `creates`: the PSP's API can make it, by `Connector.create_webhook`.
    """

    url: str
    events: tuple[str, ...]
    where: str
    secret: str = ""
    secret_field: str = ""
    creates: bool = False


@dataclass(frozen=True, slots=True)
class WebhookMade:
    """A webhook that the PSP's API made. `settings`: what to keep of its answer, a setting's name and its text."""

    psp_reference: str
    settings: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """The answer a PSP expects for a webhook it need not send again."""

    status: int = 200
    body: str = ""
    content_type: str = "text/plain"


class WebhookAddress(StrEnum):
    """How a PSP learns where its webhooks go."""

    ENTERED = "entered"  # at the PSP, once: `webhook_setup` says where
    TOLD = "told"  # by each call that opens a page: `CheckoutOrder.webhook_url`
    OWN = (
        "own"  # the same, and each attempt has its own, whose token is all that proves a delivery: it only says "look"
    )


@dataclass(frozen=True, slots=True)
class Capabilities:
    """`inert_until_visited`: opening a page moves nothing and the PSP sends no link of its own, so that an unanswered
    attempt may be sealed. `key_lives_s`: how long the PSP remembers an idempotency key, by operation (open, capture,
    cancel, refund, complete); absent is never. `looks_up_references`: an attempt without a PSP reference can be found by
    ours. `reads_money`: reading an attempt shows what was paid; if not, webhooks alone tell of it. `names_operations`:
    reading an attempt shows our operation ids. `completes_on_return`: nothing is paid until
    `complete` is called once the shopper has approved. `webhook_methods`: how the PSP calls back, POST or GET; what comes
    otherwise is no webhook of its. `webhook_address`: how the PSP learns where. `amount_limits`: the least and the most
    that one payment may be, in minor units, by currency; None is no limit.
    """

    operations: frozenset[str]
    payment_methods: frozenset[str]
    currencies: frozenset[str]
    capture_modes: frozenset[CaptureMode]
    partial_capture: bool
    multiple_captures: bool
    partial_refund: bool
    inert_until_visited: bool
    looks_up_references: bool
    key_lives_s: Mapping[str, int]
    reads_money: bool = True
    names_operations: bool = False
    completes_on_return: bool = False
    webhook_methods: frozenset[str] = frozenset({"POST"})
    webhook_address: WebhookAddress = WebhookAddress.ENTERED
    amount_limits: Mapping[str, tuple[int | None, int | None]] = field(default_factory=dict)


class Verifying(Protocol):
    """What of a connector takes webhooks in: it is constructed with its `webhook_fields` alone, the other secrets masked."""

    capabilities: ClassVar[Capabilities]
    acknowledgement: ClassVar[Acknowledgement]
    signature_headers: ClassVar[frozenset[str]]

    @property
    def verifies_offline(self) -> bool: ...

    def verify(self, delivery: Delivery) -> Conversation[None]: ...


class Connector(Protocol):
    """Constructed with its validated settings. `settings` is a pydantic model; its secrets are SecretStr fields. Its class
    variable `account_fields` names what identifies the account, `webhook_fields` the secrets that verify a webhook:
    `verify` and `read` work without the others.

    `words` are all its tables, `amounts` how it writes an amount; the conformance kit tests both entry by entry.

    `verify` raises SignatureInvalid and nothing else on hostile input; `read` raises Unreadable on a verified delivery
    that makes no sense. `open_checkout` and the operations answer a Refusal where the PSP says no. `signature_headers` are
    all headers that `verify` reads, in lower case. One that holds a secret of ours may come as its digest, so it is compared
    by `presented.is_presented`.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    settings: ClassVar[type[BaseModel]]
    capabilities: ClassVar[Capabilities]
    acknowledgement: ClassVar[Acknowledgement]
    signature_headers: ClassVar[frozenset[str]]
    words: ClassVar[tuple[Words[Any], ...]]
    amounts: ClassVar[Amounts]

    @property
    def verifies_offline(self) -> bool:
        """Whether `verify` asks nobody, but for what it keeps; where it has to, it is left to a queue function."""

    @property
    def needs_return_link(self) -> bool:
        """Whether the shopper must come back through PaymentServer, so that it knows when to complete."""

    def test(self) -> Conversation[Refusal | None]:
        """Asks something harmless; None when the credentials are good."""

    def open_checkout(self, order: CheckoutOrder) -> Conversation[Opened | Refusal]: ...

    def fetch(self, attempt: AttemptRef) -> Conversation[Sequence[Fact]]:
        """All that the PSP knows of an attempt with a psp_reference."""

    def recover(self, attempt: AttemptRef) -> Conversation[Opened | Refusal | None]:
        """Finds an attempt without a psp_reference: by our reference, else by repeating the call with its key. None
        when the PSP knows nothing of it, which proves absence only after 15 minutes."""

    def expire(self, attempt: AttemptRef) -> Conversation[Sequence[Fact]]:
        """Ends the page so that nobody can pay there; the facts say what it was."""

    def complete(self, attempt: AttemptRef) -> Conversation[Sequence[Fact] | Refusal]:
        """Takes the money that the shopper approved; called only where `completes_on_return`."""

    def capture(self, order: MoneyOrder) -> Conversation[Sequence[Fact] | Refusal]: ...

    def cancel(self, order: MoneyOrder) -> Conversation[Sequence[Fact] | Refusal]: ...

    def refund(self, order: MoneyOrder) -> Conversation[Sequence[Fact] | Refusal]: ...

    def verify(self, delivery: Delivery) -> Conversation[None]: ...

    def read(self, delivery: Delivery) -> Sequence[Fact | AskPsp | LookUp]: ...

    def look_up(self, psp_object: str) -> Conversation[Sequence[Fact | AskPsp]]:
        """Whose a thing is that a webhook named; empty for nobody's of ours. Called only for what `read` gave."""

    def webhook_setup(self, url: str) -> WebhookSetup: ...

    def create_webhook(self, url: str) -> Conversation[WebhookMade | Refusal]:
        """Called only where `webhook_setup` says that it `creates`."""
