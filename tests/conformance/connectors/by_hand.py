"""A conversation that a test holds by hand, without a driver."""

from __future__ import annotations

import json
from typing import Any

from chalicelib.contracts.conversation import Conversation, HttpRequest, HttpResponse


def answer(body: Any, status: int = 200) -> HttpResponse:
    return HttpResponse(status, {}, json.dumps(body).encode())


def held(conversation: Conversation[Any], *answers: Any) -> tuple[list[HttpRequest], Any]:
    """What was asked and what it came to, which is None where it would go on. Of `answers`, what is no HttpResponse is the
    body of one with status 200."""
    asked: list[HttpRequest] = []
    try:
        asked.append(next(conversation))
        for one in answers:
            asked.append(conversation.send(one if isinstance(one, HttpResponse) else answer(one)))
    except StopIteration as stop:
        return asked, stop.value
    return asked, None


def requests_of(conversation: Conversation[Any], *answers: Any) -> list[HttpRequest]:
    return held(conversation, *answers)[0]
