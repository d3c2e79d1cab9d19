"""Conversations that need nobody to talk to."""

from __future__ import annotations

from typing import TypeVar

from chalicelib.contracts.connector import Conversation

T = TypeVar("T")


def finished(conversation: Conversation[T]) -> T:
    """Its result. Raises RuntimeError for one that wants to make a call after all."""
    try:
        request = next(conversation)
    except StopIteration as stop:
        result: T = stop.value
        return result
    raise RuntimeError(f"a conversation that was to be offline calls {request.operation}")
