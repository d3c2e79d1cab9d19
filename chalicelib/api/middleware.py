"""Chalice's own error answers (405, 415, 500, …) as problem documents: a caller meets one kind of error only."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from chalice.app import Chalice, ChaliceUnhandledError, Response

from chalicelib.api import problem
from chalicelib.api.envelope import request_id_of
from chalicelib.wiring import Wiring

log = logging.getLogger("paymentserver.api")
_KNOWN: dict[int, tuple[str, str]] = {
    400: ("unreadable", "The request can not be read."),
    404: ("not-found", "There is no such address."),
    405: ("method-not-allowed", "The address does not take this method; the header Allow names those it takes."),
    415: ("unsupported-media-type", "The body's media type is not taken here; send application/json."),
    500: ("internal-error", "This is a fault of PaymentServer's. Its log has the details under this request id."),
}


def install(app: Chalice, lookup: Callable[[], Wiring]) -> None:
    """Adds the middleware. Answers that the operations gave pass untouched: theirs have an X-Request-Id already."""

    @app.middleware("http")
    def problems_of_chalice(event: Any, get_response: Callable[[Any], Response]) -> Response:
        try:
            response = get_response(event)
        except ChaliceUnhandledError:
            log.exception("unexpected error")
            response = Response(body=None, status_code=500)
        if "X-Request-Id" in response.headers:
            return response
        return _problem_of(response, event, lookup)


def _problem_of(response: Response, event: Any, lookup: Callable[[], Wiring]) -> Response:
    request_id = request_id_of(event.headers.get("x-request-id") if event is not None else None)
    headers = {**response.headers, "X-Request-Id": request_id}
    if response.status_code < 400:
        return Response(body=response.body, status_code=response.status_code, headers=headers)
    status = response.status_code if response.status_code in _KNOWN else (400 if response.status_code < 500 else 500)
    slug, detail = _KNOWN[status]
    body = problem.problem(
        slug,
        status,
        detail,
        public_url=_public_url(lookup),
        instance=(event.context.get("path") or event.path or "/") if event is not None else "/",
        request_id=request_id,
    )
    headers = {name: value for name, value in headers.items() if name.lower() != "content-type"}
    return Response(body=body.decode(), status_code=status, headers={**headers, "Content-Type": problem.CONTENT_TYPE})


def _public_url(lookup: Callable[[], Wiring]) -> str:
    """A server that can not be wired still has to say what is wrong; its links are then relative."""
    try:
        return lookup().ports.public_url
    except Exception:
        log.exception("the server can not be wired")
        return ""
