"""The gateway: serves the Chalice app over WSGI, as API Gateway does in the cloud, with limits and our own answers.

What never reaches the app is answered here as a problem document: an unknown path, a wrong method, a body that is too
large or broken. What the app can not answer itself becomes one too; no stack trace ever leaves.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol

from chalicelib import telemetry
from chalicelib.api import problem
from chalicelib.api.envelope import ALWAYS, BODY_LIMIT_BYTES, WEBHOOK_LIMIT_BYTES, WEBHOOKS, request_id_of
from chalicelib.api.route_table import Match, RouteTable
from chalicelib.domain.errors import STATUS_OF, NotFound, PaymentServerError, TooLarge, Unreadable
from chalicelib.telemetry.metrics import NONE, OTHER
from server.wsgi_adapter import (
    RECEPTION,
    Context,
    Environ,
    Reception,
    Reply,
    body_of,
    event_of,
    headers_of,
    peer_of,
    query_of,
    raw_path_of,
    raw_query_of,
    reply_of,
)

log = logging.getLogger("paymentserver.gateway")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SLUG_OF = {404: "not-found", 405: "method-not-allowed", 413: "too-large"}
_INTERNAL = "This is a fault of PaymentServer's. Its log has the details under this request id."

StartResponse = Callable[..., Any]
WSGIApplication = Callable[[Environ, StartResponse], Iterable[bytes]]


class App(Protocol):
    """A Chalice app whose `current_request` is per thread."""

    routes: dict[str, dict[str, Any]]

    def __call__(self, event: Any, context: Any) -> Mapping[str, Any]: ...


def gateway(
    app: App,
    *,
    public_url: str,
    body_limit_bytes: int = BODY_LIMIT_BYTES,
    webhook_limit_bytes: int = WEBHOOK_LIMIT_BYTES,
    trusted_proxies: int = 0,
) -> WSGIApplication:
    """The app as a WSGI application. `trusted_proxies` is how many reverse proxies stand in front: X-Forwarded-For and
    X-Forwarded-Proto are believed that far. The app's routes are read once, here."""
    return _Gateway(app, public_url.rstrip("/"), body_limit_bytes, webhook_limit_bytes, trusted_proxies)


@dataclass(slots=True)
class _Seen:
    """What the log line and the metrics tell about a request: patterns and sizes, never its path or values."""

    request_id: str
    path: str
    method: str
    route: str = NONE
    bytes_in: int = 0


