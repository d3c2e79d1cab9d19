"""The connector port: what a PSP's folder must say, and what holds of those that say nothing.

A connector does no input or output of its own: `contracts.conversation` says how it talks, `contracts.calls` what it is asked,
`contracts.webhooks` what comes in.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NoReturn, Protocol

from pydantic import BaseModel

from chalicelib.contracts.amounts import Amounts
from chalicelib.contracts.calls import AttemptRef, CheckoutOrder, MoneyOrder, Opened, Refusal
from chalicelib.contracts.conversation import Conversation
from chalicelib.contracts.webhooks import (
    Acknowledgement,
    AskPsp,
    Delivery,
    LeftOut,
    LookUp,
    WebhookAddress,
    WebhookMade,
    WebhookSetup,
)
from chalicelib.contracts.words import Words
from chalicelib.domain.facts import Fact
from chalicelib.domain.order import CaptureMode


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a PSP can do. What has a default is the careful answer: a PSP of which nothing is known can do nothing of it.

    `operations`: capture, cancel, refund and expire, as far as it has them; no other is called. `inert_until_visited`:
    opening a page moves nothing and the PSP sends no link of its own, so that an unanswered attempt may be sealed.
    `key_lives_s`: how long the PSP remembers an idempotency key, by operation (open, capture, cancel, refund, complete), or
    longer where a repeat does no more even without it; absent is never. `looks_up_references`: an attempt without a PSP
    reference can be found by ours. `reads_money`: reading an attempt shows what was paid; if not, webhooks alone tell of it.
    `names_operations`: reading an attempt shows our operation ids, as the PSP's documents promise: one that is not shown 15
    minutes after its call counts as never made, unless somebody may still approve it. `releases_rest`: what a last capture
    leaves is held until a call of its own releases it, which `capture` makes too, and which may be made again by itself.
    `completes_on_return`: nothing is paid until `complete` is called once the shopper has approved. `webhook_methods`: how
    the PSP calls back, POST or GET; what comes otherwise is no webhook of its. `webhook_address`: how the PSP learns where.
    `amount_limits`: the least and the most that one payment may be, in minor units, by currency; None is no limit.
    """

    operations: frozenset[str]
    payment_methods: frozenset[str]
    currencies: frozenset[str]
    capture_modes: frozenset[CaptureMode]
    partial_capture: bool = False
    multiple_captures: bool = False
    partial_refund: bool = False
    inert_until_visited: bool = False
    looks_up_references: bool = False
    key_lives_s: Mapping[str, int] = field(default_factory=dict)
    reads_money: bool = True
    names_operations: bool = False
    releases_rest: bool = False
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

    def read(self, delivery: Delivery) -> Sequence[Fact | AskPsp | LookUp | LeftOut]: ...


class Connector(ABC):
    """Constructed with its validated settings. `settings` is a pydantic model; its secrets are SecretStr fields. Its class
    variable `account_fields` names what identifies the account, `webhook_fields` the secrets that verify a webhook:
    `verify` and `read` work without the others. Where a key alone says whether money moves, its property `livemode` does:
    True, False, or None where the key does not tell.

    `words` are all its tables, `amounts` how it writes an amount; the conformance kit tests both entry by entry.

    `verify` raises SignatureInvalid and nothing else on hostile input; `read` raises Unreadable on a verified delivery
    that makes no sense. Where a delivery has parts that are signed each by itself, one good part makes it worth taking in,
    and `read` trusts each for its own signature alone. `open_checkout` and the operations answer a Refusal where the PSP says
    no. `signature_headers` are all headers that `verify` reads, in lower case. One that holds a secret of ours may come as its
    digest, so it is compared by `presented.is_presented`.

    What is abstract every PSP has. The rest is written where the PSP has it, and never called where nothing says so.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    settings: ClassVar[type[BaseModel]]
    capabilities: ClassVar[Capabilities]
    acknowledgement: ClassVar[Acknowledgement] = Acknowledgement()
    signature_headers: ClassVar[frozenset[str]] = frozenset()
    words: ClassVar[tuple[Words[Any], ...]]
    amounts: ClassVar[Amounts]

    @property
    def verifies_offline(self) -> bool:
        """Whether `verify` asks nobody, but for public documents (`HttpRequest.keeps_s`). Where it has to, it is left to a
        queue function; what it refuses before its first call is refused at the door, without the other secrets."""
        return True

    @property
    def needs_return_link(self) -> bool:
        """Whether the shopper must come back through PaymentServer, so that it knows when to complete."""
        return False

    @abstractmethod
    def test(self) -> Conversation[Refusal | None]:
        """Asks something harmless; None when the credentials are good."""

    @abstractmethod
    def open_checkout(self, order: CheckoutOrder) -> Conversation[Opened | Refusal]: ...

    @abstractmethod
    def fetch(self, attempt: AttemptRef) -> Conversation[Sequence[Fact]]:
        """All that the PSP knows of an attempt with a psp_reference."""

    def recover(self, attempt: AttemptRef) -> Conversation[Opened | Refusal | None]:
        """Finds an attempt without a psp_reference: by our reference, else by repeating the call with its key. None
        when the PSP knows nothing of it, which proves absence only after 15 minutes. Called where `looks_up_references`
        or `open` has a key."""
        self._has_no("recover")

    def expire(self, attempt: AttemptRef) -> Conversation[Sequence[Fact]]:
        """Ends the page so that nobody can pay there; the facts say what it was."""
        self._has_no("expire")

    def complete(self, attempt: AttemptRef) -> Conversation[Sequence[Fact] | Refusal]:
        """Takes the money that the shopper approved; called only where `completes_on_return`."""
        self._has_no("complete")

    def capture(self, order: MoneyOrder) -> Conversation[Sequence[Fact] | Refusal]:
        self._has_no("capture")

    def release_rest(self, order: MoneyOrder) -> Conversation[None]:
        """Has the PSP release what `order`, a last capture that it has, leaves; called only where `releases_rest`. Raises
        ValueError where the PSP has not taken it."""
        self._has_no("release_rest")

    def cancel(self, order: MoneyOrder) -> Conversation[Sequence[Fact] | Refusal]:
        self._has_no("cancel")

    def refund(self, order: MoneyOrder) -> Conversation[Sequence[Fact] | Refusal]:
        self._has_no("refund")

    @abstractmethod
    def verify(self, delivery: Delivery) -> Conversation[None]: ...

    @abstractmethod
    def read(self, delivery: Delivery) -> Sequence[Fact | AskPsp | LookUp | LeftOut]: ...

    def identity_of(self, delivery: Delivery) -> bytes:
        """What tells a verified delivery from others, so that the inbox keeps it once. Where the PSP signs parts of it alone,
        those: around them anybody who has one can write what he likes. Raises nothing, whatever it is."""
        return delivery.whole

    def look_up(self, psp_object: str) -> Conversation[Sequence[Fact | AskPsp]]:
        """Whose a thing is that a webhook named; empty for nobody's of ours. Called only for what `read` gave."""
        self._has_no("look_up")

    @abstractmethod
    def webhook_setup(self, url: str) -> WebhookSetup: ...

    def create_webhook(self, url: str) -> Conversation[WebhookMade | Refusal]:
        """Called only where `webhook_setup` says that it `creates`."""
        self._has_no("create_webhook")

    def _has_no(self, call: str) -> NoReturn:
        raise NotImplementedError(f"{self.title} has no {call}: whoever called it did not ask its capabilities")
