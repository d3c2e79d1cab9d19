"""The OpenAPI 3.1 document, made of the table of operations and of pydantic's own JSON Schemas (which are 3.1's dialect)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import lru_cache

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from chalicelib.api.descriptions import Described
from chalicelib.api.models import EventModel, PaymentProblemModel, ProblemModel
from chalicelib.api.openapi_answers import (
    HEADERS,
    problem_answer,
    problem_answer_name,
    problem_statuses,
    success_headers,
)
from chalicelib.api.openapi_examples import ANSWERS, PATH_VALUES, TEXTS
from chalicelib.api.operation import OPERATIONS, Operation
from chalicelib.contracts.query import QUERY_BYTES_MAX
from chalicelib.domain.payment import Json

_REF = "#/components/schemas/{model}"
_DESCRIPTION = (
    "One API for every Payment Service Provider. Money is an integer in minor units with its currency; times are RFC 3339 "
    "in UTC; errors are problem documents (RFC 9457). Repeating a call with its `Idempotency-Key` never moves money twice."
)
SCOPES = {
    "payments:read": "Read payments",
    "payments:write": "Open checkouts, capture and cancel",
    "refunds:write": "Refund",
    "config:read": "Read connections, routes, subscriptions, deliveries and the inbox",
    "config:write": "Change the configuration",
    "statistics:read": "Read statistics",
    "audit:read": "Read the audit log",
}
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "Unique to this call. The same key with the same body answers the same, and moves money once.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]([ -~]{0,253}[!-~])?$"},
    "example": "order-1001-checkout-1",
}
_IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": True,
    "description": "The `ETag` of the version you read.",
    "schema": {"type": "string", "pattern": '^"(0|[1-9][0-9]{0,8})"$'},
    "example": '"3"',
}
_REQUEST_ID = {
    "name": "X-Request-Id",
    "in": "header",
    "required": False,
    "description": "Your own name for the call; it comes back and stands in the log. One that is not 1 to 64 of "
    "`A-Za-z0-9._-` is replaced.",
    "schema": {"type": "string"},
    "example": "order-1001.try-2",
}
_ANY_QUERY = {
    "name": "parameters",
    "in": "query",
    "required": False,
    "description": f"What the PSP says or signs in its query, up to {QUERY_BYTES_MAX} characters; kept as it was sent.",
    "style": "form",
    "explode": True,
    "schema": {"type": "object", "additionalProperties": {"type": "string", "pattern": "^[ -~]*$"}},
}
# What no path may hold, anywhere: control characters.
_PATH_VALUE = {"type": "string", "minLength": 1, "pattern": r"^[^\u0000-\u001f\u007f]+$"}


@lru_cache(maxsize=4)
def document_bytes(public_url: str, issuer: str) -> bytes:
    """The document as it is served; all modules with operations must have been imported before the first call."""
    return json.dumps(document(OPERATIONS, public_url, issuer), ensure_ascii=False, separators=(",", ":")).encode()


def document(operations: Iterable[Operation], public_url: str, issuer: str) -> dict[str, Json]:
    documented = [operation for operation in operations if operation.documented]
    schemes = _security_schemes(issuer)
    paths: dict[str, dict[str, Json]] = {}
    for operation in documented:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation_object(operation, schemes)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "PaymentServer",
            "version": "1",
            "description": _DESCRIPTION,
            "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": public_url}],
        "tags": [{"name": tag} for tag in dict.fromkeys(operation.tag for operation in documented)],
        "paths": paths,
        "webhooks": {"event": _event_object()},
        "components": {
            "schemas": _schemas(documented),
            "responses": _problem_answers(documented, public_url),
            "headers": HEADERS,
            "securitySchemes": schemes,
        },
    }


def _security_schemes(issuer: str) -> dict[str, Json]:
    discovery = issuer.rstrip("/") + "/.well-known/openid-configuration"
    schemes: dict[str, Json] = {
        "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "An access token."}
    }
    if issuer:
        scopes = ", ".join(f"`{scope}`" for scope in SCOPES)
        schemes["oidc"] = {
            "type": "openIdConnect",
            "openIdConnectUrl": discovery,
            "description": f"Client credentials, or authorization code with PKCE. Scopes: {scopes}.",
        }
    return schemes


def _operation_object(operation: Operation, schemes: Iterable[str]) -> dict[str, Json]:
    shown: dict[str, Json] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": [operation.tag],
        "parameters": _parameters(operation),
        "responses": _responses(operation),
    }
    described = [operation.description] if operation.description else []
    if operation.scope is not None:
        described.append(f"Needs the scope `{operation.scope}`.")
        shown["security"] = [{scheme: [operation.scope]} for scheme in schemes]
    else:
        shown["security"] = []
    if described:
        shown["description"] = " ".join(described)
    if operation.body is not None:
        content: dict[str, Json] = {"schema": ref_of(operation.body)}
        if operation.example is not None:
            content["example"] = operation.example
        shown["requestBody"] = {"required": not operation.body_optional, "content": {"application/json": content}}
    elif operation.method == "POST" and operation.scope is None:  # a webhook: its PSP alone knows what it says
        content = {"schema": {}, "example": {"id": "evt_1", "type": "session.expired"}}
        shown["requestBody"] = {"required": False, "content": {"application/json": content}}
    return shown


def _parameters(operation: Operation) -> list[Json]:
    found: list[Json] = [
        {"name": name, "in": "path", "required": True, "schema": _PATH_VALUE, "example": PATH_VALUES[before]}
        for before, name in re.findall(r"/([^/]+)(?=/{(\w+)})", operation.path)
    ]
    if operation.query is not None:
        found += _query_parameters(operation.query)
    if operation.any_query:
        found.append(_ANY_QUERY)
    if operation.idempotency_key:
        found.append(_IDEMPOTENCY_KEY)
    if operation.if_match:
        found.append(_IF_MATCH)
    return [*found, _REQUEST_ID]


def _query_parameters(model: type[BaseModel]) -> list[Json]:
    schema = model.model_json_schema(schema_generator=Described)
    definitions = schema.get("$defs", {})
    required = schema.get("required", ())
    return [_query_parameter(name, one, name in required, definitions) for name, one in schema["properties"].items()]


def _query_parameter(name: str, schema: dict[str, Json], required: bool, definitions: dict[str, Json]) -> Json:
    """Null can not be said in a query, so it is taken out; what is left of an `anyOf` of two is plain."""
    schema = {key: value for key, value in schema.items() if key != "title" and value is not None}
    description = schema.pop("description", None)
    forms = [form for form in schema.pop("anyOf", ()) if form.get("type") != "null"]
    if len(forms) == 1:
        schema = {**forms[0], **schema}
    elif forms:
        schema["anyOf"] = forms
    if "$ref" in schema:
        schema = {**definitions[schema.pop("$ref").rsplit("/", 1)[1]], **schema}
    parameter = {"name": name, "in": "query", "required": required, "schema": schema}
    return {**parameter, "description": description} if description else parameter


def _responses(operation: Operation) -> dict[str, Json]:
    responses: dict[str, Json] = {}
    for status, model in operation.answers.items():
        answer: dict[str, Json] = {
            "description": operation.summary if status < 300 else "Go on elsewhere",
            "headers": success_headers(operation, status),
        }
        if model is not None:
            example = operation.answer_examples[status] if status in operation.answer_examples else ANSWERS[model]
            answer["content"] = {operation.media_type: {"schema": ref_of(model), "example": example}}
        elif status == 200:
            example = TEXTS[operation.media_type]
            answer["content"] = {operation.media_type: {"schema": {"type": "string"}, "example": example}}
        responses[str(status)] = answer
    for status in sorted(problem_statuses(operation) - operation.answers.keys()):
        responses[str(status)] = {"$ref": f"#/components/responses/{problem_answer_name(operation, status)}"}
    return responses


def _problem_answers(documented: Iterable[Operation], public_url: str) -> dict[str, Json]:
    return {
        problem_answer_name(operation, status): problem_answer(operation, status, public_url)
        for operation in documented
        for status in sorted(problem_statuses(operation) - operation.answers.keys())
    }


def _event_object() -> Json:
    """What a webhook subscription receives, signed as Standard Webhooks says."""
    named = ("webhook-id", "webhook-timestamp", "webhook-signature")
    return {
        "post": {
            "operationId": "receive_event",
            "summary": "An event, sent to the webhook subscriptions that want it",
            "tags": ["Subscriptions"],
            "security": [],
            "parameters": [
                {"name": name, "in": "header", "required": True, "schema": {"type": "string"}} for name in named
            ],
            "requestBody": {
                "required": True,
                "content": {"application/cloudevents+json": {"schema": ref_of(EventModel)}},
            },
            "responses": {"2XX": {"description": "The event was taken; any other answer has it sent again later."}},
        }
    }


def name_of(model_name: str) -> str:
    return model_name.removesuffix("Model")


def ref_of(model: type[BaseModel]) -> Json:
    return {"$ref": _REF.format(model=name_of(model.__name__))}


def _schemas(documented: list[Operation]) -> dict[str, Json]:
    models: dict[type[BaseModel], None] = {ProblemModel: None, PaymentProblemModel: None, EventModel: None}
    for operation in documented:
        models.update(dict.fromkeys(model for model in operation.answers.values() if model is not None))
        if operation.body is not None:
            models[operation.body] = None
    _, schema = models_json_schema(
        [(model, "validation") for model in models], ref_template=_REF, schema_generator=Described
    )
    shown = {name_of(name): _renamed(one) for name, one in schema["$defs"].items()}
    assert len(shown) == len(schema["$defs"]), "two models would have one name in the document"
    return dict(sorted(shown.items()))


def _renamed(schema: Json) -> Json:
    """Classes are called ConnectionModel, so that they are not confused with the domain's; the document says Connection."""
    if isinstance(schema, dict):
        return {
            key: _REF.format(model=name_of(value.rsplit("/", 1)[1])) if key == "$ref" else _renamed(value)
            for key, value in schema.items()
            if not (key == "title" and isinstance(value, str))
        }
    return [_renamed(one) for one in schema] if isinstance(schema, list) else schema
