"""Conversations that need nobody to talk to."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from chalicelib.contracts.conversation import Conversation, HttpRequest, HttpResponse

T = TypeVar("T")
Kept = Callable[[HttpRequest], HttpResponse | None]


class WantsCall(RuntimeError):
    """A conversation that could not do without its PSP after all."""

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(f"a conversation that was to be offline calls {request.operation}")
        self.request = request


def finished(conversation: Conversation[T], kept: Kept = lambda request: None) -> T:
    """Its result; `kept` gives a public document that is known. Raises WantsCall for one that wants to make a call, and what
    `kept` raises."""
    answer: HttpResponse | None = None
    while True:
        try:
            request = next(conversation) if answer is None else conversation.send(answer)
        except StopIteration as stop:
            result: T = stop.value
            return result
        answer = kept(request) if request.keeps_s else None
        if answer is None:
            conversation.close()
            raise WantsCall(request)
