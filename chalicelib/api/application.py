"""The Chalice app, made of the table of operations: token, scope, body and errors are handled here, once for all."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any
from urllib.parse import unquote, urlencode

from chalice.app import MultiDict, Response
from pydantic import ValidationError

from chalicelib import telemetry
from chalicelib.api import middleware, problem
from chalicelib.api.body import ERRORS_SHOWN, invalid_of, json_of, parsed
from chalicelib.api.card_numbers import refuse_card_numbers
from chalicelib.api.envelope import RAW_QUERY, request_id_of
from chalicelib.api.operation import OPERATIONS, Answer, Call, Operation
from chalicelib.api.threadlocal import ThreadSafeChalice
from chalicelib.contracts.validation import pointer_of
from chalicelib.domain.errors import (
    STATUS_OF,
    Invalid,
    PaymentServerError,
    Pointer,
    PreconditionRequired,
    Unreadable,
)
from chalicelib.wiring import Wiring, wiring

log = logging.getLogger("paymentserver.api")
_ETAG = re.compile(r'"(0|[1-9][0-9]{0,8})"')
_KEY = re.compile(r"[\x21-\x7e]([\x20-\x7e]{0,253}[\x21-\x7e])?")
# What bodies may call themselves. They are read as JSON all the same; only a PSP's webhook may be anything.
CONTENT_TYPES = [
    "application/json",
    "application/x-www-form-urlencoded",
    "application/octet-stream",
    "application/hal+json",
    "application/cloudevents+json",
    "application/xml",
    "text/plain",
    "text/xml",
]
_BINARY = ["image/png", "application/octet-stream"]


# Modules that fill the table of operations, in the order of the OpenAPI document.
BLUEPRINTS = (
    "audit",
    "catalogue",
    "checkouts",
    "connection_health",
    "connection_webhook",
    "connections",
    "deliveries",
    "experiments",
    "exports",
    "inbox",
    "meta",
    "payments",
    "payment_operations",
    "routes",
    "simulations",
    "statistics",
    "subscriptions",
    "webhooks",
)


def create_app(lookup: Callable[[], Wiring] = wiring, blueprints: Iterable[str] = BLUEPRINTS) -> ThreadSafeChalice:
    """`lookup` gives the wiring at the first request, so that importing needs no setting, no secret and no network."""
    app = ThreadSafeChalice(app_name="paymentserver")
    app.api.binary_types = [*app.api.binary_types, *_BINARY]
    add_operations(app, lookup, blueprints)
    middleware.install(app, lookup)
    return app


def add_operations(app: ThreadSafeChalice, lookup: Callable[[], Wiring], blueprints: Iterable[str]) -> None:
    """Those that the app has not yet."""
    for name in blueprints:
        import_module(f"chalicelib.api.{name}")
    for operation in OPERATIONS:
        if operation.method not in app.routes.get(operation.path, {}):
            _register(app, operation, lookup)


def build_models() -> None:
    """Now, while there is one thread; else each model of a request is built by the first that needs it."""
    for operation in OPERATIONS:
        for model in (operation.body, operation.query):
            if model is not None:
                model.model_rebuild()


def _register(app: ThreadSafeChalice, operation: Operation, lookup: Callable[[], Wiring]) -> None:
    def view(**params: str) -> Response:
        return _respond(app, operation, lookup, params)

    view.__name__ = operation.name
    types = ["*/*"] if operation.method in ("GET", "DELETE") else CONTENT_TYPES
    app.route(operation.path, methods=[operation.method], name=operation.name, content_types=types)(view)


def _respond(
    app: ThreadSafeChalice, operation: Operation, lookup: Callable[[], Wiring], params: Mapping[str, str]
) -> Response:
    request = app.current_request
    assert request is not None, "Chalice sets the request before it calls a view"
    headers = {str(name).lower(): str(value) for name, value in request.headers.items()}
    request_id = request_id_of(headers.get("x-request-id"))
    path = request.context.get("path") or operation.path
    with telemetry.bind(request_id=request_id, operation=operation.name):
        wired: Wiring | None = None
        try:
            wired = lookup()
            call = _checked(operation, wired, request, headers, params, request_id, path)
            answer = operation.handler(call)
        except PaymentServerError as error:
            answer = problem_answer(operation, error, wired.ports.public_url if wired else "", path, request_id)
        except Exception:
            log.exception("unexpected error")
            answer = _internal_error(wired.ports.public_url if wired else "", path, request_id)
        return _response(answer, request_id)


def _checked(
    operation: Operation,
    wired: Wiring,
    request: Any,
    headers: Mapping[str, str],
    params: Mapping[str, str],
    request_id: str,
    path: str,
) -> Call:
    """The order is the one a caller would want: who are you, may you, can it be read, does it make sense."""
    caller = None
    if operation.scope is not None:
        caller = wired.verifier.verify(headers.get("authorization"))
        telemetry.note(merchant_id=caller.merchant_id)
        caller.require(operation.scope)
    raw = request.raw_body or (b"{}" if operation.body_optional else b"")
    key = _idempotency_key(headers) if operation.idempotency_key else None
    if_match = _if_match(headers) if operation.if_match else None
    document = body = query = None
    if operation.body is not None:
        document = json_of(raw)
        if operation.refuses_card_numbers:  # before the schema, whose errors name fields by what the caller called them
            refuse_card_numbers(document)
        body = parsed(operation.body, raw)
    if operation.query is not None:
        query = _query_of(operation, request.query_params)
    params = {name: unquote(value) for name, value in params.items()}
    raw_query = _raw_query_of(request) if operation.any_query else ""
    return Call(wired, request_id, path, params, headers, raw, document, body, query, caller, key, if_match, raw_query)


def _raw_query_of(request: Any) -> str:
    """As it was sent where the server tells, which API Gateway does not: then each parameter is written anew."""
    told: str | None = request.context.get(RAW_QUERY)
    if told is not None:
        return told
    given: MultiDict | None = request.query_params
    return urlencode([(name, value) for name in given or () for value in given.getlist(name)])  # type: ignore[union-attr]


def _idempotency_key(headers: Mapping[str, str]) -> str:
    key = headers.get("idempotency-key")
    if key is None:
        raise Unreadable(
            "The header Idempotency-Key is missing: send a value that is unique to this call, up to 255 long."
        )
    if len(key) > 255 or not _KEY.fullmatch(key):
        raise Unreadable("The header Idempotency-Key must be 1 to 255 printable ASCII characters.")
    return key


def _if_match(headers: Mapping[str, str]) -> int:
    value = headers.get("if-match")
    if value is None:
        raise PreconditionRequired("The header If-Match is missing: send the ETag of the version you read.")
    match = _ETAG.fullmatch(value.strip())
    if match is None:
        raise Unreadable('The header If-Match must be one strong ETag such as "3".')
    return int(match[1])


def _query_of(operation: Operation, given: MultiDict | None) -> Any:
    assert operation.query is not None
    twice = tuple(
        Pointer("/query" + pointer_of((name,)), "stands more than once")
        for name in given or ()
        if len(given.getlist(name)) > 1  # type: ignore[union-attr]
    )
    if twice:
        raise Invalid(f"{twice[0].pointer}: {twice[0].detail}", twice[:ERRORS_SHOWN])
    try:
        return operation.query.model_validate_strings(dict(given or {}))
    except ValidationError as error:
        raise invalid_of(error, at="/query") from None


def problem_answer(
    operation: Operation, error: PaymentServerError, public_url: str, path: str, request_id: str
) -> Answer:
    """What a fault says of this machine's files is for operators: others are told where to find it."""
    status, detail = STATUS_OF[type(error)], error.detail
    if status >= 500:
        log.error("fault", extra={"fields": {"error": type(error).__name__, "detail": error.detail}})
        if not (operation.scope or "").startswith("config:"):
            detail = f"{problem.TITLE_OF[error.slug]}. The log has the details under this request id."
    body = problem.problem(
        error.slug,
        status,
        detail,
        public_url=public_url,
        instance=path,
        request_id=request_id,
        **problem.members_of(error),
    )
    return Answer(status, body, problem.headers_of(error), problem.CONTENT_TYPE)


def _internal_error(public_url: str, path: str, request_id: str) -> Answer:
    detail = "This is a fault of PaymentServer's. Its log has the details under this request id."
    body = problem.problem("internal-error", 500, detail, public_url=public_url, instance=path, request_id=request_id)
    return Answer(500, body, {}, problem.CONTENT_TYPE)


def _response(answer: Answer, request_id: str) -> Response:
    body = answer.body
    if body is None:
        body = ""
    elif not isinstance(body, (bytes, str)):
        body = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    if isinstance(body, bytes) and answer.content_type not in _BINARY:
        body = body.decode()
    headers: dict[str, str | list[str]] = {"Content-Type": answer.content_type, "X-Request-Id": request_id}
    headers.update(answer.headers)
    return Response(body=body, status_code=answer.status, headers=headers)
