"""Conversations that need nobody to talk to."""

from __future__ import annotations

from typing import TypeVar

from chalicelib.contracts.conversation import Conversation

T = TypeVar("T")


class WantsCall(RuntimeError):
    """A conversation that could not do without its PSP after all."""


def finished(conversation: Conversation[T]) -> T:
    """Its result. Raises WantsCall for one that wants to make a call."""
    try:
        request = next(conversation)
    except StopIteration as stop:
        result: T = stop.value
        return result
    conversation.close()
    raise WantsCall(f"a conversation that was to be offline calls {request.operation}")
