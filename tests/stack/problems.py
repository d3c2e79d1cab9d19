"""What every problem document must be, whoever answers it."""

from __future__ import annotations

from functools import cache
from typing import Any

import requests

from tests.stack.running import Stack, send


@cache
def _status_of_page(url: str) -> int:
    return send("GET", url).status_code


def problem_of(stack: Stack, answer: requests.Response, status: int, slug: str | None = None) -> dict[str, Any]:
    """The document, once it is proven to be a good one whose `type` can be read up."""
    assert answer.status_code == status, f"{answer.status_code} {answer.text[:500]}"
    assert answer.headers["Content-Type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert {"type", "title", "status", "detail", "instance", "request_id"} <= document.keys()
    assert document["status"] == status
    assert document["request_id"] == answer.headers["X-Request-Id"]
    assert document["detail"].strip()
    assert "Traceback" not in answer.text
    assert document["type"].startswith(f"{stack.api}/problems/")
    if slug is not None:
        assert document["type"].endswith(f"/problems/{slug}")
    assert _status_of_page(document["type"]) == 200, document["type"]
    return document
