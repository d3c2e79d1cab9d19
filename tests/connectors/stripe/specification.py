"""Stripe's own specification, and whether it takes a request."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from openapi_schema_validator import OAS30Validator

from chalicelib.connectors.stripe.tables import API_VERSION
from chalicelib.contracts.conversation import HttpRequest
from tests.conformance.connectors.specs import spec_file
from tests.connectors.stripe.form import nested

SPEC = json.loads(spec_file("stripe-current.json"))
SCHEMAS = SPEC["components"]["schemas"]
UPDATE = (
    "/v1/payment_intents/{intent}"  # writing metadata: left out of the trimmed file, whose field the creation has too
)


def typed(value: Any, schema: dict[str, Any]) -> Any:
    """A form holds text alone: integers and booleans by the schema."""
    schema = _resolved(schema)
    if "anyOf" in schema:
        schema = next(
            (one for one in map(_resolved, schema["anyOf"]) if one.get("type") == _kind(value)), schema["anyOf"][0]
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


def _resolved(schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        found: Any = SPEC
        for part in schema["$ref"][2:].split("/"):
            found = found[part]
        schema = found
    return schema


def operation_for(request: HttpRequest) -> tuple[str, dict[str, Any]]:
    path = urlsplit(request.url).path
    for template, operations in SPEC["paths"].items():
        if re.fullmatch(re.sub(r"\{[a-z_]+\}", "[^/]+", template), path):
            if template == UPDATE and request.method == "POST":
                return template, SPEC["paths"]["/v1/payment_intents"]["post"]
            return template, operations[request.method.lower()]
    raise AssertionError(f"{path} is in no specification")


def check(request: HttpRequest) -> None:
    assert request.url.startswith("https://api.stripe.com/v1/")
    assert request.headers["Stripe-Version"] == API_VERSION == SPEC["info"]["version"]
    key = request.headers.get("Idempotency-Key")
    assert key is None or 0 < len(key) <= 255
    template, operation = operation_for(request)
    known = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"}
    assert {name.removesuffix("[]") for name, _ in parse_qsl(urlsplit(request.url).query)} <= known
    if request.body is None:
        return
    form = parse_qsl(request.body.decode("ascii"), keep_blank_values=True, strict_parsing=bool(request.body))
    schema = operation["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"]
    body = typed(nested(form), schema)
    if template == UPDATE:  # creating asks for an amount, which updating does not
        body = {"amount": 1, "currency": "eur", **body}
    errors = [
        f"{'/'.join(map(str, one.path))}: {one.message}"
        for one in OAS30Validator({**schema, "components": SPEC["components"]}).iter_errors(body)
    ]
    assert not errors, errors[0]
    for name, text in (body.get("metadata") or {}).items():
        assert 0 < len(name) <= 40
        assert not set("[]") & set(name)
        assert len(text) <= 500
