"""Paystack's own OpenAPI file, and whether it takes a request."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from openapi_schema_validator import OAS30Validator

from chalicelib.contracts.conversation import HttpRequest
from tests.conformance.connectors.specs import spec_file

SPEC = json.loads(spec_file("paystack.json"))
SCHEMAS = SPEC["components"]["schemas"]
BASE = SPEC["servers"][0]["url"]
# What the file lacks: lists by transaction, which the API reference has, and the list of disputes, which was trimmed.
BESIDE = {"/refund": {"transaction"}}
DISPUTES = {"transaction", "perPage", "page"}
# Currencies that the plugins of Paystack take and the file does not list.
UNLISTED = {"XOF"}


def errors_of(schema: dict[str, Any], value: Any) -> list[str]:
    validator = OAS30Validator({**schema, "components": SPEC["components"]})
    return [f"{'/'.join(map(str, one.path))}: {one.message}" for one in validator.iter_errors(value)]


def data_schema(name: str) -> dict[str, Any]:
    """What an answer holds as its data."""
    found: dict[str, Any] = SCHEMAS[name]["properties"]["data"]
    return found


def check(request: HttpRequest) -> Any:
    """The request's body, which fits the file."""
    assert request.url.startswith(BASE + "/")
    assert re.fullmatch(r"Bearer sk_(test|live)_[a-z0-9]+", request.headers["Authorization"])
    parts = urlsplit(request.url)
    asked = {name for name, _ in parse_qsl(parts.query, strict_parsing=bool(parts.query))}
    if parts.path == "/dispute":
        assert (request.method, asked) == ("GET", DISPUTES)
        return None
    path, operation = _operation_for(request.method, parts.path)
    known = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"}
    assert asked <= known | BESIDE.get(path, set())
    if request.body is None:
        assert "requestBody" not in operation
        return None
    assert request.headers["Content-Type"] == "application/json"
    body = json.loads(request.body)
    listed = {**body, "currency": "NGN"} if body.get("currency") in UNLISTED else body
    schema = _resolved(operation["requestBody"]["content"]["application/json"]["schema"])
    assert set(body) <= set(schema["properties"])
    errors = errors_of(schema, listed)
    assert not errors, errors[0]
    return body


def _operation_for(method: str, path: str) -> tuple[str, dict[str, Any]]:
    for template, operations in SPEC["paths"].items():
        if re.fullmatch(re.sub(r"\{[a-z_]+\}", "[^/]+", template), path):
            return template, operations[method.lower()]
    raise AssertionError(f"{path} is in no specification")


def _resolved(schema: dict[str, Any]) -> dict[str, Any]:
    return SCHEMAS[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
