"""Paystack's own OpenAPI file, and whether it takes a request."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from chalicelib.contracts.conversation import HttpRequest
from tests.conformance.connectors.openapi import specification

SPEC = specification("paystack.json")
SCHEMAS = SPEC.schemas
# What the file lacks: lists by transaction, which the API reference has, and the list of disputes, which was trimmed.
BESIDE = {"/refund": {"transaction"}}
DISPUTES = {"transaction", "perPage", "page"}
# Currencies that the plugins of Paystack take and the file does not list.
UNLISTED = {"XOF"}


def data_schema(name: str) -> dict[str, Any]:
    """What an answer holds as its data."""
    found: dict[str, Any] = SCHEMAS[name]["properties"]["data"]
    return found


def check(request: HttpRequest) -> Any:
    """The request's body, which fits the file."""
    assert re.fullmatch(r"Bearer sk_(test|live)_[a-z0-9]+", request.headers["Authorization"])
    parts = urlsplit(request.url)
    asked = {name for name, _ in parse_qsl(parts.query, strict_parsing=bool(parts.query))}
    if parts.path == "/dispute":
        assert request.url.startswith(f"{SPEC.url}/")
        assert (request.method, asked) == ("GET", DISPUTES)
        return None
    _, body = SPEC.check(_as_listed(request))
    assert body is None or request.headers["Content-Type"] == "application/json"
    return body if body is None else json.loads(request.body or b"")


def _as_listed(request: HttpRequest) -> HttpRequest:
    """Without what the file lacks."""
    parts = urlsplit(request.url)
    beside = BESIDE.get(parts.path, set())
    query = urlencode([(name, text) for name, text in parse_qsl(parts.query) if name not in beside])
    body = json.loads(request.body) if request.body is not None else None
    if body is not None and body.get("currency") in UNLISTED:
        body["currency"] = "NGN"
    url = urlunsplit(parts._replace(query=query))
    return replace(request, url=url, body=None if body is None else json.dumps(body).encode())
