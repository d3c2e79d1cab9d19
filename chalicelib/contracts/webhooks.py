"""Webhooks of a PSP: what came in, what it may say beside facts, how it is answered, and what to enter at the PSP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


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

    @property
    def whole(self) -> bytes:
        """All that tells one delivery from another: a webhook that is a GET has it in its query."""
        if self.method == "POST" and not self.query:
            return self.body
        return f"{self.method} {self.query}\n".encode() + self.body


@dataclass(frozen=True, slots=True)
class AskPsp:
    """A webhook that only says "look": fetch this attempt. `psp_reference`: what a signed webhook says that the PSP calls it,
    by which it is fetched where no answer to our call has told; `fetch` refuses what is another attempt's."""

    attempt_id: str
    psp_reference: str | None = None


@dataclass(frozen=True, slots=True)
class LookUp:
    """A webhook about a thing of the PSP's that does not say whose it is: `Connector.look_up` asks. A thing of nobody of
    ours is no error: an account may take payments by other ways too."""

    psp_object: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A part of a delivery that is unreadable or not signed as it should be, and says nothing. The other parts hold; the
    delivery is kept in the inbox with `detail`, in words of ours, and tried again."""

    detail: str


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
