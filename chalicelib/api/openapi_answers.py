"""Which answers an operation can give besides its own, and what they look like, for the OpenAPI document."""

from __future__ import annotations

import json

from chalicelib.api import problem
from chalicelib.api.openapi_examples import PAYMENT_OF_PROBLEM
from chalicelib.api.operation import Operation
from chalicelib.domain.payment import Json

# The slug and the detail that stand for a status in the document.
_EXAMPLE_OF: dict[int, tuple[str, str]] = {
    400: ("unreadable", "The body is not JSON: Expecting value: line 1 column 1 (char 0)."),
    401: ("unauthenticated", "The access token has expired."),
    402: ("declined", "Every PSP that was asked declined the payment; the attempts say why."),
    403: ("forbidden", "The token lacks the scope payments:write."),
    404: ("not-found", "There is no such payment."),
    405: ("method-not-allowed", "This connection's PSP calls back by POST."),
    409: ("conflict", "The object's state forbids this."),
    412: ("precondition-failed", "The object is at version 4 by now."),
    413: ("too-large", "The body has 70000 bytes; 65536 are allowed."),
    414: ("too-large", "This is not a request that PaymentServer can read."),
    415: ("unsupported-media-type", "Send application/json."),
    422: ("invalid", "/amount/value: Input should be greater than or equal to 1"),
    428: ("precondition-required", "The header If-Match is missing: send the ETag of the version you read."),
    429: ("too-many-requests", "More unknown webhooks came than can be looked into; send it again later."),
    500: ("internal-error", "This is a fault of PaymentServer's. Its log has the details under this request id."),
    502: ("no-psp-answered", "No PSP could open a checkout; the attempts say why."),
    503: ("storage-fault", "The database did not answer."),
    507: ("storage-full", "The database is full."),
}
_CARRY_PAYMENT = (402, 502)
_OF_KEYS = (402, 409, 502)

HEADERS: dict[str, Json] = {
    "X-Request-Id": {"description": "Names this call in the log.", "schema": {"type": "string"}},
    "ETag": {"description": "The object's version, for `If-Match`.", "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds to wait before the same call again.", "schema": {"type": "string"}},
    "Idempotency-Replayed": {
        "description": "Present where the key was used before and this is the answer it got.",
        "schema": {"type": "string", "const": "true"},
    },
    "X-Next-Cursor": {"description": "For the rest; absent at the end.", "schema": {"type": "string"}},
    "Location": {"description": "Where to go on.", "schema": {"type": "string", "format": "uri-reference"}},
    "Allow": {"description": "The methods that this address takes.", "schema": {"type": "string"}},
    "WWW-Authenticate": {"description": "How to authenticate.", "schema": {"type": "string"}},
}


def problem_statuses(operation: Operation) -> set[int]:
    """The error statuses that follow from the operation's fields, and those it names itself."""
    found = {500, *operation.problems}
    if operation.scope is not None:
        found |= {401, 403, 503}
    if "{" in operation.path:
        found |= {400, 404, 414}
    if operation.body is not None:
        found |= {400, 413, 422}
    if operation.query is not None:
        found |= {400, 414, 422}
    if operation.idempotency_key:
        found |= {400, 409, 422}
    if operation.if_match:
        found |= {400, 409, 412, 428}
    if operation.method not in ("GET", "DELETE"):
        found.add(415)
    if operation.method != "GET" and operation.scope is not None:
        found |= {409, 507}
    return found


def success_headers(operation: Operation, status: int) -> dict[str, Json]:
    names = ["X-Request-Id"]
    if operation.idempotency_key:
        names.append("Idempotency-Replayed")
    if status == 202:
        names.append("Retry-After")
    if status == 303:
        names.append("Location")
    model = operation.answers[status]
    if model is None and operation.query is not None:  # a list that has no place for its cursor
        names.append("X-Next-Cursor")
    is_versioned = model is not None and {"version", "updated_at"} <= model.model_fields.keys()
    if is_versioned:
        names.append("ETag")
    return _refs(names)


def problem_answer_name(operation: Operation, status: int) -> str:
    """Calls with a key have headers of their own; everything else is one answer for all operations."""
    return f"Problem{status}" + ("WithKey" if operation.idempotency_key and status in _OF_KEYS else "")


def problem_answer(operation: Operation, status: int, public_url: str) -> Json:
    slug, detail = _EXAMPLE_OF[status]
    names = ["X-Request-Id"]
    if status in (401, 403):
        names.append("WWW-Authenticate")
    if status == 405:
        names.append("Allow")
    if status in (429, 503) or (status == 409 and operation.idempotency_key):
        names.append("Retry-After")
    if status in _CARRY_PAYMENT and operation.idempotency_key:
        names.append("Idempotency-Replayed")
    return {
        "description": problem.TITLE_OF[slug],
        "headers": _refs(names),
        "content": {problem.CONTENT_TYPE: _content(status, slug, detail, public_url)},
    }


def _content(status: int, slug: str, detail: str, public_url: str) -> Json:
    members: dict[str, Json] = {}
    if status in _CARRY_PAYMENT:
        members = {"payment": PAYMENT_OF_PROBLEM[status]}
    elif status == 422:
        members = {"errors": [{"pointer": "/amount/value", "detail": detail.partition(": ")[2]}]}
    name = "PaymentProblem" if status in _CARRY_PAYMENT else "Problem"
    example = problem.problem(
        slug, status, detail, public_url=public_url, instance="/v1/…", request_id="req_5d1c0e9f7a2b", **members
    )
    return {"schema": {"$ref": f"#/components/schemas/{name}"}, "example": json.loads(example)}


def _refs(names: list[str]) -> dict[str, Json]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
