"""How a connector talks to its PSP without any input or output of its own.

A method that needs the PSP is a generator: it yields an `HttpRequest` and is sent the `HttpResponse`, so it reads like the
PSP's manual, and `outbound.driver` decides in one place what is certain.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from chalicelib.domain.json_text import parse

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """`moves_money`: an error after sending it leaves the outcome unknown. `body` is sent as it is. Credentials stand in the
    headers or the body, so that neither is shown.

    `keeps_s`: it asks for a public document, without credentials. For so many seconds its answer may be given again to whoever
    asks, once the conversation that asked came to a good end.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    moves_money: bool = False
    operation: str = "call"
    keeps_s: int = 0


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """`headers` have lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Raises ValueError for what is no JSON, or holds half a character, which no database takes."""
        document = parse(self.body)
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


class Undecidable(OutcomeUnknown):
    """The PSP answered, and did nothing by this call; whether it did by an earlier one, no answer of its tells. `detail` is
    shown to an operator, who has to look at the PSP."""


class AwaitsApproval(Undecidable):
    """The PSP took a call, and does what was asked once somebody there approves it, days later perhaps: that it does not show
    it proves nothing, now or ever."""


class ReadFailed(CallFailed):
    """A call that moves nothing got no usable answer; try again later. No call that moves money was sent before it in the
    same conversation: after one, every failure is an `OutcomeUnknown`."""


NOTHING_MOVED = (NotSent, ReadFailed)  # proof that what a conversation was to do did not happen by it
