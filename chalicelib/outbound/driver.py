"""The one HTTP driver for connectors: runs conversations, keeps time budgets, and decides what is certain.

`NotSent` is a connection that never came about, and nothing else. Every other failure of a call that moves money is
`OutcomeUnknown`: a time-out, a reset, a 5xx answer, one that can not be read; and so is whatever fails after it in the same
conversation. Where a read before it fails, `ReadFailed`, it was never sent. (requests wraps a refused connection in a
ConnectionError whose reason is urllib3's NewConnectionError; a reset after connecting looks alike, but is not.)
"""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, NewConnectionError

from chalicelib.contracts.conversation import (
    CallFailed,
    Conversation,
    HttpRequest,
    HttpResponse,
    NotSent,
    OutcomeUnknown,
    ReadFailed,
)
from chalicelib.domain.errors import PaymentServerError
from chalicelib.outbound.failures import UNREADABLE, reason_of
from chalicelib.outbound.transport import TooSlowOrLarge, body_of, prepared

T = TypeVar("T")
CALL_TIMEOUT_S = 8.0
IDLE_MAX_S = 20.0
ANSWER_BYTES_MAX = 1_048_576
CALLS_MAX = 10  # in one conversation
_ACCEPT = {"Accept": "application/json"}

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
        answer: HttpResponse | None = None
        moved = False  # whether a call that moves money may have reached the PSP
        for made in itertools.count():
            try:
                request = next(conversation) if answer is None else conversation.send(answer)
            except StopIteration as stop:
                return stop.value  # type: ignore[no-any-return]  # a generator's return value is T by its type
            except PaymentServerError:
                raise
            except CallFailed as error:
                raise _certain(error, moved) from None
            except Exception as error:  # the connector could not make sense of what it was sent
                if answer is None:
                    raise
                unreadable = _told(request, f"{UNREADABLE} ({type(error).__name__})")
                raise _certain(ReadFailed(unreadable), moved) from error
            if made == CALLS_MAX:
                break
            try:
                answer = self._send(request, deadline)
            except CallFailed as error:
                raise _certain(error, moved) from None
            moved = moved or request.moves_money
        conversation.close()
        raise _certain(ReadFailed(f"the conversation took more than {CALLS_MAX} calls"), moved)

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
            sent = prepared(request.method, request.url, {**_ACCEPT, **request.headers}, request.body)
        except ValueError as error:  # requests' own are ValueErrors too
            raise NotSent(f"the request can not be written, {type(error).__name__}") from None
        try:
            answer = self._adapter().send(sent, stream=True, timeout=timeout_s, verify=True)
            body = body_of(answer, ends, ANSWER_BYTES_MAX)
        except (requests.RequestException, HTTPError) as error:
            self._local.adapter = None
            reason = reason_of(error, connect_s=timeout_s, answer_s=timeout_s)
            if not_sent(error):
                raise NotSent(_told(request, reason)) from None
            raise _failed(request, reason) from None
        except TooSlowOrLarge as error:
            self._local.adapter = None
            raise _failed(request, str(error)) from None
        if answer.status_code >= 500:
            raise _failed(request, f"answered {answer.status_code}")
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


def _failed(request: HttpRequest, reason: str) -> CallFailed:
    detail = _told(request, reason)
    return OutcomeUnknown(detail) if request.moves_money else ReadFailed(detail)


def _told(request: HttpRequest, reason: str) -> str:
    """With the host, which a wrong setting may have made; of an address, more than that is shown to nobody."""
    return f"{urlsplit(request.url).hostname}: {reason}"


def _certain(error: CallFailed, moved: bool) -> CallFailed:
    """What a conversation's failure proves: nothing of a call that moves money, once one was sent."""
    return OutcomeUnknown(error.detail) if moved and not isinstance(error, OutcomeUnknown) else error
