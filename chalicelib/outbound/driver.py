"""The one HTTP driver for connectors: runs conversations, keeps time budgets, and decides what is certain.

`NotSent` is a connection that never came about, and nothing else. Every other failure of a call that moves money is
`OutcomeUnknown`: a time-out, a reset, a 5xx answer, one that can not be read. (requests wraps a refused connection in a
ConnectionError whose reason is urllib3's NewConnectionError; a reset after connecting looks alike, but is not.)
"""

from __future__ import annotations

import itertools
import os
import re
import threading
import time
from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import InvalidHeader
from requests.hooks import default_hooks
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import HTTPError, NewConnectionError

from chalicelib.contracts.connector import (
    CallFailed,
    Conversation,
    HttpRequest,
    HttpResponse,
    NotSent,
    OutcomeUnknown,
    ReadFailed,
)
from chalicelib.domain.errors import PaymentServerError

T = TypeVar("T")
CALL_TIMEOUT_S = 8.0
IDLE_MAX_S = 20.0
ANSWER_BYTES_MAX = 1_048_576
CALLS_MAX = 10  # in one conversation
_HEADER = re.compile(r"[\t\x20-\x7e\x80-\xff]*")

Observer = Callable[[HttpRequest, str, float], None]  # request, certainty or status, seconds


def not_sent(error: Exception) -> bool:
    """Whether `error` proves that no byte of the request left."""
    if isinstance(error, requests.ConnectTimeout):
        return True
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    return isinstance(error, requests.ConnectionError) and isinstance(reason, NewConnectionError)


class Deadline:
    """A budget of seconds for a conversation or several."""

    def __init__(self, budget_s: float) -> None:
        self._ends = time.monotonic() + budget_s

    def left_s(self) -> float:
        return self._ends - time.monotonic()


class Driver:
    """Thread-safe; each thread keeps connections of its own, dropped after 20 s idle and after a fork."""

    def __init__(self, *, call_timeout_s: float = CALL_TIMEOUT_S, observe: Observer | None = None) -> None:
        self._call_timeout_s = call_timeout_s
        self._observe = observe
        self._local = threading.local()

    def converse(self, conversation: Conversation[T], deadline: Deadline, *, fresh: bool = False) -> T:
        """Runs `conversation` to its result. `fresh` makes new connections.

        Raises NotSent, OutcomeUnknown, ReadFailed, and the project's own errors a connector raises on purpose.
        """
        if fresh:
            self._local.adapter = None
        sent: HttpRequest | None = None
        answer: HttpResponse | None = None
        moved = False
        for made in itertools.count():
            try:
                request = next(conversation) if answer is None else conversation.send(answer)
            except StopIteration as stop:
                return stop.value  # type: ignore[no-any-return]  # a generator's return value is T by its type
            except (PaymentServerError, CallFailed):
                raise
            except Exception as error:  # the connector could not make sense of what it was sent
                raise _unreadable(sent, error) from error
            if made == CALLS_MAX:
                break
            sent = request
            try:
                answer = self._send(request, deadline)
            except NotSent as error:
                if moved:  # this call never left, but one before it did
                    raise OutcomeUnknown(error.detail) from None
                raise
            moved = moved or request.moves_money
        conversation.close()
        endless = OutcomeUnknown if moved else ReadFailed
        raise endless(f"the conversation took more than {CALLS_MAX} calls")

    def _send(self, request: HttpRequest, deadline: Deadline) -> HttpResponse:
        began = time.monotonic()
        result = "error"
        try:
            response = self._exchange(request, deadline)
            result = str(response.status)
            return response
        except CallFailed as error:
            result = type(error).__name__
            raise
        finally:
            if self._observe is not None:
                self._observe(request, result, time.monotonic() - began)

    def _exchange(self, request: HttpRequest, deadline: Deadline) -> HttpResponse:
        timeout_s = min(self._call_timeout_s, deadline.left_s())
        if timeout_s <= 0.05:
            raise NotSent("no time was left")
        ends = time.monotonic() + timeout_s
        try:
            prepared = _prepared(request)
        except ValueError as error:  # requests' own are ValueErrors too
            raise NotSent(f"the request can not be written, {type(error).__name__}") from None
        try:
            answer = self._adapter().send(prepared, stream=True, timeout=timeout_s, verify=True)
            body = _body_of(answer, ends)
        except (requests.RequestException, HTTPError) as error:
            self._local.adapter = None
            if not_sent(error):
                raise NotSent(f"no connection, {type(error).__name__}") from None
            raise _failed(request, type(error).__name__) from None
        except _TooSlowOrLarge as error:
            self._local.adapter = None
            raise _failed(request, str(error)) from None
        if answer.status_code >= 500:
            raise _failed(request, f"status {answer.status_code}")
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return HttpResponse(answer.status_code, headers, body)

    def _adapter(self) -> HTTPAdapter:
        """This thread's connections, new ones after 20 s idle and after a fork."""
        now, local = time.monotonic(), self._local
        adapter: HTTPAdapter | None = getattr(local, "adapter", None)
        if adapter is None or local.pid != os.getpid() or now - local.used_at > IDLE_MAX_S:
            adapter = HTTPAdapter(max_retries=0)
            local.adapter, local.pid = adapter, os.getpid()
        local.used_at = now
        return adapter


def _prepared(request: HttpRequest) -> requests.PreparedRequest:
    """The request as requests' transport takes it. A session of requests would add cookies, redirects, proxies and
    credentials of the environment, none of which a PSP's call may have, and a third of the call's CPU."""
    prepared = requests.PreparedRequest()
    prepared.method, prepared.hooks = request.method, default_hooks()
    prepared.url = _normalized(request.url)
    prepared.headers = CaseInsensitiveDict({"User-Agent": "PaymentServer", "Accept": "application/json"})
    for name, value in request.headers.items():
        if not _HEADER.fullmatch(value):  # a key pasted with its line's end; the transport's error would show it
            raise InvalidHeader
        prepared.headers[name] = value
    if request.body is not None:
        prepared.headers["Content-Length"] = str(len(request.body))
    prepared.body = request.body
    return prepared


@lru_cache(256)  # a connection's address for new checkouts is the same every time
def _normalized(url: str) -> str | None:
    """The address as requests would send it. Raises requests' InvalidURL."""
    prepared = requests.PreparedRequest()
    prepared.prepare_url(url, None)
    return prepared.url


class _TooSlowOrLarge(Exception):
    pass


def _body_of(answer: requests.Response, ends: float) -> bytes:
    """The body, within its size and what is left of the call's time (a time-out of requests is per read alone)."""
    parts: list[bytes] = []
    size = 0
    while part := answer.raw.read1(65_536, decode_content=True):  # read1: no waiting for a full buffer
        parts.append(part)
        size += len(part)
        if size > ANSWER_BYTES_MAX:
            answer.close()
            raise _TooSlowOrLarge(f"over {ANSWER_BYTES_MAX} bytes")
        if time.monotonic() > ends:
            answer.close()
            raise _TooSlowOrLarge("it took too long")
    return b"".join(parts)


def _failed(request: HttpRequest, detail: str) -> CallFailed:
    return OutcomeUnknown(detail) if request.moves_money else ReadFailed(detail)


def _unreadable(sent: HttpRequest | None, error: Exception) -> CallFailed | Exception:
    if sent is None:
        return error
    return _failed(sent, f"unreadable, {type(error).__name__}")
