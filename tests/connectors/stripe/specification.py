"""Stripe's own specification, and whether it takes a request."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from chalicelib.connectors.stripe.tables import API_VERSION
from chalicelib.contracts.conversation import HttpRequest
from tests.conformance.connectors.openapi import specification
from tests.connectors.stripe.form import nested

SPEC = specification("stripe-current.json")
# Writing metadata is left out of the trimmed file; the creation has its field too.
UPDATE = re.compile("/v1/payment_intents/[^/]+")


def typed(value: Any, schema: dict[str, Any]) -> Any:
    """A form holds text alone: integers and booleans by the schema."""
    schema = SPEC.resolved(schema)
    if "anyOf" in schema:
        schema = next(
            (one for one in map(SPEC.resolved, schema["anyOf"]) if one.get("type") == _kind(value)), schema["anyOf"][0]
        )
    if isinstance(value, dict):
        known, other = schema.get("properties", {}), schema.get("additionalProperties")
        free = other if isinstance(other, dict) else {}
        return {name: typed(part, known.get(name, free)) for name, part in value.items()}
    if isinstance(value, list):
        return [typed(part, schema.get("items", {})) for part in value]
    if schema.get("type") == "integer":
        assert re.fullmatch(r"-?[0-9]+", value), value
        return int(value)
    return {"true": True, "false": False}[value] if schema.get("type") == "boolean" else value


def _kind(value: Any) -> str:
    return {dict: "object", list: "array"}.get(type(value), "string")


def check(request: HttpRequest) -> None:
    assert request.url.startswith("https://api.stripe.com/v1/")
    assert request.headers["Stripe-Version"] == API_VERSION == SPEC.document["info"]["version"]
    key = request.headers.get("Idempotency-Key")
    assert key is None or 0 < len(key) <= 255
    method, path = request.method, urlsplit(request.url).path
    updates = method == "POST" and UPDATE.fullmatch(path) is not None
    _, operation = SPEC.operation(method, path.rpartition("/")[0] if updates else path)
    known = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"}
    assert {name.removesuffix("[]") for name, _ in parse_qsl(urlsplit(request.url).query)} <= known
    if request.body is None:
        return
    form = parse_qsl(request.body.decode("ascii"), keep_blank_values=True, strict_parsing=bool(request.body))
    schema = operation["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"]
    body = typed(nested(form), schema)
    if updates:  # creating asks for an amount, which updating does not
        body = {"amount": 1, "currency": "eur", **body}
    errors = SPEC.wrong(schema, body)
    assert not errors, errors[0]
    for name, text in (body.get("metadata") or {}).items():
        assert 0 < len(name) <= 40
        assert not set("[]") & set(name)
        assert len(text) <= 500
