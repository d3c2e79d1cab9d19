"""Paytrail's own OpenAPI file, and whether it takes a request."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from chalicelib.contracts.conversation import HttpRequest
from tests.conformance.connectors.openapi import specification

SPEC = specification("paytrail.json")
SCHEMAS = SPEC.schemas


def check(request: HttpRequest) -> dict[str, Any]:
    """Its body, once its headers too are those of the operation."""
    template, body = SPEC.check(request)
    known = {one["name"] for one in SPEC.document["paths"][template][request.method.lower()]["parameters"]}
    assert set(request.headers) - {"Content-Type"} <= known
    assert {name for name in known if name.startswith("checkout-")} <= set(request.headers)
    assert request.headers["checkout-method"] == request.method
    asked = urlsplit(request.url).path.split("/")[2] if "{transactionId}" in template else None
    assert asked == request.headers.get("checkout-transaction-id")
    return body or {}


def wrong_in(schema: str, value: Any) -> list[str]:
    """What it has against one of its objects. Its lists of what is required name fields that it has not (`transctionId`,
    `paymentMethods`), so they are left out."""
    known = SCHEMAS[schema]
    unknown = [f"{name} is no field" for name in set(value) - set(known["properties"]) - {"reference"}]
    return [*unknown, *SPEC.wrong({**known, "required": []}, value)]
