"""A function URL's events (payload format 2.0) as requests, and replies as Lambda takes them."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chalicelib.api.envelope import ALWAYS

_PATH_SHOWN = 500  # characters


@dataclass(frozen=True, slots=True)
class Request:
    """`path` is as it was sent, percent-encoding and all. `headers` have lower-case names; where one was sent several times,
    AWS has joined the values with commas. `body` is the exact bytes, `query` exactly what was sent."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    query: str = field(default="", repr=False)

    @property
    def shown_path(self) -> str:
        return self.path[:_PATH_SHOWN]


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


def request_of(event: Mapping[str, Any]) -> Request:
    """AWS sends a body that it takes for text as text, and any other as base64."""
    body = event.get("body") or ""
    return Request(
        str(event["requestContext"]["http"]["method"]),
        _sendable(event["rawPath"]),
        {name.lower(): _sendable(value) for name, value in (event.get("headers") or {}).items()},
        base64.b64decode(body) if event.get("isBase64Encoded") else body.encode("utf-8", "surrogatepass"),
        str(event.get("rawQueryString") or ""),
    )


def _sendable(text: str) -> str:
    """JSON can say half a character, which can neither be stored nor sent."""
    return text.encode("utf-8", "replace").decode()


def answer_of(reply: Reply, request_id: str, *, bodiless: bool) -> dict[str, Any]:
    """`bodiless` as an answer to HEAD is. The headers are those of every answer, and the reply's own."""
    return {
        "statusCode": reply.status,
        "headers": {**ALWAYS, **reply.headers, "X-Request-Id": request_id},
        "body": "" if bodiless else reply.body,
        "isBase64Encoded": False,
    }
