"""The function that the Internet reaches by its URL: PSPs' webhooks and shoppers' returns, and nothing else.

It answers as the gateway does, and needs no database: `services/intake.py` and `services/returns.py` say why.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from chalicelib.api import problem
from chalicelib.api.envelope import WEBHOOK_LIMIT_BYTES, request_id_of
from chalicelib.api.route_table import Match, RouteTable
from chalicelib.domain.errors import STATUS_OF, NotFound, PaymentServerError, TooLarge
from chalicelib.functions.http import Reply, Request, answer_of, request_of
from chalicelib.functions.invocation import Context, invocation
from chalicelib.functions.wired import wired
from chalicelib.telemetry.metrics import NONE, OTHER

log = logging.getLogger("paymentserver.functions")
WEBHOOK, RETURN = "/webhooks/{merchant_id}/{connection_id}", "/returns/{token}"
_ROUTES = RouteTable({WEBHOOK: ("GET", "POST"), RETURN: ("GET", "HEAD")})
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_INTERNAL = "This is a fault of PaymentServer's. Its log has the details under this request id."


def start(handler: str) -> None:
    """Makes what the first webhook needs."""
    assert wired().intake is not None
    wired().connect()


def handle(event: Mapping[str, Any], context: Context) -> dict[str, Any]:
    request = request_of(event)
    request_id = request_id_of(request.headers.get("x-request-id"), context.aws_request_id)
    with invocation("webhooks", context, request_id) as fields:
        fields.update(method=request.method if request.method in _METHODS else OTHER, route=NONE)
        fields["bytes_in"] = len(request.body)
        reply = _reply(request, request_id, fields)
        fields.update(http_status=reply.status, bytes_out=len(reply.body))
        return answer_of(reply, request_id, bodiless=request.method == "HEAD")


def _reply(request: Request, request_id: str, fields: dict[str, Any]) -> Reply:
    try:
        return _served(request, request_id, fields)
    except PaymentServerError as error:
        status, detail = STATUS_OF[type(error)], error.detail
        if status >= 500:  # what it says is for operators
            log.error("fault", extra={"fields": {"error": type(error).__name__, "detail": detail}})
            detail = f"{problem.TITLE_OF[error.slug]}. The log has the details under this request id."
        return _problem(request, request_id, error.slug, status, detail, problem.headers_of(error))
    except Exception:
        log.exception("unexpected error")
        return _problem(request, request_id, "internal-error", 500, _INTERNAL, {})


def _served(request: Request, request_id: str, fields: dict[str, Any]) -> Reply:
    match = _ROUTES.match(request.path)
    if match is None:
        raise NotFound("No operation has this path.")
    if request.method not in match.methods:
        return _without_operation(request, request_id, match, fields)
    fields["route"] = f"{request.method} {match.pattern}"
    params = {name: unquote(value) for name, value in match.params.items()}
    if match.pattern == RETURN:
        return Reply(303, "", {"Location": wired().returns.come_back(params["token"])})
    if len(request.body) > WEBHOOK_LIMIT_BYTES:
        raise TooLarge(f"The body is longer than {WEBHOOK_LIMIT_BYTES} bytes.")
    told = wired().intake.take(
        params["merchant_id"],
        params["connection_id"],
        request.headers,
        request.body,
        method=request.method,
        query=request.query,
    )
    return Reply(told.status, told.body, {"Content-Type": told.content_type})


def _without_operation(request: Request, request_id: str, match: Match, fields: dict[str, Any]) -> Reply:
    """The path exists, the method does not. OPTIONS says what does."""
    allow = ", ".join(sorted(match.methods | {"OPTIONS"}))
    options = request.method == "OPTIONS"
    fields["route"] = f"{'OPTIONS' if options else OTHER} {match.pattern}"
    if options:
        return Reply(204, "", {"Allow": allow})
    return _problem(request, request_id, "method-not-allowed", 405, f"This path takes {allow}.", {"Allow": allow})


def _problem(
    request: Request, request_id: str, slug: str, status: int, detail: str, headers: Mapping[str, str]
) -> Reply:
    public_url = wired().settings.public_url.rstrip("/")
    document = problem.problem(
        slug, status, detail, public_url=public_url, instance=request.shown_path, request_id=request_id
    )
    return Reply(status, document.decode(), {**headers, "Content-Type": problem.CONTENT_TYPE})
