"""The API's function: Chalice answers API Gateway's events; here are the limits, the log line and what every answer carries,
as the gateway has them outside of Lambda."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from chalicelib.api import problem
from chalicelib.api.application import BLUEPRINTS, add_operations, create_app
from chalicelib.api.envelope import ALWAYS, body_limit, check_single, request_id_of
from chalicelib.domain.errors import STATUS_OF, PaymentServerError, TooLarge
from chalicelib.functions.invocation import Context, invocation
from chalicelib.functions.wired import wired

# What a payment's way needs. Operators' operations are imported when the first of them is asked for, by few processes.
OF_PAYMENTS = ("checkouts", "payments", "payment_operations", "webhooks")
ANSWER_BYTES_MAX = 6_000_000  # Lambda's limit is 6 MB, with the headers
ESCAPED_MAX = 12  # bytes that a character may take in JSON
_app = create_app(wired, OF_PAYMENTS)


def start(handler: str) -> None:
    """Makes what a checkout needs."""
    for part in (wired().verifier, wired().checkout):
        assert part is not None
    wired().connect()


def handle(event: Mapping[str, Any], context: Context) -> dict[str, Any]:
    headers: dict[str, list[str]] = {}
    for name, values in (event.get("multiValueHeaders") or {}).items():
        headers.setdefault(name.lower(), []).extend(values)
    request_id = request_id_of(next(iter(headers.get("x-request-id", ())), None), context.aws_request_id)
    about = event["requestContext"]
    with invocation("api", context, request_id) as fields:
        fields.update(method=about["httpMethod"], route=f"{about['httpMethod']} {event['resource']}")
        try:
            fields["bytes_in"] = _checked(event, headers)
            if event["resource"] not in _app.routes:
                add_operations(_app, wired, BLUEPRINTS)
            told = {**event, "headers": {**(event.get("headers") or {}), "x-request-id": request_id}}
            answer: dict[str, Any] = _app(told, context)
            _check_fits(answer)
        except PaymentServerError as error:
            answer = _problem(error, event, request_id)
        fields.update(http_status=answer["statusCode"], bytes_out=len(answer.get("body") or ""))
        answer["headers"] = {**ALWAYS, **answer["headers"]}
        return answer


def _checked(event: Mapping[str, Any], headers: Mapping[str, list[str]]) -> int:
    """The length of the body in bytes. Raises TooLarge and Unreadable."""
    check_single(headers)
    text = event.get("body") or ""
    size = len(text) * 3 // 4 - text[-2:].count("=") if event.get("isBase64Encoded") else len(text.encode())
    limit = body_limit(event["resource"])
    if size > limit:
        raise TooLarge(f"The body is longer than {limit} bytes.")
    return size


def _check_fits(answer: Mapping[str, Any]) -> None:
    """Raises TooLarge for what Lambda would not give back, escaped as it will be: a list of other people's bytes may grow
    sevenfold, and API Gateway would call it a fault of ours."""
    body = answer.get("body") or ""
    if len(body) * ESCAPED_MAX <= ANSWER_BYTES_MAX:
        return
    size = len(json.dumps(body))
    if size > ANSWER_BYTES_MAX:
        raise TooLarge(
            f"The answer would take {size} bytes of {ANSWER_BYTES_MAX}; ask for fewer at once, with `limit`."
        )


def _problem(error: PaymentServerError, event: Mapping[str, Any], request_id: str) -> dict[str, Any]:
    status = STATUS_OF[type(error)]
    body = problem.problem(
        error.slug,
        status,
        error.detail,
        public_url=wired().settings.public_url.rstrip("/"),
        instance=event["path"],
        request_id=request_id,
    )
    headers = {"Content-Type": problem.CONTENT_TYPE, "X-Request-Id": request_id}
    return {"statusCode": status, "headers": headers, "multiValueHeaders": {}, "body": body.decode()}
