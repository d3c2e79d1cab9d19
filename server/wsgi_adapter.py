"""Between WSGI and API Gateway: a WSGI environ becomes a proxy event (version 1), Chalice's answer becomes a reply."""

from __future__ import annotations

import base64
import ipaddress
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from chalicelib.api.envelope import RAW_QUERY, check_single
from chalicelib.api.route_table import Match
from chalicelib.domain.errors import TooLarge, Unreadable

Environ = dict[str, Any]
RECEPTION = "paymentserver.reception"  # where a server that knows more than WSGI tells puts a Reception
_QUERY_FIELDS_LIMIT = 100
_READ_STEP_BYTES = 16_384
_CALL_BUDGET_MS = 29_000  # what API Gateway gives a call


@dataclass(frozen=True, slots=True)
class Reception:
    """What the server knows about the connection: the headers one by one in the client's order, with upper-case names;
    `received` is called once the body is in, `close` when the connection must not be used again."""

    headers: Sequence[tuple[str, str]]
    received: Callable[[], object]
    close: Callable[[], object]


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: list[tuple[str, str]]
    body: bytes


@dataclass(frozen=True, slots=True)
class Peer:
    """Who calls: the address that counts, and ``http`` or ``https`` as the caller used it."""

    address: str
    scheme: str


class Context:
    """What a handler may ask of its Lambda context."""

    function_name = "paymentserver"

    def __init__(self, request_id: str) -> None:
        self.aws_request_id = request_id
        self._ends = time.monotonic() + _CALL_BUDGET_MS / 1000

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._ends - time.monotonic()) * 1000))


def raw_path_of(environ: Environ) -> str:
    """The path as it was sent, percent-encoding and all, where the server tells; else made of the decoded one."""
    raw: str = environ.get("RAW_URI") or environ.get("REQUEST_URI") or ""
    if not raw:
        decoded: str = environ.get("PATH_INFO", "/")
        return "".join(one if "!" <= one <= "~" and one not in "%?#" else f"%{ord(one):02X}" for one in decoded)
    if not raw.startswith("/") and "://" in raw:  # the absolute form, as a proxy is asked
        raw = "/" + raw.split("://", 1)[1].partition("/")[2]
    return raw.partition("?")[0].partition("#")[0]


def raw_query_of(environ: Environ) -> str:
    """As it was sent, where the server tells: some take control characters out of the other."""
    raw: str = environ.get("RAW_URI") or environ.get("REQUEST_URI") or ""
    return raw.partition("#")[0].partition("?")[2] if raw else environ.get("QUERY_STRING", "")


def headers_of(environ: Environ) -> dict[str, list[str]]:
    """Every header with a lower-case name. Raises Unreadable where one that must be single is not."""
    found: dict[str, list[str]] = {}
    reception: Reception | None = environ.get(RECEPTION)
    if reception is not None:
        for name, value in reception.headers:
            found.setdefault(name.lower(), []).append(value)
    else:
        for name, value in environ.items():
            if name.startswith("HTTP_") or name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
                found[name.removeprefix("HTTP_").replace("_", "-").lower()] = [value]
    check_single(found)
    return found


def peer_of(environ: Environ, headers: Mapping[str, Sequence[str]], trusted_proxies: int) -> Peer:
    """Each trusted proxy adds one address to X-Forwarded-For, so only the last `trusted_proxies` of them count."""
    direct = Peer(environ.get("REMOTE_ADDR", ""), environ.get("wsgi.url_scheme", "http"))
    if not trusted_proxies:
        return direct
    hops = [one.strip() for one in ",".join(headers.get("x-forwarded-for", ())).split(",") if one.strip()]
    schemes = [one.strip().lower() for one in ",".join(headers.get("x-forwarded-proto", ())).split(",") if one.strip()]
    address = hops[-trusted_proxies] if len(hops) >= trusted_proxies else direct.address
    scheme = schemes[-min(trusted_proxies, len(schemes))] if schemes else direct.scheme
    try:
        ipaddress.ip_address(address)
    except ValueError:
        address = direct.address
    return Peer(address, scheme if scheme in ("http", "https") else direct.scheme)