class _Gateway:
    def __init__(self, app: App, public_url: str, body_limit: int, webhook_limit: int, trusted_proxies: int) -> None:
        self._app, self._public_url, self._trusted_proxies = app, public_url, trusted_proxies
        self._body_limit, self._webhook_limit = body_limit, webhook_limit
        self._routes = RouteTable(app.routes)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        started = time.perf_counter()
        method = environ.get("REQUEST_METHOD", "")
        request_id = request_id_of(environ.get("HTTP_X_REQUEST_ID"))
        seen = _Seen(request_id, raw_path_of(environ), method if method in _METHODS else OTHER)
        with telemetry.bind(request_id=seen.request_id):
            reply = self._answer(environ, seen)
            seconds = time.perf_counter() - started
            _tell(seen, reply, seconds)
        headers = _completed(reply, seen.request_id)
        start_response(_status_line(reply.status), headers)
        return [reply.body] if reply.body and method != "HEAD" and not _bodiless(reply.status) else []

    def _answer(self, environ: Environ, seen: _Seen) -> Reply:
        try:
            reply = self._serve(environ, seen)
        except PaymentServerError as error:
            if isinstance(error, TooLarge | Unreadable):
                _close(environ)  # the rest of the body is not read: the connection can not be used again
            return self._problem(seen, error.slug, STATUS_OF[type(error)], error.detail)
        except Exception:
            log.exception("unexpected error in the gateway")
            return self._problem(seen, "internal-error", 500, _INTERNAL)
        if reply.status < 400 or _header(reply, "content-type").startswith(problem.CONTENT_TYPE):
            return reply
        return self._mended(seen, reply)

    def _serve(self, environ: Environ, seen: _Seen) -> Reply:
        match = self._routes.match(seen.path)
        if match is None:
            raise NotFound("No operation has this path.")
        method = environ["REQUEST_METHOD"]
        if method == "HEAD" and _has_head(match):
            method = "GET"
        if method not in match.methods:
            return self._without_operation(match, seen)
        seen.route = f"{method} {match.pattern}"
        headers = headers_of(environ)
        query = query_of(environ)
        limit = self._webhook_limit if match.pattern.startswith(WEBHOOKS) else self._body_limit
        body = body_of(environ, limit)
        reception: Reception | None = environ.get(RECEPTION)
        if reception is not None:
            reception.received()
        seen.bytes_in = len(body)
        peer = peer_of(environ, headers, self._trusted_proxies)
        event = event_of(match, method, seen.path, headers, query, body, peer, seen.request_id, raw_query_of(environ))
        return reply_of(self._app(event, Context(seen.request_id)))

    def _without_operation(self, match: Match, seen: _Seen) -> Reply:
        """The path exists, the method does not. OPTIONS says what does."""
        also = {"OPTIONS", *(("HEAD",) if _has_head(match) else ())}
        allow = ("Allow", ", ".join(sorted(match.methods | also)))
        seen.route = f"{'OPTIONS' if seen.method == 'OPTIONS' else OTHER} {match.pattern}"
        if seen.method == "OPTIONS":
            return Reply(204, [allow], b"")
        return self._problem(seen, "method-not-allowed", 405, f"This path takes {allow[1]}.", [allow])

    def _mended(self, seen: _Seen, reply: Reply) -> Reply:
        """Chalice's own errors in our shape; with its debug mode on they would even show a stack trace."""
        if reply.status == 500:
            return self._problem(seen, "internal-error", 500, _INTERNAL)
        try:
            told = json.loads(reply.body)
        except ValueError:
            return reply
        if not isinstance(told, dict) or told.keys() != {"Code", "Message"}:
            return reply
        slug = _SLUG_OF.get(reply.status, "unreadable" if reply.status < 500 else "internal-error")
        detail = HTTPStatus(reply.status).phrase + "."
        return self._problem(seen, slug, reply.status, detail)

    def _problem(
        self, seen: _Seen, slug: str, status: int, detail: str, headers: list[tuple[str, str]] | None = None
    ) -> Reply:
        body = problem.problem(
            slug, status, detail, public_url=self._public_url, instance=seen.path[:500], request_id=seen.request_id
        )
        return Reply(status, [("Content-Type", problem.CONTENT_TYPE), *(headers or [])], body)


def _has_head(match: Match) -> bool:
    """HEAD is GET without its body; but what calls back by GET tells something, and HEAD tells nothing."""
    return "GET" in match.methods and not match.pattern.startswith(WEBHOOKS)


def _close(environ: Environ) -> None:
    reception: Reception | None = environ.get(RECEPTION)
    if reception is not None:
        reception.close()


def _tell(seen: _Seen, reply: Reply, seconds: float) -> None:
    telemetry.count("http_requests_total", operation=seen.route, status=reply.status)
    telemetry.observe("http_request_seconds", seconds, operation=seen.route)
    fields = {
        "method": seen.method,
        "route": seen.route,
        "http_status": reply.status,
        "duration_ms": round(seconds * 1000, 2),
        "bytes_in": seen.bytes_in,
        "bytes_out": len(reply.body),
    }
    log.info("request", extra={"fields": fields})


def _completed(reply: Reply, request_id: str) -> list[tuple[str, str]]:
    own = {"x-request-id", "content-length", *(("content-type",) if _bodiless(reply.status) else ())}
    headers = [(name, value) for name, value in reply.headers if name.lower() not in own]
    present = {name.lower() for name, _ in headers}
    headers += [(name, value) for name, value in ALWAYS.items() if name.lower() not in present]
    headers.append(("X-Request-Id", request_id))
    if not _bodiless(reply.status):
        headers.append(("Content-Length", str(len(reply.body))))
    return headers


def _header(reply: Reply, name: str) -> str:
    return next((value for key, value in reply.headers if key.lower() == name), "")


def _bodiless(status: int) -> bool:
    return status < 200 or status in (204, 304)


def _status_line(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"{status} Status"
