"""Exchanges with a PSP as scenarios write them, without secrets, tokens or our ids."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from chalicelib.contracts.conversation import Conversation, HttpRequest, HttpResponse

T = TypeVar("T")
Json = dict[str, Any]
KEPT_HEADERS = ("idempotent-replayed", "retry-after")
ASKED_HEADERS = ("idempotency-key", "content-type")  # a PSP's other ones hold credentials, signatures and times
TOKENS = ("client_secret", "secret", "access_token", "refresh_token", "id_token")
SCRUBBED = "scrubbed"


def recorded(conversation: Conversation[T], exchanges: list[Json]) -> Conversation[T]:
    """The same conversation; `exchanges` get what was asked and answered."""
    try:
        request = next(conversation)
        while True:
            response = yield request
            exchanges.append({"request": _asked(request), "answer": _answered(response)})
            request = conversation.send(response)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]


def _asked(request: HttpRequest) -> Json:
    address, _, query = request.url.partition("?")
    asked: Json = {"method": request.method, "url": address}
    if query:
        asked["query"] = dict(parse_qsl(query, keep_blank_values=True))
    headers = {name: text for name, text in request.headers.items() if name.lower() in ASKED_HEADERS}
    if headers:
        asked["headers"] = headers
    if request.body:
        text = request.body.decode()
        is_form = "urlencoded" in headers.get("Content-Type", "")
        asked |= {"form": dict(parse_qsl(text, keep_blank_values=True))} if is_form else _document(text, "json", "text")
    elif request.body is not None:
        asked["form"] = {}
    return asked


def _answered(response: HttpResponse) -> Json:
    headers = {name: text for name, text in response.headers.items() if name in KEPT_HEADERS}
    answer: Json = {"status": response.status, **({"headers": headers} if headers else {})}
    text = response.body.decode(errors="replace")
    document = _document(text, "body", "text")
    return {**answer, **(document if "body" in document else {"body": {"$text": text}})}


def _document(text: str, name: str, otherwise: str) -> Json:
    try:
        return {name: json.loads(text)}
    except ValueError:
        return {otherwise: text}


def scrubbed(value: Any, hidden: Mapping[str, str]) -> Any:
    """Without secrets and tokens, our ids and the PSP's reference by the names that scenarios have for them."""
    if isinstance(value, dict):
        return {
            scrubbed(name, hidden): SCRUBBED if name in TOKENS and part else scrubbed(part, hidden)
            for name, part in value.items()
        }
    if isinstance(value, list):
        return [scrubbed(one, hidden) for one in value]
    if isinstance(value, str):
        for text, name in hidden.items():
            value = value.replace(text, name)
    return value
