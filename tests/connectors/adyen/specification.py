"""Adyen's own specifications, read where they lie beside the checkout."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from jsonschema_rs import Draft202012Validator

from tests.conformance.connectors.specs import spec_file

CHECKOUT, WEBHOOKS, VECTORS = "adyen.json", "adyen-webhooks.json", "signature-vectors.json"


@cache
def specification(name: str) -> Any:
    return json.loads(spec_file(name))


@cache
def schema_of(name: str, reference: str) -> Draft202012Validator:
    """Of OpenAPI 3.1, whose schemas are JSON Schema; `reference` is that of a component. Formats count."""
    schema = {"$ref": reference, "components": specification(name)["components"]}
    return Draft202012Validator(schema, validate_formats=True)


def body_schema_of(name: str, operation: Any) -> Draft202012Validator:
    return schema_of(name, operation["content"]["application/json"]["schema"]["$ref"])