def body_of(environ: Environ, limit_bytes: int) -> bytes:
    """Exactly the bytes that were sent. Raises TooLarge before reading what is declared too large, Unreadable for a
    body that ends early."""
    declared = environ.get("CONTENT_LENGTH") or ""
    if declared:
        if not (declared.isascii() and declared.isdigit()):
            raise Unreadable("The header Content-Length is not a number.")
        if len(declared) > 15 or int(declared) > limit_bytes:
            raise TooLarge(f"The body is longer than {limit_bytes} bytes.")
        body = _read(environ, int(declared))
        if len(body) < int(declared):
            raise Unreadable("The body is shorter than its Content-Length.")
        return body
    if "HTTP_TRANSFER_ENCODING" not in environ:
        return b""
    body = _read(environ, limit_bytes + 1)
    if len(body) > limit_bytes:
        raise TooLarge(f"The body is longer than {limit_bytes} bytes.")
    return body


def _read(environ: Environ, most: int) -> bytes:
    parts, left = [], most
    while left > 0:
        try:
            part: bytes = environ["wsgi.input"].read(min(left, _READ_STEP_BYTES))
        except Exception as error:  # each server has errors of its own for a broken chunk or a lost connection
            raise Unreadable("The body could not be read to its end.") from error
        if not part:
            break
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def query_of(environ: Environ) -> dict[str, list[str]] | None:
    """Each parameter's values in order; None without any, as API Gateway says it. Raises Unreadable."""
    raw = environ.get("QUERY_STRING", "")
    if not raw:
        return None
    try:
        pairs = parse_qsl(raw, keep_blank_values=True, errors="strict", max_num_fields=_QUERY_FIELDS_LIMIT)
    except ValueError:
        raise Unreadable("The query is not UTF-8 text or has too many parameters.") from None
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found or None


def event_of(
    match: Match,
    method: str,
    path: str,
    headers: Mapping[str, Sequence[str]],
    query: Mapping[str, list[str]] | None,
    body: bytes,
    peer: Peer,
    request_id: str,
    raw_query: str = "",
) -> dict[str, Any]:
    """The body is always base64, so that the app sees the exact bytes whatever they are."""
    every = {name: list(values) for name, values in headers.items() if name not in _FORWARDED}
    every["x-forwarded-for"] = [peer.address]
    every["x-forwarded-proto"] = [peer.scheme]
    every["x-request-id"] = [request_id]
    return {
        "resource": match.pattern,
        "path": path,
        "httpMethod": method,
        "headers": {name: values[-1] for name, values in every.items()},
        "multiValueHeaders": every,
        "queryStringParameters": query and {name: values[-1] for name, values in query.items()},
        "multiValueQueryStringParameters": query,
        "pathParameters": dict(match.params) or None,
        "stageVariables": None,
        "requestContext": {
            "resourcePath": match.pattern,
            "httpMethod": method,
            "path": path,
            "requestId": request_id,
            "identity": {"sourceIp": peer.address},
            RAW_QUERY: raw_query,
        },
        "body": base64.b64encode(body).decode("ascii") if body else None,
        "isBase64Encoded": bool(body),
    }


_FORWARDED = frozenset(
    {"forwarded", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "x-real-ip"}
)


def reply_of(answer: Mapping[str, Any]) -> Reply:
    """Chalice's answer as bytes. Raises ValueError for a header that can not be sent."""
    headers = [(name, str(value)) for name, value in (answer.get("headers") or {}).items()]
    for name, values in (answer.get("multiValueHeaders") or {}).items():
        headers += [(name, str(value)) for value in values]
    for name, value in headers:
        if not value.isprintable() or not value.isascii():
            raise ValueError(f"the header {name} holds characters that can not be sent")
    body = answer.get("body") or b""
    if answer.get("isBase64Encoded"):
        body = base64.b64decode(body)
    return Reply(int(answer["statusCode"]), headers, body.encode() if isinstance(body, str) else body)
