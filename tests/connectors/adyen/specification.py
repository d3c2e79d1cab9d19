"""Adyen's own specifications, and whether they take a request."""

from __future__ import annotations

from typing import Any

from chalicelib.contracts.conversation import HttpRequest
from tests.conformance.connectors.openapi import Specification, specification


def checkout() -> Specification:
    return specification("adyen.json")


def webhooks() -> Specification:
    return specification("adyen-webhooks.json")


def check(request: HttpRequest) -> tuple[str, Any]:
    """The template of its path and its body."""
    spec = checkout()
    assert len(request.headers.get("Idempotency-Key", "")) <= 64
    assert spec.document["components"]["securitySchemes"]["ApiKeyAuth"]["name"] in request.headers
    return spec.check(request)
