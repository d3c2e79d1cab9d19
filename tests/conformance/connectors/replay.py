"""A PSP made of recorded exchanges: it answers what it is told to, in order, and goes wrong on demand."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar
from urllib.parse import urlsplit

from chalicelib.contracts.conversation import Conversation, HttpRequest
from tests.conformance.connectors.answering import Answer, Call, Fault, answering, led_to
from tests.conformance.connectors.profile import profile_of
from tests.conformance.connectors.recordings import object_of

T = TypeVar("T")


def answer_of(exchange: Mapping[str, Any]) -> Answer:
    """Of a recorded exchange: `body` is a JSON document, or the exact text as `{"$text": …}`; `signed` may be false."""
    answer = exchange["answer"]
    body = answer.get("body")
    text = body["$text"] if isinstance(body, dict) and "$text" in body else None
    raw = text.encode() if text is not None else json.dumps(body).encode() if "body" in answer else b""
    return Answer(answer.get("status", 200), answer.get("headers", {}), raw, answer.get("signed", True))


def signed_by(psp: str, answer: Answer) -> Answer:
    """As the PSP would send it."""
    sign = profile_of(psp).sign_answer
    if sign is None or not answer.signed:
        return answer
    return replace(answer, headers=sign(answer.headers, answer.body), signed=False)


def answers_of(psp: str, name: str) -> list[Answer]:
    """Of an object of `objects.json` that is an answer, or the list of those that a connector is given one after the other:
    a token that is no longer taken, and no other in its place."""
    found = object_of(psp, name)
    return [answer_of({"answer": one}) for one in (found if isinstance(found, list) else [found])]


@dataclass
class Replay:
    """`answers` are given one after the other; one that is a Fault goes wrong."""

    url: str = ""
    answers: list[Answer | Fault] = field(default_factory=list)

    def answer(self, call: Call) -> Answer | Fault:
        return self.answers.pop(0) if self.answers else Answer(599, {}, b"nothing is recorded")


@contextmanager
def replaying() -> Iterator[Replay]:
    replay = Replay()
    with answering(replay.answer) as replay.url:
        yield replay


def readdressed(conversation: Conversation[T], addresses: Sequence[str], seen: list[HttpRequest]) -> Conversation[T]:
    """The same conversation with its n-th request sent to the n-th address (the last one for all that follow); `seen` gets
    the requests as they were."""
    try:
        request = next(conversation)
        while True:
            address = addresses[min(len(seen), len(addresses) - 1)]
            seen.append(request)
            parts = urlsplit(request.url)
            assert parts.scheme == "https" or parts.hostname in ("localhost", "127.0.0.1"), (
                "credentials go over TLS alone"
            )
            response = yield led_to(address, request)
            request = conversation.send(response)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
